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

from ..engine import Array, Case, Count, Layer, Real, array_module, door
from ..errors import OptionError
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
