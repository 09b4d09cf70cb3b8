"""Data as a run is trained and validated on them: grey, or binary pixels drawn from the grey."""

import math

import numpy as np

from ..data.batches import batches
from ..data.pixels import Pixels
from ..engine.door import door
from ..errors import DataError
from .settings import STREAMS, Settings


@door
def as_rows(x: np.ndarray | Pixels) -> np.ndarray | Pixels:
    """Examples x (N, ...) as rows; those in a shape are laid in rows."""
    return x if isinstance(x, Pixels) or x.ndim == 2 else x.reshape(len(x), math.prod(x.shape[1:]))


@door
def binarize(x: np.ndarray | Pixels, rng: np.random.Generator) -> np.ndarray | Pixels:
    """Draw binary pixels: each grey value in [0, 1] of x (N, ...) is the probability of a 1.

    `Pixels` give `Pixels` of zeros and ones. The noise is drawn row by row, so it is the same
    however many rows are drawn at once.
    """
    drawn = np.empty(x.shape, np.uint8 if isinstance(x, Pixels) else x.dtype)
    for rows in batches(len(x), 1000):
        drawn[rows] = rng.random(drawn[rows].shape, dtype=np.float32) < x[rows]
    return Pixels(drawn, 1) if isinstance(x, Pixels) else drawn


@door
def prepare_data(x: np.ndarray | Pixels, settings: Settings, part: str) -> np.ndarray | Pixels:
    """Data of one part, "train" or "val", as they stay for the whole run.

    Only the training data under "dynamic" remain grey; the step draws their pixels. Data to
    validate or test on are binarized once, so that every evaluation sees the same.

    Raises
    ------
    DataError
        If pixels are to be binarized that are not in [0, 1].
    """
    if settings.binarize == "none":
        return x
    if x.size and not (x.min() >= 0 and x.max() <= 1):
        raise DataError(
            f"the data range from {x.min():.4g} to {x.max():.4g}, but only values in [0, 1] can be "
            "binarized; divide pixels by the largest value that they can have, or binarize none."
        )
    if part == "train" and settings.binarize == "dynamic":
        return x
    return binarize(x, np.random.default_rng([settings.seed, STREAMS[part]]))
