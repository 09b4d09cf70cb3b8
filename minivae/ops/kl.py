r"""KL divergence of diagonal Gaussians, in nats, for each latent dimension.

The divergence of $q$ from $p$ is the mean, under $q$, of how much likelier $q$ finds its own
samples:

$$ KL = E_q[\ln q(z) - \ln p(z)] $$

Below, $dKL = \partial L / \partial KL$ is what comes back from the loss.

**Against the standard normal.** For one dimension, with $q = N(\mu, \sigma^2)$, $p = N(0, 1)$ and
`logvar` $= \ln \sigma^2$, the log ratio of the densities is

$$ \ln q(z) - \ln p(z) = -\tfrac12 \text{logvar} - \frac{(z - \mu)^2}{2 \sigma^2} + \frac{z^2}{2} $$

and under $q$ the means are $E[(z - \mu)^2] = \sigma^2$ and $E[z^2] = \mu^2 + \sigma^2$, so

$$ KL = \tfrac12 \left( \mu^2 + (e^{\text{logvar}} - 1) - \text{logvar} \right) \tag{1} $$

`expm1` computes $e^{\text{logvar}} - 1$ as a whole: near logvar = 0, where the two cancel, all
digits of (3) survive, and (1) is wrong by a rounding of logvar at most, not by one of 1.
Differentiating (1) with respect to each head:

$$ d\mu = dKL \cdot \mu \tag{2} $$
$$ d\text{logvar} = dKL \cdot \tfrac12 \left( e^{\text{logvar}} - 1 \right) \tag{3} $$

Both vanish at $\mu = 0$, logvar $= 0$, where $q = p$. Source: Kingma and Welling (2014), appendix
B.

**Between two Gaussians**, $q = N(\mu_q, v_q)$ and $p = N(\mu_p, v_p)$, with variances
$v = e^{\text{logvar}}$. The log ratio has $(z - \mu_p)^2 / v_p$ in the place of $z^2$, and
$E_q[(z - \mu_p)^2] = (\mu_q - \mu_p)^2 + v_q$, so

$$ KL = \tfrac12 \left( \frac{v_q}{v_p} - 1 - \ln \frac{v_q}{v_p}
   + \frac{(\mu_q - \mu_p)^2}{v_p} \right) $$

With $r = \text{logvar}_q - \text{logvar}_p$, so that $e^r = v_q / v_p$, and
$\delta = (\mu_q - \mu_p) / v_p$ as shorthands:

$$ KL = \tfrac12 \left( (e^{r} - 1) - r + (\mu_q - \mu_p) \, \delta \right) \tag{4} $$

$\mu_q$ and $\mu_p$ enter through their difference alone, in a square, so

$$ d\mu_q = dKL \cdot \delta, \qquad d\mu_p = -d\mu_q \tag{5} $$

$\text{logvar}_q$ enters through $r$ alone:

$$ d\text{logvar}_q = dKL \cdot \tfrac12 (e^{r} - 1) \tag{6} $$

$\text{logvar}_p$ enters through $r$ with the other sign, and through $1 / v_p =
e^{-\text{logvar}_p}$ in the square, whose derivative is minus itself:

$$ d\text{logvar}_p = -d\text{logvar}_q - \tfrac12 dKL \, (\mu_q - \mu_p) \, \delta \tag{7} $$

All arrays are (B, Z); the sum over dimensions and the mean over the batch are taken in
`negative_elbo.py`, since free bits and the report per dimension need the terms apart.
"""

from ..engine.backend import Array, array_module, kernel
from ..engine.case import Case
from ..engine.cpu.elementary import expm1
from ..engine.cpu.loop import loop, together
from ..engine.cpu.workspace import empty
from ..engine.gpu.kernels import Elementwise
from ..engine.layer import Layer
from .kl_between import _BETWEEN_BACKWARD_CUDA, between_backward, between_forward


def forward(mu: Array, logvar: Array) -> tuple[Array, tuple]:
    """KL of N(mu, exp(logvar)) from N(0, 1): (B, Z) nats for mu, logvar (B, Z)."""
    xp = array_module(mu, logvar)
    excess = xp.expm1(logvar)
    kl = 0.5 * (mu * mu + excess - logvar)  # (1)
    return kl, (mu, excess)


def backward(dkl: Array, mu: Array, excess: Array) -> tuple[Array, Array]:
    """Gradients dmu, dlogvar (B, Z) from dkl (B, Z); excess is exp(logvar) - 1."""
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


kernel("cuda", of=between_backward)(_BETWEEN_BACKWARD_CUDA)


class KL(Layer):
    """Layer for the KL of the encoder's Gaussian from the standard normal prior."""

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


PAIR = {"mu": ("B", "Z"), "logvar": ("B", "Z")}
CASES = [
    Case("kl", forward, backward, vary=PAIR),
    Case(
        "kl_between",
        between_forward,
        between_backward,
        vary={f"{name}_{side}": axes for side in "qp" for name, axes in PAIR.items()},
    ),
]
