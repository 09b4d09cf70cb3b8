r"""Patches: what a window sees at each of its places on an image, laid side by side.

Shapes: images $x$ (B, H, W, C), patches $P$ (B, h, w, kh, kw, C), for h x w places of a window of
kh x kw pixels. With strides $s, s'$ and padding $t$ above and $l$ to the left (`windows.py`), the
window at the place $(u, v)$ begins at the row $us - t$ and the column $vs' - l$ of the image:

$$ P_{nuvijc} = x_{n, \; us + i - t, \; vs' + j - l, \; c},
   \quad 0 \text{ where that lies outside of the image} \tag{1} $$

Every patch is one run of kh kw C numbers. That is what makes a convolution one matrix product, and
within a patch each row of the window is a run of kw C numbers that lie side by side in the image
too, since the channels come last.

**Backwards.** (1) copies. A pixel is copied into the patch of each window that covers it, so what
comes back to it is the sum over those, at the place $(i, j)$ where it lies in each:

$$ dx_{nrqc} = \sum_{u, i: \; us + i - t = r} \;\; \sum_{v, j: \; vs' + j - l = q} dP_{nuvijc}
   \tag{2} $$

A pixel that no window covers gets 0. Since (1) is linear in $x$, the two belong together as a
matrix and its transpose do: $\langle P(x), g \rangle = \langle x, dx(g) \rangle$ for all $x$, $g$.

Source: Chellapilla, Puri and Simard (2006), section 4.
"""

from collections.abc import Iterator

import numpy as np

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
from .windows import Pair, Sides, count


@door
def forward(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Lay out the patches (B, h, w, kh, kw, C) of images x (B, H, W, C)."""
    xp = array_module(x)
    B, H, W, C = x.shape
    places = count((H, W), window, stride, padding)
    padded = xp.pad(x, ((0, 0), *padding, (0, 0)))
    P = xp.empty((B, *places, *window, C), x.dtype)
    for i, j, rows, columns in _taps(window, stride, places):
        P[:, :, :, i, j] = padded[:, rows, columns]  # (1)
    return P, ((H, W), stride, padding)


@door
def backward(dP: Array, size: Pair, stride: Pair, padding: Sides) -> Array:
    """Add up the gradients dP (B, h, w, kh, kw, C) of patches in dx (B, H, W, C), (H, W) = size."""
    xp = array_module(dP)
    B, *places, kh, kw, C = dP.shape
    (H, W), ((top, bottom), (left, right)) = size, padding
    padded = xp.zeros((B, top + H + bottom, left + W + right, C), dP.dtype)
    for i, j, rows, columns in _taps((kh, kw), stride, (places[0], places[1])):
        padded[:, rows, columns] += dP[:, :, :, i, j]  # (2)
    return padded[:, top : top + H, left : left + W]


def _taps(window: Pair, stride: Pair, places: Pair) -> Iterator[tuple[int, int, slice, slice]]:
    """For each pixel (i, j) of the window, the rows and columns where it is at all its places."""
    (down, across), (h, w) = stride, places
    for i, j in np.ndindex(window):
        rows = slice(i, i + down * (h - 1) + 1, down)
        yield i, j, rows, slice(j, j + across * (w - 1) + 1, across)


# The kernels: image by image, so that image and patches stay in the cache, in runs of kw C numbers.
# Forward and backward at 128 x 14 x 14 x 32, window 4, stride 2, float32, one thread, reference /
# kernel: 2.8.


@loop
def gather_runs(P, x, down, top, across, left):  # noqa: ANN001, ANN201
    """Write the patches P (B, h, w, kh, kw C) of x (B, H, W C), whose rows are runs of numbers.

    `across` and `left` count numbers, not pixels.
    """
    for n in range(P.shape[0]):
        for u in range(P.shape[1]):
            for v in range(P.shape[2]):
                start = v * across - left
                for i in range(P.shape[3]):
                    run, r = P[n, u, v, i], u * down + i - top
                    if r < 0 or r >= x.shape[1]:
                        for k in range(run.size):
                            run[k] = 0
                    elif start >= 0 and start + run.size <= x.shape[2]:
                        source = x[n, r, start : start + run.size]
                        for k in range(run.size):
                            run[k] = source[k]  # (1)
                    else:
                        for k in range(run.size):
                            inside = start + k >= 0 and start + k < x.shape[2]
                            run[k] = x[n, r, start + k] if inside else 0


@loop
def scatter_runs(P, x, base, down, top, across, left):  # noqa: ANN001, ANN201
    """Add up the patches P in x, which begins as `base` (W C,) in every row; shapes as above."""
    for n in range(P.shape[0]):
        for r in range(x.shape[1]):
            row = x[n, r]
            for k in range(row.size):
                row[k] = base[k]
        for u in range(P.shape[1]):
            for v in range(P.shape[2]):
                start = v * across - left
                for i in range(P.shape[3]):
                    run, r = P[n, u, v, i], u * down + i - top
                    if r < 0 or r >= x.shape[1]:
                        continue
                    if start >= 0 and start + run.size <= x.shape[2]:
                        target = x[n, r, start : start + run.size]
                        for k in range(run.size):
                            target[k] += run[k]  # (2)
                    else:
                        for k in range(run.size):
                            if start + k >= 0 and start + k < x.shape[2]:
                                x[n, r, start + k] += run[k]


def gather(x: Array, P: Array, stride: Pair, padding: Sides) -> None:
    """Write the patches of x (B, H, W, C) to P (B, h, w, kh, kw, C)."""
    in_parts(gather_runs, _in_runs(P, x), *_steps(stride, padding, x.shape[3]), least=COSTLY)


def scatter(P: Array, x: Array, base: Array, stride: Pair, padding: Sides) -> None:
    """Add up P (B, h, w, kh, kw, C) in x (B, H, W, C), whose rows begin as `base` (W C,)."""
    in_parts(scatter_runs, _in_runs(P, x), base, *_steps(stride, padding, x.shape[3]), least=COSTLY)


def _in_runs(P: Array, x: Array) -> tuple[Array, Array]:
    """Patches and images with each row of a window, and of an image, as one run of numbers."""
    runs = P.reshape(*P.shape[:4], P.shape[4] * P.shape[5])
    return runs, x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])


def _steps(stride: Pair, padding: Sides, channels: int) -> tuple[int, int, int, int]:
    """Strides and first places, those along a row in numbers."""
    (down, across), ((top, _), (left, _)) = stride, padding
    return down, top, across * channels, left * channels


@kernel("numba", of=forward)
def forward_numba(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    (x,) = together(x=x)
    B, H, W, C = x.shape
    P = empty((B, *count((H, W), window, stride, padding), *window, C), x.dtype)
    gather(x, P, stride, padding)
    return P, ((H, W), stride, padding)


@kernel("numba", of=backward)
def backward_numba(dP: Array, size: Pair, stride: Pair, padding: Sides) -> Array:
    """Kernel of `backward`."""
    (dP,) = together(dP=dP)
    dx = empty((len(dP), *size, dP.shape[-1]), dP.dtype)
    scatter(dP, dx, np.zeros(size[1] * dP.shape[-1], dP.dtype), stride, padding)
    return dx


# On the GPU: one launch in each direction. A pixel gathers what comes back to it, so that no two
# threads write to one place, and sums are taken in the same order in every run.


SHAPES = (
    "int64 H, int64 W, int64 C, int64 h, int64 w, int64 kh, int64 kw, "
    "int64 down, int64 across, int64 top, int64 left"
)
"""What kernels of windows are told: sizes, steps, and padding; `numbers` gives them."""

EACH_WINDOW = """
    long long c = i % C, q = i / C % W + left, r = i / C / W % H + top, example = i / C / W / H;
    for (long long k = r % down; k < kh && k <= r; k += down) {{
        long long u = (r - k) / down;
        for (long long l = q % across; l < kw && l <= q && u < h; l += across) {{
            long long v = (q - l) / across;
            if (v < w) {{
                {}
            }}
        }}
    }}
"""
"""For an entry of an image: do something for each window (u, v) that sees it, as pixel (k, l)."""


def numbers(
    image: tuple[int, ...], made: tuple[int, ...], window: Pair, stride: Pair, padding: Sides
) -> tuple[int, ...]:
    """`SHAPES` of images (B, H, W, C) and of what is made of them, (B, h, w, ...)."""
    return (*image[1:], *made[1:3], *window, *stride, padding[0][0], padding[1][0])


_GATHER = Elementwise(
    "patches",
    f"raw T x, {SHAPES}",
    "T y",
    """
    long long rest = i / C, c = i % C;
    long long l = rest % kw;
    rest /= kw;
    long long k = rest % kh;
    rest /= kh;
    long long q = rest % w * across + l - left;
    rest /= w;
    long long r = rest % h * down + k - top, example = rest / h;
    bool inside = r >= 0 && r < H && q >= 0 && q < W;
    y = inside ? x[((example * H + r) * W + q) * C + c] : T(0);  // (1)
    """,
)

_SCATTER = Elementwise(
    "patches_backward",
    f"raw T dy, T base, {SHAPES}",
    "T dx",
    "T total = base;"
    + EACH_WINDOW.format(
        "total += dy[((((example * h + u) * w + v) * kh + k) * kw + l) * C + c];  // (2)"
    )
    + "dx = total;",
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, window: Pair, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    size, C = x.shape[1:3], x.shape[3]
    shape = (len(x), *count(size, window, stride, padding), *window, C)
    P = get_backend("cuda").xp.empty(shape, x.dtype)
    _GATHER(x, *numbers(x.shape, shape, window, stride, padding), P)
    return P, (size, stride, padding)


@kernel("cuda", of=backward)
def backward_cuda(
    dP: Array, size: Pair, stride: Pair, padding: Sides, base: Array | float = 0.0
) -> Array:
    """Kernel of `backward`; `base` (C,) is what every pixel begins with."""
    shape = (len(dP), *size, dP.shape[5])
    dx = get_backend("cuda").xp.empty(shape, dP.dtype)
    _SCATTER(dP, base, *numbers(shape, dP.shape, dP.shape[3:5], stride, padding), dx)
    return dx


SIZES_OF_IMAGES = {"H": 8, "W": 9, "kh": 5, "kw": 6, "h": 4, "w": 10}
"""Image, window and places, all different; with the strides and sides below."""
STRIDE, PADDING = (2, 1), ((1, 3), (4, 2))

CASES = [
    Case(
        "patches",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C")},
        options={"window": (5, 6), "stride": STRIDE, "padding": PADDING},
        output=("B", "h", "w", "kh", "kw", "C"),
        layer=None,  # a convolution is the layer that is made of it
        sizes=SIZES_OF_IMAGES,
    ),
]
