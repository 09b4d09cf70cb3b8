"""A picture of where examples are anomalous: each above its reconstruction, above its map."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...engine.door import door
from ...engine.kinds import Count
from ...errors import ShapeError
from ...show.canvas import grid, has_picture, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@door
def draw(
    x: np.ndarray,
    parts: np.ndarray,
    rebuilt: np.ndarray,
    shape: Sequence[int],
    *,
    limits: tuple[float, float] = (0.0, 1.0),
    columns: Count = 10,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw examples, below each one its reconstruction, and below that the map of its anomaly.

    Parameters
    ----------
    x, parts, rebuilt : numpy.ndarray, (N, D)
        Examples, and what `anomaly_scores.explain` returns.
    shape : sequence of int
        Shape of one: (H, W), or (H, W, 3).
    limits : (float, float)
        Values that are black and white.
    columns : int
        Examples in a row.
    title, ax
        As for `plots.images`.
    """
    if not has_picture(shape) or x.shape[1:] != (math.prod(shape),) or not len(x):
        raise ShapeError(
            f"rows of shape {x.shape} were given for examples of shape {tuple(shape)}; give at "
            "least one row of pixels of (H, W) or (H, W, 3)."
        )
    H, W = shape[:2]
    by_channel = (len(x), H, W, -1)
    nats = parts.reshape(by_channel).sum(axis=3)
    brighter = (x - rebuilt).reshape(by_channel).sum(axis=3) > 0
    full = max(float(np.quantile(nats[np.isfinite(nats)], 0.999)), 1e-6)
    pale = 1 - np.clip(nats / full, 0, 1)
    red = np.stack([np.ones_like(pale), pale, pale], axis=3)
    maps = np.where(brighter[..., None], red, red[..., ::-1])

    def rgb(images: np.ndarray) -> np.ndarray:
        low, high = limits
        images = (images.reshape(by_channel) - low) / (high - low)
        return np.broadcast_to(images, (len(x), H, W, 3)).reshape(len(x), -1)

    stack = np.concatenate([rgb(x), rgb(rebuilt), maps.reshape(len(x), -1)])
    cells = [(3 * (i // columns) + row, i % columns) for row in range(3) for i in range(len(x))]
    canvas = grid(stack, cells, (H, W, 3), (0.0, 1.0), group=3)
    scale = f"red: brighter than expected, blue: darker; full colour: {full:.2g} nats a pixel"
    return show(canvas, "\n".join(filter(None, [title, scale])), ax)
