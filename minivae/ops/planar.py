r"""Planar step of a flow: a sample is pushed along $\hat u$, by how far it lies along $w$.

Shapes: $z$, $z'$, $u$, $w$ (B, Z); $b$, $\ell$ (B,). Each example has a $u$, $w$ and $b$ of its
own, as the encoder gives them. The sample moves by

$$ a = w \cdot z + b, \quad t = \tanh a, \quad z' = z + \hat u \, t \tag{1} $$

All that changes lies along $\hat u$ and depends on $z$ through $a$ alone, so the Jacobian is
$I + t' \, \hat u w^\top$ with $t' = 1 - t^2$, and its determinant $1 + t' \, \hat u \cdot w$. A
density is divided by it, so its logarithm is what is *subtracted* from $\ln q$:

$$ \ell = \ln |\det \partial z' / \partial z| = \ln (1 + t' \, w \cdot \hat u) \tag{2} $$

**Invertible.** $0 < t' \le 1$, so the step can be undone, and the determinant is positive, if
$w \cdot \hat u > -1$. A network's $u$ does not keep to that. So what it gives is moved along $w$,
and only there, until $w \cdot \hat u$ is $c$:

$$ p = w \cdot u, \quad c = \ln(1 + e^{p}) - 1 > -1 \tag{3} $$
$$ k = \frac{c - p}{|w|^2}, \quad \hat u = u + k w
   \quad\Rightarrow\quad w \cdot \hat u = c \tag{4} $$

(It is divided by $|w|^2$, not by $|w|$: else $w \cdot \hat u$ is not $c$.)

**Backwards**, with $dz'$ and $d\ell$ given. $c$ and $t$ enter (2), $\hat u$ and $t$ enter (1):

$$ r = \frac{d\ell}{1 + t' c}, \quad dc = r \, t', \quad d\hat u = dz' \, t \tag{5} $$

$t$ acts through both, and $\partial t' / \partial t = -2t$; then through the tanh:

$$ da = t' \left( dz' \cdot \hat u - 2 \, r \, c \, t \right), \quad dz = dz' + w \, da,
   \quad db = da \tag{6} $$

$\hat u$ is $u$ moved by $k$ along $w$; $k$ gets what $\hat u$ has along $w$, and $c$ that too:

$$ dk = d\hat u \cdot w, \quad dc \leftarrow dc + \frac{dk}{|w|^2} \tag{7} $$

The slope of $c(p)$ is the sigmoid $\sigma(p)$, and $p$ also stands in $k$ with a minus:

$$ dp = dc \, \sigma(p) - \frac{dk}{|w|^2}, \quad du = d\hat u + w \, dp \tag{8} $$

$w$ occurs in $a$, in $p$, in $\hat u$, and in $|w|^2$, whose gradient is $2w$:

$$ dw = z \, da + u \, dp + k \, d\hat u - \frac{2 k \, dk}{|w|^2} w \tag{9} $$

Source: Rezende and Mohamed (2015), section 4.1 and appendix A.1.
"""

from ..engine import Array, Case, Layer, array_module, door, empty, kernel, loop, together
from ..engine.cpu.elementary import log, sigmoid, tanh
from ..engine.cpu.loop import same_dtype
from ..errors import NonFiniteError, ShapeError
from .activations.sigmoid import sigmoid_forward
from .activations.softplus import softplus, softplus_forward


@door
def forward(z: Array, u: Array, w: Array, b: Array) -> tuple[tuple[Array, Array], tuple]:
    """Moved sample (B, Z) and log-determinant (B,) from z, u, w (B, Z) and b (B,)."""
    xp = array_module(z, u, w, b)
    p, squares = (w * u).sum(axis=-1), (w * w).sum(axis=-1)
    c = softplus_forward(p)[0] - 1  # (3)
    k = (c - p) / squares
    u_hat = u + k[:, None] * w  # (4)
    t = xp.tanh((w * z).sum(axis=-1) + b)
    moved = z + u_hat * t[:, None]  # (1)
    logdet = xp.log1p((1 - t * t) * c)  # (2)
    return (moved, logdet), (z, u, w, u_hat, t, c, k, p, squares)


@door
def backward(
    dmoved: Array,
    dlogdet: Array,
    z: Array,
    u: Array,
    w: Array,
    u_hat: Array,
    t: Array,
    c: Array,
    k: Array,
    p: Array,
    squares: Array,
) -> tuple[Array, Array, Array, Array]:
    """Gradients dz, du, dw (B, Z) and db (B,) from dmoved (B, Z) and dlogdet (B,).

    z, u, w, u_hat (B, Z), and t, c, k, p, squares (B,), are those of the forward pass.
    """
    slope = 1 - t * t
    r = dlogdet / (1 + slope * c)
    dc = r * slope
    du_hat = dmoved * t[:, None]  # (5)
    da = slope * ((dmoved * u_hat).sum(axis=-1) - 2 * r * c * t)
    dz = dmoved + w * da[:, None]  # (6)
    dk = (du_hat * w).sum(axis=-1)
    dc = dc + dk / squares  # (7)
    dp = dc * sigmoid_forward(p)[0] - dk / squares
    du = du_hat + w * dp[:, None]  # (8)
    through_norm = (2 * k * dk / squares)[:, None] * w
    dw = z * da[:, None] + u * dp[:, None] + k[:, None] * du_hat - through_norm  # (9)
    return dz, du, dw, da


# The kernels take one example after the other: its products first, then where it goes.
# Forward and backward at 128 x 20, float32, one thread, reference / kernel: 4.0.


@loop(reorder=True)
def _push(z, u, w, b, moved, u_hat, numbers):  # noqa: ANN001, ANN202
    one = z.dtype.type(1)
    for n in range(z.shape[0]):
        z_n, u_n, w_n, hat, out = z[n], u[n], w[n], u_hat[n], moved[n]
        p = squares = a = z.dtype.type(0)
        for j in range(z_n.size):
            p += w_n[j] * u_n[j]
            squares += w_n[j] * w_n[j]
            a += w_n[j] * z_n[j]
        c = softplus(p) - one  # (3)
        k = (c - p) / squares
        t = tanh(a + b[n])
        for j in range(z_n.size):
            hat[j] = u_n[j] + k * w_n[j]  # (4)
            out[j] = z_n[j] + hat[j] * t  # (1)
        numbers[0, n], numbers[1, n], numbers[2, n] = t, c, k
        numbers[3, n], numbers[4, n] = p, squares
        numbers[5, n] = log(one + (one - t * t) * c)  # (2)


@loop(reorder=True)
def _back(dmoved, dlogdet, z, u, w, u_hat, ts, cs, ks, ps, squares, dz, du, dw, db):  # noqa: ANN001, ANN202
    one, two = z.dtype.type(1), z.dtype.type(2)
    for n in range(z.shape[0]):
        d, z_n, u_n, w_n, hat = dmoved[n], z[n], u[n], w[n], u_hat[n]
        t, c, k, p, norm = ts[n], cs[n], ks[n], ps[n], squares[n]
        along_u = along_w = z.dtype.type(0)
        for j in range(d.size):
            along_u += d[j] * hat[j]
            along_w += d[j] * w_n[j]
        slope = one - t * t
        r = dlogdet[n] / (one + slope * c)  # (5)
        da = slope * (along_u - two * r * c * t)
        dk = along_w * t
        dc = r * slope + dk / norm  # (7)
        dp = dc * sigmoid(p) - dk / norm
        through_norm = two * k * dk / norm
        for j in range(d.size):
            hat_j = d[j] * t
            dz[n, j] = d[j] + w_n[j] * da  # (6)
            du[n, j] = hat_j + w_n[j] * dp  # (8)
            dw[n, j] = z_n[j] * da + u_n[j] * dp + k * hat_j - through_norm * w_n[j]  # (9)
        db[n] = da


@kernel("numba", of=forward)
def forward_numba(z: Array, u: Array, w: Array, b: Array) -> tuple[tuple[Array, Array], tuple]:
    """Kernel of `forward`."""
    z, u, w = together(z=z, u=u, w=w)
    if z.ndim != 2 or b.shape != z.shape[:1]:
        raise ShapeError(f"z and b have shapes {z.shape} and {b.shape}; give (B, Z) and (B,).")
    same_dtype(z=z, b=b)
    (b,) = together(b=b)
    moved, u_hat = empty(z.shape, z.dtype), empty(z.shape, z.dtype)
    numbers = empty((6, len(z)), z.dtype)
    _push(z, u, w, b, moved, u_hat, numbers)
    t, c, k, p, squares, logdet = numbers
    return (moved, logdet), (z, u, w, u_hat, t, c, k, p, squares)


@kernel("numba", of=backward)
def backward_numba(
    dmoved: Array,
    dlogdet: Array,
    z: Array,
    u: Array,
    w: Array,
    u_hat: Array,
    t: Array,
    c: Array,
    k: Array,
    p: Array,
    squares: Array,
) -> tuple[Array, Array, Array, Array]:
    """Kernel of `backward`."""
    z, dmoved, u, w, u_hat = together(z=z, dmoved=dmoved, u=u, w=w, u_hat=u_hat)
    if z.ndim != 2 or dlogdet.shape != z.shape[:1]:
        raise ShapeError(f"dlogdet has shape {dlogdet.shape}, but {z.shape[:1]} is expected.")
    t, dlogdet, c, k, p, squares = together(t=t, dlogdet=dlogdet, c=c, k=k, p=p, squares=squares)
    same_dtype(z=z, t=t)
    dz, du, dw = (empty(z.shape, z.dtype) for _ in range(3))
    db = empty(t.shape, z.dtype)
    _back(dmoved, dlogdet, z, u, w, u_hat, t, c, k, p, squares, dz, du, dw, db)
    return dz, du, dw, db


class Planar(Layer):
    """Layer for one planar step, whose direction and place each example brings along."""

    def forward(self, z: Array, u: Array, w: Array, b: Array) -> tuple[Array, Array]:
        """Return the moved sample (B, Z) and the log-determinant (B,).

        Parameters
        ----------
        z, u, w : array, (B, Z)
            Sample; where it is moved to, before it is made invertible; what it is measured along.
        b : array, (B,)
            Where the step begins.

        Raises
        ------
        NonFiniteError
            If no step is defined, on a backend that has its results at once.
        """
        self.expect("z", z, ("B", "Z"))
        self.expect("u", u, z.shape)
        self.expect("w", w, z.shape)
        self.expect("b", b, z.shape[:1])
        (moved, logdet), self.cache = self.call(forward, z, u, w, b)
        if self.backend.waits and not self.backend.xp.isfinite(moved.sum() + logdet.sum()):
            raise NonFiniteError(
                "a planar step is singular: its w is 0, or w u is so far below 0 that it flattens "
                "space; lower the learning rate, or start from other weights."
            )
        return moved, logdet

    def backward(self, dmoved: Array, dlogdet: Array) -> tuple[Array, Array, Array, Array]:
        """Return dz, du, dw (B, Z) and db (B,)."""
        cache = self.saved()
        self.expect("dmoved", dmoved, cache[0].shape)
        self.expect("dlogdet", dlogdet, cache[0].shape[:1])
        return self.call(backward, dmoved, dlogdet, *cache)


def _together(z: Array, u: Array, w: Array, b: Array) -> tuple[Array, tuple]:
    """Both results as the one output that a case has: their product, column by column."""
    (moved, logdet), cache = forward(z, u, w, b)
    return moved * logdet[:, None], (moved, logdet, *cache)


def _together_back(dy: Array, moved: Array, logdet: Array, *cache: Array) -> tuple[Array, ...]:
    return backward(dy * logdet[:, None], (dy * moved).sum(axis=-1), *cache)


CASES = [
    Case(
        "planar",
        _together,
        _together_back,
        vary={"z": ("B", "Z"), "u": ("B", "Z"), "w": ("B", "Z"), "b": ("B",)},
        output=("B", "Z"),
        layer=None,  # it has two results
    ),
]
