"""TODO docstring."""

import math

import numpy as np

from ...engine.backend import Array, Backend, array_module, kernel
from ...engine.cpu.elementary import exp
from ...engine.cpu.loop import loop, together
from ...engine.cpu.workspace import empty
from ...engine.gpu.kernels import Elementwise, Reduction
from .. import split
from .base import Likelihood, rows, rows_of_dnll

LN_2PI = math.log(2 * math.pi)


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
        (mean, logvar), _ = self.call(split.forward, out, x.shape[-1])
        nll, self.cache = self.call(forward, mean, logvar, x)
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of `out` (B, 2 D)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-1])
        dmean, dlogvar = self.call(backward, dnll, *cache)
        return self.call(split.backward, dmean, dlogvar)

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
