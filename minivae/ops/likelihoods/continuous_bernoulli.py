r"""Continuous Bernoulli likelihood from logits: grey values in [0, 1], in nats.

Shapes: logits $a$ and data $x$ (B, D), nll (B,); or, with K samples of each example, $a$ (B, K, D),
$x$ (B, 1, D) and nll (B, K). The Bernoulli's $\sigma(a)^x (1 - \sigma(a))^{1 - x}$ is $e^{ax}$
times a number without $x$. Over 0 and 1 it sums to one; over all grey values it does not integrate
to one, so the density has another normaliser:

$$ p(x \mid a) = e^{a x - A(a)}, \quad A(a) = \ln \int_0^1 e^{a x} dx = \ln \frac{e^a - 1}{a} $$

Written so, $e^a$ overflows, and near $a = 0$ nothing is left of 0 / 0. Let $b = |a|$ and $s$ be the
sign of $a$. On the right, $e^a$ is taken out of the bracket:

$$ A(a) = \tfrac12 (1 + s) \, a + h(a), \quad h(a) = -\ln \frac{b}{1 - e^{-b}} \tag{1} $$

Near 0, for $b < \tfrac12$, both sides are one with $s = 0$. What then remains as $h$ is an even
function, whose Taylor series has the Bernoulli numbers $B_2 = \tfrac16$, $B_4 = -\tfrac1{30}$, ...;
at $b = \tfrac12$ the first term left out, that of $a^{16}$, is 3e-19:

$$ h(a) = \sum_{k=1}^{7} \frac{B_{2k}}{2k \, (2k)!} \, a^{2k} \tag{2} $$

For any $a$, with no difference of two large numbers,

$$ \text{nll}_n = \sum_d \left( a \left( \tfrac12 (1 + s) - x \right) + h(a) \right)_{nd} \tag{3} $$

The derivative of a log-normaliser is the mean, here $m(a) = A'(a) = 1 / (1 - e^{-a}) - 1 / a$:

$$ m(a) = \tfrac12 (1 + s) + h'(a), \quad h' = s \, (e^{-b} / (1 - e^{-b}) - 1 / b) \tag{4} $$

and near 0, where the first term left out, that of $a^{15}$, is 1e-17 at most,

$$ h'(a) = \sum_{k=1}^{7} \frac{B_{2k}}{(2k)!} \, a^{2k-1} \tag{5} $$
$$ da_{nd} = d\text{nll}_n \left( m(a_{nd}) - x_{nd} \right) \tag{6} $$

With the sigmoid in the place of $m$, (6) would be the Bernoulli's, and would have forgotten $A$;
the mean image is $m(a)$ too, not $\sigma(a)$, which is nearer to 0 and 1. A density may be above
one, and the nll below 0: grey values are likelier the closer they keep to 0 and 1.

**Draws.** Where $a \le 0$, the distribution function $(1 - e^{-b x}) / (1 - e^{-b})$ is set equal
to a uniform $u$ and solved for $x$; where $a > 0$, $1 - x$ and $1 - u$ take their places:

$$ x = -\frac{\ln(1 - u \, (1 - e^{-b}))}{b} \tag{7} $$

**The logit of a mean** $m$ has no closed form. With $q = \min(m, 1 - m)$ and $y = 1 - 2 q$, the
first guess is at most 5 percent off, and after four steps of Newton's method only rounding is
left; the derivative of $m(-b)$ is minus the variance $v(b)$:

$$ b_0 = \frac{y \, (3 - y^2)}{2 q \, (1 - q)} \tag{8} $$
$$ b_{i+1} = b_i + (m(-b_i) - q) / v(b_i), \quad v = 1 / b^2 - e^{-b} / (1 - e^{-b})^2 \tag{9} $$

Sources: Loaiza-Ganem and Cunningham (2019); (8) is Cohen's (1991) for the inverse Langevin
function, for $m(a) = \tfrac12 (1 + \coth \tfrac a2 - \tfrac2a)$.
"""

import numpy as np

from ...engine import (
    Array,
    Case,
    Elementwise,
    Real,
    Reduction,
    array_module,
    door,
    kernel,
    loop,
)
from ...engine.cpu.elementary import exp_minus, log
from ...engine.kinds import Rows
from .base import Likelihood, loss_and_residual, require_unit_interval, scaled_rows

NEAR = 0.5
"""Below it, |a| is near 0."""

SLOPE: tuple[float, ...] = (1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)
SLOPE += (-691 / 1307674368000, 1 / 74724249600)
"""The coefficients of (5), from that of a on."""

REST = tuple(c / (2 * k) for k, c in enumerate(SLOPE, 1))
"""The coefficients of (2), from that of a^2 on."""

MOST = 1e3
"""Logit of a mean of 0.999: as far as a mean of 1, whose logit is infinite, needs to go."""


def _sides(a: Array) -> tuple[Array, Array, Array]:
    """Sign s of a, 0 near 0; b = |a|, 1 near 0; and a, 0 but near 0."""
    xp = array_module(a)
    near = abs(a.real) < NEAR
    s = xp.where(near, 0, xp.sign(a.real))
    return s, xp.where(near, 1, s * a), xp.where(near, a, 0)


def _series(square: Array, coefficients: tuple[float, ...]) -> Array:
    """The polynomial with these coefficients, from that of 1 on."""
    value = coefficients[-1] * square + coefficients[-2]
    for c in coefficients[-3::-1]:
        value = value * square + c
    return value


@door
def mean_of(a: Array) -> Array:
    """Mean m(a) of the data, any shape."""
    xp = array_module(a)
    s, b, small = _sides(a)
    e = xp.exp(-b)
    near = small * _series(small * small, SLOPE)  # (5)
    return 0.5 * (1 + s) + xp.where(s == 0, near, s * (e / (1 - e) - 1 / b))  # (4)


@door
def logit_of(mean: Array) -> Array:
    """Logit of a mean in [0, 1], any shape; no logit is beyond 1e15."""
    xp = array_module(mean)
    q = xp.maximum(xp.minimum(mean, 1 - mean), 1e-15)
    y = 1 - 2 * q
    b = y * (3 - y * y) / (2 * q * (1 - q))  # (8)
    for _ in range(4):
        far = xp.maximum(b, 0.05)  # nearer to 0, v is 1/12 within 1.3e-4 of it
        e = xp.exp(-far)
        v = xp.where(b < far, 1 / 12, 1 / (far * far) - e / (1 - e) ** 2)
        b = b + (mean_of(-b) - q) / v  # (9)
    return xp.where(mean > 0.5, b, -b)


@door
def forward(logits: Array, x: Real) -> tuple[Array, tuple]:
    """Nats (B,) of x, logits (B, D); with K samples (B, K), of x (B, 1, D), logits (B, K, D)."""
    xp = array_module(logits, x)
    s, b, small = _sides(logits)
    square = small * small
    near = square * _series(square, REST)  # (2)
    h = xp.where(s == 0, near, -xp.log(b / (1 - xp.exp(-b))))  # (1)
    nll = (logits * (0.5 * (1 + s) - x) + h).sum(axis=-1)  # (3)
    return nll, (logits, x)


@door
def backward(dnll: Array, logits: Array, x: Array) -> Array:
    """Gradient dlogits (B, D) from dnll (B,), x (B, D); (B, K, D) from (B, K), x (B, 1, D)."""
    return dnll[..., None] * (mean_of(logits) - x)  # (6)


# The kernels: the forward one computes (3) and the bracket of (6) in one pass.
# Forward and backward at 128 x 784, float32, one thread of an AMD EPYC, reference / kernel: 64, and
# 41 for the Bernoulli in the same run.


@loop
def _polynomial(square, coefficients):  # noqa: ANN001, ANN202
    value = type(square)(0)
    for c in coefficients[::-1]:
        value = value * square + type(square)(c)
    return value


@loop(reorder=True)
def _loss(logits, x, nll, residual):  # noqa: ANN001, ANN202
    zero, half, one = logits.dtype.type(0), logits.dtype.type(0.5), logits.dtype.type(1)
    for n in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            a, t, r = logits[n, k], x[n], residual[n, k]
            total = zero
            for i in range(a.size):
                near, right, square = abs(a[i]) < NEAR, a[i] > zero, a[i] * a[i]
                b = one if near else abs(a[i])
                e = exp_minus(b)
                side = half if near else (one if right else zero)
                far = -log(b / (one - e))  # (1)
                h = square * _polynomial(square, REST) if near else far  # (2)
                total += a[i] * (side - t[i]) + h  # (3)
                far = (e / (one - e) - one / b) * (one if right else -one)
                slope = a[i] * _polynomial(square, SLOPE) if near else far  # (5)
                r[i] = side + slope - t[i]  # (4), and (6) without dnll
            nll[n, k] = total


@kernel("numba", of=forward)
def forward_numba(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps the bracket of (6)."""
    return loss_and_residual(_loss, logits, x)


@kernel("numba", of=backward)
def backward_numba(dnll: Array, residual: Array) -> Array:
    """Kernel of `backward`."""
    return scaled_rows(dnll, residual)  # (6)


# On the GPU: one launch forward, the sum included, and one backward. It keeps the arguments.


def _cuda(coefficients: tuple[float, ...]) -> str:
    """Write the polynomial in the logit's square for the GPU."""
    text = f"T({coefficients[-1]!r})"
    for c in coefficients[-2::-1]:
        text = f"(T({c!r}) + logit * logit * {text})"
    return text


_LOSS_CUDA = Reduction(
    "continuous_bernoulli",
    "T logit, T x",
    "T nll",
    f"""fabs(logit) < T(0.5)
    ? logit * (T(0.5) - x) + logit * logit * {_cuda(REST)}  // (2), (3)
    : logit * ((logit > T(0) ? T(1) : T(0)) - x)
        - log(fabs(logit) / (T(1) - exp(-fabs(logit))))  // (1), (3)
    """,
    "nll = a",
)

_BACKWARD_CUDA = Elementwise(
    "continuous_bernoulli_backward",
    "T dnll, T logit, T x",
    "T dlogit",
    f"""
    T b = fabs(logit), e = exp(-b);
    T far = e / (T(1) - e) - T(1) / b;
    T mean = b < T(0.5) ? T(0.5) + logit * {_cuda(SLOPE)}  // (5)
        : logit > T(0) ? T(1) + far : -far;  // (4)
    dlogit = dnll * (mean - x);  // (6)
    """,
)


@kernel("cuda", of=forward)
def forward_cuda(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    return _LOSS_CUDA(logits, x, axis=logits.ndim - 1), (logits, x)


@kernel("cuda", of=backward)
def backward_cuda(dnll: Array, logits: Array, x: Array) -> Array:
    """Kernel of `backward`."""
    return _BACKWARD_CUDA(dnll[..., None], logits, x)


class ContinuousBernoulli(Likelihood):
    """Likelihood of grey values in [0, 1]; the decoder's output are the logits."""

    name = "continuous_bernoulli"
    js_mean = """out.map((a) =>
      Math.abs(a) < 0.01 ? 0.5 + a / 12 - a ** 3 / 720 : -1 / Math.expm1(-a) - 1 / a)"""

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the logits `out` (B, D); or with samples."""
        self.expect_data(out, x)
        nll, self.cache = self.call(forward, out, x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of the logits (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-1])
        return self.call(backward, dnll, *cache)

    def note(self, x: Rows) -> str:
        """Check that the data lie in [0, 1]; all of them have a density."""
        require_unit_interval(x, self.name)
        return ""

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Logits of the mean (D,), from -1000 to 1000."""
        return np.clip(logit_of(mean), -MOST, MOST)

    def mean(self, out: Array) -> Array:
        """Mean grey value (B, D) in [0, 1]."""
        return mean_of(out)

    def perfect(self, out: Array, x: Array) -> Array:
        """Logits of x; those of 0 and 1 would be infinite, and 1000 or the model's are as good."""
        xp = array_module(out, x)
        most = xp.maximum(abs(out), MOST)
        return xp.minimum(xp.maximum(logit_of(x), -most), most)

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw grey values (B, D): the place where the distribution function is a uniform draw."""
        xp = array_module(out)
        u = self.uniform(rng, out.shape)
        u = xp.where(out > 0, 1 - u, u)
        u = xp.minimum(u, 1 - np.finfo(self.params.dtype).epsneg)  # of 1 the logarithm is infinite
        b = xp.maximum(abs(out), 1e-20)  # so near 0 nothing but u is left
        x = -xp.log1p(u * xp.expm1(-b)) / b  # (7)
        return xp.where(out > 0, 1 - x, x)


CASES = [
    Case(
        "continuous_bernoulli",
        forward,
        backward,
        vary={"logits": ("B", "D")},
        fixed={"x": ("B", "D")},
        prepare=lambda arguments, rng: {**arguments, "x": mean_of(4 * arguments["x"])},
        output=("B",),
        layer=ContinuousBernoulli,
    ),
]
