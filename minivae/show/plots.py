"""Pictures of data, latents and training: each function takes `ax=` and returns the axes.

Without `ax` a picture gets its own figure (`canvas.py`). To draw is what imports matplotlib.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import Count, door
from ..errors import OptionError, ShapeError
from ..models import MODELS
from ..models.base import Model
from ..models.rows import manifold as decoded_manifold
from .canvas import grid, has_picture, lighten, new_figure, save, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "curve",
    "curves",
    "has_picture",
    "images",
    "latent",
    "manifold",
    "reconstructions",
    "save",
]

COLOURS = (
    "#3f90da",
    "#ffa90e",
    "#bd1f01",
    "#94a4a2",
    "#832db6",
    "#a96b59",
    "#e76300",
    "#b9ac70",
    "#717581",
    "#92dadd",
)
"""Ten colours that people with a colour-vision deficiency tell apart too (Petroff 2021)."""

OF_CLASSES = (7, 0, 5, 6, 3, 4, 8, 2, 9, 1)
CLASS_COLOURS = tuple(COLOURS[i] for i in OF_CLASSES)
"""The same for ten classes, in an order in which the digits that lie beside each other and overlap
(3, 5 and 8; then 4, 7 and 9) are far apart, whatever colours the eye is blind to."""

MARKERS = "o^sDvP*X"
"""The first ten classes are discs; where there are more, the colours return with another marker."""


@door
def images(
    x: np.ndarray,
    shape: Sequence[int],
    *,
    columns: Count | None = None,
    limits: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw examples side by side, row after row.

    Parameters
    ----------
    x : numpy.ndarray, (N, D)
        The examples.
    shape : sequence of int
        Shape of one: (H, W), or (H, W, 3) for RGB.
    columns : int, optional
        How many in a row; by default as many as there are rows.
    limits : (float, float)
        Values to show as black and as white.
    title : str
        Title of the picture.
    ax : matplotlib Axes, optional
        Where to draw.

    Raises
    ------
    ShapeError
        If examples of this shape have no picture, or the rows of x another width.
    """
    columns = columns or math.ceil(math.sqrt(len(x)))
    cells = [divmod(i, columns) for i in range(len(x))]
    return show(grid(x, cells, shape, limits), title, ax)


@door
def reconstructions(
    originals: np.ndarray,
    rebuilt: np.ndarray,
    shape: Sequence[int],
    *,
    columns: Count = 10,
    limits: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw examples, and below each one its reconstruction.

    Parameters
    ----------
    originals, rebuilt : numpy.ndarray, (N, D)
        What the model was given, and what it gave back.
    shape, columns, limits, title, ax
        As for `images`.

    Raises
    ------
    ShapeError
        As for `images`, or if the two differ in shape.
    """
    if originals.shape != rebuilt.shape:
        raise ShapeError(
            f"originals of shape {originals.shape} and reconstructions of shape {rebuilt.shape} "
            "were given; there must be one reconstruction for each original."
        )
    above = [(2 * (i // columns), i % columns) for i in range(len(originals))]
    below = [(row + 1, column) for row, column in above]
    x = np.concatenate([originals, rebuilt])
    return show(grid(x, above + below, shape, limits, group=2), title, ax)


@door
def manifold(
    model: Model,
    shape: Sequence[int],
    *,
    n: int = 15,
    limits: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw what the decoder makes of a two-dimensional latent space.

    The n x n latents lie at the quantiles (i + 1/2) / n of the standard normal prior in either
    dimension, so that each picture stands for the same share of the prior (as in figure 4 of Kingma
    and Welling 2014).

    Parameters
    ----------
    model : Model
        One with two latent dimensions.
    shape, limits, title, ax
        As for `images`.
    n : int
        Pictures in a row and in a column.

    Raises
    ------
    OptionError
        If the latent space has not two dimensions.
    """
    decoded = decoded_manifold(model, n).reshape(n * n, -1)
    cells = [divmod(i, n) for i in range(n * n)]
    canvas = grid(decoded, cells, shape, limits, gap=1)
    return show(canvas, title, ax)


@door
def latent(
    z: np.ndarray,
    y: np.ndarray | None = None,
    labels: Sequence[str] | None = None,
    *,
    prior: bool = True,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw two-dimensional latents, each class in its colour and named where it lies.

    Parameters
    ----------
    z : numpy.ndarray, (N, 2)
        Latents.
    y : numpy.ndarray, (N,), optional
        Class numbers.
    labels : sequence of str, optional
        Names of the classes.
    prior : bool
        Draw the circle that holds 95 percent of a standard normal prior.
    title, ax
        As for `images`.

    Raises
    ------
    ShapeError
        If the latents have not two dimensions.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Circle
    from matplotlib.patheffects import withStroke

    if z.ndim != 2 or z.shape[1] != 2:
        raise ShapeError(f"latents of shape {z.shape} were given, but (N, 2) can be drawn.")
    ax = new_figure(7.4, 6.2).add_subplot() if ax is None else ax
    if prior:  # the squared radius is exponential with mean 2: P(r < R) = 1 - exp(-R^2 / 2)
        radius = math.sqrt(-2 * math.log(0.05))
        ax.add_patch(Circle((0, 0), radius, fill=False, ls=(0, (4, 3)), lw=1, ec="0.6", zorder=0))
    classes = [] if y is None else np.unique(y).tolist()
    if not classes:
        ax.scatter(*z.T, s=12, lw=0, alpha=0.75, color=COLOURS[0])
    handles = []
    for i, k in enumerate(classes):
        colour, marker = CLASS_COLOURS[i % 10], MARKERS[i // 10 % len(MARKERS)]
        name = labels[k] if labels and 0 <= k < len(labels) else str(k)
        ax.scatter(*z[y == k].T, s=12, lw=0, alpha=0.75, color=colour, marker=marker)
        handles.append(Line2D([], [], ls="", marker=marker, color=colour, label=name))
    if classes:
        stroke = [withStroke(linewidth=3, foreground="white")]
        centres = np.array([np.median(z[y == k], axis=0) for k in classes])
        middle = {"ha": "center", "va": "center"}
        for handle, centre in zip(handles, apart(centres, np.ptp(z) / 25), strict=True):
            text = ax.annotate(handle.get_label(), centre, weight="bold", color="0.15", **middle)
            text.set_path_effects(stroke)
        columns = math.ceil(len(classes) / 20)
        ax.legend(
            handles=handles,
            loc="center left",
            bbox_to_anchor=(1.01, 0.5),
            frameon=False,
            ncols=columns,
        )
    ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel("$z_1$")
    ax.set_ylabel("$z_2$")
    ax.set_title(title, loc="left")
    lighten(ax)
    return ax


@door
def curve(history: list[dict[str, Any]], term: str, *, ax: "Axes | None" = None) -> "Axes":
    """Draw one term of the training and of the validation against the epoch, in nats.

    Parameters
    ----------
    history : list of dict
        As `Training.history`.
    term : str
        Which: "loss", or one of a model's terms, such as "nll" and "kl".
    ax : matplotlib Axes, optional
        Where to draw.

    Raises
    ------
    OptionError
        If the history is empty, or there is no such term.
    """
    titles, counted = {"loss": "Loss"}, set()
    for model in MODELS.values():
        titles |= model.terms | model.per_epoch
        counted |= {*model.per_epoch, *model.beside}  # no nats
    there = [name for name in titles if not history or name in history[0]]
    if not history or term not in there:
        raise OptionError(
            f"the term {term!r} of {len(history)} epochs was asked for; train for at least one, "
            f"and choose one of: {', '.join(there)}."
        )
    ax, epochs = ax or new_figure(5.4, 4.0).add_subplot(), [r["epoch"] for r in history]
    dots = {"marker": "o", "ms": 3} if len(history) <= 30 else {}
    beta = term == "loss" and any(record["beta"] != 1 for record in history)
    lines = {term: (r"training with $\beta$" if beta else "training", COLOURS[0])}
    if f"val_{term}" in history[0]:
        lines[f"val_{term}"] = ("validation", COLOURS[6])
    for key, (label, colour) in lines.items():
        values = [record[key] for record in history]
        ax.plot(epochs, values, color=colour, label=f"{label}, last {values[-1]:.2f}", **dots)
    ax.set_title(titles[term], loc="left")
    ax.set_xlabel("epoch")
    ax.set_ylabel("" if term in counted else "nats per example")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(frameon=False)
    lighten(ax)
    return ax


@door
def curves(history: list[dict[str, Any]], terms: Sequence[str] = ("loss", "nll", "kl")) -> "Figure":
    """Draw several terms of a history in one figure, each in axes of its own (see `curve`)."""
    figure = new_figure(4.2 * len(terms), 3.6)
    for ax, term in zip(figure.subplots(1, len(terms), squeeze=False)[0], terms, strict=True):
        curve(history, term, ax=ax)
    return figure


def apart(points: np.ndarray, distance: float) -> np.ndarray:
    """Push points (C, 2) that are closer than `distance` apart, so that labels can be read."""
    for _ in range(100):
        offset = points[:, None] - points[None]
        length = np.maximum(np.hypot(offset[..., 0], offset[..., 1]), 1e-12)
        push = np.maximum(distance - length, 0) / 2
        points = points + (offset * (push / length)[..., None]).sum(axis=1)
    return points
