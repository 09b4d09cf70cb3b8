r"""Bernoulli likelihood from logits: the sigmoid cross-entropy, in nats.

Shapes: logits $a$ and data $x$ (B, D), nll (B,); or, with K samples of each example, $a$ (B, K, D),
$x$ (B, 1, D) and nll (B, K). A pixel is 1 with probability $\sigma(a)$, so

$$ -\ln p(x \mid a) = -x \ln \sigma(a) - (1 - x) \ln (1 - \sigma(a)) $$

With $-\ln \sigma(a) = \ln(1 + e^{-a}) = \ln(1 + e^a) - a$ and $-\ln(1 - \sigma(a)) = \ln(1 + e^a)$
the two logarithms become one softplus, which takes any logit without overflow and needs no small
constant inside a logarithm:

$$ \text{nll}_n = \sum_d \left( \ln(1 + e^{a_{nd}}) - x_{nd} \, a_{nd} \right) \tag{1} $$

The softplus has the derivative $\sigma(a)$, and $x a$ has $x$:

$$ da_{nd} = d\text{nll}_n \left( \sigma(a_{nd}) - x_{nd} \right) \tag{2} $$

The sigmoid's own derivative does not appear: it has cancelled. Multiplying (2) by
$\sigma (1 - \sigma)$ counts it twice.

For $x$ strictly between 0 and 1, (1) is still a loss with its minimum at $\sigma(a) = x$, but not a
likelihood: the density it belongs to does not integrate to one (Loaiza-Ganem and Cunningham 2019).

Source: Kingma and Welling (2014), appendix C.1, written for logits.
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
    logit,
    loop,
)
from ...engine.cpu.elementary import exp_minus, log1p
from ...engine.kinds import Rows
from ..activations.sigmoid import sigmoid_forward
from ..activations.softplus import softplus_forward
from .base import Likelihood, is_binary, loss_and_residual, require_unit_interval, scaled_rows


@door
def forward(logits: Array, x: Real) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x (B, D) under logits (B, D).

    With K samples, logits (B, K, D) and x (B, 1, D), it is (B, K).
    """
    softplus, _ = softplus_forward(logits)
    nll = (softplus - x * logits).sum(axis=-1)  # (1)
    return nll, (logits, x)


@door
def backward(dnll: Array, logits: Array, x: Array) -> Array:
    """Gradient dlogits (B, D) from dnll (B,), with x (B, D).

    With K samples: dlogits (B, K, D) from dnll (B, K), with x (B, 1, D).
    """
    probability, _ = sigmoid_forward(logits)
    return dnll[..., None] * (probability - x)  # (2)


# The kernels: the forward one computes (1) and the bracket of (2) in one pass, for they share the
# exponential.
# Forward and backward at 128 x 784, float32, reference / kernel: 15.


@loop(reorder=True)
def _loss(logits, x, nll, residual):  # noqa: ANN001, ANN202
    zero, one = logits.dtype.type(0), logits.dtype.type(1)
    for n in range(logits.shape[0]):
        for k in range(logits.shape[1]):
            a, t, r = logits[n, k], x[n], residual[n, k]
            total = zero
            for i in range(a.size):
                e = exp_minus(a[i])
                softplus = (zero if a[i] <= zero else a[i]) + log1p(e)
                total += softplus - t[i] * a[i]  # (1)
                r[i] = (one if a[i] > zero else e) / (one + e) - t[i]  # (2), without dnll
            nll[n, k] = total


@kernel("numba", of=forward)
def forward_numba(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps the bracket of (2)."""
    return loss_and_residual(_loss, logits, x)


@kernel("numba", of=backward)
def backward_numba(dnll: Array, residual: Array) -> Array:
    """Kernel of `backward`."""
    return scaled_rows(dnll, residual)  # (2)


# On the GPU: one launch forward, the sum included, and one backward. What is kept are the
# arguments: a second exponential takes less than to write the first to memory and to read it.

_LOSS_CUDA = Reduction(
    "bernoulli",
    "T logit, T x",
    "T nll",
    "(logit <= T(0) ? T(0) : logit) + log1p(exp(logit > T(0) ? -logit : logit)) - x * logit",  # (1)
    "nll = a",
)

_BACKWARD_CUDA = Elementwise(
    "bernoulli_backward",
    "T dnll, T logit, T x",
    "T dlogit",
    """
    T e = exp(logit > T(0) ? -logit : logit);
    dlogit = dnll * ((logit > T(0) ? T(1) : e) / (T(1) + e) - x);  // (2)
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


class Bernoulli(Likelihood):
    """Likelihood of binary data; the decoder's output are the logits."""

    name = "bernoulli"
    same_calls = True
    binary = True
    mean_by = "sigmoid"
    js_mean = "out.map(sigmoid)"

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
        """Check that the data lie in [0, 1]; say so when they are not binary."""
        require_unit_interval(x, self.name)
        if is_binary(x):
            return ""
        return "grey pixels under a Bernoulli: a loss in nats, not a bound on a likelihood"

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Logit of the mean (D,)."""
        return logit(mean)

    def mean(self, out: Array) -> Array:
        """Probability of a 1 (B, D)."""
        return sigmoid_forward(out)[0]

    def perfect(self, out: Array, x: Array) -> Array:
        """Logits of x; those of 0 and 1 would be infinite, and 40 is as good."""
        xp = array_module(out, x)
        with np.errstate(divide="ignore"):
            return xp.clip(xp.log(x) - xp.log1p(-x), -40, 40)

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw zeros and ones (B, D)."""
        return (self.uniform(rng, out.shape) < self.mean(out)).astype(out.dtype)


def _binary(arguments: dict, rng: np.random.Generator) -> dict:
    return {**arguments, "x": arguments["x"] > 0}


CASES = [
    Case(
        "bernoulli",
        forward,
        backward,
        vary={"logits": ("B", "D")},
        fixed={"x": ("B", "D")},
        prepare=_binary,
        output=("B",),
        layer=Bernoulli,
    ),
]
