r"""Elementary functions for the loops: exp, log(1 + e), expm1, tanh, sigmoid, in float32.

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
INF = f32(math.inf)

P0, P1, P2 = f32(0.5), f32(0.16666667163372040), f32(0.041666459292173386)
P3, P4, P5 = f32(0.008333361707627773), f32(0.0013934486778452992), f32(0.00019858122686855495)

Q0, Q1, Q2 = f32(1.0), f32(-0.4999949336051941), f32(0.3331909477710724)
Q3, Q4, Q5 = f32(-0.2484297752380371), f32(0.1910598874092102), f32(-0.1366320699453354)
Q6, Q7, Q8 = f32(0.07822549343109131), f32(-0.029504956677556038), f32(0.005232624243944883)


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
