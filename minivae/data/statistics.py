"""How far data lie from their mean; in parts, so that bytes stay bytes."""

import math

import numpy as np

from .batches import ROWS, batches
from .pixels import Pixels


def spread(x: np.ndarray | Pixels) -> float:
    """Standard deviation of the data (N, D) about their mean, over all dimensions."""
    mean = x.mean(axis=0)
    parts = (x[rows] - mean for rows in batches(len(x), ROWS))
    return math.sqrt(sum(float((part**2).sum(dtype="float64")) for part in parts) / x.size)
