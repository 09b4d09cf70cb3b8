"""How a file of cells is written: encoding, separator, decimal mark, names, where the rows begin.

Everything is found on the *parsed* rows of the file's beginning, for a comma in quotes separates
nothing. A separator is the one under which the rows agree on their width, and hold numbers. Whether
the first row names the columns is taken as settled only where a column says so and none denies it:
text above numbers is a name, a number above numbers may be either.
"""

import csv
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ...errors import DataError
from .above import before, names_in_remark, without_titles
from .options import listed
from .written import DECIMAL_COMMA, counted, is_marked, kind, number, parse

SEPARATORS = (",", ";", "\t", "|", " ")
"""What can stand between two cells; the blank stands for any run of blanks."""


@dataclass(frozen=True)
class Layout:
    """What the beginning of a file tells.

    Attributes
    ----------
    separator : str
        One of `SEPARATORS`.
    decimal : {".", ","}
        The decimal mark.
    names : tuple of str
        Names of the columns.
    skip : int
        Lines before the first row of data.
    text : dict of str to list of str
        Columns that hold text, and some of it.
    notes : list of str
        What was passed over, or taken as what.
    """

    separator: str
    decimal: str
    names: tuple[str, ...]
    skip: int
    text: dict[str, list[str]]
    notes: list[str]


def find_layout(
    path: str, lines: list[str], header: bool | None = None, named: Collection[str] = ()
) -> Layout:
    """Find out how a file is written.

    Parameters
    ----------
    path : str
        The file, for messages.
    lines : list of str
        Its beginning.
    header : bool, optional
        Whether the first row names the columns, if somebody said so.
    named : collection of str
        Columns that somebody named: where the first row has them, it is one of names.

    Raises
    ------
    DataError
        If it can be read in two ways, or in none.
    """
    skip, declared, remarks = before(lines)
    body = lines[skip:]
    separator, rows = _separated(body, declared)
    if not rows:
        raise DataError(f"{path} holds no row; give a file with a row for each example.")
    notes = []
    if remarks:
        notes.append(f"{counted(len(remarks), 'line')} of remarks at the top passed over")
    decimal = _decimal(rows) if separator != "," else "."
    if decimal == ",":
        notes.append("decimal commas are read as points")
    rows, titles = without_titles(path, rows, skip, separator, named=header is not False)
    if titles:
        notes.append(f"{counted(len(titles), 'line')} of title at the top passed over")
    start = titles[-1][0] if titles else 0

    first, below = rows[0][1], [row for _, row in rows[1:] if len(row) == len(rows[0][1])]
    kinds = [_kinds(column, decimal) for column in zip(*(below or [first]), strict=True)]
    names: list[str] | None = None
    if header is None:
        header = _is_header(first, kinds if below else [], decimal, named)
    if header is None and (names := names_in_remark(remarks, first, separator)):
        header = False
        notes.append(f"the names of the columns are those of the remark {remarks[-1]!r}")
    if header is None:
        raise DataError(_question(path, rows[0][0] + skip, first))
    if header:
        names, start = [cell.strip() for cell in first], rows[0][0]
        if below and (units := _units(below[0], kinds, decimal)):
            start = rows[1][0]
            notes.append(f"line {start + skip}, text above numbers ({units}), is taken as units")
    elif names is None:
        names = [str(d + 1) for d in range(len(first))]
        notes.append(f"the columns have no names, so they are called 1 to {len(names)}")
    shown = below if header else below or [first]
    columns = zip(names, kinds, zip(*shown, strict=True), strict=bool(shown))
    text = {
        name: list(dict.fromkeys(cell.strip() for cell in column if kind(cell, decimal) == "text"))
        for name, count, column in columns
        if count["text"] > count["number"]
    }
    return Layout(separator, decimal, tuple(names), skip + start, text, notes)


def _separated(body: list[str], declared: str | None) -> tuple[str, list[tuple[int, list[str]]]]:
    """The separator, and the rows that it makes."""
    if declared is not None:
        return declared, parse(body, declared)
    best, found = 0.0, (",", parse([], ","))
    for separator in SEPARATORS:
        try:
            rows = parse(body, separator)
        except csv.Error:  # a wide row is no cell
            continue
        found = found if found[1] else (separator, rows)
        widths = Counter(len(row) for _, row in rows)
        width, count = widths.most_common(1)[0] if rows else (0, 0)
        if width < 2:
            continue
        # Cells that are numbers count as much as rows that have all their cells; the first row may
        # be one of names.
        sample = [row for _, row in (rows[1:21] or rows) if len(row) == width]
        score = count / len(rows) + _numeric(sample, separator)
        if score > best + 1e-9:
            best, found = score, (separator, rows)
    return found


def _numeric(rows: list[list[str]], separator: str) -> float:
    """Part of the cells with something in them that are numbers; of 20,000 cells at most."""
    cells = [cell for row in rows for cell in row[: 20_000 // len(rows)]]
    kinds = Counter(kind(cell) for cell in cells)
    if separator != ",":
        kinds["number"] += sum(DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
        kinds["text"] -= sum(DECIMAL_COMMA.fullmatch(cell) is not None for cell in cells)
    return kinds["number"] / max(1, kinds["number"] + kinds["text"])


def _decimal(rows: list[tuple[int, list[str]]]) -> str:
    """The decimal mark: a comma if cells are numbers with one, and none has a point."""
    commas = points = 0
    for _, row in rows[:100]:
        for cell in row[:2000]:
            commas += DECIMAL_COMMA.fullmatch(cell) is not None
            points += "." in cell and number(cell) is not None
    return "," if commas and not points else "."


def _kinds(cells: Sequence[str], decimal: str) -> Counter:
    """Cells of a column by their kind; "marked" counts texts that are numbers but for marks."""
    found = Counter(kind(cell, decimal) for cell in cells[:200])
    if found["text"]:
        texts = (cell for cell in cells[:200] if kind(cell, decimal) == "text")
        found["marked"] = sum(map(is_marked, texts))
    return found


def _is_header(
    first: list[str], kinds: list[Counter], decimal: str, named: Collection[str]
) -> bool | None:
    """Whether the first row names the columns: text above numbers says so; None if it is open."""
    own = [kind(cell, decimal) for cell in first]
    if not kinds:
        return None if "number" in own else True
    words = {cell.strip() for cell, k in zip(first, own, strict=True) if k == "text"}
    if named and words >= set(named) and "number" not in own:
        return True
    numbers = [k["number"] + k["marked"] >= max(1, k["text"] - k["marked"]) for k in kinds]
    says_so = any(k == "text" and n for k, n in zip(own, numbers, strict=True))
    denies = any(
        k == "number" or (n["marked"] and k == "text" and is_marked(cell))
        for cell, k, n in zip(first, own, kinds, strict=True)
    )
    return True if says_so and not denies else None


def _question(path: str, line: int, first: list[str]) -> str:
    """The question whether the first row names the columns."""
    cells = listed(cell.strip() for cell in first)
    return (
        f"{path}, line {line}, holds {cells}, which may be the first row of data or the names of "
        f"the columns; say --header no (the columns are then called 1 to {len(first)}) or "
        "--header yes."
    )


def _units(row: list[str], kinds: list[Counter], decimal: str) -> str:
    """Units of the columns, if the row below their names holds units: text where numbers follow."""
    numbers = [cell for cell, k in zip(row, kinds, strict=True) if k["number"]]
    found = Counter(kind(cell, decimal) for cell in numbers)
    if found["text"] and not found["number"]:
        return ", ".join(cell.strip() for cell in numbers[:5] if cell.strip())
    return ""
