r"""Average pooling: of what a window sees, the mean.

Shapes: images $x$ (B, H, W, C), result $y$ (B, h, w, C), one number for each place of the window
and each channel. With the patches $P$ of `patches.py`, where $k$ is a pixel of the window, let
$m_{uv}$ be how many pixels of the window lie inside of the image at the place $(u, v)$: the padding
counts for nothing, so that an image of ones stays one.

$$ m_{uv} = \sum_k \text{patches}(1)_{uvk} \tag{1} $$
$$ y_{nuvc} = \frac1{m_{uv}} \sum_k P_{nuvkc} \tag{2} $$

**Backwards.** Each pixel that a window sees acts on its mean with the factor $1 / m_{uv}$, and a
pixel of several windows gets the sum:

$$ dP_{nuvkc} = dy_{nuvc} / m_{uv} \tag{3} $$
$$ dx = \text{patches}^\top(dP) \tag{4} $$

Source: LeCun et al. (1989), section 3, where it is called subsampling.
"""

from ..engine import (
    COSTLY,
    Array,
    Case,
    Elementwise,
    array_module,
    door,
    empty,
    get_backend,
    in_parts,
    kernel,
    loop,
    together,
)
from . import patches
from .pooling import Pool2d, places_of
from .windows import Pair, Sides


@door
def forward(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Pool x (B, H, W, C) -> y (B, h, w, C)."""
    xp, size = array_module(x), x.shape[1:3]
    places_of(size, window, stride, padding)
    P, _ = patches.forward(x, window, stride, padding)
    ones, _ = patches.forward(xp.ones((1, *size, 1), x.dtype), window, stride, padding)
    m = ones.sum(axis=(3, 4))  # (1)
    return P.sum(axis=(3, 4)) / m, (m, size, window, stride, padding)  # (2)


@door
def backward(dy: Array, m: Array, size: Pair, window: Pair, stride: Pair, padding: Sides) -> Array:
    """Gradient dx (B, H, W, C) from dy (B, h, w, C); m (1, h, w, 1) counts pixels."""
    xp = array_module(dy, m)
    B, h, w, C = dy.shape
    dP = xp.broadcast_to((dy / m)[:, :, :, None, None], (B, h, w, *window, C))  # (3)
    return patches.backward(dP, size, stride, padding)  # (4)


# The kernels: no patches are made; each window looks at its pixels, and each image stays near.
# Forward and backward at 128 x 28 x 28 x 32, window 2, float32, one thread, reference /
# kernel: 4.0.


@loop
def _mean(x, y, kh, kw, down, top, across, left):  # noqa: ANN001, ANN202
    one = x.dtype.type(1)
    for n in range(y.shape[0]):
        for u in range(y.shape[1]):
            for v in range(y.shape[2]):
                mean, m = y[n, u, v], 0
                for c in range(mean.size):
                    mean[c] = 0
                for i in range(kh):
                    r = u * down + i - top
                    for j in range(kw):
                        q = v * across + j - left
                        if r < 0 or r >= x.shape[1] or q < 0 or q >= x.shape[2]:
                            continue
                        m += 1  # (1)
                        seen = x[n, r, q]
                        for c in range(mean.size):
                            mean[c] += seen[c]
                share = one / x.dtype.type(m)
                for c in range(mean.size):
                    mean[c] *= share  # (2)


@loop
def _back_to_all(dy, dx, kh, kw, down, top, across, left):  # noqa: ANN001, ANN202
    one = dy.dtype.type(1)
    for n in range(dy.shape[0]):
        image = dx[n]
        for r in range(image.shape[0]):
            for q in range(image.shape[1]):
                for c in range(image.shape[2]):
                    image[r, q, c] = 0
        for u in range(dy.shape[1]):
            above, below = max(u * down - top, 0), min(u * down - top + kh, image.shape[0])
            for v in range(dy.shape[2]):
                start, stop = max(v * across - left, 0), min(v * across - left + kw, dx.shape[2])
                share = one / dy.dtype.type((below - above) * (stop - start))  # (1)
                upstream = dy[n, u, v]
                for r in range(below - above):
                    for q in range(stop - start):
                        pixel = image[above + r, start + q]
                        for c in range(pixel.size):
                            pixel[c] += upstream[c] * share  # (3), (4)


def _steps(stride: Pair, padding: Sides) -> tuple[int, int, int, int]:
    return stride[0], padding[0][0], stride[1], padding[1][0]


@kernel("numba", of=forward)
def forward_numba(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    (x,) = together(x=x)
    size = x.shape[1:3]
    y = empty((len(x), *places_of(size, window, stride, padding), x.shape[3]), x.dtype)
    in_parts(_mean, (x, y), *window, *_steps(stride, padding), least=COSTLY)
    return y, (None, size, window, stride, padding)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array, m: None, size: Pair, window: Pair, stride: Pair, padding: Sides
) -> Array:
    """Kernel of `backward`, which counts again instead of keeping m."""
    (dy,) = together(dy=dy)
    dx = empty((len(dy), *size, dy.shape[3]), dy.dtype)
    in_parts(_back_to_all, (dy, dx), *window, *_steps(stride, padding), least=COSTLY)
    return dx


# On the GPU: one launch in each direction. Backward, a pixel asks the windows that see it.

_COUNT = """
    long long above = u * down - top, start = v * across - left;
    long long below = above + kh < H ? above + kh : H, stop = start + kw < W ? start + kw : W;
    T m = T((below - (above > 0 ? above : 0)) * (stop - (start > 0 ? start : 0)));  // (1)
"""

_MEAN = Elementwise(
    "avg_pool2d",
    f"raw T x, {patches.SHAPES}",
    "T y",
    f"""
    long long c = i % C, v = i / C % w, u = i / C / w % h, example = i / C / w / h;
    {_COUNT}
    T total = T(0);
    for (long long r = above > 0 ? above : 0; r < below; ++r)
        for (long long q = start > 0 ? start : 0; q < stop; ++q)
            total += x[((example * H + r) * W + q) * C + c];
    y = total / m;  // (2)
    """,
)

_BACK = Elementwise(
    "avg_pool2d_backward",
    f"raw T dy, {patches.SHAPES}",
    "T dx",
    "T total = T(0);"
    + patches.EACH_WINDOW.format(
        _COUNT + "total += dy[((example * h + u) * w + v) * C + c] / m;  // (3), (4)\n"
    )
    + "dx = total;",
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    size = x.shape[1:3]
    shape = (len(x), *places_of(size, window, stride, padding), x.shape[3])
    y = get_backend("cuda").xp.empty(shape, x.dtype)
    _MEAN(x, *patches.numbers(x.shape, shape, window, stride, padding), y)
    return y, (None, size, window, stride, padding)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, m: None, size: Pair, window: Pair, stride: Pair, padding: Sides
) -> Array:
    """Kernel of `backward`, which counts again instead of keeping m."""
    dx = get_backend("cuda").xp.empty((len(dy), *size, dy.shape[3]), dy.dtype)
    _BACK(dy, *patches.numbers(dx.shape, dy.shape, window, stride, padding), dx)
    return dx


class AvgPool2d(Pool2d):
    """Layer that takes the mean of each window and channel; options as `Pool2d`."""

    there, back = forward, backward


CASES = [
    Case(
        "avg_pool2d",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C")},
        options={"window": (5, 6), "stride": patches.STRIDE, "padding": patches.PADDING},
        output=("B", "h", "w", "C"),
        layer=lambda **how: AvgPool2d(
            (5, 6), stride=patches.STRIDE, padding=patches.PADDING, **how
        ),
        sizes=patches.SIZES_OF_IMAGES,
    ),
]
