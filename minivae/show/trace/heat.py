"""Arrays of a trace as HTML: small ones as numbers, large ones as heat maps."""

import base64
import io
import math
from collections.abc import Sequence
from html import escape

import numpy as np

from .record import Array
from .text import number
from .window import Window, padded, told

MAX_NUMBERS = (12, 10)
"""Rows and columns up to which an array is shown in numbers; a larger one is a picture."""
MAX_SHEETS = 6, 36
"""Sheets of an array (images, kernels) up to which they are numbers, and that a picture shows."""
MAX_CELLS = 112
"""Cells along one side of a picture; a larger array is reduced to the largest entry of blocks."""
MINUS, PLUS = (46, 110, 214), (224, 112, 20)
"""Colours of negative and positive numbers, for both schemes."""


def _side_by_side(sheets: Sequence[np.ndarray]) -> np.ndarray:
    """Sheets of one size, about as many across as down, with a gap between them."""
    across = math.ceil(math.sqrt(len(sheets)))
    sheets = [np.pad(sheet.astype(float), ((0, 1), (0, 1))) for sheet in sheets]
    sheets += [np.zeros_like(sheets[0])] * (-len(sheets) % across)
    rows = [np.hstack(sheets[i : i + across]) for i in range(0, len(sheets), across)]
    return np.vstack(rows)[:-1, :-1]


def _most(values: np.ndarray) -> float:
    """The largest finite number without its sign; 1 if there is none."""
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) or 1.0


def _table(grid: np.ndarray, most: float, caption: str = "") -> str:
    rows = "".join(f"<tr>{''.join(_cell(value, most) for value in row)}</tr>" for row in grid)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f'<div class="scroll"><table>{title}{rows}</table></div>'


def picture(array: Array) -> str:
    """Its numbers, or a heat map of them."""
    sheets, values = array.sheets, array.values.astype(float)
    if not values.size:
        return '<span class="soft">empty</span>'
    most, (height, width) = _most(values), sheets[0][1].shape
    if height <= MAX_NUMBERS[0] and width <= MAX_NUMBERS[1] and len(sheets) <= MAX_SHEETS[0]:
        return "".join(_table(grid.astype(float), most, which) for which, grid in sheets)
    more = f", the first {MAX_SHEETS[1]} of {len(sheets)}" * (len(sheets) > MAX_SHEETS[1])
    grid = _side_by_side([grid for _, grid in sheets[: MAX_SHEETS[1]]])
    return _heat(grid, array.name, most, more)


def _heat(grid: np.ndarray, name: str, most: float, more: str = "") -> str:
    """A picture of rows and columns of numbers, and its key."""
    cells, step = _reduced(grid)
    height, width = cells.shape
    scale = max(1, min(12, 336 // width, 240 // height))
    block = "" if step == (1, 1) else f", each cell the largest of {step[0]} × {step[1]}"
    alt = escape(f"{name} as a heat map, from -{number(most)} to {number(most)}")
    return (
        f'<img alt="{alt}" width="{width * scale}" height="{height * scale}" '
        f'src="data:image/png;base64,{_png(cells / most)}">'
        f'<div class="key">-{number(most)}<i></i>{number(most)}{block}{more}</div>'
    )


def window(seen: Window) -> str:
    """The window of a convolution, outlined on its image; what it sees, the weights, the sum."""
    image, (top, left) = padded(seen)
    (h, w), (kh, kw) = image.shape, seen.kernel.shape
    box = (left / w, top / h, kw / w, kh / h)
    names = ("left", "top", "width", "height")
    where = ";".join(f"{n}:{100 * x:.4g}%" for n, x in zip(names, box, strict=True))
    most = _most(np.append(image, 0.0))
    scale = max(1, min(24, 240 // max(h, w)))
    name = "y" if seen.back else "x"
    return (
        f'<h5>one window</h5><div class="side"><figure><figcaption><code>{name}</code>, '
        f'channel {seen.channel}</figcaption><div class="seen">'
        f'<img alt="{name}, with the window at {seen.place} outlined" width="{w * scale}" '
        f'height="{h * scale}" src="data:image/png;base64,{_png(image / most)}">'
        f'<i style="{where}"></i></div></figure>'
        + "".join(
            f"<figure><figcaption>{what}</figcaption>{_table(grid, _most(grid))}</figure>"
            for what, grid in (
                ("what is laid there" if seen.back else "what it sees", seen.patch),
                ("the weights", seen.kernel),
            )
        )
        + f"</div><p>{escape(told(seen, number))}</p>"
    )


def _cell(value: float, most: float) -> str:
    share = 0.55 * abs(value) / most if np.isfinite(value) else 1.0
    side = "minus" if value < 0 else "plus"
    return f'<td style="background:rgba(var(--{side}),{share:.3g})">{value + 0.0:.4g}</td>'


def _reduced(grid: np.ndarray) -> tuple[np.ndarray, tuple[int, int]]:
    """At most `MAX_CELLS` a side: of each block the entry that is largest without its sign."""
    step = tuple(-(-size // MAX_CELLS) for size in grid.shape)
    starts = [np.arange(0, size, by) for size, by in zip(grid.shape, step, strict=True)]
    grid = np.nan_to_num(grid)

    def over_blocks(reduce: np.ufunc) -> np.ndarray:
        return reduce.reduceat(reduce.reduceat(grid, starts[0], axis=0), starts[1], axis=1)

    high, low = over_blocks(np.maximum), over_blocks(np.minimum)
    return np.where(-low > high, low, high), step


def _png(cells: np.ndarray) -> str:
    """Cells between -1 and 1 as a picture: the hue is the sign, the opacity the size."""
    from PIL import Image  # Matplotlib brings it

    pixels = np.empty((*cells.shape, 4), np.uint8)
    pixels[..., :3] = np.where(cells[..., None] < 0, MINUS, PLUS)
    pixels[..., 3] = np.round(255 * np.clip(np.abs(cells), 0, 1) ** 0.7)
    content = io.BytesIO()
    Image.fromarray(pixels, "RGBA").save(content, "PNG", optimize=True)
    return base64.b64encode(content.getvalue()).decode()
