"""What one cell holds, and rows of cells as they are written."""

import csv
import re
from collections.abc import Sequence
from typing import Any

MISSING = frozenset(
    ["", "na", "n/a", "#n/a", "<na>", "nan", "null", "nil", "none", "?", ".", "-", "--"]
)
"""Cells that stand for a missing number, in small letters."""

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(?:[eE][+-]?\d+)?\s*")
"""A number with a decimal comma, or with a comma after its thousands."""

MARKS = re.compile(r"[,'\u2019\u2212\s%$\u20ac\u00a3]")
"""What people write in numbers: marks between thousands, a minus sign, percent, currencies."""


def parse(lines: Sequence[str], separator: str, *, strict: bool = False) -> list[tuple[int, list]]:
    """Rows of cells, each with the number of the line that it ends on, from 1; no empty lines."""
    if separator == " ":
        lines = [" ".join(line.split()) for line in lines]
    style: dict[str, Any] = {"skipinitialspace": True, "strict": strict}
    reader = csv.reader(lines, delimiter=separator, **style)
    return [(reader.line_num, row) for row in reader if row]


def number(cell: str, decimal: str = ".") -> float | None:
    """The number in a cell, finite or not, or None."""
    if decimal == ",":
        cell = cell.replace(".", "_").replace(",", ".")
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def kind(cell: str, decimal: str = ".") -> str:
    """What a cell holds: "number", "missing" or "text"."""
    if cell.strip().lower() in MISSING:
        return "missing"
    return "text" if number(cell, decimal) is None else "number"


def is_marked(cell: str) -> bool:
    """Whether a cell that is no number would be one without the marks that people set in them."""
    return number(MARKS.sub("", cell)) is not None


def counted(n: int, what: str) -> str:
    """So many of something: "1 line", "2 lines"."""
    return f"{n:,} {what}{'s' * (n != 1)}"
