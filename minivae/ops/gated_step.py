r"""Gated step of an inverse autoregressive flow: part of a sample stays, the rest is replaced.

Shapes: $z$, $m$, $s$, $z'$ (B, Z); $\ell$ (B,). A network that sees only the numbers before $j$
gives $m_j$ and $s_j$. The gate lies in (0, 1), so nothing can explode:

$$ g = \sigma(s), \quad z' = g \odot z + (1 - g) \odot m \tag{1} $$

$z'_j$ depends on $z_j$ with the factor $g_j$, and else on numbers before $j$ alone. So the Jacobian
is triangular, and its determinant is the product of its diagonal; $\ln \sigma(s)$ is minus the
softplus of $-s$, and never the logarithm of a gate that has become 0:

$$ \ell = \sum_j \ln g_j = -\sum_j \ln (1 + e^{-s_j}) \tag{2} $$

**Backwards**, with $dz'$ and $d\ell$ given. From (1), and $g' = g (1 - g)$; from (2),
$\partial \ell / \partial s_j = 1 - g_j$:

$$ dz = dz' \odot g, \quad dm = dz' \odot (1 - g) \tag{3} $$
$$ ds = \left( dz' \odot (z - m) \odot g + d\ell \right) \odot (1 - g) \tag{4} $$

What $m$ and $s$ owe to $z$ comes back through the network that gave them, and is added to (3).

Source: Kingma, Salimans, Jozefowicz, Chen, Sutskever and Welling (2016), section 4.
"""

from ..engine import Array, Case, Layer, door
from .activations.sigmoid import sigmoid_forward
from .activations.softplus import softplus_forward


@door
def forward(z: Array, m: Array, s: Array) -> tuple[tuple[Array, Array], tuple]:
    """Moved sample (B, Z) and log-determinant (B,) from z, m, s (B, Z)."""
    g, rest = sigmoid_forward(s)[0], sigmoid_forward(-s)[0]
    moved = g * z + rest * m  # (1)
    logdet = -softplus_forward(-s)[0].sum(axis=-1)  # (2)
    return (moved, logdet), (z, m, g, rest)


@door
def backward(
    dmoved: Array, dlogdet: Array, z: Array, m: Array, g: Array, rest: Array
) -> tuple[Array, Array, Array]:
    """Gradients dz, dm, ds (B, Z) from dmoved (B, Z) and dlogdet (B,).

    z, m, the gate g and rest, which is 1 - g, (B, Z), are those of the forward pass.
    """
    dz, dm = dmoved * g, dmoved * rest  # (3)
    ds = (dmoved * (z - m) * g + dlogdet[:, None]) * rest  # (4)
    return dz, dm, ds


class GatedStep(Layer):
    """Layer for one gated step."""

    def forward(self, z: Array, m: Array, s: Array) -> tuple[Array, Array]:
        """Return the moved sample (B, Z) and the log-determinant (B,); z, m and s are (B, Z)."""
        self.expect("z", z, ("B", "Z"))
        self.expect("m", m, z.shape)
        self.expect("s", s, z.shape)
        result, self.cache = self.call(forward, z, m, s)
        return result

    def backward(self, dmoved: Array, dlogdet: Array) -> tuple[Array, Array, Array]:
        """Return dz, dm and ds (B, Z)."""
        cache = self.saved()
        self.expect("dmoved", dmoved, cache[0].shape)
        self.expect("dlogdet", dlogdet, cache[0].shape[:1])
        return self.call(backward, dmoved, dlogdet, *cache)


def _together(z: Array, m: Array, s: Array) -> tuple[Array, tuple]:
    """Both results as the one output that a case has: their product, column by column."""
    (moved, logdet), cache = forward(z, m, s)
    return moved * logdet[:, None], (moved, logdet, *cache)


def _together_back(dy: Array, moved: Array, logdet: Array, *cache: Array) -> tuple[Array, ...]:
    return backward(dy * logdet[:, None], (dy * moved).sum(axis=-1), *cache)


CASES = [
    Case(
        "gated_step",
        _together,
        _together_back,
        vary=dict.fromkeys(("z", "m", "s"), ("B", "Z")),
        output=("B", "Z"),
        layer=None,  # it has two results
    ),
]
