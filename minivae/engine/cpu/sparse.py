"""Products with data that are mostly 0: what is 0 is not multiplied.

Four fifths of a digit's pixels are exactly 0, in grey as in binary images, and so is nearly all of
a one-hot code. In the layer that reads the data they add nothing to `x W` and nothing to
`dW = x' dy`. Where few enough entries of x (B, I) are not 0, these are listed and each is
multiplied by its row of W, or of dy: the numbers are those of the full product but for the order
of sums. Measured on one core of an AMD EPYC with AVX-512, digits of MNIST (0.19), 128 x 784 -> 400,
float32: `x W` 0.78 -> 0.39 ms and `x' dy` 0.77 -> 0.45 ms, all that comes before included. To find
out that data are dense takes a few microseconds: the count stops at the first row too many.

The data decide, not the model: also a hidden layer whose units are mostly off is multiplied so. And
they alone: neither how many threads there are nor what was computed before.

**0 times infinity** is NaN, and in a full product shows that a weight has overflowed even where its
pixel is 0. So W, or dy, is looked through on the way, and if a number in it is infinite or NaN the
full product is taken.
"""

import functools
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ...interrupts import held
from . import team
from .loop import Loop
from .recorded import run
from .threads import FOUR_PRODUCT
from .workspace import empty

FEW = 0.25
"""Part of the entries that may be other than 0. On one core with AVX-512 a product by the entries
takes as long as a full one at 0.35; with slower full products, at more."""
LEAST_SPARSE, LEAST_WIDTH = 8_000_000, 64
"""Multiplications of the full product, and columns of the result, from which on it is tried. A step
of 784-400-20 on digits takes 0.92 of the time at batch 32 (10 million), one of 784-200-200-50 at
batch 20 (3 million) the same: to look through the weights takes as long as to multiply a few rows
by them."""


class Entries(NamedTuple):
    """The entries of x (B, I) that are not 0, row after row, as `entries.py` tells.

    `ends`, `ns`, `xs` and `unbounded` are memory for their order by columns and for what a part
    tells of its share.
    """

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    ends: np.ndarray
    ns: np.ndarray
    xs: np.ndarray
    unbounded: np.ndarray


@functools.cache
def _loops() -> ModuleType:
    """The compiled loops; they import Numba."""
    with held(firmly=True):
        from . import entries

        return entries


def multiply(x: np.ndarray, W: np.ndarray, out: np.ndarray) -> Entries | None:
    """Matrix product x W into `out`, by the entries of x where they are few.

    Parameters
    ----------
    x, W : array, (B, I) and (I, O)
        The factors.
    out : array, (B, O)
        Where to write.

    Returns
    -------
    Entries or None
        Those of x, for `multiply_turned`; None if the full product was taken.
    """
    (B, I), O, dtype = x.shape, W.shape[1], x.dtype
    work = B * I * O
    fits = x.flags.c_contiguous and W.flags.c_contiguous and out.flags.c_contiguous
    if work < LEAST_SPARSE or O < LEAST_WIDTH or not fits or dtype.char not in "fd":
        team.matmul(x, W, out)
        return None
    parts, most = (4 if work >= FOUR_PRODUCT else 2), int(FEW * B * I)
    # Asked for whether x is sparse or not: each step asks for the same memory.
    entries = Entries(
        empty((B, parts + 1), np.int64),
        empty((most,), np.int32),
        empty((most,), dtype),
        empty((I,), np.int64),
        empty((most,), np.int32),
        empty((most,), dtype),
        empty((parts,), dtype),
    )
    loops = _loops()
    given = (x, W, out, *entries[:3], entries.unbounded)
    if loops.count(x, entries.starts, most) and _in_parts(loops.rows_of_product, given):
        return entries
    team.matmul(x, W, out)
    return None


def multiply_turned(
    x: np.ndarray, entries: Entries | None, dy: np.ndarray, out: np.ndarray
) -> np.ndarray:
    """Matrix product x' dy into `out`, by the entries of x if `multiply` has found them few.

    Parameters
    ----------
    x : array, (B, I)
        What `multiply` was given.
    entries : Entries or None
        What it has returned.
    dy : array, (B, O)
        The other factor.
    out : array, (I, O)
        Where to write; it is returned.
    """
    if entries is not None:
        shapes = (len(entries.starts), out.shape[1]), (len(entries.ends), dy.shape[1])
        fits = shapes == (dy.shape, out.shape) and dy.dtype == out.dtype == entries.values.dtype
        fits = fits and dy.flags.c_contiguous and out.flags.c_contiguous
        if fits and _in_parts(_loops().rows_of_turned, (dy, out, *entries)):
            return out
    return team.matmul(x.T, dy, out)


def _in_parts(rows: Loop, given: tuple) -> bool:
    """Let the team call `rows(part, parts, *given)`; whether all numbers of its shares are finite.

    The arrays of `given` are C-contiguous, and the last, `unbounded`, has a number for each part.
    """
    unbounded = given[-1]
    team.each_part(rows, len(unbounded), given)
    return run(_all_zero, unbounded)


def _all_zero(numbers: np.ndarray) -> bool:
    return not numbers.any()
