"""A few images at a time: the patches of a convolution in a scratch that stays in the cache.

All patches of a batch are many times the images: each pixel is in kh kw / (stride stride') of them.
To write them to memory and to read them again for a product takes longer than to lay out those of a
few images, multiply them while they are near, and go on with the next. For the backward pass they
are laid out anew, which is cheaper than to keep them.

Of a convolution of 128 x 14 x 14 x 32 to 64 channels, kernel 4, stride 2, float32, the product with
W takes 4.5 ms so, and 5.9 ms with all patches at once; the one for dW 4.7 ms and 5.6 (one core of
an AMD EPYC with 1 MB of cache).

Where NumPy's BLAS is one that compiled code can call, each thread of the team goes through its part
of the batch by itself (`engine/cpu/pieces.py`): a step of 28 x 28 pixels, channels 32 and 64, batch
128, takes 0.89 of the time on two threads that it took when they met after each piece.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine import Array, empty, matmul, same_dtype
from ..engine.cpu.blas import Blas
from ..engine.cpu.loop import Loop
from ..engine.cpu.team import each_part
from ..engine.cpu.threads import FOUR_PRODUCT, LEAST_PRODUCT
from ..errors import ShapeError
from ..interrupts import held
from . import patches
from .windows import Pair, Sides, count

SCRATCH = 2**20
"""Bytes of patches at a time, about what a core has of its own cache."""


def multiply_patches(
    x: Array,
    W: Array,
    places: Pair,
    stride: Pair,
    padding: Sides,
    *,
    y: Array | None = None,
    dy: Array | None = None,
    dW: Array | None = None,
) -> None:
    """Multiply the patches P (B h w, K) of x (B, H, W, C) by weights, by what comes back, or both.

    Parameters
    ----------
    x : array, (B, H, W, C)
        Images.
    W : array, (kh, kw, C, O)
        Weights, with K = kh kw C.
    places : (int, int)
        Windows on an image, (h, w).
    stride, padding
        Of the windows.
    y : array, (B, h, w, O), optional
        Where P W is written.
    dy, dW : arrays, (B, h, w, O) and (kh, kw, C, O), optional
        Where P' dy is written, and dy.
    """
    O, dtype = W.shape[3], W.dtype
    W2, nothing = W.reshape(-1, O), np.zeros((0, O), dtype)
    y2 = nothing if y is None else y.reshape(-1, O)
    dy2 = nothing if dy is None else dy.reshape(-1, O)
    pieces = _Pieces(len(x), places, W)
    if pieces.cblas:
        sums = nothing[None] if dW is None else empty((pieces.parts, *W2.shape), dtype)
        pieces.each(_loops()[0], x, y2, dy2, sums, stride, padding)
        if dW is not None:
            np.sum(sums, axis=0, out=dW.reshape(W2.shape))
        return
    if dW is not None:
        dW[...] = 0
    for images, rows, P in pieces:
        patches.gather(x[images], P, stride, padding)
        P2 = P.reshape(-1, len(W2))
        if y is not None:
            matmul(P2, W2, out=y2[rows])
        if dW is not None:
            sum_so_far = dW.reshape(W2.shape)
            sum_so_far += P2.T @ dy2[rows]


def lay_patches(dy: Array, W: Array, dx: Array, row: Array, stride: Pair, padding: Sides) -> None:
    """Add up the patches dy W' (B h w, K), of dy (B, h, w, O), in images dx (B, H, W, C).

    Each row of an image begins as `row` (W C,).
    """
    O = W.shape[3]
    W2, dy2 = W.reshape(-1, O), dy.reshape(-1, O)
    pieces = _Pieces(len(dy), dy.shape[1:3], W)
    if pieces.cblas:
        pieces.each(_loops()[1], dx, row[None], dy2, np.zeros((0, 0, O), W.dtype), stride, padding)
        return
    for images, rows, P in pieces:
        matmul(dy2[rows], W2.T, out=P.reshape(-1, len(W2)))
        patches.scatter(P, dx[images], row, stride, padding)


class _Pieces:
    """A batch of images with so many places of a window, in parts of a few images at a time.

    The parts are fixed by the size of the product alone, so that the bits are the same on any
    number of threads (`engine/cpu/threads.py`).
    """

    def __init__(self, n_images: int, places: Pair, W: Array) -> None:
        blas = Blas.find()
        self.cblas = blas.gemm[W.dtype.char] if blas else 0
        self.n_images, self.W, self.each_image = n_images, W, math.prod(places)
        work = n_images * self.each_image * W.size
        self.parts = 1 if work < LEAST_PRODUCT else 2 if work < FOUR_PRODUCT else 4
        patch = W.shape[:3]
        bytes_each = self.each_image * math.prod(patch) * W.dtype.itemsize
        at_once = max(1, SCRATCH // max(1, bytes_each))
        self.at_once = min(at_once, max(1, -(-n_images // self.parts)))
        several = self.parts if self.cblas else 1
        self.scratch = empty((several, self.at_once, *places, *patch), W.dtype)

    def each(
        self, loop: Loop, x: Array, y: Array, dy: Array, dW: Array, stride: Pair, padding: Sides
    ) -> None:
        """Let the loop do each part; it sees addresses only."""
        W, P = self.W, self.scratch
        same_dtype(x=x, y=y, dy=dy, dW=dW, W=W)
        runs = P.reshape(*P.shape[:5], P.shape[5] * P.shape[6])
        rows = x.reshape(*x.shape[:2], x.shape[2] * x.shape[3])
        rows, dy, W2 = map(np.ascontiguousarray, (rows, dy, W.reshape(-1, W.shape[3])))
        (down, across), ((top, _), (left, _)), C = stride, padding, x.shape[3]
        steps = down, top, across * C, left * C  # along a row they count numbers
        given = (rows, y, dy, dW, runs, W2, steps, self.cblas)
        each_part(loop, self.parts, given)

    def __iter__(self) -> Iterator[tuple[slice, slice, Array]]:
        """A few images at a time: which, which rows of (B h w, ...), and memory for their patches.

        For another BLAS than the one whose products compiled loops can call.
        """
        for start in range(0, self.n_images, self.at_once):
            stop = min(start + self.at_once, self.n_images)
            rows = slice(start * self.each_image, stop * self.each_image)
            yield slice(start, stop), rows, self.scratch[0, : stop - start]


@functools.cache
def _loops() -> tuple[Loop, Loop]:
    """The compiled loops; they import Numba."""
    with held(firmly=True):
        from ..engine.cpu import pieces

        multiply = pieces.multiply.using(gather=patches.gather_runs)
        return multiply, pieces.lay.using(scatter=patches.scatter_runs)


def check_upstream(dy: Array, large: Array, small: Array, W: Array, *where: Any) -> None:
    """Compare dy with images and what has a number for each window; one of the two is its own.

    Raises
    ------
    ShapeError
        If there are not so many windows on the images, or they are not as many.
    """
    places = count(large.shape[1:3], W.shape[:2], *where)
    fits = len(large) == len(small) and small.shape[1:3] == places
    if not fits or large.shape[3:] != W.shape[2:3] or small.shape[3:] != W.shape[3:]:
        raise ShapeError(
            f"dy has shape {dy.shape}, which is not that of what comes out: windows of "
            f"{W.shape[:2]} pixels lead from {large.shape} to {(len(large), *places, W.shape[3])}, "
            f"but {small.shape} is there; give the gradient of this layer's output."
        )


def check_channels(x: Array, W: Array, b: Array, ends: Pair) -> None:
    """Compare images, weights and bias; `ends` are the axes of W for input and output.

    Raises
    ------
    ShapeError, DtypeError
        If they do not fit together.
    """
    first, last = ends
    fits = x.ndim == W.ndim == 4 and x.shape[3] == W.shape[first] and b.shape == (W.shape[last],)
    if not fits:
        wanted = "(kh, kw, C, O)" if first < last else "(kh, kw, O, C)"
        raise ShapeError(
            f"images of shape {x.shape}, weights of shape {W.shape} and a bias of shape {b.shape} "
            f"do not fit together; give (B, H, W, C), {wanted} and (O,)."
        )
    same_dtype(x=x, W=W, b=b)
