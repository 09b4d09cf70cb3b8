"""A trace as text: a table of all operations, and one operation with its numbers."""

import itertools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..typeset.plain import plain
from .record import BACKWARD, Array, Record
from .window import Window, padded, told, window_of

HEAD = ("#", "operation", "in", "out", "mean", "spread", "norm", "formula")


def table(records: Sequence[Record]) -> str:
    """All operations, one line for each array that they give.

    The norm is given in the backward pass, where the arrays are gradients.
    """
    if not records:
        return "nothing was recorded; call model.step(x, eps) inside the `with` block"
    rows: list[Sequence[str]] = []
    for phase, group in itertools.groupby(records, key=lambda record: record.phase):
        rows.append((phase,))
        for record in group:
            rows += _rows(record)
    widths = [max(len(row[i]) for row in [HEAD, *rows] if len(row) > 1) for i in range(len(HEAD))]
    return "\n".join(_line(row, widths) for row in [HEAD, *rows])


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    if len(row) == 1:
        return f"-- {row[0]}"
    cells = [
        text.rjust(width) if i in (0, 4, 5, 6) else text.ljust(width)
        for i, (text, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()


def _rows(record: Record) -> list[tuple[str, ...]]:
    inputs = _cut(", ".join(_named_shape(array) for array in record.inputs), 40)
    formula = _cut(one_line(record), 72)
    rows = []
    for i, array in enumerate(record.outputs):
        lead = (str(record.index), title(record), inputs) if i == 0 else ("", "", "")
        norm = number(array.norm) if record.phase == BACKWARD else ""
        numbers = (number(array.mean), number(array.spread), norm)
        rows.append((*lead, _named_shape(array), *numbers, formula if i == 0 else ""))
    return rows or [(str(record.index), title(record), inputs, "", "", "", "", formula)]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"


def title(record: Record) -> str:
    """The part and what it runs."""
    return f"{record.where}: {record.operation}"


def one_line(record: Record) -> str:
    """The formula as plain text; the code where no equation is cited."""
    if record.formula:
        return "; ".join(plain(tex) for tex in record.formula.values())
    return record.code if record.code.count("\n") == 0 else record.summary


def _named_shape(array: Array) -> str:
    return f"{array.name} {'x'.join(map(str, array.shape)) or 'number'}"


def number(value: float) -> str:
    """Four digits."""
    return f"{value:.4g}"


def place(record: Record) -> str:
    """File and line of the code."""
    return f"{Path(record.file).name}:{record.line}" if record.file else ""


def step(record: Record, total: int) -> str:
    """One operation with every number in it, to follow with pencil and paper."""
    head = f"{record.index + 1} of {total}  {record.phase}  {title(record)}"
    parts = [f"{head} ".ljust(80, "-")]
    if record.summary:
        parts.append(f"  {record.summary}")
    formulas = [f"  ({n})  {plain(tex)}" for n, tex in record.formula.items()]
    code = [f"    {line}" for line in record.code.splitlines()]
    if code:
        code[0] = f"{code[0]:<64}  {place(record)}"
    sides = (("  ", record.inputs), ("  ", record.inner), ("> ", record.outputs))
    names = [_name(array) for _, side in sides for array in side]
    width = max(map(len, names), default=0) + 2
    blocks = [formulas, code]
    for mark, side in sides:
        norm = mark != "  " and record.phase == BACKWARD
        blocks.append([line for array in side for line in _numbers(mark, array, width, norm)])
        if side is record.inputs:
            blocks[-1] += [f"  {name} = {value}" for name, value in record.options.items()]
    if window := window_of(record):
        blocks.append(_window(window))
    parts += ["", *(line for block in blocks if block for line in [*block, ""])]
    return "\n".join(parts)


def _name(array: Array) -> str:
    return f"{array.name} {str(array.shape).replace(' ', '') if array.shape else ''}"


def _numbers(mark: str, array: Array, width: int, norm: bool) -> list[str]:
    name = f"{mark}{_name(array)}".ljust(width)
    sheets = [(which, [[_short(x) for x in row] for row in grid]) for which, grid in array.sheets]
    cell = max((len(text) for _, grid in sheets for row in grid for text in row), default=0)
    lines = []
    for which, grid in sheets or [("", [])]:
        rows = ["  ".join(text.rjust(cell) for text in row) for row in grid] or ["empty"]
        of = [f"   {which}" * bool(which)] + [""] * len(rows)
        lines += [f"{' ' * width}  [ {row} ]{of[i]}" for i, row in enumerate(rows)]
    lines[0] = name + lines[0][width:]
    if norm and array.values.size > 1:
        lines[-1] += f"   norm {number(array.norm)}"
    return lines


def _window(window: Window) -> list[str]:
    """The window of a convolution on its image, the weights beside it, and the sum."""
    image, (top, left) = padded(window)
    kh, kw = window.kernel.shape
    cell = max(len(_short(x)) for x in (*image.flat, *window.kernel.flat))
    lines = []
    for r, row in enumerate(image):
        texts = []
        for q, value in enumerate(row):
            inside = top <= r < top + kh and left <= q < left + kw
            texts.append(f"<{_short(value):>{cell}}>" if inside else f" {_short(value):>{cell}} ")
        weights = (
            [_short(w).rjust(cell) for w in window.kernel[r - top]] if top <= r < top + kh else []
        )
        lines.append(f"  {' '.join(texts)}{'   times  ' if weights else ''}{'  '.join(weights)}")
    name, last = ("y", window.channel) if window.back else ("x", window.channel)
    edge = ", zeros around it" * (image.shape != window.image.shape)
    head = f"  {name}[0, :, :, {last}]{edge}, the window at {window.place} in <>"
    return [head, *lines, f"  {told(window, number)}"]


def _short(value: float) -> str:
    if isinstance(value, np.floating):
        return f"{value + 0.0:.6g}"
    return str(value)
