r"""Max pooling: of what a window sees, the largest number stays.

Shapes: images $x$ (B, H, W, C), result $y$ (B, h, w, C), one number for each place of the window
and each channel. With the patches $P$ of `patches.py`, where $k$ is a pixel of the window, and
minus infinity for what lies outside of the image,

$$ m_{nuvc} = \text{the first } k \text{ at which } P_{nuvkc} \text{ is largest} \tag{1} $$
$$ y_{nuvc} = \max_k P_{nuvkc} \tag{2} $$

**Backwards.** Near a point with one largest number, $y$ is that number, and the others may change a
little without any effect. So all of $dy$ goes to the pixel $m$, and a pixel that is the largest of
several windows gets the sum:

$$ dP_{nuvkc} = dy_{nuvc} \, [k = m_{nuvc}] \tag{3} $$
$$ dx = \text{patches}^\top(dP) \tag{4} $$

Where two are equally large, there is a kink; (1) takes the first of them.

Source: Ranzato et al. (2007), section 2; Scherer, Mueller and Behnke (2010).
"""

import numpy as np

from ..engine import (
    COSTLY,
    Array,
    Case,
    Elementwise,
    Indices,
    Real,
    array_module,
    door,
    empty,
    get_backend,
    in_parts,
    kernel,
    loop,
    together,
)
from ..errors import ShapeError
from . import patches
from .pooling import Pool2d, places_of
from .windows import Pair, Sides

NONE: Sides = ((0, 0), (0, 0))


@door
def forward(x: Real, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Pool x (B, H, W, C) -> y (B, h, w, C)."""
    xp = array_module(x)
    places_of(x.shape[1:3], window, stride, padding)
    padded = xp.pad(x, ((0, 0), *padding, (0, 0)), constant_values=-np.inf)
    P, _ = patches.forward(padded, window, stride, NONE)
    P = P.reshape(*P.shape[:3], window[0] * window[1], P.shape[5])
    largest = P.argmax(axis=3)  # (1)
    return P.max(axis=3), (largest, x.shape[1:3], window, stride, padding)  # (2)


@door
def backward(
    dy: Array, largest: Indices, size: Pair, window: Pair, stride: Pair, padding: Sides
) -> Array:
    """Gradient dx (B, H, W, C) from dy (B, h, w, C); largest (B, h, w, C) are pixels of windows."""
    xp = array_module(dy)
    B, h, w, C = dy.shape
    pixels = xp.arange(window[0] * window[1])[:, None]
    dP = dy[:, :, :, None] * (pixels == largest[:, :, :, None])  # (3)
    return patches.backward(dP.reshape(B, h, w, *window, C), size, stride, padding)  # (4)


# The kernels: no patches are made; each window looks at its pixels, and each image stays near.
# Forward and backward at 128 x 28 x 28 x 32, window 2, float32, one thread, reference /
# kernel: 11.


@loop
def _largest(x, y, largest, kh, kw, down, top, across, left):  # noqa: ANN001, ANN202
    for n in range(y.shape[0]):
        for u in range(y.shape[1]):
            for v in range(y.shape[2]):
                best, at = y[n, u, v], largest[n, u, v]
                first = True
                for i in range(kh):
                    r = u * down + i - top
                    for j in range(kw):
                        q = v * across + j - left
                        if r < 0 or r >= x.shape[1] or q < 0 or q >= x.shape[2]:
                            continue
                        seen = x[n, r, q]
                        for c in range(best.size):
                            # NaN is larger than any number, as in NumPy.
                            more = first or seen[c] > best[c] or (seen[c] != seen[c])
                            if more and (first or best[c] == best[c]):
                                best[c] = seen[c]  # (2)
                                at[c] = i * kw + j  # (1)
                        first = False


@loop
def _back_to_the_largest(dy, largest, dx, kw, down, top, across, left):  # noqa: ANN001, ANN202
    for n in range(dy.shape[0]):
        image = dx[n]
        for r in range(image.shape[0]):
            for q in range(image.shape[1]):
                for c in range(image.shape[2]):
                    image[r, q, c] = 0
        for u in range(dy.shape[1]):
            for v in range(dy.shape[2]):
                for c in range(dy.shape[3]):
                    k = largest[n, u, v, c]
                    r, q = u * down + k // kw - top, v * across + k % kw - left
                    image[r, q, c] += dy[n, u, v, c]  # (3), (4)


def _steps(stride: Pair, padding: Sides) -> tuple[int, int, int, int]:
    return stride[0], padding[0][0], stride[1], padding[1][0]


@kernel("numba", of=forward)
def forward_numba(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    (x,) = together(x=x)
    size = x.shape[1:3]
    shape = (len(x), *places_of(size, window, stride, padding), x.shape[3])
    y, largest = empty(shape, x.dtype), empty(shape, np.int32)
    in_parts(_largest, (x, y, largest), *window, *_steps(stride, padding), least=COSTLY)
    return y, (largest, size, window, stride, padding)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array, largest: Array, size: Pair, window: Pair, stride: Pair, padding: Sides
) -> Array:
    """Kernel of `backward`."""
    if dy.shape != largest.shape:
        raise ShapeError(f"dy has shape {dy.shape}, but {largest.shape} is expected; as y has.")
    (dy,) = together(dy=dy)
    dx = empty((len(dy), *size, dy.shape[3]), dy.dtype)
    numbers = (window[1], *_steps(stride, padding))
    in_parts(_back_to_the_largest, (dy, largest, dx), *numbers, least=COSTLY)
    return dx


# On the GPU: one launch in each direction. Backward, a pixel asks the windows that see it.

_LARGEST = Elementwise(
    "max_pool2d",
    f"raw T x, {patches.SHAPES}",
    "T y, int32 largest",
    """
    long long c = i % C, v = i / C % w, u = i / C / w % h, example = i / C / w / h;
    bool first = true;
    T best = T(0);
    int at = 0;
    for (long long k = 0; k < kh; ++k) {
        long long r = u * down + k - top;
        for (long long l = 0; l < kw && r >= 0 && r < H; ++l) {
            long long q = v * across + l - left;
            if (q < 0 || q >= W)
                continue;
            T seen = x[((example * H + r) * W + q) * C + c];
            if (first || (best == best && !(seen <= best))) {
                best = seen;
                at = int(k * kw + l);
            }
            first = false;
        }
    }
    y = best;  // (2)
    largest = at;  // (1)
    """,
)

_BACK = Elementwise(
    "max_pool2d_backward",
    f"raw T dy, raw int32 largest, {patches.SHAPES}",
    "T dx",
    f"""
    T total = T(0);
    {
        patches.EACH_WINDOW.format(
            "long long at = ((example * h + u) * w + v) * C + c;"
            "total += largest[at] == k * kw + l ? dy[at] : T(0);  // (3), (4)"
        )
    }
    dx = total;
    """,
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    xp, size = get_backend("cuda").xp, x.shape[1:3]
    shape = (len(x), *places_of(size, window, stride, padding), x.shape[3])
    y, largest = xp.empty(shape, x.dtype), xp.empty(shape, np.int32)
    numbers = patches.numbers(x.shape, shape, window, stride, padding)
    _LARGEST(x, *numbers, y, largest)
    return y, (largest, size, window, stride, padding)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, largest: Array, size: Pair, window: Pair, stride: Pair, padding: Sides
) -> Array:
    """Kernel of `backward`."""
    dx = get_backend("cuda").xp.empty((len(dy), *size, dy.shape[3]), dy.dtype)
    _BACK(dy, largest, *patches.numbers(dx.shape, dy.shape, window, stride, padding), dx)
    return dx


class MaxPool2d(Pool2d):
    """Layer that keeps the largest number of each window and channel; options as `Pool2d`."""

    there, back = forward, backward


def _far_apart(arguments: dict, rng: np.random.Generator) -> dict:
    """Numbers of which no two are near each other, so that no window is near a kink."""
    x = arguments["x"]
    return {"x": (x.ravel().argsort().argsort() / 10).reshape(x.shape)}


CASES = [
    Case(
        "max_pool2d",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C")},
        options={"window": (5, 6), "stride": patches.STRIDE, "padding": patches.PADDING},
        prepare=_far_apart,
        analytic=False,
        output=("B", "h", "w", "C"),
        layer=lambda **how: MaxPool2d(
            (5, 6), stride=patches.STRIDE, padding=patches.PADDING, **how
        ),
        sizes=patches.SIZES_OF_IMAGES,
    ),
]
