"""How far data lie from their mean, and a part of them set aside; bytes stay bytes."""

import math

import numpy as np

from ..errors import DataError
from .batches import ROWS, batches
from .pixels import Pixels


def spread(x: np.ndarray | Pixels) -> float:
    """Standard deviation of the data (N, D) about their mean, over all dimensions."""
    mean = x.mean(axis=0)
    parts = (x[rows] - mean for rows in batches(len(x), ROWS))
    return math.sqrt(sum(float((part**2).sum(dtype="float64")) for part in parts) / x.size)


def set_aside(
    x: np.ndarray | Pixels, seed: int, part: float = 0.1
) -> tuple[np.ndarray | Pixels, np.ndarray | Pixels]:
    """Data (N, D) without a part drawn by a seed, and that part: one row at least.

    Raises
    ------
    DataError
        If there are less than two rows.
    """
    if len(x) < 2:
        raise DataError(f"{len(x)} examples cannot be divided into two parts; give more.")
    order = np.random.default_rng([seed, 4]).permutation(len(x))
    n = max(1, round(part * len(x)))
    kept, aside = np.sort(order[n:]), np.sort(order[:n])
    return (x.select(kept), x.select(aside)) if isinstance(x, Pixels) else (x[kept], x[aside])
