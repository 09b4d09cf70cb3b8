r"""Layer norm: each row is brought to mean 0 and variance 1, then every column to its own.

Shapes: $x$, $y$ (..., D), gain $g$ and bias $b$ (D,). A row is an example of a dense layer, (B, D),
or what the channels of a pixel hold, (B, H, W, D). For each row by itself, with $\epsilon$ = `eps`
for one whose numbers are equal,

$$ \mu = \frac1D \sum_j x_j, \quad v = \frac1D \sum_j (x_j - \mu)^2, \quad
   r = 1 / \sqrt{v + \epsilon} \tag{1} $$
$$ h_j = (x_j - \mu) \, r, \quad y_j = g_j h_j + b_j \tag{2} $$

No row depends on another one, so training and evaluation are alike.

**Backwards.** Gain and bias act on their column of every row $n$:

$$ db_j = \sum_n dy_{nj}, \quad dg_j = \sum_n dy_{nj} h_{nj}, \quad dh_j = g_j \, dy_j \tag{3} $$

$x_j$ acts on its own $h_j$, and on those of the whole row through $\mu$ and $v$. `batch_norm.py`
derives what that is for a column; for a row it is the same with D numbers in the place of N:

$$ dx_j = r \Big( dh_j - \frac1D \sum_k dh_k - h_j \cdot \frac1D \sum_k dh_k h_k \Big) \tag{4} $$

Here $dh$ stays inside of the sums, for the gain differs from column to column.

Source: Ba, Kiros and Hinton (2016), section 3.
"""

import numpy as np

from ..engine import (
    COSTLY,
    SIZES,
    Array,
    Backend,
    Case,
    Elementwise,
    Layer,
    Reduction,
    array_module,
    door,
    empty,
    in_parts,
    kernel,
    loop,
    same_dtype,
    sum_in_parts,
    together,
)
from ..engine.kinds import Positive
from ..errors import OptionError, ShapeError


@door
def forward(x: Array, gain: Array, bias: Array, eps: Positive) -> tuple[Array, tuple]:
    """Normalise each row of x (..., D), with gain and bias (D,)."""
    xp = array_module(x, gain, bias)
    deviation = x - x.mean(axis=-1, keepdims=True)
    r = 1 / xp.sqrt((deviation * deviation).mean(axis=-1, keepdims=True) + eps)  # (1)
    h = deviation * r
    return gain * h + bias, (h, r, gain)  # (2)


@door
def backward(dy: Array, h: Array, r: Array, gain: Array) -> tuple[Array, Array, Array]:
    """Gradients from dy (..., D), h (..., D), r (..., 1): dx (..., D), dgain, dbias (D,)."""
    rows = tuple(range(dy.ndim - 1))
    dh = gain * dy
    through_mean = dh.mean(axis=-1, keepdims=True)
    through_var = h * (dh * h).mean(axis=-1, keepdims=True)
    dx = r * (dh - through_mean - through_var)  # (4)
    return dx, (dy * h).sum(axis=rows), dy.sum(axis=rows)  # (3)


# The kernels: a row stays near while it is read three times.
# Forward and backward at 128 x 400, float32, one thread, reference / kernel: 5.0.


@loop(reorder=True)
def _normalise(x, y, h, r, gain, bias, eps):  # noqa: ANN001, ANN202
    zero, one, D = x.dtype.type(0), x.dtype.type(1), x.dtype.type(x.shape[1])
    for n in range(x.shape[0]):
        row, out, normal, total, squares = x[n], y[n], h[n], zero, zero
        for j in range(row.size):
            total += row[j]
        mean = total / D
        for j in range(row.size):
            squares += (row[j] - mean) * (row[j] - mean)
        root = one / np.sqrt(squares / D + eps)  # (1)
        r[n, 0] = root
        for j in range(row.size):
            normal[j] = (row[j] - mean) * root
            out[j] = gain[j] * normal[j] + bias[j]  # (2)


@loop(reorder=True)
def _normalise_back(dy, h, r, dx, total, gain):  # noqa: ANN001, ANN202
    zero, D = dy.dtype.type(0), dy.dtype.type(dy.shape[1])
    dgain, dbias = total[0, 0], total[0, 1]
    for j in range(dgain.size):
        dgain[j] = dbias[j] = 0
    for n in range(dy.shape[0]):
        upstream, normal, out, first, second = dy[n], h[n], dx[n], zero, zero
        for j in range(upstream.size):
            out[j] = gain[j] * upstream[j]  # dh, for the moment
            first += out[j]
            second += out[j] * normal[j]
            dgain[j] += upstream[j] * normal[j]  # (3)
            dbias[j] += upstream[j]
        first, second = first / D, second / D
        for j in range(upstream.size):
            out[j] = r[n, 0] * (out[j] - first - normal[j] * second)  # (4)


@kernel("numba", of=forward)
def forward_numba(x: Array, gain: Array, bias: Array, eps: Positive) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    for name, array in {"gain": gain, "bias": bias}.items():
        if array.shape != x.shape[-1:]:
            raise ShapeError(
                f"{name} has shape {array.shape}, but x has shape {x.shape}; give one number for "
                "each column, the last axis of x."
            )
    same_dtype(x=x, gain=gain, bias=bias)
    (x,) = together(x=x)
    y, h, r = (empty(s, x.dtype) for s in (x.shape, x.shape, (*x.shape[:-1], 1)))
    rows = [array.reshape(-1, array.shape[-1]) for array in (x, y, h, r)]
    in_parts(_normalise, rows, gain, bias, x.dtype.type(eps), least=COSTLY)
    return y, (h, r, gain)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array,
    h: Array,
    r: Array,
    gain: Array,
    dgain: Array | None = None,
    dbias: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dgain and dbias are where to write."""
    dy, h = together(dy=dy, h=h)
    dx, total = empty(dy.shape, dy.dtype), empty((2, gain.size), dy.dtype)
    rows = [array.reshape(-1, array.shape[-1]) for array in (dy, h, r, dx)]
    sum_in_parts(_normalise_back, rows, total, gain, least=COSTLY)
    dgain = empty(gain.shape, dy.dtype) if dgain is None else dgain
    dbias = empty(gain.shape, dy.dtype) if dbias is None else dbias
    dgain[...], dbias[...] = total
    return dx, dgain, dbias


# On the GPU: a sum and a launch for each of (1), (2) and (4), and one sum for each of (3).

_MEAN = Reduction("layer_norm_mean", "T x, T share", "T mean", "x * share", "mean = a")  # (1)
_ROOT = Reduction(
    "layer_norm_root",
    "T x, T mean, T share, T eps",
    "T r",
    "((x - mean) * (x - mean) + eps) * share",  # D shares of eps make one
    "r = T(1) / sqrt(a)",  # (1)
)
_NORMALISE = Elementwise(
    "layer_norm",
    "T x, T mean, T r, T gain, T bias",
    "T y, T h",
    "h = (x - mean) * r; y = gain * h + bias;  // (2)",
)
_THROUGH_MEAN = Reduction(
    "layer_norm_through_mean", "T dy, T gain, T share", "T first", "gain * dy * share", "first = a"
)
_THROUGH_VAR = Reduction(
    "layer_norm_through_var",
    "T dy, T gain, T h, T share",
    "T second",
    "gain * dy * h * share",
    "second = a",
)
_NORMALISE_BACK = Elementwise(
    "layer_norm_backward",
    "T dy, T h, T r, T gain, T first, T second",
    "T dx",
    "dx = r * (gain * dy - first - h * second);  // (4)",
)
_DGAIN = Reduction("layer_norm_dgain", "T dy, T h", "T dgain", "dy * h", "dgain = a")  # (3)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, gain: Array, bias: Array, eps: Positive) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    share, along = 1 / x.shape[-1], {"axis": -1, "keepdims": True}
    mean = _MEAN(x, share, **along)
    r = _ROOT(x, mean, share, eps, **along)
    y, h = _NORMALISE(x, mean, r, gain, bias)
    return y, (h, r, gain)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array,
    h: Array,
    r: Array,
    gain: Array,
    dgain: Array | None = None,
    dbias: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dgain and dbias are where to write."""
    share, along = 1 / dy.shape[-1], {"axis": -1, "keepdims": True}
    first = _THROUGH_MEAN(dy, gain, share, **along)
    second = _THROUGH_VAR(dy, gain, h, share, **along)
    dx = _NORMALISE_BACK(dy, h, r, gain, first, second)
    rows = tuple(range(dy.ndim - 1))
    return dx, _DGAIN(dy, h, axis=rows, out=dgain), dy.sum(axis=rows, out=dbias)  # (3)


class LayerNorm(Layer):
    """Layer norm of the last axis of (..., width), with `gain` and `bias` (width,).

    The gain starts at 1, the bias at 0.

    Parameters
    ----------
    width : int
        D: numbers of an example, or channels of an image.
    eps : float
        What is added to the variance.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        width: int,
        *,
        eps: Positive = 1e-5,
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if width < 1 or not eps > 0:
            raise OptionError(
                f"LayerNorm({width}, eps={eps}) was asked for, but it takes a width of at least 1 "
                "and an eps above 0."
            )
        super().__init__({"gain": (width,), "bias": (width,)}, dtype=dtype, backend=backend)
        self.params["gain"][...] = 1
        self.width, self.eps = width, float(eps)

    def forward(self, x: Array) -> Array:
        """Normalise each row of x (..., width)."""
        self.expect("x", x, ("...",) * (getattr(x, "ndim", 1) - 1) + (self.width,))
        y, self.cache = self.call(forward, x, self.params["gain"], self.params["bias"], self.eps)
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `gain` and `bias`; return dx in the shape of x."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape)
        out = {"dgain": self.params.grad_of("gain"), "dbias": self.params.grad_of("bias")}
        dx, dgain, dbias = self.call(backward, dy, *cache, out=out)
        self.params.set_grads(gain=dgain, bias=dbias)
        return dx

    def __repr__(self) -> str:
        return f"LayerNorm({self.width}, eps={self.eps:g})"


CASES = [
    Case(
        "layer_norm",
        forward,
        backward,
        vary={"x": ("B", "D"), "gain": ("D",), "bias": ("D",)},
        options={"eps": 1e-3},
        output=("B", "D"),
        layer=lambda **how: LayerNorm(SIZES["D"], eps=1e-3, **how),
    ),
]
