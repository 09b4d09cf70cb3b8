r"""KL of a diagonal Gaussian from any prior, by the one sample that was drawn, in nats.

Where the prior is no Gaussian, the mean $KL = E_q[\ln q(z) - \ln p(z)]$ has no closed form. At one
sample $z = \mu + \sigma \varepsilon$ its integrand is an estimate that is right on the average. It
may be negative; its mean is not.

Shapes: $\ln p(z)$ and the KL (B,); `logvar` $= \ln \sigma^2$ and the noise $\varepsilon$ (B, Z).
The encoder's own density at its own sample needs no $\mu$, for $(z - \mu) / \sigma = \varepsilon$:

$$ \ln q(z_n) = -\tfrac12 \sum_j \left( \varepsilon_{nj}^2 + \text{logvar}_{nj} + \ln 2\pi \right),
   \qquad KL_n = \ln q(z_n) - \ln p(z_n) \tag{1} $$

The noise is what was drawn, a constant, so the derivatives can be read off:

$$ d\ln p_n = -dKL_n, \qquad d\text{logvar}_{nj} = -\tfrac12 \, dKL_n \tag{2} $$

What $\mu$ and `logvar` do through $z$, at which $p$ is taken, comes back through the sample.
"""

from ..engine import Array, Case, Layer, Real, array_module, door
from .likelihoods.base import LN_2PI


@door
def forward(log_p: Array, logvar: Array, eps: Real) -> tuple[Array, tuple]:
    """KL (B,) from log_p (B,), and logvar and eps (B, Z)."""
    log_q = -0.5 * (eps * eps + logvar + LN_2PI).sum(axis=-1)
    return log_q - log_p, (logvar,)  # (1)


@door
def backward(dkl: Array, logvar: Array) -> tuple[Array, Array]:
    """Gradients dlog_p (B,) and dlogvar (B, Z) from dkl (B,); logvar (B, Z) gives its shape."""
    xp = array_module(dkl, logvar)
    return -dkl, xp.broadcast_to(-0.5 * dkl[:, None], logvar.shape)  # (2)


class SampledKL(Layer):
    """Layer for the KL by one sample."""

    def forward(self, log_p: Array, logvar: Array, eps: Array) -> Array:
        """Return the KL (B,) from the log-density under the prior (B,), logvar and eps (B, Z)."""
        self.expect("logvar", logvar, ("B", "Z"))
        self.expect("log_p", log_p, logvar.shape[:1])
        self.expect("eps", eps, logvar.shape)
        kl, self.cache = self.call(forward, log_p, logvar, eps)
        return kl

    def backward(self, dkl: Array) -> tuple[Array, Array]:
        """Return dlog_p (B,) and dlogvar (B, Z)."""
        (logvar,) = self.saved()
        self.expect("dkl", dkl, logvar.shape[:1])
        return self.call(backward, dkl, logvar)


CASES = [
    Case(
        "sampled_kl",
        forward,
        backward,
        vary={"log_p": ("B",), "logvar": ("B", "Z")},
        fixed={"eps": ("B", "Z")},
        output=("B",),
        layer=SampledKL,
    ),
]
