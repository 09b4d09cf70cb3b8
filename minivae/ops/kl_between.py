r"""KL divergence between two diagonal Gaussians, in nats, for each dimension.

As in `kl.py`, $KL = E_q[\ln q(z) - \ln p(z)]$, now with $q = N(\mu_q, v_q)$ and
$p = N(\mu_p, v_p)$, the variances $v = e^{\text{logvar}}$. The log ratio of the densities has
$(z - \mu_p)^2 / v_p$ in the place of $z^2$, and $E_q[(z - \mu_p)^2] = (\mu_q - \mu_p)^2 + v_q$, so

$$ KL = \tfrac12 \left( \frac{v_q}{v_p} - 1 - \ln \frac{v_q}{v_p}
   + \frac{(\mu_q - \mu_p)^2}{v_p} \right) $$

With $r = \text{logvar}_q - \text{logvar}_p$, so that $e^r = v_q / v_p$, and
$\delta = (\mu_q - \mu_p) / v_p$ as shorthands:

$$ KL = \tfrac12 \left( (e^{r} - 1) - r + (\mu_q - \mu_p) \, \delta \right) \tag{1} $$

$dKL = \partial L / \partial KL$ comes back from the loss. $\mu_q$ and $\mu_p$ enter through their
difference alone, in a square, so

$$ d\mu_q = dKL \cdot \delta, \qquad d\mu_p = -d\mu_q \tag{2} $$

$\text{logvar}_q$ enters through $r$ alone:

$$ d\text{logvar}_q = dKL \cdot \tfrac12 (e^{r} - 1) \tag{3} $$

$\text{logvar}_p$ enters through $r$ with the other sign, and through $1 / v_p =
e^{-\text{logvar}_p}$ in the square, whose derivative is minus itself:

$$ d\text{logvar}_p = -d\text{logvar}_q - \tfrac12 dKL \, (\mu_q - \mu_p) \, \delta \tag{4} $$

All arrays are (B, Z). Against the standard normal, $\mu_p = \text{logvar}_p = 0$, it is `kl.py`.
"""

from ..engine import Array, Case, Elementwise, Layer, array_module, door, kernel


@door
def between_forward(
    mu_q: Array, logvar_q: Array, mu_p: Array, logvar_p: Array
) -> tuple[Array, tuple]:
    """KL of N(mu_q, exp(logvar_q)) from N(mu_p, exp(logvar_p)): (B, Z) nats, all (B, Z)."""
    xp = array_module(mu_q, logvar_q, mu_p, logvar_p)
    r = logvar_q - logvar_p
    excess = xp.expm1(r)
    difference = mu_q - mu_p
    delta = difference * xp.exp(-logvar_p)
    kl = 0.5 * (excess - r + difference * delta)  # (1)
    return kl, (difference, delta, excess)


@door
def between_backward(
    dkl: Array, difference: Array, delta: Array, excess: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients dmu_q, dlogvar_q, dmu_p, dlogvar_p (B, Z) from dkl (B, Z).

    difference, delta and excess (B, Z) are those of the forward pass.
    """
    dmu_q = dkl * delta  # (2)
    dmu_p = -dmu_q  # (2)
    dlogvar_q = dkl * 0.5 * excess  # (3)
    dlogvar_p = -dlogvar_q - 0.5 * dkl * difference * delta  # (4)
    return dmu_q, dlogvar_q, dmu_p, dlogvar_p


# On the GPU: one launch in each direction.

_BETWEEN_CUDA = Elementwise(
    "kl_between",
    "T mu_q, T logvar_q, T mu_p, T logvar_p",
    "T kl, T difference, T delta, T excess",
    """
    T r = logvar_q - logvar_p;
    excess = expm1(r);
    difference = mu_q - mu_p;
    delta = difference * exp(-logvar_p);
    kl = T(0.5) * (excess - r + difference * delta);  // (1)
    """,
)


_BETWEEN_BACKWARD_CUDA = Elementwise(
    "kl_between_backward",
    "T dkl, T difference, T delta, T excess",
    "T dmu_q, T dlogvar_q, T dmu_p, T dlogvar_p",
    """
    dmu_q = dkl * delta;  // (2)
    dmu_p = -dmu_q;  // (2)
    dlogvar_q = dkl * T(0.5) * excess;  // (3)
    dlogvar_p = -dlogvar_q - T(0.5) * dkl * difference * delta;  // (4)
    """,
)


@kernel("cuda", of=between_forward)
def between_forward_cuda(
    mu_q: Array, logvar_q: Array, mu_p: Array, logvar_p: Array
) -> tuple[Array, tuple]:
    """Kernel of `between_forward`."""
    kl, *cache = _BETWEEN_CUDA(mu_q, logvar_q, mu_p, logvar_p)
    return kl, tuple(cache)


kernel("cuda", of=between_backward)(_BETWEEN_BACKWARD_CUDA)


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


CASES = [
    Case(
        "kl_between",
        between_forward,
        between_backward,
        vary=dict.fromkeys(["mu_q", "logvar_q", "mu_p", "logvar_p"], ("B", "Z")),
        output=("B", "Z"),
        layer=KLBetween,
    ),
]
