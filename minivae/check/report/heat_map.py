"""Where in an array the error of a gradient sits, as a small picture in SVG.

One cell is one entry, or the worst of a block of entries. The last axis runs across, all others
down. The colour is the logarithm of the error relative to the largest gradient; the worst entry
has a ring around it, and each cell of a small array tells its two values when pointed at.
"""

import math
from html import escape

import numpy as np

from .result import RIGHT, ArrayCheck

MAX_SIDE = 64
"""Most cells along one side of a heat map; a larger array is reduced by the maximum of blocks."""
MIN_SIDE = 8
"""Cells along one side below which a map of a few sampled entries is not coarsened further."""
MARGIN = 4
"""Room around a heat map for the ring, in pixels."""
MAX_TIPS = 1024
"""Most cells that get a tooltip each."""
BANDS = 6
"""Steps of colour from the tolerance to an error as large as the gradient, evenly in log."""

FILLS = {
    "none": "#e0ded8",
    "ok": "#b9dcc3",
    "off": "#6b2fb3",
    "e1": "#fde0c5",
    "e2": "#fac08f",
    "e3": "#f59a5f",
    "e4": "#e66b3b",
    "e5": "#c43a28",
    "e6": "#8c1420",
}
"""Class of a cell -> its colour where a page keeps no style sheet; light scheme."""


def comparable(array: ArrayCheck) -> bool:
    """Whether both gradients are there, of the same shape and of numbers."""
    pair = (array.yours, array.numerical)
    return all(
        isinstance(values, np.ndarray)
        and values.shape == tuple(array.shape)
        and values.dtype.kind in "fiub"
        for values in pair
    )


def heat_map(array: ArrayCheck, tolerance: float) -> str:
    """The error over the array as an inline SVG, with its key and a caption."""
    if not array.yours.size:
        return ""
    relative = _relative_errors(array)
    rows, columns = _flat(array.shape)
    grid = relative.reshape(rows, columns)
    step, cells = _reduce(grid)
    bands = _bands(cells, tolerance)
    if array.verdict == RIGHT:  # over the tolerance, but within what the differences can tell
        bands = np.where(bands > 0, -1, bands)
    height, width = cells.shape
    side = int(np.clip(min(360 / height, 720 / width), 5, 18))

    drawn = []
    tips = step == (1, 1) and cells.size <= MAX_TIPS
    for band in np.unique(bands):
        where = np.argwhere(bands == band)
        name = _class(int(band))
        if tips:
            shapes = "".join(_cell(array, relative, r, c, side, columns) for r, c in where)
        else:
            shapes = f"<path d='{_runs(bands == band, side)}'/>"
        drawn.append(
            f"<g class='{name}' fill='{FILLS[name]}' data-cells='{len(where)}'>{shapes}</g>"
        )
    if array.worst is not None:
        flat = int(np.ravel_multi_index(array.worst, array.shape)) if array.shape else 0
        r, c = flat // columns // step[0], flat % columns // step[1]
        drawn.append(_ring(r, c, side, array.worst))
    wide, high = width * side + 2 * MARGIN, height * side + 2 * MARGIN
    size = f"width='{wide}' height='{high}' viewBox='{-MARGIN} {-MARGIN} {wide} {high}'"
    label = escape(f"error of d{array.name} over its {height} by {width} cells", quote=True)
    return (
        f'<div class="maps"><svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'aria-label="{label}" {size}>{"".join(drawn)}</svg></div>'
        f"{_key(bands, array, tolerance)}"
        f'<div class="soft">{escape(_caption(array, step))}</div>'
    )


def _relative_errors(array: ArrayCheck) -> np.ndarray:
    """Absolute differences over the largest gradient; NaN where nothing was evaluated."""
    numerical = array.numerical.astype(float)
    yours = array.yours.astype(float)
    known = np.isfinite(numerical)
    finite = known & np.isfinite(yours)
    sizes = [np.abs(values[finite]).max(initial=0.0) for values in (yours, numerical)]
    difference = np.full(yours.shape, np.nan)
    difference[finite] = np.abs(yours[finite] - numerical[finite])
    difference[known & ~finite] = np.inf
    return difference / (max(sizes) or 1.0)


def _flat(shape: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of the map: the last axis across, all others down."""
    if not shape:
        return 1, 1
    return math.prod(shape[:-1]), shape[-1]


def _block_maximum(grid: np.ndarray, step: tuple[int, int]) -> np.ndarray:
    """Largest entry of each block; NaN only where a block holds nothing else."""
    lowest = np.where(np.isnan(grid), -1.0, grid)
    starts = [np.arange(0, size, by) for size, by in zip(grid.shape, step, strict=True)]
    blocks = np.maximum.reduceat(np.maximum.reduceat(lowest, starts[0], axis=0), starts[1], axis=1)
    return np.where(blocks < 0, np.nan, blocks)


def _reduce(grid: np.ndarray) -> tuple[tuple[int, int], np.ndarray]:
    """Block size, and the maximum of each block; blocks grow until half of them hold an entry."""
    side = MAX_SIDE
    while True:
        step = tuple(max(1, math.ceil(size / side)) for size in grid.shape)
        cells = _block_maximum(grid, step)
        if side <= MIN_SIDE or 2 * np.isfinite(cells).sum() >= cells.size:
            return step, cells
        side = max(MIN_SIDE, side * 3 // 4)


def _ring(row: int, column: int, side: int, worst: tuple[int, ...]) -> str:
    """A ring around the worst cell, with a halo that sets it off from any colour."""
    wide = max(side, 9)
    x, y = (at * side - (wide - side) / 2 for at in (column, row))
    where = f"x='{x:g}' y='{y:g}' width='{wide}' height='{wide}' fill='none'"
    return (
        f"<rect class='halo' {where} stroke='#ffffff' stroke-width='5'/>"
        f"<rect class='worst' {where} stroke='#111111' stroke-width='2'>"
        f"<title>worst: {escape(entry_name(worst))}</title></rect>"
    )


def _bands(cells: np.ndarray, tolerance: float) -> np.ndarray:
    """Band of each cell: -1 not evaluated, 0 within the tolerance, 1 to BANDS, BANDS + 1 no number.

    The bands cut the way from the tolerance to 1 into equal parts of the logarithm.
    """
    bands = np.zeros(cells.shape, int)
    over = cells > tolerance
    share = np.log(np.minimum(cells[over], 1.0) / tolerance) / -math.log(min(tolerance, 0.5))
    bands[over] = np.clip(np.ceil(share * BANDS), 1, BANDS)
    bands[np.isposinf(cells)] = BANDS + 1
    bands[np.isnan(cells)] = -1
    return bands


def _class(band: int) -> str:
    return {-1: "none", 0: "ok", BANDS + 1: "off"}.get(band, f"e{band}")


def _cell(
    array: ArrayCheck, relative: np.ndarray, row: int, column: int, side: int, columns: int
) -> str:
    index = np.unravel_index(row * columns + column, array.shape) if array.shape else ()
    index = tuple(int(i) for i in index)
    tip = f"{entry_name(index)}: not evaluated"
    if not np.isnan(relative[index]):
        tip = (
            f"{entry_name(index)}: yours {entry_value(array.yours[index])}, "
            f"numerical {entry_value(array.numerical[index])}"
        )
    return (
        f"<rect x='{column * side}' y='{row * side}' width='{side - 1}' height='{side - 1}'>"
        f"<title>{escape(tip)}</title></rect>"
    )


def _runs(mask: np.ndarray, side: int) -> str:
    """Path over the cells of a mask, neighbours in a row drawn as one piece."""
    pieces = []
    for r, row in enumerate(mask):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
        for start, stop in edges.reshape(-1, 2):
            pieces.append(f"M{start * side} {r * side}h{(stop - start) * side}v{side}")
            pieces.append(f"h{-(stop - start) * side}z")
    return "".join(pieces)


def _key(bands: np.ndarray, array: ArrayCheck, tolerance: float) -> str:
    """What the colours that occur mean."""
    edges = np.geomspace(min(tolerance, 0.5), 1.0, BANDS + 1)
    entries = []
    for band in sorted(int(b) for b in np.unique(bands)):
        name = _class(band)
        if band == -1:
            text = "not compared"
        elif band == 0:
            text = f"within {tolerance:.0e}"
        elif band == BANDS + 1:
            text = "NaN or infinity"
        elif band == BANDS:
            text = f"over {edges[band - 1]:.0e}"
        else:
            text = f"to {edges[band]:.0e}"
        entries.append(f"<span><i class='{name}'></i>{escape(text)}</span>")
    if array.worst is not None:
        entries.append("<span><i class='ring'></i>worst</span>")
    return f'<div class="key">{"".join(entries)}</div>'


def _caption(array: ArrayCheck, step: tuple[int, int]) -> str:
    axes = len(array.shape)
    if axes == 0:
        return "one number"
    across = f"axis {axes - 1} across"
    down = {1: "", 2: "axis 0 down, "}.get(axes, f"axes 0 to {axes - 2} down, ")
    cell = "each cell one entry"
    if step != (1, 1):
        cell = f"each cell the largest error of a block of {step[0]} by {step[1]} entries"
    share = ""
    if 0 < array.checked < array.yours.size:
        share = f"; {array.checked} of {array.yours.size} entries were compared"
    return f"error relative to the largest gradient; {down}{across}, {cell}{share}"


def entry_name(index: tuple[int, ...]) -> str:
    """Index of an entry as text; a dash for a number, which has none."""
    return "[" + ", ".join(map(str, index)) + "]" if index else "–"


def entry_value(value: float) -> str:
    """Five digits of an entry."""
    return f"{float(value):.5g}"
