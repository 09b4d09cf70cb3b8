r"""Gaussian likelihood, in nats: with a variance that is fixed, shared, or given per dimension.

Shapes: mean $m$, data $x$ and log-variance $v$ = `logvar` (B, D), nll (B,); or, with K samples of
each example, $m$ and $v$ (B, K, D), $x$ (B, 1, D), nll (B, K). The negative logarithm
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

from ..backend import Array, Backend, array_module, kernel
from ..case import Case
from ..cuda import Elementwise, Reduction
from ..elementary import exp
from ..errors import OptionError
from ..loop import loop, together
from ..workspace import empty
from .likelihood import Likelihood, rows, rows_of_dnll

LN_2PI = math.log(2 * math.pi)


def fixed_forward(mean: Array, x: Array, sigma: float) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x under N(mean, sigma^2), both (B, D)."""
    u = (x - mean) / sigma
    nll = (0.5 * u * u + (math.log(sigma) + 0.5 * LN_2PI)).sum(axis=-1)  # (4)
    return nll, (u, sigma)


def fixed_backward(dnll: Array, u: Array, sigma: float) -> Array:
    """Gradient dmean (B, D) from dnll (B,)."""
    return -dnll[..., None] * u / sigma  # (5)


def forward(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x under N(mean, exp(logvar)), all (B, D)."""
    xp = array_module(mean, logvar, x)
    error = x - mean
    r = error * xp.exp(-logvar)
    nll = 0.5 * (error * r + logvar + LN_2PI).sum(axis=-1)  # (1)
    return nll, (error, r)


def backward(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Gradients dmean, dlogvar (B, D) from dnll (B,)."""
    dmean = -dnll[..., None] * r  # (2)
    dlogvar = 0.5 * dnll[..., None] * (1 - error * r)  # (3)
    return dmean, dlogvar


def shared_forward(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Like `forward`, with one number `logvar` (1,) for all entries."""
    xp = array_module(mean, logvar, x)
    return forward(mean, xp.broadcast_to(logvar, mean.shape), x)


def shared_backward(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Gradients dmean (B, D) and dlogvar (1,) from dnll (B,)."""
    dmean, dlogvar = backward(dnll, error, r)
    return dmean, dlogvar.sum().reshape(1)  # (6)


# The kernels: forward in one pass that keeps what the backward pass needs, backward in another.
# Forward and backward at 128 x 784, float32, reference / kernel: fixed 2.5, learned 2.8, shared
# 2.4.


@loop(reorder=True)
def _fixed(mean, x, scale, constant, nll, u):  # noqa: ANN001, ANN202
    half = mean.dtype.type(0.5)
    for n in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            m, t, row = mean[n, k], x[n], u[n, k]
            total = mean.dtype.type(0)
            for i in range(m.size):
                row[i] = (t[i] - m[i]) * scale
                total += half * row[i] * row[i] + constant  # (4)
            nll[n, k] = total


@loop
def _fixed_backward(dnll, u, scale, dmean):  # noqa: ANN001, ANN202
    for n in range(dnll.size):
        row, out = u[n], dmean[n]
        for i in range(row.size):
            out[i] = -dnll[n] * row[i] * scale  # (5)


@kernel("numba", of=fixed_forward)
def fixed_forward_numba(mean: Array, x: Array, sigma: float) -> tuple[Array, tuple]:
    """Kernel of `fixed_forward`."""
    number = mean.dtype.type
    per_sample, data = rows(mean, x)
    nll, u = empty(mean.shape[:-1], x.dtype), empty(mean.shape, x.dtype)
    constant = number(math.log(sigma) + 0.5 * LN_2PI)
    by_sample = nll.reshape(per_sample.shape[:2])
    _fixed(per_sample, data, number(1 / sigma), constant, by_sample, u.reshape(per_sample.shape))
    return nll, (u, sigma)


@kernel("numba", of=fixed_backward)
def fixed_backward_numba(dnll: Array, u: Array, sigma: float) -> Array:
    """Kernel of `fixed_backward`."""
    dmean, width = empty(u.shape, u.dtype), u.shape[-1]
    scale = u.dtype.type(1 / sigma)
    per_row = rows_of_dnll(dnll, u)
    _fixed_backward(per_row, u.reshape(-1, width), scale, dmean.reshape(-1, width))
    return dmean


@loop(reorder=True)
def _learned(mean, logvar, x, nll, error, r):  # noqa: ANN001, ANN202
    half, constant = mean.dtype.type(0.5), mean.dtype.type(LN_2PI)
    for n in range(mean.shape[0]):
        for k in range(mean.shape[1]):
            m, v, t, e_row, r_row = mean[n, k], logvar[n, k], x[n], error[n, k], r[n, k]
            total = mean.dtype.type(0)
            for i in range(m.size):
                e_row[i] = t[i] - m[i]
                r_row[i] = e_row[i] * exp(-v[i])
                total += e_row[i] * r_row[i] + v[i] + constant  # (1)
            nll[n, k] = half * total


@loop
def _learned_backward(dnll, error, r, dmean, dlogvar):  # noqa: ANN001, ANN202
    half, one = dnll.dtype.type(0.5), dnll.dtype.type(1)
    for n in range(dnll.size):
        e_row, r_row, dm, dv = error[n], r[n], dmean[n], dlogvar[n]
        for i in range(r_row.size):
            dm[i] = -dnll[n] * r_row[i]  # (2)
            dv[i] = half * dnll[n] * (one - e_row[i] * r_row[i])  # (3)


@kernel("numba", of=forward)
def forward_numba(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    together(mean=mean, logvar=logvar)
    m, data = rows(mean, x)
    m, v = together(mean=m, logvar=logvar.reshape(m.shape))
    error, r = empty(m.shape, m.dtype), empty(m.shape, m.dtype)
    nll = empty(mean.shape[:-1], m.dtype)
    _learned(m, v, data, nll.reshape(m.shape[:2]), error, r)
    return nll, (error.reshape(mean.shape), r.reshape(mean.shape))


@kernel("numba", of=backward)
def backward_numba(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Kernel of `backward`."""
    error, r = together(error=error, r=r)
    dmean, dlogvar, width = empty(r.shape, r.dtype), empty(r.shape, r.dtype), r.shape[-1]
    arrays = (array.reshape(-1, width) for array in (error, r, dmean, dlogvar))
    _learned_backward(rows_of_dnll(dnll, r), *arrays)
    return dmean, dlogvar


@kernel("numba", of=shared_forward)
def shared_forward_numba(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `shared_forward`."""
    return forward_numba(mean, np.broadcast_to(logvar, mean.shape), x)


@kernel("numba", of=shared_backward)
def shared_backward_numba(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Kernel of `shared_backward`."""
    dmean, dlogvar = backward_numba(dnll, error, r)
    return dmean, dlogvar.sum().reshape(1)  # (6)


# On the GPU: one launch forward, the sum included, and one backward (two where logvar is shared,
# for its own sum). What is kept are the arguments.

_FIXED_CUDA = Reduction(
    "gaussian",
    "T mean, T x, T sigma, T constant",
    "T nll",
    "T(0.5) * ((x - mean) / sigma) * ((x - mean) / sigma) + constant",  # (4)
    "nll = a",
)

_FIXED_BACKWARD_CUDA = Elementwise(
    "gaussian_backward",
    "T dnll, T mean, T x, T sigma",
    "T dmean",
    "dmean = -dnll * ((x - mean) / sigma) / sigma;  // (5)",
)

_LEARNED_CUDA = Reduction(
    "gaussian_learned",
    "T mean, T logvar, T x",
    "T nll",
    "(x - mean) * (x - mean) * exp(-logvar) + logvar + T(1.8378770664093453)",
    "nll = T(0.5) * a",  # (1)
)

_LEARNED_BACKWARD_CUDA = Elementwise(
    "gaussian_learned_backward",
    "T dnll, T mean, T logvar, T x",
    "T dmean, T dlogvar",
    """
    T r = (x - mean) * exp(-logvar);
    dmean = -dnll * r;  // (2)
    dlogvar = T(0.5) * dnll * (T(1) - (x - mean) * r);  // (3)
    """,
)


@kernel("cuda", of=fixed_forward)
def fixed_forward_cuda(mean: Array, x: Array, sigma: float) -> tuple[Array, tuple]:
    """Kernel of `fixed_forward`."""
    constant = math.log(sigma) + 0.5 * LN_2PI
    return _FIXED_CUDA(mean, x, sigma, constant, axis=mean.ndim - 1), (mean, x, sigma)


@kernel("cuda", of=fixed_backward)
def fixed_backward_cuda(dnll: Array, mean: Array, x: Array, sigma: float) -> Array:
    """Kernel of `fixed_backward`."""
    return _FIXED_BACKWARD_CUDA(dnll[..., None], mean, x, sigma)


@kernel("cuda", of=shared_forward)
@kernel("cuda", of=forward)
def forward_cuda(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`, and of `shared_forward`, where logvar (1,) is broadcast."""
    return _LEARNED_CUDA(mean, logvar, x, axis=mean.ndim - 1), (mean, logvar, x)


@kernel("cuda", of=backward)
def backward_cuda(dnll: Array, mean: Array, logvar: Array, x: Array) -> tuple[Array, Array]:
    """Kernel of `backward`."""
    return _LEARNED_BACKWARD_CUDA(dnll[..., None], mean, logvar, x)


@kernel("cuda", of=shared_backward)
def shared_backward_cuda(dnll: Array, mean: Array, logvar: Array, x: Array) -> tuple[Array, Array]:
    """Kernel of `shared_backward`."""
    dmean, dlogvar = backward_cuda(dnll, mean, logvar, x)
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
        self, sigma: float = 1.0, *, dtype: str = "float32", backend: str | Backend = "auto"
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

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        return out + self.sigma * self.normal(rng, out.shape)


class GaussianShared(Likelihood):
    """Likelihood of real data with one learned `logvar` (1,), which starts at 0."""

    name = "gaussian_shared"

    def __init__(self, *, dtype: str = "float32", backend: str | Backend = "auto") -> None:
        super().__init__({"logvar": (1,)}, dtype=dtype, backend=backend)

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, D) under the means `out` (B, D)."""
        self.expect_data(out, x)
        nll, self.cache = self.call(shared_forward, out, self.params["logvar"], x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Overwrite the gradient of `logvar`; return that of the means (B, D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-1])
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
        self.expect_data(out, x, widths=2)
        D = x.shape[-1]
        nll, self.cache = self.call(forward, out[..., :D], out[..., D:], x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of `out` (B, 2 D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-1])
        return self.backend.xp.concatenate(self.call(backward, dnll, *cache), axis=-1)

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
