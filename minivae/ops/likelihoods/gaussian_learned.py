r"""Gaussian likelihood whose decoder gives mean and variance of each dimension, in nats.

Shapes: mean $m$, data $x$ and log-variance $v$ = `logvar` (B, D), nll (B,); or, with K samples of
each example, $m$ and $v$ (B, K, D), $x$ (B, 1, D), nll (B, K). The negative logarithm of the normal
density, summed over the dimensions:

$$ \text{nll}_n = \tfrac12 \sum_d
   \left( (x_{nd} - m_{nd})^2 e^{-v_{nd}} + v_{nd} + \ln 2\pi \right) \tag{1} $$

With $r = (x - m) \, e^{-v}$, the error in units of the variance: the square has the derivative
$-2 (x - m)$ with respect to $m$, so

$$ dm_{nd} = -d\text{nll}_n \, r_{nd} \tag{2} $$

and $e^{-v}$ has minus itself with respect to $v$, so

$$ dv_{nd} = \tfrac12 \, d\text{nll}_n \left( 1 - (x_{nd} - m_{nd}) \, r_{nd} \right) \tag{3} $$

(3) vanishes where the variance is the squared error; of a dimension that is always met exactly the
variance shrinks without end, and the nll with it.

Source: Kingma and Welling (2014), appendix C.2.
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
    empty,
    kernel,
    loop,
    together,
)
from ...engine.cpu.elementary import exp
from .. import split
from .base import LN_2PI, Likelihood, rows, rows_of_dnll


@door
def forward(mean: Array, logvar: Array, x: Real) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x under N(mean, exp(logvar)), all (B, D).

    With K samples, mean, logvar (B, K, D) and x (B, 1, D), it is (B, K).
    """
    xp = array_module(mean, logvar, x)
    error = x - mean
    r = error * xp.exp(-logvar)
    nll = 0.5 * (error * r + logvar + LN_2PI).sum(axis=-1)  # (1)
    return nll, (error, r)


@door
def backward(dnll: Array, error: Array, r: Array) -> tuple[Array, Array]:
    """Gradients dmean, dlogvar (B, D) from dnll (B,), error and r (B, D).

    With K samples: from dnll (B, K), error and r (B, K, D).
    """
    dmean = -dnll[..., None] * r  # (2)
    dlogvar = 0.5 * dnll[..., None] * (1 - error * r)  # (3)
    return dmean, dlogvar


# The kernels: forward in one pass that keeps what the backward pass needs, backward in another.
# Forward and backward at 128 x 784, float32, reference / kernel: 2.8.


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


# On the GPU: one launch forward, the sum included, and one backward. It keeps the arguments.

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


@kernel("cuda", of=forward)
def forward_cuda(mean: Array, logvar: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; logvar may be one number (1,), which is broadcast."""
    return _LEARNED_CUDA(mean, logvar, x, axis=mean.ndim - 1), (mean, logvar, x)


@kernel("cuda", of=backward)
def backward_cuda(dnll: Array, mean: Array, logvar: Array, x: Array) -> tuple[Array, Array]:
    """Kernel of `backward`."""
    return _LEARNED_BACKWARD_CUDA(dnll[..., None], mean, logvar, x)


class GaussianLearned(Likelihood):
    """Likelihood of real data; the decoder gives the means and the log-variances, side by side."""

    name = "gaussian_learned"
    kinds = 2
    real = True
    js_mean = "out.slice(0, out.length / 2)"

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

    def constant(self, mean: np.ndarray, spread: float) -> np.ndarray:
        """The mean (D,), and everywhere the variance of the spread."""
        logvar = 2 * np.log(spread) if spread > 0 else 0.0
        return np.concatenate([mean, np.full_like(mean, logvar)])

    def mean(self, out: Array) -> Array:
        """Mean (B, D)."""
        return out[:, : out.shape[1] // 2]

    def perfect(self, out: Array, x: Array) -> Array:
        """Put x beside the log-variances of each sample (B, K, 2 D)."""
        xp = array_module(out, x)
        mean = xp.broadcast_to(x, (*out.shape[:-1], x.shape[-1]))
        return xp.concatenate([mean, out[..., x.shape[-1] :]], axis=-1)

    def values_apart(self, out: Array, x: Array) -> tuple[Array, Array]:
        """Of out (B, 2 D) and x (B, D), mean and log-variance of each value (B D, 2), and x."""
        pairs = out.reshape(len(out), 2, out.shape[1] // 2).swapaxes(1, 2)
        return array_module(out).ascontiguousarray(pairs).reshape(-1, 2), x.reshape(-1, 1)

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw data (B, D)."""
        mean = self.mean(out)
        sigma = array_module(out).exp(0.5 * out[:, mean.shape[1] :])
        return mean + sigma * self.normal(rng, mean.shape)


def _side_by_side(arrays: dict) -> dict:
    """Means and log-variances as the layer takes them, in one array (B, 2 D)."""
    heads = np.concatenate([arrays["mean"], arrays["logvar"]], axis=1)
    return {"out": heads, **{name: arrays[name] for name in arrays if name == "x"}}


CASES = [
    Case(
        "gaussian_learned",
        forward,
        backward,
        vary={"mean": ("B", "D"), "logvar": ("B", "D")},
        fixed={"x": ("B", "D")},
        output=("B",),
        layer=GaussianLearned,
        pack=_side_by_side,
    ),
]
