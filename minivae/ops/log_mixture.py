r"""Log-density of a mixture of Gaussians, all of one weight, in nats.

Shapes: $z$ (B, Z); the means $\mu$ and $\ln v$ = `logvar` of K components, (K, Z); $y$ (B,).

$$ y_n = \ln \frac1K \sum_k N(z_n; \mu_k, v_k) $$

Of each component the log-density, with $\delta_{nkj} = z_{nj} - \mu_{kj}$, is

$$ L_{nk} = -\tfrac12 \sum_j
   \left( \delta_{nkj}^2 / v_{kj} + \ln v_{kj} + \ln 2\pi \right) \tag{1} $$

and the mean of their exponentials is taken as `logmeanexp.py` does, without overflow:

$$ y_n = \ln \frac1K \sum_k e^{L_{nk}} \tag{2} $$

**Backwards.** With $r_{nk}$, the share of each component in (2), `logmeanexp.py` gives

$$ dL_{nk} = dy_n \, r_{nk} \tag{3} $$

$z_n$ and $\mu_k$ enter (1) through their difference, in a square; with
$q_{nkj} = \delta_{nkj} / v_{kj}$,

$$ dz_{nj} = -\sum_k dL_{nk} \, q_{nkj}, \qquad d\mu_{kj} = \sum_n dL_{nk} \, q_{nkj} \tag{4} $$

$\ln v$ enters in the square through $1/v$, whose derivative is minus itself, and by itself:

$$ d\text{logvar}_{kj} = \tfrac12 \sum_n dL_{nk}
   \left( \delta_{nkj} \, q_{nkj} - 1 \right) \tag{5} $$

The largest arrays are (B, K, Z).

Source: Tomczak and Welling (2018), equation 9, where the components are posteriors.
"""

import numpy as np

from ..engine import Array, Case, Layer, array_module, door, empty, kernel, loop, together
from ..engine.cpu.loop import same_dtype
from ..errors import ShapeError
from . import logmeanexp
from .likelihoods.base import LN_2PI


@door
def forward(z: Array, mu: Array, logvar: Array) -> tuple[Array, tuple]:
    """Log-density y (B,) of z (B, Z), under a mixture with mu (K, Z) and logvar (K, Z)."""
    xp = array_module(z, mu, logvar)
    delta = z[:, None] - mu
    q = delta * xp.exp(-logvar)
    L = -0.5 * (delta * q + logvar + LN_2PI).sum(axis=-1)  # (1)
    y, (shares,) = logmeanexp.forward(L)  # (2)
    return y, (delta, q, shares)


@door
def backward(dy: Array, delta: Array, q: Array, shares: Array) -> tuple[Array, Array, Array]:
    """Gradients dz (B, Z), dmu and dlogvar (K, Z) from dy (B,).

    delta and q (B, K, Z), and shares (B, K), are those of the forward pass.
    """
    dL = logmeanexp.backward(dy, shares)[:, :, None]  # (3)
    along = dL * q
    dz, dmu = -along.sum(axis=1), along.sum(axis=0)  # (4)
    dlogvar = 0.5 * (along * delta - dL).sum(axis=0)  # (5)
    return dz, dmu, dlogvar


# The kernels go over the largest arrays once each way; the reference does eleven times.
# Forward and backward at 128 x 100 x 20, float32, one thread, reference / kernel: 11.


@loop(reorder=True)
def _densities(z, mu, logvar, precision, ln_2pi, delta, q, L):  # noqa: ANN001, ANN202
    half = L.dtype.type(0.5)
    for n in range(z.shape[0]):
        row = z[n]
        for k in range(mu.shape[0]):
            m, v, p, d, s = mu[k], logvar[k], precision[k], delta[n, k], q[n, k]
            total = L.dtype.type(0)
            for j in range(row.size):
                d[j] = row[j] - m[j]
                s[j] = d[j] * p[j]
                total += d[j] * s[j] + v[j] + ln_2pi
            L[n, k] = -half * total  # (1)


@loop
def _back(dL, delta, q, dz, dmu, dlogvar):  # noqa: ANN001, ANN202
    half = dL.dtype.type(0.5)
    for n in range(dL.shape[0]):
        for k in range(dL.shape[1]):
            g, d, s = dL[n, k], delta[n, k], q[n, k]
            of_z, of_mu, of_logvar = dz[n], dmu[k], dlogvar[k]
            for j in range(d.size):
                along = g * s[j]
                of_z[j] -= along
                of_mu[j] += along  # (4)
                of_logvar[j] += half * (along * d[j] - g)  # (5)


@kernel("numba", of=forward)
def forward_numba(z: Array, mu: Array, logvar: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    mu, logvar = together(mu=mu, logvar=logvar)
    if z.ndim != 2 or mu.ndim != 2 or z.shape[1] != mu.shape[1]:
        raise ShapeError(f"z and mu have shapes {z.shape} and {mu.shape}; give (B, Z) and (K, Z).")
    same_dtype(z=z, mu=mu)
    (z,) = together(z=z)
    shape = (len(z), *mu.shape)
    delta, q, L = empty(shape, z.dtype), empty(shape, z.dtype), empty(shape[:2], z.dtype)
    _densities(z, mu, logvar, np.exp(-logvar), z.dtype.type(LN_2PI), delta, q, L)
    y, (shares,) = logmeanexp.forward(L)  # (2)
    return y, (delta, q, shares)


@kernel("numba", of=backward)
def backward_numba(dy: Array, delta: Array, q: Array, shares: Array) -> tuple[Array, Array, Array]:
    """Kernel of `backward`."""
    if dy.shape != delta.shape[:1]:
        raise ShapeError(f"dy has shape {dy.shape}, but {delta.shape[:1]} is expected; as y has.")
    delta, q = together(delta=delta, q=q)
    same_dtype(delta=delta, dy=dy)
    (dL,) = together(dL=logmeanexp.backward(dy, shares))  # (3)
    dz = np.zeros(delta.shape[::2], delta.dtype)
    dmu, dlogvar = np.zeros(delta.shape[1:], delta.dtype), np.zeros(delta.shape[1:], delta.dtype)
    _back(dL, delta, q, dz, dmu, dlogvar)
    return dz, dmu, dlogvar


class LogMixture(Layer):
    """Layer for the log-density under a mixture, whose components are inputs too."""

    def forward(self, z: Array, mu: Array, logvar: Array) -> Array:
        """Return y (B,) of z (B, Z), mu and logvar (K, Z)."""
        self.expect("z", z, ("B", "Z"))
        self.expect("mu", mu, ("K", z.shape[1]))
        self.expect("logvar", logvar, mu.shape)
        y, self.cache = self.call(forward, z, mu, logvar)
        return y

    def backward(self, dy: Array) -> tuple[Array, Array, Array]:
        """Return dz (B, Z), dmu and dlogvar (K, Z)."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape[:1])
        return self.call(backward, dy, *cache)


CASES = [
    Case(
        "log_mixture",
        forward,
        backward,
        vary={"z": ("B", "Z"), "mu": ("K", "Z"), "logvar": ("K", "Z")},
        output=("B",),
        layer=LogMixture,
    ),
]
