r"""Merge of two Gaussians: what two sources say of the same number, each as far as it is sure.

Two sources give $N(m_1, v_1)$ and $N(m_2, v_2)$ for the same number. Their product is a Gaussian
again (up to a factor): precisions, the inverses of the variances, add up, and each mean counts as
much as its precision. All arrays are (B, Z); $\ell$ is the logarithm of a variance.

$$ \frac1v = \frac1{v_1} + \frac1{v_2} \quad\Rightarrow\quad
   \ell = -\ln \left( e^{-\ell_1} + e^{-\ell_2} \right) \tag{1} $$
$$ w_1 = v / v_1 = e^{\ell - \ell_1}, \quad w_2 = e^{\ell - \ell_2}, \qquad
   m = w_1 m_1 + w_2 m_2 \tag{2} $$

The logarithm of the sum is taken with the larger precision outside, so nothing overflows, and
$w_1 + w_2 = 1$. No small number is added to a variance: a source that is quite sure, or quite
unsure, has the weight 1 or 0.

**Backwards**, with $dm$ and $d\ell$ given. From (1), $\partial \ell / \partial \ell_1 = w_1$, a
share. In (2) then $\partial w_1 / \partial \ell_1 = w_1 (w_1 - 1) = -w_1 w_2$, and
$\partial w_2 / \partial \ell_1 = w_1 w_2$:

$$ dm_1 = w_1 \, dm, \qquad dm_2 = w_2 \, dm \tag{3} $$
$$ c = w_1 w_2 (m_1 - m_2) \, dm, \qquad d\ell_1 = w_1 \, d\ell - c, \qquad
   d\ell_2 = w_2 \, d\ell + c \tag{4} $$

Source: Sønderby, Raiko, Maaløe, Sønderby and Winther (2016), equations 17 and 18.
"""

from ..engine import Array, Case, Layer, array_module, door


@door
def forward(
    mu_1: Array, logvar_1: Array, mu_2: Array, logvar_2: Array
) -> tuple[tuple[Array, Array], tuple]:
    """Merge two Gaussians: mu and logvar (B, Z).

    mu_1 (B, Z), logvar_1 (B, Z), mu_2 (B, Z) and logvar_2 (B, Z) are the two.
    """
    xp = array_module(mu_1, logvar_1, mu_2, logvar_2)
    first = logvar_1.real < logvar_2.real  # the surer one
    sure, unsure = xp.where(first, logvar_1, logvar_2), xp.where(first, logvar_2, logvar_1)
    logvar = sure - xp.log1p(xp.exp(sure - unsure))  # (1)
    w_1, w_2 = xp.exp(logvar - logvar_1), xp.exp(logvar - logvar_2)
    return (w_1 * mu_1 + w_2 * mu_2, logvar), (w_1, w_2, mu_1 - mu_2)  # (2)


@door
def backward(
    dmu: Array, dlogvar: Array, w_1: Array, w_2: Array, difference: Array
) -> tuple[Array, Array, Array, Array]:
    """Gradients dmu_1, dlogvar_1, dmu_2, dlogvar_2 (B, Z) from dmu (B, Z) and dlogvar (B, Z).

    The weights w_1 (B, Z) and w_2 (B, Z), and difference (B, Z), are those of the forward pass.
    """
    dmu_1, dmu_2 = w_1 * dmu, w_2 * dmu  # (3)
    c = w_1 * w_2 * difference * dmu
    return dmu_1, w_1 * dlogvar - c, dmu_2, w_2 * dlogvar + c  # (4)


class Merge(Layer):
    """Layer for the merge of two Gaussians."""

    def forward(
        self, mu_1: Array, logvar_1: Array, mu_2: Array, logvar_2: Array
    ) -> tuple[Array, Array]:
        """Return mu and logvar (B, Z); all arguments are (B, Z)."""
        self.expect("mu_1", mu_1, ("B", "Z"))
        for name, array in {"logvar_1": logvar_1, "mu_2": mu_2, "logvar_2": logvar_2}.items():
            self.expect(name, array, mu_1.shape)
        result, self.cache = self.call(forward, mu_1, logvar_1, mu_2, logvar_2)
        return result

    def backward(self, dmu: Array, dlogvar: Array) -> tuple[Array, Array, Array, Array]:
        """Return dmu_1, dlogvar_1, dmu_2 and dlogvar_2 (B, Z)."""
        cache = self.saved()
        self.expect("dmu", dmu, cache[0].shape)
        self.expect("dlogvar", dlogvar, dmu.shape)
        return self.call(backward, dmu, dlogvar, *cache)


def _together(mu_1: Array, logvar_1: Array, mu_2: Array, logvar_2: Array) -> tuple[Array, tuple]:
    """Both results as the one output that a case has: their product."""
    (mu, logvar), cache = forward(mu_1, logvar_1, mu_2, logvar_2)
    return mu * logvar, (mu, logvar, *cache)


def _together_back(dy: Array, mu: Array, logvar: Array, *cache: Array) -> tuple[Array, ...]:
    return backward(dy * logvar, dy * mu, *cache)


CASES = [
    Case(
        "merge",
        _together,
        _together_back,
        vary=dict.fromkeys(("mu_1", "logvar_1", "mu_2", "logvar_2"), ("B", "Z")),
        output=("B", "Z"),
        layer=None,  # it has two results
    ),
]
