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

from ..engine import (
    Array,
    Case,
    Elementwise,
    Real,
    Reduction,
    array_module,
    door,
    empty,
    in_parts,
    kernel,
    loop,
    same_dtype,
    together,
)
from ..errors import ShapeError


@door
def forward(nll: Array, z: Array, logvar: Array, eps: Real) -> tuple[Array, tuple]:
    """Log-weights w (B, K) from nll (B, K), z and eps (B, K, Z), logvar (B, Z)."""
    w = -nll + 0.5 * (logvar[:, None] + eps * eps - z * z).sum(axis=-1)  # (1)
    return w, (z,)


@door
def backward(dw: Array, z: Array) -> tuple[Array, Array, Array]:
    """Gradients dnll (B, K), dz (B, K, Z), dlogvar (B, Z) from dw (B, K)."""
    dnll = -dw  # (2)
    dz = -dw[:, :, None] * z  # (3)
    xp = array_module(dw, z)
    per_example = 0.5 * dw.sum(axis=1)  # (4), the same for every dimension j
    dlogvar = xp.repeat(per_example[:, None], z.shape[-1], axis=1)
    return dnll, dz, dlogvar


# The kernels.
# Forward and backward at 128 x 50 x 20, float32, reference / kernel: 3.1.


@loop(reorder=True)
def _weigh(z, eps, logvar, nll, w):  # noqa: ANN001, ANN202
    half = z.dtype.type(0.5)
    for n in range(z.shape[0]):
        for k in range(z.shape[1]):
            v, z_row, e = logvar[n], z[n, k], eps[n, k]
            total = z.dtype.type(0)
            for j in range(v.size):
                total += v[j] + e[j] * e[j] - z_row[j] * z_row[j]
            w[n, k] = half * total - nll[n, k]  # (1)


@loop
def _minus_rows(z, dz, dw):  # noqa: ANN001, ANN202
    for n in range(dw.size):
        row, out = z[n], dz[n]
        for j in range(row.size):
            out[j] = -dw[n] * row[j]  # (3)


@loop
def _to_rows(dw, dnll, dlogvar):  # noqa: ANN001, ANN202
    for n in range(dw.shape[0]):
        total, row = dw.dtype.type(0), dlogvar[n]
        for k in range(dw.shape[1]):
            dnll[n, k] = -dw[n, k]  # (2)
            total += dw[n, k]
        for j in range(row.size):
            row[j] = dw.dtype.type(0.5) * total  # (4)


@kernel("numba", of=forward)
def forward_numba(nll: Array, z: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    z, eps = together(z=z, eps=eps)
    if z.ndim != 3 or nll.shape != z.shape[:2] or logvar.shape != z.shape[::2]:
        raise ShapeError(
            f"nll, z and logvar have shapes {nll.shape}, {z.shape} and {logvar.shape}; give "
            "(B, K), (B, K, Z) and (B, Z)."
        )
    same_dtype(z=z, nll=nll, logvar=logvar)
    (nll,), (logvar,) = together(nll=nll), together(logvar=logvar)
    w = empty(nll.shape, z.dtype)
    in_parts(_weigh, (z, eps, logvar, nll, w))
    return w, (z,)


@kernel("numba", of=backward)
def backward_numba(dw: Array, z: Array) -> tuple[Array, Array, Array]:
    """Kernel of `backward`."""
    if dw.shape != z.shape[:2]:
        raise ShapeError(f"dw has shape {dw.shape}, but {z.shape[:2]} is expected; as w has.")
    same_dtype(dw=dw, z=z)
    (dw,), (z,) = together(dw=dw), together(z=z)
    dnll, dz = empty(dw.shape, z.dtype), empty(z.shape, z.dtype)
    dlogvar, width = empty(z.shape[::2], z.dtype), z.shape[-1]
    in_parts(_minus_rows, (z.reshape(-1, width), dz.reshape(-1, width), dw.reshape(-1)))
    _to_rows(dw, dnll, dlogvar)
    return dnll, dz, dlogvar


# On the GPU: two launches forward and three backward.

_WEIGH_CUDA = Reduction(
    "log_weights",
    "T z, T logvar, T eps",
    "T half",
    "logvar + eps * eps - z * z",
    "half = T(0.5) * a",
)

_HALF_SUM_CUDA = Reduction("half_sum", "T dw", "T half", "dw", "half = T(0.5) * a")

_MINUS_CUDA = Elementwise("minus_product", "T dw, T z", "T dz", "dz = -dw * z;  // (3)")


@kernel("cuda", of=forward)
def forward_cuda(nll: Array, z: Array, logvar: Array, eps: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    return _WEIGH_CUDA(z, logvar[:, None], eps, axis=2) - nll, (z,)  # (1)


@kernel("cuda", of=backward)
def backward_cuda(dw: Array, z: Array) -> tuple[Array, Array, Array]:
    """Kernel of `backward`."""
    xp = array_module(dw, z)
    per_example = _HALF_SUM_CUDA(dw, axis=1, keepdims=True)  # (4)
    dlogvar = xp.broadcast_to(per_example, (z.shape[0], z.shape[2]))
    return -dw, _MINUS_CUDA(dw[:, :, None], z), dlogvar  # (2)


CASES = [
    Case(
        "log_weights",
        forward,
        backward,
        vary={"nll": ("B", "K"), "z": ("B", "K", "Z"), "logvar": ("B", "Z")},
        fixed={"eps": ("B", "K", "Z")},
        output=("B", "K"),
        layer=None,  # an objective runs it by itself
    ),
]
