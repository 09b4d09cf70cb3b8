r"""KL divergence of a diagonal Gaussian from the standard normal, in nats, for each dimension.

The divergence of $q$ from $p$ is the mean, under $q$, of how much likelier $q$ finds its own
samples:

$$ KL = E_q[\ln q(z) - \ln p(z)] $$

For one dimension, with $q = N(\mu, \sigma^2)$, $p = N(0, 1)$ and `logvar` $= \ln \sigma^2$, the log
ratio of the densities is

$$ \ln q(z) - \ln p(z) = -\tfrac12 \text{logvar} - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2} $$

and under $q$ the means are $E[(z - \mu)^2] = \sigma^2$ and $E[z^2] = \mu^2 + \sigma^2$, so

$$ KL = \tfrac12 \left( \mu^2 + (e^{\text{logvar}} - 1) - \text{logvar} \right) \tag{1} $$

`expm1` computes $e^{\text{logvar}} - 1$ as a whole: near logvar = 0, where the two cancel, all
digits of (3) survive, and (1) is wrong by a rounding of logvar at most, not by one of 1.
Differentiating (1) with respect to each head, with $dKL = \partial L / \partial KL$ from the loss:

$$ d\mu = dKL \cdot \mu \tag{2} $$
$$ d\text{logvar} = dKL \cdot \tfrac12 \left( e^{\text{logvar}} - 1 \right) \tag{3} $$

Both vanish at $\mu = 0$, logvar $= 0$, where $q = p$.

All arrays are (B, Z); the sum over dimensions and the mean over the batch are taken in
`negative_elbo.py`, since free bits and the report per dimension need the terms apart. Another prior
than the standard normal: `kl_between.py`.

Source: Kingma and Welling (2014), appendix B.
"""

from ..engine import (
    Array,
    Case,
    Elementwise,
    Layer,
    array_module,
    door,
    empty,
    kernel,
    loop,
    together,
)
from ..engine.cpu.elementary import expm1


@door
def forward(mu: Array, logvar: Array) -> tuple[Array, tuple]:
    """KL of N(mu, exp(logvar)) from N(0, 1): (B, Z) nats for mu, logvar (B, Z)."""
    xp = array_module(mu, logvar)
    excess = xp.expm1(logvar)
    kl = 0.5 * (mu * mu + excess - logvar)  # (1)
    return kl, (mu, excess)


@door
def backward(dkl: Array, mu: Array, excess: Array) -> tuple[Array, Array]:
    """Gradients dmu, dlogvar (B, Z) from dkl (B, Z); excess (B, Z) is exp(logvar) - 1."""
    dmu = dkl * mu  # (2)
    dlogvar = dkl * 0.5 * excess  # (3)
    return dmu, dlogvar


# The kernel of the forward function; three products of small arrays NumPy does as fast.
# Forward and backward at 128 x 20, float32, reference / kernel: 2.6.


@loop
def _kl(mu, logvar, excess, kl):  # noqa: ANN001, ANN202
    half = mu.dtype.type(0.5)
    for i in range(mu.size):
        excess[i] = expm1(logvar[i])
        kl[i] = half * (mu[i] * mu[i] + excess[i] - logvar[i])  # (1)


@kernel("numba", of=forward)
def forward_numba(mu: Array, logvar: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    mu, logvar = together(mu=mu, logvar=logvar)
    excess, kl = empty(mu.shape, mu.dtype), empty(mu.shape, mu.dtype)
    _kl(mu.reshape(-1), logvar.reshape(-1), excess.reshape(-1), kl.reshape(-1))
    return kl, (mu, excess)


# On the GPU: one launch instead of five, and one instead of three.

_KL_CUDA = Elementwise(
    "kl",
    "T mu, T logvar",
    "T kl, T excess",
    """
    excess = expm1(logvar);
    kl = T(0.5) * (mu * mu + excess - logvar);  // (1)
    """,
)

_KL_BACKWARD_CUDA = Elementwise(
    "kl_backward",
    "T dkl, T mu, T excess",
    "T dmu, T dlogvar",
    """
    dmu = dkl * mu;  // (2)
    dlogvar = dkl * T(0.5) * excess;  // (3)
    """,
)


@kernel("cuda", of=forward)
def forward_cuda(mu: Array, logvar: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    kl, excess = _KL_CUDA(mu, logvar)
    return kl, (mu, excess)


kernel("cuda", of=backward)(_KL_BACKWARD_CUDA)


class KL(Layer):
    """Layer for the KL of the encoder's Gaussian from the standard normal prior."""

    same_calls = True

    def forward(self, mu: Array, logvar: Array) -> Array:
        """Return the KL in nats (B, Z) of mu, logvar (B, Z)."""
        self.expect("mu", mu, ("B", "Z"))
        self.expect("logvar", logvar, mu.shape)
        kl, self.cache = self.call(forward, mu, logvar)
        return kl

    def backward(self, dkl: Array) -> tuple[Array, Array]:
        """Return dmu and dlogvar (B, Z)."""
        cache = self.saved()
        self.expect("dkl", dkl, cache[0].shape)
        return self.call(backward, dkl, *cache)


CASES = [
    Case(
        "kl",
        forward,
        backward,
        vary={"mu": ("B", "Z"), "logvar": ("B", "Z")},
        output=("B", "Z"),
        layer=KL,
    ),
]
