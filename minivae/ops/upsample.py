r"""Upsampling, nearest: each pixel becomes a block of equal pixels.

Shapes: images $x$ (B, H, W, C), result $y$ (B, f H, f' W, C), for whole factors $f$ and $f'$.

$$ y_{nrqc} = x_{n, \lfloor r / f \rfloor, \lfloor q / f' \rfloor, c} \tag{1} $$

**Backwards.** A pixel occurs in all of its block, with the factor 1:

$$ dx_{nuvc} = \sum_{i < f} \sum_{j < f'} dy_{n, \; fu + i, \; f'v + j, \; c} \tag{2} $$

A convolution behind it leads to larger images as a transposed convolution does, and has no
chequerboard, since each pixel of the result is a sum over equally many windows.

Source: Odena, Dumoulin and Olah (2016).
"""

from ..engine import (
    COSTLY,
    Array,
    Backend,
    Case,
    Elementwise,
    Layer,
    array_module,
    door,
    empty,
    get_backend,
    in_parts,
    kernel,
    loop,
    together,
)
from .windows import Pair, times, whole


@door
def forward(x: Array, factor: Pair) -> tuple[Array, tuple]:
    """Enlarge x (B, H, W, C) -> y (B, f H, f' W, C)."""
    xp, (B, H, W, C), (down, across) = array_module(x), x.shape, factor
    blocks = xp.broadcast_to(x[:, :, None, :, None], (B, H, down, W, across, C))  # (1)
    return blocks.reshape(B, H * down, W * across, C), (factor,)


@door
def backward(dy: Array, factor: Pair) -> Array:
    """Gradient dx (B, H, W, C) from dy (B, f H, f' W, C)."""
    (B, H, W, C), (down, across) = dy.shape, factor
    blocks = dy.reshape(B, H // down, down, W // across, across, C)
    return blocks.sum(axis=(2, 4))  # (2)


# The kernels: one pass over memory in its order.
# Forward and backward at 128 x 14 x 14 x 64, factor 2, float32, one thread, reference /
# kernel: 2.6.


@loop
def _enlarge(x, y, down, across):  # noqa: ANN001, ANN202
    for n in range(y.shape[0]):
        for r in range(y.shape[1]):
            for q in range(y.shape[2]):
                pixel, source = y[n, r, q], x[n, r // down, q // across]
                for c in range(pixel.size):
                    pixel[c] = source[c]  # (1)


@loop
def _add_blocks(dx, dy, down, across):  # noqa: ANN001, ANN202
    for n in range(dx.shape[0]):
        for u in range(dx.shape[1]):
            for v in range(dx.shape[2]):
                total = dx[n, u, v]
                for c in range(total.size):
                    total[c] = 0
                for i in range(down):
                    for j in range(across):
                        part = dy[n, u * down + i, v * across + j]
                        for c in range(total.size):
                            total[c] += part[c]  # (2)


@kernel("numba", of=forward)
def forward_numba(x: Array, factor: Pair) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    (x,), (down, across) = together(x=x), factor
    B, H, W, C = x.shape
    y = empty((B, H * down, W * across, C), x.dtype)
    in_parts(_enlarge, (x, y), down, across, least=COSTLY)
    return y, (factor,)


@kernel("numba", of=backward)
def backward_numba(dy: Array, factor: Pair) -> Array:
    """Kernel of `backward`."""
    (dy,), (down, across) = together(dy=dy), factor
    B, H, W, C = dy.shape
    dx = empty((B, H // down, W // across, C), dy.dtype)
    in_parts(_add_blocks, (dx, dy), down, across, least=COSTLY)
    return dx


# On the GPU: one launch in each direction.

_SHAPES = "int64 W, int64 C, int64 down, int64 across"

_ENLARGE = Elementwise(
    "upsample",
    f"raw T x, {_SHAPES}",
    "T y",
    """
    long long wide = W * across, c = i % C, q = i / C % wide, r = i / C / wide;
    y = x[(r / down * W + q / across) * C + c];  // (1); rows of all images are counted on
    """,
)

_ADD_BLOCKS = Elementwise(
    "upsample_backward",
    f"raw T dy, {_SHAPES}",
    "T dx",
    """
    long long wide = W * across, c = i % C, v = i / C % W, u = i / C / W;
    T total = T(0);
    for (long long k = 0; k < down; ++k)
        for (long long l = 0; l < across; ++l)
            total += dy[((u * down + k) * wide + v * across + l) * C + c];
    dx = total;  // (2)
    """,
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, factor: Pair) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    (B, H, W, C), (down, across) = x.shape, factor
    y = get_backend("cuda").xp.empty((B, H * down, W * across, C), x.dtype)
    _ENLARGE(x, W, C, down, across, y)
    return y, (factor,)


@kernel("cuda", of=backward)
def backward_cuda(dy: Array, factor: Pair) -> Array:
    """Kernel of `backward`."""
    (B, H, W, C), (down, across) = dy.shape, factor
    dx = get_backend("cuda").xp.empty((B, H // down, W // across, C), dy.dtype)
    _ADD_BLOCKS(dy, W // across, C, down, across, dx)
    return dx


class Upsample(Layer):
    """Layer that makes images (B, H, W, C) larger by whole factors, each pixel a block.

    Parameters
    ----------
    factor : int or (int, int)
        How many times as high and as wide.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self, factor: int | Pair, *, dtype: str = "float32", backend: str | Backend = "auto"
    ) -> None:
        self.factor = whole("factor", factor, 1)
        super().__init__(dtype=dtype, backend=backend)

    def forward(self, x: Array) -> Array:
        """Enlarge x (B, H, W, C) -> y (B, f H, f' W, C)."""
        self.expect("x", x, ("B", "H", "W", "C"))
        y, self.cache = self.call(forward, x, self.factor)
        self.shape = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx (B, H, W, C)."""
        cache = self.saved()
        self.expect("dy", dy, self.shape)
        return self.call(backward, dy, *cache)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, H, W, C) to (B, f H, f' W, C)."""
        return (shape[0], shape[1] * self.factor[0], shape[2] * self.factor[1], shape[3])

    def __repr__(self) -> str:
        return f"Upsample({times(self.factor)})"


CASES = [
    Case(
        "upsample",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C")},
        options={"factor": (2, 3)},
        output=("B", "h", "w", "C"),
        layer=lambda **how: Upsample((2, 3), **how),
        sizes={"H": 5, "W": 7, "h": 10, "w": 21},
    ),
]
