r"""Elementary functions for the loops: exp, log, expm1, tanh, cos and their like, in float32.

Numba calls the C library's exp and log one number at a time, which is slower than NumPy's. Written
as polynomials, with no branch but a choice between two results, they are computed for eight numbers
at once. Each coefficient was fitted for the smallest relative error (Chebyshev fit, reweighted);
each error below is the largest against float64 over the stated range, and is tested. In float64
the C library's functions are called: those digits are for checking.

$$ e^x = 2^n (1 + m), \quad n = \text{round}(x / \ln 2), \quad r = x - n \ln 2,
   \quad m = e^r - 1 = r + r^2 P(r) \tag{1} $$

with $|r| \le \tfrac12 \ln 2$. Adding and subtracting $1.5 \cdot 2^{23}$, beyond which float32 has
no fractions, rounds to a whole number. $2^n$ is made from its bits: a float32's exponent stands
above its 23 fraction bits, with 127 added. Above 88.37, where n would be 128, the result is
infinite; below -87.33 it stays at the smallest normal number, 1.2e-38.
Near 0, n = 0, and $e^x - 1$ is $m$ with all its digits:

$$ e^x - 1 = 2^n m + (2^n - 1) \tag{2} $$
$$ \tanh |x| = \frac{-t}{2 + t}, \quad t = e^{-2|x|} - 1 \tag{3} $$
$$ \ln(1 + e) = e \, Q(e), \quad 0 \le e \le 1 \tag{4} $$
$$ \ln x = n \ln 2 + t + t^2 L(t), \quad x = 2^n (1 + t), \quad
   \sqrt{1/2} \le 1 + t < \sqrt 2 \tag{5} $$
$$ \cos 2 \pi v = C(v^2), \quad \sin 2 \pi v = v \, S(v^2), \quad |v| \le \tfrac12 \tag{6} $$
"""

import math

import numpy as np

from .loop import loop

f32, i32 = np.float32, np.int32

PER_LN2 = f32(1 / math.log(2))
LN2_HIGH = f32(0.693359375)  # 9 bits, so that n * LN2_HIGH is exact
LN2_LOW = f32(math.log(2) - 0.693359375)
ROUND = f32(1.5 * 2**23)
TOP, BOTTOM = f32(88.37), f32(-87.33)  # beyond, 2^n is no normal float32
INF, NAN = f32(math.inf), f32(math.nan)

P0, P1, P2 = f32(0.5), f32(0.16666667163372040), f32(0.041666459292173386)
P3, P4, P5 = f32(0.008333361707627773), f32(0.0013934486778452992), f32(0.00019858122686855495)

Q0, Q1, Q2 = f32(1.0), f32(-0.4999949336051941), f32(0.3331909477710724)
Q3, Q4, Q5 = f32(-0.2484297752380371), f32(0.1910598874092102), f32(-0.1366320699453354)
Q6, Q7, Q8 = f32(0.07822549343109131), f32(-0.029504956677556038), f32(0.005232624243944883)

L0, L1, L2 = f32(-0.49999991059303284), f32(0.33333951234817505), f32(-0.25001755356788635)
L3, L4, L5 = f32(0.19962070882320404), f32(-0.165705144405365), f32(0.14917989075183868)
L6, L7 = f32(-0.14307482540607452), f32(0.08734750747680664)
LN2, ROOT_HALF_BITS = f32(math.log(2)), i32(0x3F3504F3)  # the bits of sqrt(1/2)

C0, C1, C2 = f32(1.0), f32(-19.73920440673828), f32(64.93911743164062)
C3, C4, C5, C6 = f32(-85.45016479), f32(60.16783142), f32(-25.96831322), f32(6.52960968)

S0, S1, S2 = f32(6.2831854820251465), f32(-41.341697692871094), f32(81.60507202148438)
S3, S4, S5, S6 = f32(-76.70217133), f32(42.02004242), f32(-14.88047314), f32(3.21378136)


@loop
def _power(x):  # noqa: ANN001, ANN202
    """Return 2^n and m of (1); x must lie between BOTTOM and TOP."""
    n = (x * PER_LN2 + ROUND) - ROUND
    r = x - n * LN2_HIGH - n * LN2_LOW
    m = r + r * r * (((((P5 * r + P4) * r + P3) * r + P2) * r + P1) * r + P0)  # (1)
    return i32((i32(n) + i32(127)) << i32(23)).view(np.float32), m


@loop
def _inside(x):  # noqa: ANN001, ANN202
    """Bring x between BOTTOM and TOP; NaN stays NaN, and makes m NaN."""
    x = TOP if x > TOP else x
    return BOTTOM if x < BOTTOM else x


@loop
def exp(x):  # noqa: ANN001, ANN201
    """e^x; relative error below 1e-7 in float32. Below -87.33 it stays at 1.2e-38."""
    if isinstance(x, np.float64):
        return math.exp(x)
    scale, m = _power(_inside(x))
    y = scale + scale * m  # (1)
    return INF if x > TOP else y


@loop
def exp_minus(x):  # noqa: ANN001, ANN201
    """e^(-|x|), which never overflows; the errors are those of `exp`."""
    if isinstance(x, np.float64):
        return math.exp(-abs(x))
    y = -abs(x)
    scale, m = _power(BOTTOM if y < BOTTOM else y)
    return scale + scale * m  # (1)


@loop
def expm1(x):  # noqa: ANN001, ANN201
    """e^x - 1 without cancellation near 0; relative error below 3e-7 in float32."""
    if isinstance(x, np.float64):
        return math.expm1(x)
    scale, m = _power(_inside(x))
    y = scale * m + (scale - f32(1))  # (2)
    return INF if x > TOP else y


@loop
def tanh(x):  # noqa: ANN001, ANN201
    """Hyperbolic tangent; relative error below 5e-7 in float32."""
    if isinstance(x, np.float64):
        return math.tanh(x)
    y = f32(-2) * abs(x)
    scale, m = _power(BOTTOM if y < BOTTOM else y)
    t = scale * m + (scale - f32(1))  # (2)
    y = -t / (f32(2) + t)  # (3)
    return y if x > f32(0) else -y


@loop
def log1p(e):  # noqa: ANN001, ANN201
    """ln(1 + e) for e from 0 to 1; relative error below 2e-7 in float32."""
    if isinstance(e, np.float64):
        return math.log1p(e)
    q = (((((((Q8 * e + Q7) * e + Q6) * e + Q5) * e + Q4) * e + Q3) * e + Q2) * e + Q1) * e + Q0
    return e * q  # (4)


@loop
def sigmoid(x):  # noqa: ANN001, ANN201
    """1 / (1 + e^(-x)), the exponential never above 1; relative error below 3e-7 in float32."""
    one = type(x)(1)
    e = exp_minus(x)
    return (one if x > type(x)(0) else e) / (one + e)


@loop
def log(x):  # noqa: ANN001, ANN201
    """Ln x for a normal float32 above 0; relative error below 2e-7, absolute 1e-7 near 1."""
    if isinstance(x, np.float64):
        return math.log(x)
    bits = f32(x).view(np.int32)
    n = i32(i32(bits - ROOT_HALF_BITS) >> i32(23))  # so that 1 + t is in the range of (5)
    t = i32(bits - i32(n << i32(23))).view(np.float32) - f32(1)
    p = ((((((L7 * t + L6) * t + L5) * t + L4) * t + L3) * t + L2) * t + L1) * t + L0
    y = f32(n) * LN2 + (t + t * t * p)  # (5)
    return y if x > f32(0) else NAN


@loop
def turn(v):  # noqa: ANN001, ANN201
    """Cos and sin of 2 pi v for v from -1/2 to 1/2; absolute error below 1e-6 in float32."""
    if isinstance(v, np.float64):
        return math.cos(2 * math.pi * v), math.sin(2 * math.pi * v)
    w = v * v
    cos = (((((C6 * w + C5) * w + C4) * w + C3) * w + C2) * w + C1) * w + C0
    sin = (((((S6 * w + S5) * w + S4) * w + S3) * w + S2) * w + S1) * w + S0
    return cos, v * sin  # (6)
