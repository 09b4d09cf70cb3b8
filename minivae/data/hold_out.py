"""Which rows become the test set of data that bring none: some of every class."""

import numpy as np

HOLD_OUT = 10
"""Data that come without a test set lend it every `HOLD_OUT`-th row: rows 9, 19, 29, ..."""


def class_by_class(n: int, y: np.ndarray | None) -> np.ndarray:
    """Order n rows by class, at random (with a fixed seed) within a class.

    Rows that are taken from this order at equal distances come from every class in proportion,
    whether the rows lie sorted by class, in turns, or anyhow.
    """
    anyhow = np.random.default_rng(0).permutation(n)
    return np.lexsort((anyhow, np.zeros(n) if y is None else y))


def held_out_rows(n: int, y: np.ndarray | None) -> np.ndarray:
    """Which rows (n,) data without a test set lend it: a tenth of every class; none of under ten.

    They are drawn with a fixed seed.
    """
    held_out = np.zeros(n, bool)
    held_out[class_by_class(n, y)[HOLD_OUT - 1 :: HOLD_OUT]] = True
    return held_out
