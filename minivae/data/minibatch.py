r"""The rows of a minibatch: stored pixels become numbers, and grey numbers become binary draws.

Shapes: stored pixels $p$ (N, D), row numbers $r$ (B,), uniform noise $u$ (B, D). The pixels are
8-bit and stand for $p / c$ with one divisor $c$ for all of them (255 for most images); only the
rows of the minibatch are written as floats:

$$ x_{bd} = p_{r_b d} / c \tag{1} $$

Data that are floats already have $c = 1$, and (1) only fetches them.

A grey value $x$ in [0, 1] can be taken as the probability that a binary pixel is 1. As
$P(u < x) = x$ for $u$ uniform in [0, 1), comparing draws it; $x = 0$ is never above $u$ and $x = 1$
always is:

$$ y_{bd} = [u_{bd} < x_{bd}] \tag{2} $$

The data get no gradient, so neither (1) nor (2) has a backward pass.

Source of (2), drawn anew whenever an example is fetched: Burda et al. (2016).
"""

import numpy as np

from ..engine.backend import Array, array_module, kernel
from ..engine.cpu.loop import loop
from ..engine.cpu.team import COSTLY, in_parts
from ..engine.cpu.workspace import empty
from ..engine.gpu.kernels import Elementwise
from ..errors import DtypeError, ShapeError


def gather(
    pixels: np.ndarray, rows: np.ndarray, divisor: float = 1, u: np.ndarray | None = None
) -> np.ndarray:
    """Fetch a minibatch.

    Parameters
    ----------
    pixels : numpy.ndarray, (N, D), uint8 or float
        The stored data.
    rows : numpy.ndarray, (B,), int
        Which of them.
    divisor : float
        What the stored data are divided by.
    u : numpy.ndarray, (B, D), float32, optional
        Uniform noise in [0, 1). With it, binary pixels are drawn from the grey ones.

    Returns
    -------
    numpy.ndarray, (B, D)
        float32 if the pixels are stored in 8 bits, else in their own dtype.
    """
    x = pixels[rows]
    if x.dtype == np.uint8:
        x = x.astype(np.float32)
    x = x / x.dtype.type(divisor)  # (1)
    return x if u is None else (u < x).astype(x.dtype)  # (2)


# The kernel: one pass, into memory of this step.
# 128 rows of 784 into float32, reference / kernel: 1.2 from floats, 1.0 from bytes, and 1.3 when
# binary pixels are drawn from either.

STORED = tuple(np.dtype(name) for name in ("uint8", "float32", "float64"))
"""What the kernel reads, in the byte order of the machine."""


@loop
def _fetch(x, rows, pixels, divisor):  # noqa: ANN001, ANN202
    for b in range(rows.size):
        row, out = pixels[rows[b]], x[b]
        for d in range(out.size):
            out[d] = x.dtype.type(row[d]) / divisor  # (1)


@loop
def _fetch_and_draw(x, rows, u, pixels, divisor):  # noqa: ANN001, ANN202
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for b in range(rows.size):
        row, noise, out = pixels[rows[b]], u[b], x[b]
        for d in range(out.size):
            out[d] = one if noise[d] < x.dtype.type(row[d]) / divisor else zero  # (1), (2)


@kernel("numba", of=gather)
def gather_numba(
    pixels: np.ndarray, rows: np.ndarray, divisor: float = 1, u: np.ndarray | None = None
) -> np.ndarray:
    """Kernel of `gather`.

    Raises
    ------
    ShapeError
        If a row is asked for that is not there, or the noise has another shape.
    DtypeError
        If the row numbers are no integers.
    """
    if rows.dtype.kind not in "iu":
        raise DtypeError(f"row numbers of {rows.dtype} were given; they must be integers.")
    if pixels.ndim != 2 or rows.ndim != 1:
        raise ShapeError(
            f"pixels have shape {pixels.shape} and rows {rows.shape}; give (N, D) and (B,)."
        )
    if rows.size and not (rows.min() >= 0 and rows.max() < len(pixels)):
        raise ShapeError(
            f"rows {rows.min()} to {rows.max()} were asked for, but there are rows 0 to "
            f"{len(pixels) - 1}; give numbers of rows that are there."
        )
    if not (pixels.dtype in STORED and pixels.flags.c_contiguous):
        # Other numbers, another byte order, or rows that do not lie one after the other; to bring
        # the pixels into order would copy all N rows for each minibatch.
        return gather(pixels, rows, divisor, u)
    x = empty((rows.size, pixels.shape[1]), "float32" if pixels.dtype == "uint8" else pixels.dtype)
    rows = np.ascontiguousarray(rows, np.int64)
    if u is None:
        in_parts(_fetch, (x, rows), pixels, x.dtype.type(divisor), least=COSTLY)
        return x
    if u.shape != x.shape or u.dtype.char not in "fd":
        raise ShapeError(
            f"the noise is {u.dtype} of shape {u.shape}, but {x.shape} uniform numbers are needed."
        )
    u = np.ascontiguousarray(u)
    in_parts(_fetch_and_draw, (x, rows, u), pixels, x.dtype.type(divisor), least=COSTLY)
    return x


# On the GPU: one launch, from stored data that have been moved there once. The row numbers, (B, 1)
# seen as (B, D), say for each entry from where it comes; `i` is its number.

_FETCH_CUDA = Elementwise(
    "gather",
    "raw S pixels, int64 row, int64 width, T divisor",
    "T x",
    "x = T(pixels[row * width + i % width]) / divisor;  // (1)",
)

_FETCH_AND_DRAW_CUDA = Elementwise(
    "gather_and_draw",
    "raw S pixels, int64 row, int64 width, T divisor, U u",
    "T x",
    "x = u < T(pixels[row * width + i % width]) / divisor ? T(1) : T(0);  // (1), (2)",
)


@kernel("cuda", of=gather)
def gather_cuda(pixels: Array, rows: Array, divisor: float = 1, u: Array | None = None) -> Array:
    """Kernel of `gather`; the row numbers are trusted, for to look at them is to wait for them."""
    xp = array_module(pixels, rows)
    shape = len(rows), pixels.shape[1]
    x = xp.empty(shape, "float32" if pixels.dtype == "uint8" else pixels.dtype)
    row = xp.broadcast_to(rows[:, None], shape)
    if u is None:
        return _FETCH_CUDA(pixels, row, shape[1], divisor, x)
    return _FETCH_AND_DRAW_CUDA(pixels, row, shape[1], divisor, u, x)
