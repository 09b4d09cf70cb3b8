r"""Reparameterization: a sample from $N(\mu, \sigma^2)$ that gradients can pass through.

Shapes: $\mu$, $\log\sigma^2$ = `logvar`, $\varepsilon$, $z$, all (B, Z). The noise
$\varepsilon \sim N(0, I)$ is drawn outside and handed in, so the sample is an ordinary function of
the two heads:

$$ s = e^{\text{logvar} / 2} \, \varepsilon \tag{1} $$
$$ z = \mu + s \tag{2} $$

The exponent is halved because the head is the logarithm of the *variance*, and the noise must be
scaled by the standard deviation, $\sigma = \sqrt{e^{\text{logvar}}}$.

Let $dz = \partial L / \partial z$. Entry by entry, with $\varepsilon$ held fixed:

$\partial z / \partial \mu = 1$, so

$$ d\mu = dz \tag{3} $$

$\partial z / \partial \text{logvar} = \tfrac12 e^{\text{logvar}/2} \, \varepsilon = \tfrac12 s$, so

$$ d\text{logvar} = \tfrac12 \, dz \cdot s \tag{4} $$

$s$ is kept from the forward pass: it spares an exponential, and above all it is the *same* noise.
Drawing $\varepsilon$ again for (4) gives the gradient of another sample. ($z - \mu$ would be equal
to $s$ on paper, but cancels in float32 when $\sigma$ is small.) $\varepsilon$ itself is no
parameter and gets no gradient.

Source: Kingma and Welling (2014), section 2.4; Rezende, Mohamed and Wierstra (2014).
"""

from ..backend import Array, array_module
from ..case import Case
from ..layer import Layer


def forward(mu: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Sample z (B, Z) from mu, logvar (B, Z) and standard normal noise eps (B, Z)."""
    xp = array_module(mu, logvar, eps)
    s = xp.exp(0.5 * logvar) * eps  # (1)
    return mu + s, (s,)  # (2)


def backward(dz: Array, s: Array) -> tuple[Array, Array]:
    """Gradients dmu, dlogvar (B, Z) from dz (B, Z)."""
    dmu = dz  # (3)
    dlogvar = 0.5 * dz * s  # (4)
    return dmu, dlogvar


class Reparameterize(Layer):
    """Layer that samples z from the two heads and the noise that it is given."""

    def forward(self, mu: Array, logvar: Array, eps: Array) -> Array:
        """Sample z = mu + exp(logvar / 2) eps, all (B, Z)."""
        self.expect("mu", mu, ("B", "Z"))
        self.expect("logvar", logvar, mu.shape)
        self.expect("eps", eps, mu.shape)
        z, self.cache = self.call(forward, mu, logvar, eps)
        return z

    def backward(self, dz: Array) -> tuple[Array, Array]:
        """Return dmu and dlogvar (B, Z)."""
        cache = self.saved()
        self.expect("dz", dz, cache[0].shape)
        return self.call(backward, dz, *cache)


CASES = [
    Case(
        "reparameterize",
        forward,
        backward,
        vary={"mu": ("B", "Z"), "logvar": ("B", "Z")},
        fixed={"eps": ("B", "Z")},
    ),
]
