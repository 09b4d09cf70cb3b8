"""What stands above the rows of a table: remarks, a declared separator, titles, their names."""

import re
from collections import Counter

from ...errors import DataError
from .written import counted, kind, parse

SEPARATOR_LINE = re.compile(r"\"?sep=(.|\\t)\"?\s*", re.IGNORECASE)


def before(lines: list[str]) -> tuple[int, str | None, list[str]]:
    """Lines before the table: how many, the separator that one of them declares, the remarks."""
    skip, declared, remarks = 0, None, []
    for line in lines:
        text = line.strip()
        said = SEPARATOR_LINE.fullmatch(line.rstrip("\n")) if declared is None else None
        if said:
            declared = "\t" if said[1] == "\\t" else said[1]
        elif text.startswith("#"):
            remarks.append(text)
        elif text:
            break
        skip += 1
    return skip, declared, remarks


def without_titles(
    path: str, rows: list[tuple[int, list[str]]], skip: int, separator: str, *, named: bool
) -> tuple[list, list]:
    """Drop what has one cell at most above a table of three columns or more; refuse what has more.

    A spreadsheet pads such rows with empty cells, so that they are as wide as the table. They are
    looked for unless it is known (`named`) that the table has no names.
    """
    widths = Counter(len(row) for _, row in rows)
    width = widths.most_common(1)[0][0]
    if widths[width] == widths[len(rows[0][1])]:
        width = len(rows[0][1])
    at = 0
    while at < len(rows) and len(rows[at][1]) != width:
        if _filled(rows[at][1]) > 1 or width < 3:
            line, row = rows[at]
            mark = {"\t": "tabs", " ": "blanks"}.get(separator, repr(separator))
            raise DataError(
                f"{path}, line {line + skip}, has {counted(len(row), 'cell')}, but most rows have "
                f"{width} (cells stand between {mark}); give the first line a name for each "
                "column, and delete what stands above it or begin those lines with #."
            )
        at += 1
    names = _names_below(rows, at) if width > 2 and named else at
    for line, row in rows[at:names]:
        if _filled(row) > 1:
            raise DataError(
                f"{path}, line {line + skip}, fills {_filled(row)} of its {width} cells, and the "
                f"names of the columns seem to stand in line {rows[names][0] + skip}; delete what "
                "stands above them, or begin those lines with #."
            )
    return rows[names:], rows[:names]


def _filled(row: list[str]) -> int:
    return sum(cell.strip() != "" for cell in row)


def _names_below(rows: list[tuple[int, list[str]]], at: int) -> int:
    """The row of names, if those from `at` to there are padded: text in all cells, above numbers.

    It is `at` if there is none.
    """
    below = at
    while below + 1 < len(rows) and (rows[below][1] or [""])[-1].strip() == "":
        below += 1
        texts = all(kind(cell) == "text" for cell in rows[below][1])
        follow = [kind(cell) for _, row in rows[below + 1 : below + 3] for cell in row]
        if texts and "number" in follow:
            return below
    return at


def names_in_remark(remarks: list[str], first: list[str], separator: str) -> list[str] | None:
    """Names of columns in the last remark, as NumPy writes them, if there are as many."""
    if not remarks or len(first) < 2 or all(kind(cell) != "number" for cell in first):
        return None
    cells = parse([remarks[-1].lstrip("# ")], separator)
    names = [cell.strip() for cell in cells[0][1]] if cells else []
    fits = len(names) == len(first) and all(kind(name) == "text" for name in names)
    return names if fits else None
