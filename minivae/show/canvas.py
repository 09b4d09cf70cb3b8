"""What pictures are painted on: figures that need no display, and grids of examples.

A figure made here belongs to nobody else: no window, no pyplot, no state that is shared. A grid of
examples fills it pixel for pixel, each pixel of the data magnified by a whole number.
"""

import math
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np

from ..engine.door import door
from ..engine.kinds import Between, Count, Whole
from ..errors import OptionError, ShapeError
from ..files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150

LARGEST = 9000
"""Pixels, in each direction, of the largest picture: about 10,000 digits."""


Inches = Annotated[float, Between(0, 1000, "(]")]
"""Size of a figure."""


@door
def has_picture(shape: Sequence[int]) -> bool:
    """Tell whether examples of this shape are pictures: (H, W), or (H, W, 3) for RGB."""
    return len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)


@contextmanager
def _without_a_missing_backend() -> Iterator[None]:
    """Let matplotlib be imported where MPLBACKEND names what is not installed, and fails it.

    Jupyter hands its own on to a shell, and to another environment that the shell starts.
    """
    named = os.environ.get("MPLBACKEND", "")
    try:
        package = named.removeprefix("module://").partition(".")[0]
        missing = named.startswith("module://") and find_spec(package) is None
    except ModuleNotFoundError:
        missing = True
    if missing:
        del os.environ["MPLBACKEND"]
    try:
        yield
    finally:
        if missing:
            os.environ["MPLBACKEND"] = named


@door
def new_figure(width: Inches, height: Inches) -> "Figure":
    """Make a figure of this size in inches, whose canvas needs no display."""
    with _without_a_missing_backend():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@door
def grid(
    x: np.ndarray,
    cells: Sequence[tuple[Whole, Whole]],
    shape: Sequence[int],
    limits: tuple[float, float],
    *,
    group: Count = 1,
    size: Count = 84,
    gap: Whole = 4,
) -> np.ndarray:
    """Paint examples into the cells of a white RGB picture.

    Parameters
    ----------
    x : numpy.ndarray, (N, D)
        Examples.
    cells : sequence of (int, int)
        Row and column of each.
    shape : sequence of int
        Shape of one: (H, W), or (H, W, 3) for RGB.
    limits : (float, float)
        Values that are black and white; what lies beyond is clipped.
    group : int
        Rows in a group; the gap between groups is three times as wide.
    size : int
        Pixels that an example is to have, about: small ones are magnified by a whole number, and
        those of more than four times this size are thinned.
    gap : int
        Pixels between cells.

    Returns
    -------
    numpy.ndarray, (height, width, 3), float32
        Values in [0, 1].

    Raises
    ------
    ShapeError
        If examples of this shape have no picture, or the rows of x another width.
    OptionError
        If the picture had more than `LARGEST` pixels in a direction.
    """
    shape = tuple(shape)
    if not has_picture(shape):
        raise ShapeError(
            f"examples of shape {shape} have no picture; (H, W) or (H, W, 3) can be drawn."
        )
    if len(x) == 0 or x.shape != (len(x), math.prod(shape)):
        raise ShapeError(
            f"an array of shape {x.shape} was given; expected at least one row of "
            f"{math.prod(shape)} values for examples of shape {shape}."
        )
    if len(cells) != len(x):
        raise ShapeError(f"{len(x)} examples and {len(cells)} cells were given; give one for each.")
    if not limits[0] < limits[1]:
        raise OptionError(f"limits={limits} were given; give the darkest value, then the lightest.")
    step = math.ceil(max(shape[:2]) / (4 * size))
    factor = max(1, round(size / max(shape[:2])))
    H, W = (math.ceil(n / step) * factor for n in shape[:2])
    between = 2 * gap if group > 1 else 0
    tops = [row * (H + gap) + row // group * between for row, _ in cells]
    lefts = [column * (W + gap) for _, column in cells]
    height, width = max(tops) + H, max(lefts) + W
    if max(height, width) > LARGEST:
        raise OptionError(
            f"{len(x)} examples make a picture of {width} x {height} pixels, but {LARGEST} are the "
            "most in each direction; draw fewer."
        )
    low, high = limits
    x = np.clip((x.reshape(len(x), *shape) - low) / (high - low), 0, 1)
    x = np.broadcast_to(x.reshape(*x.shape[:3], -1), (*x.shape[:3], 3))  # grey to RGB
    x = x[:, ::step, ::step].repeat(factor, axis=1).repeat(factor, axis=2)
    canvas = np.ones((height, width, 3), np.float32)
    for image, top, left in zip(x, tops, lefts, strict=True):
        canvas[top : top + H, left : left + W] = image
    return canvas


@door
def lighten(ax: "Axes") -> None:
    """Take away two sides of the frame, and lay a faint grid under the data."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(color="0.92", lw=0.8)
    ax.set_axisbelow(True)


@door
def show(canvas: np.ndarray, title: str, ax: "Axes | None") -> "Axes":
    """Draw an RGB picture, canvas (H, W, 3), without `ax` pixel for pixel in its own figure."""
    own = ax is None
    height, width = canvas.shape[:2]
    if own:
        figure = new_figure(width / DPI, height / DPI)
        figure.set_layout_engine("none")
        ax = figure.add_axes((0, 0, 1, 1))
    ax.imshow(canvas, aspect="equal")
    ax.set_axis_off()
    text = ax.set_title(title, loc="left")
    if own:  # leave a margin around the picture, and room for the title
        margin, head = 24, 66 if title else 24
        title_width = math.ceil(text.get_window_extent(figure.canvas.get_renderer()).width)
        full = max(width, title_width) + 2 * margin, height + margin + head
        figure.set_size_inches(full[0] / DPI, full[1] / DPI)
        box = (margin / full[0], margin / full[1], width / full[0], height / full[1])
        ax.set_position(box)
    return ax


@door
def save(drawn: "Axes | Figure", path: str | Path) -> None:
    """Write a PNG file of a figure, or of the figure that axes are in.

    The file is written beside its final name and then renamed: there is never half a picture.
    """
    figure = getattr(drawn, "figure", drawn)
    write_atomically(Path(path), lambda file: figure.savefig(file, format="png", dpi=DPI))
