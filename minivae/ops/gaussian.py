r"""Gaussian likelihood, in nats: with a variance that is fixed, shared, or given per dimension.

Shapes: mean $m$, data $x$ and log-variance $v$ = `logvar` (B, D), nll (B,). The negative logarithm
of the normal density, summed over the dimensions:

$$ \text{nll}_n = \tfrac12 \sum_d
   \left( (x_{nd} - m_{nd})^2 e^{-v_{nd}} + v_{nd} + \ln 2\pi \right) \tag{1} $$

With $r = (x - m) \, e^{-v}$, the error in units of the variance: the square has the derivative
$-2 (x - m)$ with respect to $m$, so

$$ dm_{nd} = -d\text{nll}_n \, r_{nd} \tag{2} $$

and $e^{-v}$ has minus itself with respect to $v$, so

$$ dv_{nd} = \tfrac12 \, d\text{nll}_n \left( 1 - (x_{nd} - m_{nd}) \, r_{nd} \right) \tag{3} $$

**Fixed** standard deviation $\sigma$: $v = 2 \ln \sigma$ is a constant, and (2) is all there is.

$$ \text{nll}_n = \sum_d \left( \tfrac12 u_{nd}^2 + \ln \sigma + \tfrac12 \ln 2\pi \right),
   \quad u = (x - m) / \sigma \tag{4} $$
$$ dm_{nd} = -d\text{nll}_n \, u_{nd} / \sigma \tag{5} $$

**Shared**: one number $v$, learned, used for every entry of every example. It occurs B times D
times, so its gradient is the sum of (3) over both:

$$ dv = \sum_{nd} dv_{nd} \tag{6} $$

Setting (6) to zero gives $\sigma^2$ = the mean squared error: the variance that makes the balance
between reconstruction and KL by itself (Rybkin, Daniilidis and Levine 2021).

Source: Kingma and Welling (2014), appendix C.2.
"""

import math

import numpy as np

from ..backend import Array, Backend, array_module
from ..case import Case
from ..errors import OptionError
from .likelihood import Likelihood

LN_2PI = math.log(2 * math.pi)


def fixed_forward(mean: Array, x: Array, sigma: float) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x under N(mean, sigma^2), both (B, D)."""
    u = (x - mean) / sigma
    nll = (0.5 * u * u + (math.log(sigma) + 0.5 * LN_2PI)).sum(axis=-1)  # (4)
    return nll, (u, sigma)


def fixed_backward(dnll: Array, u: Array, sigma: float) -> Array:
    """Gradient dmean (B, D) from dnll (B,)."""
    return -dnll[:, None] * u / sigma  # (5)


def forward(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x under N(mean, exp(logvar)), all (B, D)."""
    xp = array_module(mean, logvar, x)
    error = x - mean
    r = error * xp.exp(-logvar)
    nll = 0.5 * (error * r + logvar + LN_2PI).sum(axis=-1)  # (1)
    return nll, (error, r)


def backward(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Gradients dmean, dlogvar (B, D) from dnll (B,)."""
    dmean = -dnll[:, None] * r  # (2)
    dlogvar = 0.5 * dnll[:, None] * (1 - error * r)  # (3)
    return dmean, dlogvar


def shared_forward(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Like `forward`, with one number `logvar` (1,) for all entries."""
    xp = array_module(mean, logvar, x)
    return forward(mean, xp.broadcast_to(logvar, mean.shape), x)


def shared_backward(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Gradients dmean (B, D) and dlogvar (1,) from dnll (B,)."""
    dmean, dlogvar = backward(dnll, error, r)
    return dmean, dlogvar.sum().reshape(1)  # (6)


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

    def __init__(
        self, sigma: float = 1.0, *, dtype: str = "float32", backend: str | Backend = "numpy"
    ) -> None:
        if not (sigma > 0 and math.isfinite(sigma)):
            raise OptionError(f"sigma={sigma} was given, but a standard deviation is above 0.")
        super().__init__(dtype=dtype, backend=backend)
        self.sigma = float(sigma)

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the means `out` (B, D)."""
        self.expect("out", out, ("B", "D"))
        self.expect("x", x, out.shape)
        nll, self.cache = self.call(fixed_forward, out, x, self.sigma)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of the means (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:1])
        return self.call(fixed_backward, dnll, *cache)

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        return out + self.sigma * self.normal(rng, out.shape)


class GaussianShared(Likelihood):
    """Likelihood of real data with one learned `logvar` (1,), which starts at 0."""

    name = "gaussian_shared"

    def __init__(self, *, dtype: str = "float32", backend: str | Backend = "numpy") -> None:
        super().__init__({"logvar": (1,)}, dtype=dtype, backend=backend)

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the means `out` (B, D)."""
        self.expect("out", out, ("B", "D"))
        self.expect("x", x, out.shape)
        nll, self.cache = self.call(shared_forward, out, self.params["logvar"], x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Overwrite the gradient of `logvar`; return that of the means (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:1])
        dmean, dlogvar = self.call(shared_backward, dnll, *cache)
        self.params.set_grads(logvar=dlogvar)
        return dmean

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        xp = array_module(out)
        return out + xp.exp(0.5 * self.params["logvar"]) * self.normal(rng, out.shape)


class GaussianLearned(Likelihood):
    """Likelihood of real data; the decoder gives the means and the log-variances, side by side."""

    name = "gaussian_learned"

    def output_width(self, n_pixels: int) -> int:
        """Two numbers for each value: mean and log-variance."""
        return 2 * n_pixels

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under `out` (B, 2 D) = (means, log-variances)."""
        self.expect("x", x, ("B", "D"))
        D = x.shape[1]
        self.expect("out", out, (x.shape[0], 2 * D))
        nll, self.cache = self.call(forward, out[:, :D], out[:, D:], x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of `out` (B, 2 D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:1])
        return self.backend.xp.concatenate(self.call(backward, dnll, *cache), axis=1)

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """The mean (D,), and log-variances of 0."""
        return np.concatenate([mean, np.zeros_like(mean)])

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out[:, : out.shape[1] // 2]

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        mean = self.mean(out)
        sigma = array_module(out).exp(0.5 * out[:, mean.shape[1] :])
        return mean + sigma * self.normal(rng, mean.shape)


CASES = [
    Case(
        "gaussian",
        fixed_forward,
        fixed_backward,
        vary={"mean": ("B", "D")},
        fixed={"x": ("B", "D")},
        options={"sigma": 0.6},
    ),
    Case(
        "gaussian_learned",
        forward,
        backward,
        vary={"mean": ("B", "D"), "logvar": ("B", "D")},
        fixed={"x": ("B", "D")},
    ),
    Case(
        "gaussian_shared",
        shared_forward,
        shared_backward,
        vary={"mean": ("B", "D"), "logvar": ("1",)},
        fixed={"x": ("B", "D")},
    ),
]
