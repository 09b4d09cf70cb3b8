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

With K samples of each example, $\varepsilon$, $z$, $dz$ and what (3) and (4) give are (B, K, Z),
and the heads (B, 1, Z); each head feeds K samples, so its gradient is the sum over K, which the
caller takes.

Source: Kingma and Welling (2014), section 2.4; Rezende, Mohamed and Wierstra (2014).
"""

from ..engine import (
    Array,
    Case,
    Elementwise,
    Layer,
    Real,
    array_module,
    door,
    empty,
    kernel,
    loop,
    same_dtype,
    together,
)
from ..engine.cpu.elementary import exp
from ..errors import ShapeError


@door
def forward(mu: Array, logvar: Array, eps: Real) -> tuple[Array, tuple]:
    """Sample z (B, Z) from mu, logvar (B, Z) and standard normal noise eps (B, Z).

    With K samples: from mu, logvar (B, 1, Z) and eps (B, K, Z).
    """
    xp = array_module(mu, logvar, eps)
    s = xp.exp(0.5 * logvar) * eps  # (1)
    return mu + s, (s,)  # (2)


@door
def backward(dz: Array, s: Array) -> tuple[Array, Array]:
    """Gradients dmu, dlogvar (B, Z) from dz, s (B, Z); with K samples dz, s (B, K, Z)."""
    dmu = dz  # (3)
    dlogvar = 0.5 * dz * s  # (4)
    return dmu, dlogvar


# The kernel of the forward function. Backward, NumPy is as fast.
# Forward and backward at 128 x 20, float32, reference / kernel: 1.15.


@loop
def _sample(mu, logvar, eps, s, z):  # noqa: ANN001, ANN202
    half = mu.dtype.type(0.5)
    for i in range(mu.size):
        s[i] = exp(half * logvar[i]) * eps[i]  # (1)
        z[i] = mu[i] + s[i]  # (2)


@loop
def _sample_each(mu, logvar, eps, s, z):  # noqa: ANN001, ANN202
    half = mu.dtype.type(0.5)
    for n in range(eps.shape[0]):
        m, v, sigma = mu[n], logvar[n], s[n, -1]  # sigma lies where the last sample's s will
        for j in range(v.size):
            sigma[j] = exp(half * v[j])
        for k in range(eps.shape[1]):
            noise, s_row, z_row = eps[n, k], s[n, k], z[n, k]
            for j in range(v.size):
                s_row[j] = sigma[j] * noise[j]  # (1)
                z_row[j] = m[j] + s_row[j]  # (2)


@kernel("numba", of=forward)
def forward_numba(mu: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    if eps.ndim == 3:
        return _of_each_sample(mu, logvar, eps)
    mu, logvar, eps = together(mu=mu, logvar=logvar, eps=eps)
    s, z = empty(mu.shape, mu.dtype), empty(mu.shape, mu.dtype)
    _sample(mu.reshape(-1), logvar.reshape(-1), eps.reshape(-1), s.reshape(-1), z.reshape(-1))
    return z, (s,)


def _of_each_sample(mu: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Kernel of `forward` for mu and logvar (B, 1, Z), eps (B, K, Z)."""
    B, K, Z = eps.shape
    if mu.shape != (B, 1, Z) or logvar.shape != (B, 1, Z):
        raise ShapeError(
            f"mu and logvar have shapes {mu.shape} and {logvar.shape}; with eps of shape "
            f"{eps.shape} give ({B}, 1, {Z}) for both."
        )
    same_dtype(eps=eps, mu=mu, logvar=logvar)
    (eps,), s, z = together(eps=eps), empty(eps.shape, eps.dtype), empty(eps.shape, eps.dtype)
    if K > 0:
        _sample_each(mu[:, 0], logvar[:, 0], eps, s, z)
    return z, (s,)


# On the GPU: one launch in each direction; with K samples the heads are broadcast.

_SAMPLE_CUDA = Elementwise(
    "reparameterize",
    "T mu, T logvar, T eps",
    "T s, T z",
    """
    s = exp(T(0.5) * logvar) * eps;  // (1)
    z = mu + s;  // (2)
    """,
)

_BACKWARD_CUDA = Elementwise(
    "reparameterize_backward", "T dz, T s", "T dlogvar", "dlogvar = T(0.5) * dz * s;  // (4)"
)


@kernel("cuda", of=forward)
def forward_cuda(mu: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    s, z = _SAMPLE_CUDA(mu, logvar, eps)
    return z, (s,)


@kernel("cuda", of=backward)
def backward_cuda(dz: Array, s: Array) -> tuple[Array, Array]:
    """Kernel of `backward`."""
    return dz, _BACKWARD_CUDA(dz, s)  # (3)


class Reparameterize(Layer):
    """Layer that samples z from the two heads and the noise that it is given."""

    same_calls = True

    def forward(self, mu: Array, logvar: Array, eps: Array) -> Array:
        """Sample z = mu + exp(logvar / 2) eps, all (B, Z).

        With eps (B, K, Z) the heads are (B, 1, Z), and z is (B, K, Z).
        """
        several = getattr(eps, "ndim", 2) == getattr(mu, "ndim", 2) == 3
        self.expect("mu", mu, ("B", 1, "Z") if several else ("B", "Z"))
        self.expect("logvar", logvar, mu.shape)
        self.expect("eps", eps, (mu.shape[0], "K", mu.shape[2]) if several else mu.shape)
        z, self.cache = self.call(forward, mu, logvar, eps)
        return z

    def backward(self, dz: Array) -> tuple[Array, Array]:
        """Return dmu and dlogvar in the shape of z."""
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
        output=("B", "Z"),
        layer=Reparameterize,
    ),
]
