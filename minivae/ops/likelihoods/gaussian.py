r"""Gaussian likelihood with one fixed standard deviation, in nats.

Shapes: mean $m$ and data $x$ (B, D), nll (B,); or, with K samples of each example, $m$ (B, K, D),
$x$ (B, 1, D), nll (B, K). The negative logarithm of the normal density with the standard deviation
$\sigma$ = `sigma`, summed over the dimensions:

$$ \text{nll}_n = \sum_d \left( \tfrac12 u_{nd}^2 + \ln \sigma + \tfrac12 \ln 2\pi \right),
   \quad u = (x - m) / \sigma \tag{1} $$

Only the square depends on $m$, and $\partial u / \partial m = -1 / \sigma$:

$$ dm_{nd} = -d\text{nll}_n \, u_{nd} / \sigma \tag{2} $$

So a smaller $\sigma$ makes the reconstruction weigh more against the KL; with $\sigma$ given, (1)
is the squared error, scaled, and a constant. `gaussian_shared.py` and `gaussian_learned.py` learn
it.

Source: Kingma and Welling (2014), appendix C.2.
"""

import math
from typing import Any, ClassVar

import numpy as np

from ...engine import Array, Backend, Case, Elementwise, Real, Reduction, door, empty, kernel, loop
from ...engine.kinds import Positive
from ...errors import OptionError
from .base import LN_2PI, Likelihood, rows, rows_of_dnll


@door
def fixed_forward(mean: Array, x: Real, sigma: Positive) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x under N(mean, sigma^2), both (B, D).

    With K samples, mean (B, K, D) and x (B, 1, D), it is (B, K).
    """
    u = (x - mean) / sigma
    nll = (0.5 * u * u + (math.log(sigma) + 0.5 * LN_2PI)).sum(axis=-1)  # (1)
    return nll, (u, sigma)


@door
def fixed_backward(dnll: Array, u: Array, sigma: Positive) -> Array:
    """Gradient dmean (B, D) from dnll (B,) and u (B, D).

    With K samples: from dnll (B, K) and u (B, K, D).
    """
    return -dnll[..., None] * u / sigma  # (2)


# The kernels: forward in one pass that keeps what the backward pass needs, backward in another.
# Forward and backward at 128 x 784, float32, reference / kernel: 2.5.


@loop(reorder=True)
def _fixed(mean, x, scale, constant, nll, u):  # noqa: ANN001, ANN202
    half = mean.dtype.type(0.5)
    for n in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            m, t, row = mean[n, k], x[n], u[n, k]
            total = mean.dtype.type(0)
            for i in range(m.size):
                row[i] = (t[i] - m[i]) * scale
                total += half * row[i] * row[i] + constant  # (1)
            nll[n, k] = total


@loop
def _fixed_backward(dnll, u, scale, dmean):  # noqa: ANN001, ANN202
    for n in range(dnll.size):
        row, out = u[n], dmean[n]
        for i in range(row.size):
            out[i] = -dnll[n] * row[i] * scale  # (2)


@kernel("numba", of=fixed_forward)
def fixed_forward_numba(mean: Array, x: Array, sigma: Positive) -> tuple[Array, tuple]:
    """Kernel of `fixed_forward`."""
    number = mean.dtype.type
    per_sample, data = rows(mean, x)
    nll, u = empty(mean.shape[:-1], x.dtype), empty(mean.shape, x.dtype)
    constant = number(math.log(sigma) + 0.5 * LN_2PI)
    by_sample = nll.reshape(per_sample.shape[:2])
    _fixed(per_sample, data, number(1 / sigma), constant, by_sample, u.reshape(per_sample.shape))
    return nll, (u, sigma)


@kernel("numba", of=fixed_backward)
def fixed_backward_numba(dnll: Array, u: Array, sigma: Positive) -> Array:
    """Kernel of `fixed_backward`."""
    dmean, width = empty(u.shape, u.dtype), u.shape[-1]
    scale = u.dtype.type(1 / sigma)
    per_row = rows_of_dnll(dnll, u)
    _fixed_backward(per_row, u.reshape(-1, width), scale, dmean.reshape(-1, width))
    return dmean


# On the GPU: one launch forward, the sum included, and one backward. It keeps the arguments.

_FIXED_CUDA = Reduction(
    "gaussian",
    "T mean, T x, T sigma, T constant",
    "T nll",
    "T(0.5) * ((x - mean) / sigma) * ((x - mean) / sigma) + constant",  # (1)
    "nll = a",
)

_FIXED_BACKWARD_CUDA = Elementwise(
    "gaussian_backward",
    "T dnll, T mean, T x, T sigma",
    "T dmean",
    "dmean = -dnll * ((x - mean) / sigma) / sigma;  // (2)",
)


@kernel("cuda", of=fixed_forward)
def fixed_forward_cuda(mean: Array, x: Array, sigma: Positive) -> tuple[Array, tuple]:
    """Kernel of `fixed_forward`."""
    constant = math.log(sigma) + 0.5 * LN_2PI
    return _FIXED_CUDA(mean, x, sigma, constant, axis=mean.ndim - 1), (mean, x, sigma)


@kernel("cuda", of=fixed_backward)
def fixed_backward_cuda(dnll: Array, mean: Array, x: Array, sigma: Positive) -> Array:
    """Kernel of `fixed_backward`."""
    return _FIXED_BACKWARD_CUDA(dnll[..., None], mean, x, sigma)


class Gaussian(Likelihood):
    """Likelihood of real data with a fixed standard deviation; the decoder gives the mean.

    Parameters
    ----------
    sigma : float
        Standard deviation of every dimension.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    name = "gaussian"
    same_calls = True
    options: ClassVar = {
        "sigma": (
            float,
            1.0,
            "standard deviation of the gaussian likelihood; of a run by default half its data's",
        )
    }
    real = True
    mean_by = ""
    js_mean = "out"

    def __init__(
        self, sigma: Positive = 1.0, *, dtype: str = "float32", backend: str | Backend = "auto"
    ) -> None:
        if not (sigma > 0 and math.isfinite(sigma)):
            raise OptionError(f"sigma={sigma} was given, but a standard deviation is above 0.")
        super().__init__(dtype=dtype, backend=backend)
        self.sigma = float(sigma)

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the means `out` (B, D)."""
        self.expect_data(out, x)
        nll, self.cache = self.call(fixed_forward, out, x, self.sigma)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of the means (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-1])
        return self.call(fixed_backward, dnll, *cache)

    @classmethod
    def suited(cls, spread: float) -> dict[str, Any]:
        """Half the spread, to two digits, so that a latent that explains it is worth its KL."""
        return {"sigma": float(f"{spread / 2:.2g}")} if spread > 0 else {}

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out

    def perfect(self, out: Array, x: Array) -> Array:
        """Return x: the output is the mean."""
        return x

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        return out + self.sigma * self.normal(rng, out.shape)


CASES = [
    Case(
        "gaussian",
        fixed_forward,
        fixed_backward,
        vary={"mean": ("B", "D")},
        fixed={"x": ("B", "D")},
        options={"sigma": 0.6},
        output=("B",),
        layer=lambda **how: Gaussian(0.6, **how),
    ),
]
