r"""Log-weights of the importance-weighted bound, in nats.

Shapes: K samples for each of B examples. nll (B, K) is $-\ln p(x \mid z)$ of each sample, $z$ and
$\varepsilon$ are (B, K, Z), `logvar` is (B, Z), and $w$ = log-weights (B, K):

$$ w_{nk} = \ln p(x_n \mid z_{nk}) + \ln p(z_{nk}) - \ln q(z_{nk} \mid x_n) $$

The prior's $-\tfrac12 (z^2 + \ln 2\pi)$ and the encoder's $-\tfrac12 (\varepsilon^2 + \text{logvar}
+ \ln 2\pi)$, with $\varepsilon = (z - \mu) / \sigma$, leave

$$ w_{nk} = -\text{nll}_{nk}
   + \tfrac12 \sum_j \left( \text{logvar}_{nj} + \varepsilon_{nkj}^2 - z_{nkj}^2 \right) \tag{1} $$

The noise is what was drawn, a constant, so the derivatives can be read off:

$$ d\text{nll}_{nk} = -dw_{nk} \tag{2} $$
$$ dz_{nkj} = -dw_{nk} \, z_{nkj} \tag{3} $$
$$ d\text{logvar}_{nj} = \tfrac12 \sum_k dw_{nk} \tag{4} $$

(4) is the entropy term: a wider $q$ makes each of its samples less of a surprise. `logvar` also
acts through $z$; that part comes back through the reparameterization.

Source: Burda, Grosse and Salakhutdinov (2016), section 3.
"""

from ..backend import Array, array_module
from ..case import Case


def forward(nll: Array, z: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Log-weights w (B, K) from nll (B, K), z and eps (B, K, Z), logvar (B, Z)."""
    w = -nll + 0.5 * (logvar[:, None] + eps * eps - z * z).sum(axis=-1)  # (1)
    return w, (z,)


def backward(dw: Array, z: Array) -> tuple[Array, Array, Array]:
    """Gradients dnll (B, K), dz (B, K, Z), dlogvar (B, Z) from dw (B, K)."""
    dnll = -dw  # (2)
    dz = -dw[:, :, None] * z  # (3)
    xp = array_module(dw, z)
    per_example = 0.5 * dw.sum(axis=1)  # (4), the same for every dimension j
    dlogvar = xp.repeat(per_example[:, None], z.shape[-1], axis=1)
    return dnll, dz, dlogvar


CASES = [
    Case(
        "log_weights",
        forward,
        backward,
        vary={"nll": ("B", "K"), "z": ("B", "K", "Z"), "logvar": ("B", "Z")},
        fixed={"eps": ("B", "K", "Z")},
    ),
]
