r"""Density of a code over a whole data set, estimated from a minibatch: together, and apart.

The code of the data set is the mixture of the posteriors of all its N examples,
$q(z) = \frac1N \sum_m q(z \mid x_m)$. Asked for are its log-density, and that of the distribution
in which its dimensions do not hang together, $\prod_d q(z_d)$. In a minibatch there are B of the N
posteriors, so each gets a weight; $\lambda_{nm}$ is the logarithm of the weight that example $m$
has for the sample of example $n$.

Shapes: $z$, $\mu$, `logvar` (B, Z), with $z_n$ drawn from the posterior $n$; $\lambda$ (B, B);
$y$ (B, 2). With $\delta_{nmd} = z_{nd} - \mu_{md}$ and $v = e^{\text{logvar}}$,

$$ L_{nmd} = -\tfrac12 \left( \delta_{nmd}^2 / v_{md} + \ln v_{md} + \ln 2\pi \right) \tag{1} $$
$$ y_{n1} = \ln \sum_m e^{\lambda_{nm} + \sum_d L_{nmd}} \approx \ln q(z_n) \tag{2} $$
$$ y_{n2} = \sum_d \ln \sum_m e^{\lambda_{nm} + L_{nmd}} \approx \sum_d \ln q(z_{nd}) \tag{3} $$

The weight stands in every one of the D sums of (3), and once in (2).

**The weights.** The minibatch holds example $n$ itself, which is *not* drawn at random: it is one
of the N, and weighs $1/N$. The $M = B - 1$ others are a draw of the N - 1 that are left, and share
what is left of the weight:

$$ e^{\lambda_{nn}} = \frac1N, \qquad e^{\lambda_{nm}} = \frac{N - 1}{N M}
   \quad \text{for } m \ne n \tag{4} $$

Every row sums to 1, the mean of $\sum_m e^{\lambda_{nm}} q(z \mid x_m)$ over the draws is $q(z)$,
and if the minibatch is the whole data set, all weights are $1/N$, and (2) and (3) are exact. Chen
et al. (2018, appendix C.2) give $1/M$ to all others but one, and that one $(N - M) / (N M)$; (4) is
the mean over which one it is, and spreads less. In the code that was published with the paper, and
in three others that took it over, the $1/N$ stands in the first column instead of on the diagonal:
its stride is B where it should be B + 1. The sum of the terms of the KL is the same for *any*
weights, so it does not tell.

**Backwards**, with the shares $r$ of the terms in each of the sums,

$$ r_{nm} = \text{softmax}_m(\lambda_{nm} + \textstyle\sum_d L_{nmd}), \quad
   r_{nmd} = \text{softmax}_m(\lambda_{nm} + L_{nmd}) \tag{5} $$
$$ dL_{nmd} = dy_{n1} \, r_{nm} + dy_{n2} \, r_{nmd} \tag{6} $$

and from there as in `log_mixture.py`, with $q_{nmd} = \delta_{nmd} / v_{md}$:

$$ dz_{nd} = -\sum_m dL_{nmd} \, q_{nmd}, \quad d\mu_{md} = \sum_n dL_{nmd} \, q_{nmd}, \quad
   d\text{logvar}_{md} = \tfrac12 \sum_n dL_{nmd} (\delta_{nmd} q_{nmd} - 1) \tag{7} $$

$z$ is a sample, so $\mu$ and logvar also act through it; that comes back through the sample.

Source: Chen, Li, Grosse and Duvenaud (2018), section 4 and appendix C.
"""

import numpy as np

from ..engine import (
    Array,
    Case,
    Count,
    Layer,
    Real,
    array_module,
    door,
    empty,
    kernel,
    loop,
    together,
)
from ..engine.cpu.elementary import exp
from ..engine.cpu.loop import same_dtype
from ..errors import OptionError, ShapeError
from .likelihoods.base import LN_2PI


@door
def stratified_log_weights(batch: Count, n_data: Count) -> np.ndarray:
    """Log-weights (B, B) of a minibatch of `batch` of the `n_data` examples; (4).

    Raises
    ------
    OptionError
        If there are more in the batch than there are.
    """
    if batch > n_data:
        raise OptionError(
            f"a batch of {batch} was given, but there are {n_data} examples in all; give the "
            "number of the training data."
        )
    weights = np.full((batch, batch), (n_data - 1) / (n_data * max(1, batch - 1)))
    weights[np.arange(batch), np.arange(batch)] = 1 / n_data if batch > 1 else 1.0
    return np.log(weights)  # (4)


@door
def forward(z: Array, mu: Array, logvar: Array, log_weights: Real) -> tuple[Array, tuple]:
    """Log-densities y (B, 2) of z (B, Z), from mu (B, Z), logvar (B, Z), log_weights (B, B).

    The first is that of all dimensions together, the second the sum of that of each.
    """
    xp = array_module(z, mu, logvar, log_weights)
    delta = z[:, None] - mu
    q = delta * xp.exp(-logvar)
    L = -0.5 * (delta * q + logvar + LN_2PI)  # (1)
    together, shares = _log_sum(log_weights + L.sum(axis=-1))  # (2), (5)
    apart, shares_apart = _log_sum(log_weights[:, :, None] + L)  # (3), (5)
    y = xp.stack([together, apart.sum(axis=-1)], axis=1)
    return y, (delta, q, shares, shares_apart)


@door
def backward(
    dy: Array, delta: Array, q: Array, shares: Array, shares_apart: Array
) -> tuple[Array, Array, Array]:
    """Gradients dz, dmu and dlogvar (B, Z) from dy (B, 2).

    delta, q, shares_apart (B, N, Z) and shares (B, N), N = B, are those of the forward pass.
    """
    dL = dy[:, :1, None] * shares[:, :, None] + dy[:, 1:, None] * shares_apart  # (6)
    along = dL * q
    dlogvar = 0.5 * (along * delta - dL).sum(axis=0)
    return -along.sum(axis=1), along.sum(axis=0), dlogvar  # (7)


def _log_sum(w: Array) -> tuple[Array, Array]:
    """Log of the sum of exp(w) over axis 1, and each term's share in it."""
    xp = array_module(w)
    m = w.real.max(axis=1, keepdims=True) if w.shape[1] else w
    e = xp.exp(w - m)
    total = e.sum(axis=1, keepdims=True)
    return (m + xp.log(total))[:, 0] if w.shape[1] else w.sum(axis=1), e / total


# The kernels take one sample after the other, with all that it is compared with.
# Forward and backward at 128 x 6, float32, one thread, reference / kernel: 3.9.


@loop
def _compare(z, mu, logvar, precision, weights, ln_2pi, delta, q, both, apart):  # noqa: ANN001, ANN202
    half = z.dtype.type(0.5)
    for n in range(z.shape[0]):
        row = z[n]
        for m in range(mu.shape[0]):
            d, s, a, mean, v, p = delta[n, m], q[n, m], apart[n, m], mu[m], logvar[m], precision[m]
            weight = weights[n, m]
            total = weight
            for j in range(row.size):
                d[j] = row[j] - mean[j]
                s[j] = d[j] * p[j]
                L = -half * (d[j] * s[j] + v[j] + ln_2pi)  # (1)
                a[j] = weight + L
                total += L
            both[n, m] = total


@loop
def _shares(terms, top, total):  # noqa: ANN001, ANN202
    for n in range(terms.shape[0]):
        largest, sums = top[n], total[n]
        for m in range(terms.shape[1]):
            w = terms[n, m]
            for j in range(w.size):
                largest[j] = w[j] if w[j] > largest[j] else largest[j]
        for m in range(terms.shape[1]):
            w = terms[n, m]
            for j in range(w.size):
                w[j] = exp(w[j] - largest[j])
                sums[j] += w[j]
        for m in range(terms.shape[1]):
            w = terms[n, m]
            for j in range(w.size):
                w[j] /= sums[j]  # (5)


@loop
def _back(dy, delta, q, shares, shares_apart, dz, dmu, dlogvar):  # noqa: ANN001, ANN202
    half = dy.dtype.type(0.5)
    for n in range(dy.shape[0]):
        of_both, of_each, of_z = dy[n, 0], dy[n, 1], dz[n]
        for m in range(shares.shape[1]):
            d, s, a, of_mu, of_v = delta[n, m], q[n, m], shares_apart[n, m], dmu[m], dlogvar[m]
            g = of_both * shares[n, m]
            for j in range(d.size):
                dL = g + of_each * a[j]  # (6)
                along = dL * s[j]
                of_z[j] -= along
                of_mu[j] += along
                of_v[j] += half * (along * d[j] - dL)  # (7)


def _log_sum_numba(terms: Array) -> Array:
    """Log (B, Z) of the sum of exp(terms) over axis 1; the terms become the shares."""
    top = np.full(terms.shape[::2], -np.inf, terms.dtype)
    total = np.zeros(terms.shape[::2], terms.dtype)
    _shares(terms, top, total)
    return top + np.log(total)


@kernel("numba", of=forward)
def forward_numba(z: Array, mu: Array, logvar: Array, log_weights: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    mu, logvar = together(mu=mu, logvar=logvar)
    if z.ndim != 2 or mu.ndim != 2 or z.shape[1] != mu.shape[1]:
        raise ShapeError(f"z and mu have shapes {z.shape} and {mu.shape}; give (B, Z) to both.")
    B, N = len(z), len(mu)
    if log_weights.shape != (B, N):
        raise ShapeError(
            f"log_weights has shape {log_weights.shape}, but {B, N} is expected; one for each "
            "sample with each posterior."
        )
    same_dtype(z=z, mu=mu, log_weights=log_weights)
    (z,), (log_weights,) = together(z=z), together(log_weights=log_weights)
    shape, dtype = (B, *mu.shape), z.dtype
    delta, q, apart = empty(shape, dtype), empty(shape, dtype), empty(shape, dtype)
    both = empty((B, N, 1), dtype)
    numbers = (np.exp(-logvar), log_weights, dtype.type(LN_2PI))
    _compare(z, mu, logvar, *numbers, delta, q, both[:, :, 0], apart)
    y = np.stack([_log_sum_numba(both)[:, 0], _log_sum_numba(apart).sum(axis=1)], axis=1)  # (2),(3)
    return y, (delta, q, both[:, :, 0], apart)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array, delta: Array, q: Array, shares: Array, shares_apart: Array
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`."""
    if dy.shape != (len(delta), 2):
        raise ShapeError(f"dy has shape {dy.shape}, but {len(delta), 2} is expected; as y has.")
    same_dtype(delta=delta, dy=dy)
    delta, q, shares_apart = together(delta=delta, q=q, shares_apart=shares_apart)
    (dy,), (shares,) = together(dy=dy), together(shares=shares)
    dz = np.zeros(delta.shape[::2], delta.dtype)
    dmu, dlogvar = np.zeros(delta.shape[1:], delta.dtype), np.zeros(delta.shape[1:], delta.dtype)
    _back(dy, delta, q, shares, shares_apart, dz, dmu, dlogvar)
    return dz, dmu, dlogvar


class CodeDensity(Layer):
    """Layer for the density of a minibatch's codes over the data set, together and apart."""

    def forward(self, z: Array, mu: Array, logvar: Array, log_weights: Array) -> Array:
        """Return y (B, 2) of z, mu and logvar (B, Z), and log_weights (B, B)."""
        self.expect("z", z, ("B", "Z"))
        self.expect("mu", mu, z.shape)
        self.expect("logvar", logvar, z.shape)
        self.expect("log_weights", log_weights, (len(z), len(z)))
        y, self.cache = self.call(forward, z, mu, logvar, log_weights)
        return y

    def backward(self, dy: Array) -> tuple[Array, Array, Array]:
        """Return dz, dmu and dlogvar (B, Z)."""
        cache = self.saved()
        self.expect("dy", dy, (len(cache[0]), 2))
        return self.call(backward, dy, *cache)


CASES = [
    Case(
        "code_density",
        forward,
        backward,
        vary=dict.fromkeys(("z", "mu", "logvar"), ("B", "Z")),
        fixed={"log_weights": ("B", "B")},
        output=("B", "2"),
        sizes={"Z": 5},
        layer=CodeDensity,
    ),
]
