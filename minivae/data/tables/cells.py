"""The rows of a file of cells, in parts: by NumPy's parser where all is clean, else cell by cell.

A part is some hundred kilobytes of whole rows. `numpy.loadtxt` reads its numbers as fast as C can,
but has one word for all that may be wrong with them. So what it refuses, and what came out of it
and is no finite number, is read again cell by cell, which says what is wrong and where.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np

from ...errors import DataError
from .layout import Layout
from .written import MISSING, counted, number, parse

PART = 1 << 19
"""Bytes of a part."""

LARGEST = 1 << 24
"""Characters between two quotes, at most; what goes on longer was never closed."""

LONGEST = 64
"""Characters of a text that the fast way keeps; a longer one is read cell by cell."""

NO_CLASS = frozenset(["", "?", "na", "n/a", "#n/a", "<na>", "nan", "null"])
"""Cells that stand for a missing class or text, in small letters: "none" and "-" are classes."""

NUMBERS, TEXT, IDLE, VOID = "numbers", "text", "idle", "void"
"""What is wanted of a column: its numbers, its texts, nothing, and that there be nothing in it."""


@dataclass
class Part:
    """Some rows: numbers (n, D), NaN where one is missing, and texts (n,) of each text column."""

    numbers: np.ndarray
    texts: dict[int, list[str]]


@dataclass
class Tally:
    """What has been met on the way.

    Attributes
    ----------
    rows : int
        Rows of data so far.
    missing : dict of int to list
        For a column: how many cells are missing, the row of the first, and its line (0: unknown).
    empty, remarks : int
        Rows without an entry, and lines of remarks between the rows, that were passed over.
    """

    rows: int = 0
    missing: dict[int, list[int]] = field(default_factory=dict)
    empty: int = 0
    remarks: int = 0

    def miss(self, column: int, row: int, line: int, count: int = 1) -> None:
        """Note missing cells of a column, the first of which is in a row, on a line."""
        self.missing.setdefault(column, [0, row, line])[0] += count


class Cells:
    """The rows of a file.

    Parameters
    ----------
    path : str
        The file, for messages.
    layout : Layout
        How it is written.
    wanted : list of str
        For each of its columns `NUMBERS`, `TEXT`, `IDLE` or `VOID`.
    """

    def __init__(self, path: str, layout: Layout, wanted: Sequence[str]) -> None:
        self.path, self.layout, self.wanted = path, layout, wanted
        self.tally = Tally()
        kinds = {NUMBERS: "f8", TEXT: f"U{LONGEST}", IDLE: "U1", VOID: "U1"}
        self.of = {what: [d for d, w in enumerate(wanted) if w == what] for what in kinds}
        runs = [(what, sum(1 for _ in run)) for what, run in groupby(wanted)]
        self.runs = [(f"{i}", what, width) for i, (what, width) in enumerate(runs)]
        self.dtype: Any = np.dtype([(i, kinds[what], (n,)) for i, what, n in self.runs])
        if len(runs) == 1 and runs[0][0] == NUMBERS:
            self.dtype = np.dtype("f8")

    def parts(self, texts: Iterable[str]) -> Iterator[Part]:
        """Read the texts of a file, each of them whole lines, part after part.

        Raises
        ------
        DataError
            If a row has another width, or a cell holds neither a number nor nothing.
        """
        line, skip, before = 0, self.layout.skip, ""
        for text in texts:
            text = before + text
            if text.count('"') % 2:  # a cell in quotes goes on in the next line
                before = text
                if len(before) > LARGEST:
                    raise DataError(
                        f"{self.path}, in the rows after line {line}, opens a quote that does not "
                        "close; close it, or double a quote within quotes."
                    )
                continue
            before = ""
            lines = text.split("\n")
            if not lines[-1]:
                lines.pop()
            if skip:
                skipped = min(skip, len(lines))
                lines, skip, line = lines[skipped:], skip - skipped, line + skipped
            part = self._fast(lines) if any(map(str.strip, lines[:1])) else None
            yield self._by_cells(lines, line) if part is None else part
            line += len(lines)
        if before:
            yield self._by_cells(before.split("\n")[skip:], line + skip)

    def _fast(self, lines: list[str]) -> Part | None:
        """Read a clean part; None if it is not."""
        separator = self.layout.separator
        if self.layout.decimal == ",":
            if self.of[TEXT]:
                return None
            lines = [line.replace(".", "_").replace(",", ".") for line in lines]
        if separator == " ":
            lines = [" ".join(line.split()) for line in lines]
        quotes = any('"' in line for line in lines)
        flat, texts = self.dtype.names is None, dict[int, list[str]]()
        how: dict[str, Any] = {"delimiter": separator, "quotechar": '"' if quotes else None}
        try:
            found = np.loadtxt(lines, self.dtype, comments=None, ndmin=2 if flat else 1, **how)
        except (ValueError, OverflowError):
            return None
        if (quotes and len(found) != len(lines)) or not len(found):
            return None  # a cell over several lines, or nothing but empty lines
        if flat:
            if found.shape[1] != len(self.wanted):
                return None
            numbers = found
        else:
            numbers, at = np.empty((len(found), len(self.of[NUMBERS]))), 0
            columns = iter(self.of[TEXT])
            for name, what, width in self.runs:
                if what == NUMBERS:
                    numbers[:, at : at + width] = found[name]
                    at += width
                elif what == VOID and (found[name] != "").any():
                    return None
                elif what == TEXT:
                    for k in range(width):
                        texts[next(columns)] = _stripped(found[name][:, k].tolist())
        for cell in set().union(*texts.values()):
            if len(cell) >= LONGEST or cell.startswith('"') or cell.lower() in NO_CLASS:
                return None
        finite = np.isfinite(numbers)
        if not finite.all():
            if np.isinf(numbers).any():
                return None
            # The first ones are looked for cell by cell, so that their line can be named.
            count = (~finite).sum(axis=0).tolist()
            some = {self.of[NUMBERS][k]: n for k, n in enumerate(count) if n}
            if some.keys() - self.tally.missing.keys():
                return None
            for d, n in some.items():
                self.tally.miss(d, 0, 0, n)
        self.tally.rows += len(found)
        return Part(numbers, texts)

    def _by_cells(self, lines: list[str], line: int) -> Part:
        """Read a part cell by cell, the first line of which is the one after `line`."""
        width, rows = len(self.wanted), []
        try:
            parsed = parse([f"{text}\n" for text in lines], self.layout.separator, strict=True)
        except csv.Error as error:
            raise DataError(
                f"{self.path}, in the rows after line {line}, is not written as cells are "
                f"({str(error).rstrip('.')}); close every quote, and double a quote within quotes."
            ) from None
        for at, row in parsed:
            if max(width, len(row)) > 1 and not any(cell.strip() for cell in row):
                self.tally.empty += 1
                continue
            if len(row) != width:
                if row[0].lstrip().startswith("#"):
                    self.tally.remarks += 1
                    continue
                raise DataError(
                    f"{self.path}, line {line + at}, has {counted(len(row), 'cell')}, but there "
                    f"are {width} columns; mend that line."
                )
            rows.append((line + at, row))
        numbers = np.empty((len(rows), len(self.of[NUMBERS])))
        columns = list(zip(*(row for _, row in rows), strict=True))
        ends = [end for end, _ in rows]
        if rows:
            for k, d in enumerate(self.of[NUMBERS]):
                numbers[:, k] = self._numbers(d, columns[d], ends)
        texts = {d: self._texts(d, columns[d] if rows else (), ends) for d in self.of[TEXT]}
        for d in self.of[VOID] if rows else ():
            if any(cell.strip() for cell in columns[d]):
                raise DataError(
                    f"{self.path} has no name for its column {d + 1}, which may be a mere row "
                    "number; give it a name, or leave it out with --ignore ''."
                )
        self.tally.rows += len(rows)
        return Part(numbers, texts)

    def _numbers(self, column: int, cells: Sequence[str], lines: list[int]) -> list[float]:
        """Numbers of a column; NaN where one is missing."""
        decimal, first = self.layout.decimal, self.tally.rows
        if decimal == ".":
            try:  # all are numbers, as most often
                found = list(map(float, cells))
                if np.isfinite(found).all() and not any("_" in cell for cell in cells):
                    return found
            except ValueError:
                pass
        found = []
        for i, cell in enumerate(cells):
            value = number(cell, decimal)
            if cell.strip().lower() in MISSING:
                self.tally.miss(column, first + i, lines[i])
                value = np.nan
            elif value is None or not np.isfinite(value):
                raise DataError(
                    f"{self.path}, row {first + i + 1} (line {lines[i]}), column "
                    f"{self.layout.names[column]!r}, holds {cell.strip()!r}, which is no finite "
                    "number; correct it, or leave that column out with --ignore."
                )
            found.append(value)
        return found

    def _texts(self, column: int, cells: Sequence[str], lines: list[int]) -> list[str]:
        """Texts of a column; "" where one is missing."""
        found = [cell.strip() for cell in cells]
        for i, cell in enumerate(found):
            if cell.lower() in NO_CLASS:
                self.tally.miss(column, self.tally.rows + i, lines[i])
                found[i] = ""
        return found


def _stripped(cells: list[str]) -> list[str]:
    """Texts without blanks around them; there are few different ones."""
    clean = all(cell == cell.strip() for cell in set(cells))
    return cells if clean else [cell.strip() for cell in cells]
