"""Pictures of walks through a latent space: strips of images, films of them, and a plane.

`strips` lays the walks out side by side; `film` lets time run along them and makes a GIF.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ...engine.door import door
from ...errors import ShapeError
from ...show import plots
from ...show.canvas import grid, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LETTER, LINE, GAP = 12, 30, 4
"""Pixels: the width of a letter of a label and the height of its line, about; between images."""


@door
def strips(
    images: np.ndarray,
    shape: Sequence[int],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    group: int = 1,
    limits: tuple[float, float] = (0.0, 1.0),
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw rows of images, with a word to the left of each row and above each column.

    Parameters
    ----------
    images : numpy.ndarray, (R, C, n_pixels)
        What `explore.traverse` returns, or several of what `explore.interpolate` does.
    shape : sequence of int
        Shape of one image: (H, W), or (H, W, 3) for RGB.
    rows, columns : sequence of str
        Labels; none by default.
    group : int
        Rows in a group; the gap between groups is three times as wide.
    limits : (float, float)
        Values to show as black and as white.
    title : str
        Title of the picture.
    ax : matplotlib Axes, optional
        Where to draw.

    Raises
    ------
    ShapeError
        If the images do not lie in rows and columns, or there is another number of labels.
    """
    if images.ndim != 3:
        raise ShapeError(
            f"images of shape {images.shape} were given, but (rows, columns, pixels) are drawn."
        )
    R, C, _ = images.shape
    _one_each(rows, R, "row")
    _one_each(columns, C, "column")
    cells = [(row, column) for row in range(R) for column in range(C)]
    canvas = grid(images.reshape(R * C, -1), cells, shape, limits, group=group, gap=GAP)
    height, width = canvas.shape[:2]
    left = LETTER * (max(len(_seen(name)) for name in rows) + 1) if rows else 0
    top = LINE if columns else 0
    ax = show(np.pad(canvas, ((top, 0), (left, 0), (0, 0)), constant_values=1), title, ax)
    style = {"color": "0.25", "size": 9}
    for name, middle in zip(rows, _middles(R, height, group), strict=False):
        ax.text(left - LETTER, top + middle, name, ha="right", va="center", **style)
    for name, middle in zip(columns, _middles(C, width), strict=False):
        ax.text(left + middle, top - 7, name, ha="center", va="bottom", **style)
    return ax


@door
def film(
    frames: np.ndarray,
    shape: Sequence[int],
    *,
    columns: int,
    names: Sequence[str] = (),
    captions: Sequence[str] = (),
    limits: tuple[float, float] = (0.0, 1.0),
    seconds: float = 0.07,
    size: int = 126,
    title: str = "",
) -> bytes:
    """Make a GIF in which several images change at once.

    Parameters
    ----------
    frames : numpy.ndarray, (T, N, n_pixels)
        The N images at each of T moments.
    shape, limits, title
        As for `strips`.
    columns : int
        Images in a row.
    names : sequence of str
        A word above each image; none by default.
    captions : sequence of str
        What follows the title at each moment; nothing by default.
    seconds : float
        Duration of a frame. The film starts over at its end.
    size : int
        Pixels that an image is to have, about.

    Returns
    -------
    bytes
        The file's content.

    Raises
    ------
    ShapeError
        If there is another number of names than of images, or of captions than of moments.
    """
    from PIL import Image

    T, N, _ = frames.shape
    _one_each(names, N, "image")
    _one_each(captions, T, "frame")
    captions = captions or [""] * T
    head = LINE if names else 0
    first = _in_rows(frames[0], shape, columns, head, limits, size)
    ax = show(first, title + max(captions, key=len), None)
    (drawn,) = ax.get_images()
    tops = np.arange(-(-N // columns)) * first.shape[0] / -(-N // columns)
    middles = _middles(min(N, columns), first.shape[1])
    for i, name in enumerate(names):
        place = middles[i % columns], tops[i // columns] + head - 7
        ax.text(*place, name, ha="center", va="bottom", color="0.25", size=9)
    pictures = []
    for frame, caption in zip(frames, captions, strict=True):
        drawn.set_data(_in_rows(frame, shape, columns, head, limits, size))
        ax.set_title(title + caption, loc="left")
        ax.figure.canvas.draw()
        rgb = np.asarray(ax.figure.canvas.buffer_rgba())[..., :3]
        # GIF keeps 256 colours: all of the grey ones, or those that suit the picture best.
        pictures.append(Image.fromarray(rgb[..., 0].copy() if len(shape) == 2 else rgb.copy()))
    content = io.BytesIO()
    how = {"format": "GIF", "duration": round(1000 * seconds), "loop": 0}
    pictures[0].save(content, save_all=True, append_images=pictures[1:], **how)
    return content.getvalue()


@door
def plane(
    plane: np.ndarray,
    share: np.ndarray,
    y: np.ndarray | None = None,
    labels: Sequence[str] | None = None,
    *,
    title: str = "",
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw latents of many dimensions in their principal plane, each class in its colour.

    Parameters
    ----------
    plane, share : numpy.ndarray, (N, 2) and (2,)
        Coordinates and shares of the variance, as `explore.principal_plane` returns them.
    y, labels
        As for `plots.latent`.
    title, ax
        As for `strips`.
    """
    ax = plots.latent(plane, y, labels, prior=False, title=title, ax=ax)
    ax.set_xlabel(f"first principal direction ({share[0]:.0%} of the variance)")
    ax.set_ylabel(f"second principal direction ({share[1]:.0%})")
    return ax


def _middles(n: int, length: int, group: int = 1) -> np.ndarray:
    """Where the middles of n images lie that `grid` has placed along `length` pixels."""
    i = np.arange(n)
    gaps = GAP * i + (2 * GAP * (i // group) if group > 1 else 0)
    one = (length - gaps[-1]) / n
    return gaps + one * (i + 0.5)


def _seen(label: str) -> str:
    """A label without what only sets its mathematics."""
    return re.sub(r"[${}_]", "", label)


def _in_rows(
    images: np.ndarray,
    shape: Sequence[int],
    columns: int,
    head: int,
    limits: tuple[float, float],
    size: int,
) -> np.ndarray:
    """Paint images (N, n_pixels) in rows, each below `head` pixels of white."""
    painted = []
    for i in range(0, len(images), columns):
        row = images[i : i + columns]
        cells = [(0, column) for column in range(len(row))]
        strip = grid(row, cells, shape, limits, size=size, gap=GAP)
        missing = painted[0].shape[1] - strip.shape[1] if painted else 0
        painted.append(np.pad(strip, ((head, GAP), (0, missing), (0, 0)), constant_values=1))
    return np.concatenate(painted)


def _one_each(labels: Sequence[str], n: int, what: str) -> None:
    if labels and len(labels) != n:
        raise ShapeError(f"{len(labels)} labels were given for {n}; give one for each {what}.")
