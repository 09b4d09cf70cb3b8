"""A convolution as compiled loops: patches of a few images, a product, and on to the next.

Each part of a batch has a scratch and a sum of its own, so a thread of the team goes from its first
image to its last without waiting for another, and calls BLAS itself. How patches are gathered and
laid is told by `ops/patches.py`; `ops/scratch.py` puts its loops in the place of the two here
(`Loop.using`). This module imports Numba.
"""

from numba import int64

from .entries import edge
from .loop import loop
from .memory import gemm, gemm_add


@loop
def gather(P, x, *steps):  # noqa: ANN001, ANN002, ANN201
    """What `using` puts another loop in the place of."""


@loop
def scatter(P, x, row, *steps):  # noqa: ANN001, ANN002, ANN201
    """What `using` puts another loop in the place of."""


@loop
def multiply(part, parts, x, y, dy, dW, P, W, steps, cblas):  # noqa: ANN001, ANN201
    """Write P W to `y`, and P' dy to `dW[part]`, for the patches P of some images of x.

    Shapes: x (B, H, W C), y and dy (B h w, O), dW (parts, K, O), P (parts, n, h, w, kh, kw C) for n
    images at a time, W (K, O). Without entries, y or dW is not wanted.
    """
    K, O = W.shape
    n, each, size, one = P.shape[1], P.shape[2] * P.shape[3], W.itemsize, W.dtype.type(1)
    down, top, across, left = steps
    patches, weights = int64(P[part].ctypes.data), int64(W.ctypes.data)
    if dW.size > 0:
        dW[part] = 0
    total = int64(dW.ctypes.data) + part * K * O * size
    last = edge(part + 1, parts, len(x))
    for start in range(edge(part, parts, len(x)), last, n):
        images = min(n, last - start)
        gather(P[part, :images], x[start : start + images], down, top, across, left)
        rows, begin = images * each, start * each * O * size
        if y.size > 0:
            to = int64(y.ctypes.data) + begin
            gemm(cblas, (111, 111, rows, O, K, patches, K, weights, O, to, O), one)
        if dW.size > 0:
            back = int64(dy.ctypes.data) + begin
            gemm_add(cblas, (112, 111, K, O, rows, patches, K, back, O, total, O), one)


@loop
def lay(part, parts, x, y, dy, dW, P, W, steps, cblas):  # noqa: ANN001, ANN201
    """Add up the patches dy W' in some images of x, whose rows begin as the one row of `y`.

    Shapes as above, but for y (1, W C); `dW` is not looked at.
    """
    K, O = W.shape
    n, each, size, one = P.shape[1], P.shape[2] * P.shape[3], W.itemsize, W.dtype.type(1)
    down, top, across, left = steps
    patches, weights = int64(P[part].ctypes.data), int64(W.ctypes.data)
    last = edge(part + 1, parts, len(x))
    for start in range(edge(part, parts, len(x)), last, n):
        images = min(n, last - start)
        back = int64(dy.ctypes.data) + start * each * O * size
        gemm(cblas, (111, 112, images * each, K, O, back, O, weights, O, patches, K), one)
        scatter(P[part, :images], x[start : start + images], y[0], down, top, across, left)
