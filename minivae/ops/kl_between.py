"""TODO docstring."""

from ..engine.backend import Array, array_module, kernel
from ..engine.gpu.kernels import Elementwise
from ..engine.layer import Layer


def between_forward(
    mu_q: Array, logvar_q: Array, mu_p: Array, logvar_p: Array
) -> tuple[Array, tuple]:
    """KL of N(mu_q, exp(logvar_q)) from N(mu_p, exp(logvar_p)): (B, Z) nats, all (B, Z)."""
    xp = array_module(mu_q, logvar_q, mu_p, logvar_p)
    r = logvar_q - logvar_p
    excess = xp.expm1(r)
    difference = mu_q - mu_p
    delta = difference * xp.exp(-logvar_p)
    kl = 0.5 * (excess - r + difference * delta)  # (4)
    return kl, (difference, delta, excess)


def between_backward(
    dkl: Array, difference: Array, delta: Array, excess: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients dmu_q, dlogvar_q, dmu_p, dlogvar_p (B, Z) from dkl (B, Z)."""
    dmu_q = dkl * delta  # (5)
    dmu_p = -dmu_q  # (5)
    dlogvar_q = dkl * 0.5 * excess  # (6)
    dlogvar_p = -dlogvar_q - 0.5 * dkl * difference * delta  # (7)
    return dmu_q, dlogvar_q, dmu_p, dlogvar_p


_BETWEEN_CUDA = Elementwise(
    "kl_between",
    "T mu_q, T logvar_q, T mu_p, T logvar_p",
    "T kl, T difference, T delta, T excess",
    """
    T r = logvar_q - logvar_p;
    excess = expm1(r);
    difference = mu_q - mu_p;
    delta = difference * exp(-logvar_p);
    kl = T(0.5) * (excess - r + difference * delta);  // (4)
    """,
)


_BETWEEN_BACKWARD_CUDA = Elementwise(
    "kl_between_backward",
    "T dkl, T difference, T delta, T excess",
    "T dmu_q, T dlogvar_q, T dmu_p, T dlogvar_p",
    """
    dmu_q = dkl * delta;  // (5)
    dmu_p = -dmu_q;  // (5)
    dlogvar_q = dkl * T(0.5) * excess;  // (6)
    dlogvar_p = -dlogvar_q - T(0.5) * dkl * difference * delta;  // (7)
    """,
)


@kernel("cuda", of=between_forward)
def between_forward_cuda(
    mu_q: Array, logvar_q: Array, mu_p: Array, logvar_p: Array
) -> tuple[Array, tuple]:
    """Kernel of `between_forward`."""
    kl, *cache = _BETWEEN_CUDA(mu_q, logvar_q, mu_p, logvar_p)
    return kl, tuple(cache)


class KLBetween(Layer):
    """Layer for the KL of one diagonal Gaussian from another."""

    def forward(self, mu_q: Array, logvar_q: Array, mu_p: Array, logvar_p: Array) -> Array:
        """Return the KL in nats (B, Z); all arguments are (B, Z)."""
        self.expect("mu_q", mu_q, ("B", "Z"))
        for name, array in {"logvar_q": logvar_q, "mu_p": mu_p, "logvar_p": logvar_p}.items():
            self.expect(name, array, mu_q.shape)
        kl, self.cache = self.call(between_forward, mu_q, logvar_q, mu_p, logvar_p)
        return kl

    def backward(self, dkl: Array) -> tuple[Array, Array, Array, Array]:
        """Return dmu_q, dlogvar_q, dmu_p, dlogvar_p (B, Z)."""
        cache = self.saved()
        self.expect("dkl", dkl, cache[0].shape)
        return self.call(between_backward, dkl, *cache)
