"""A report as plain text that fits the terminal, and 100 columns."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable

import numpy as np

from .result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck, Result

WIDTH = 100
LEAST = 72  # columns; below them a row is not cut
HEAD = ("gradient", "shape", "verdict", "error", "worst at", "yours", "numerical")


def width() -> int:
    """Columns that text may have: those of the terminal, and no more than `WIDTH`."""
    return min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns)


def report_text(report: Result) -> str:
    """The report: verdict, a row for each gradient, the likely mistakes, what else was seen."""
    title = f"{report.name}: {report.verdict.upper()}"
    how = f"{report.method}, {report.evaluations} evaluations, tolerance {report.tolerance:.0e}"
    lines = [*textwrap.wrap(title, width()), *textwrap.wrap(how, width(), initial_indent="  ")]
    rows = _aligned([HEAD, *map(_cells, report.shown)]) if report.shown else []
    lines += rows[:1]
    for array, row in zip(report.shown, rows[1:], strict=True):
        lines.append(row)
        if array.reason:
            lines += _item(array.reason)
        for i, diagnosis in enumerate(array.diagnoses):
            lead = "or" if i else "likely"
            lines += _item(
                diagnosis.text if diagnosis.key == "unknown" else f"{lead}: {diagnosis.text}"
            )
    lines += [line for habit in report.habits for line in _item(f"but: {habit}", "  ")]
    lines += [line for note in report.notes for line in _item(f"note: {note}", "  ")]
    return "\n".join(lines)


def _cells(array: ArrayCheck) -> tuple[str, ...]:
    error = f"{array.error:.1e}" if np.isfinite(array.error) else "-"
    worst, yours, numerical = "-", "-", "-"
    if array.worst is not None and array.yours is not None and array.numerical is not None:
        worst = "[" + ", ".join(map(str, array.worst)) + "]"
        yours = f"{float(array.yours[array.worst]):.4g}"
        numerical = f"{float(array.numerical[array.worst]):.4g}"
    return f"d{array.name}", str(array.shape), array.verdict, error, worst, yours, numerical


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Cells in columns; in a narrow terminal the first five are no wider than they must be."""
    wide = [22, 16, 11, 8, 12, 11, 11]
    over = sum(wide) + 8 - max(LEAST, width())
    for i in range(5):
        spare = wide[i] - min(wide[i], max(len(row[i]) for row in rows))
        wide[i] -= min(spare, max(0, over))
        over -= spare
    wide[0] -= max(0, min(over, wide[0] - 8))
    cells = ([_short(cell, n) for cell, n in zip(row, wide, strict=True)] for row in rows)
    return [
        "  " + " ".join(c.rjust(n) if i > 4 else c.ljust(n)
                        for i, (c, n) in enumerate(zip(row, wide, strict=True))).rstrip()
        for row in cells
    ]  # fmt: skip


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _item(text: str, indent: str = "      ") -> list[str]:
    return textwrap.wrap(
        text, width(), initial_indent=indent + "- ", subsequent_indent=indent + "  "
    )


def tally(verdicts: Iterable[str]) -> str:
    """How often each verdict was given, in words: `3 of 5 right, 1 wrong, 1 not checked`."""
    counts = Counter(verdicts)
    words = {BUT: "right, but ...", WRONG: "wrong", NOT_CHECKED: "not checked"}
    others = [f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]]
    return ", ".join([f"{counts[RIGHT]} of {counts.total()} right", *others])


def table(reports: list[Result]) -> str:
    """Several reports as a table, a line each, as wide as the terminal or `WIDTH`."""
    room = width() - 46
    wide = max([9, *(min(room, len(report.name)) for report in reports)])
    lines = [f"{'operation':<{wide}}  {'verdict':<11}  {'rel. error':<10}  method"]
    for report in reports:
        lines.append(
            f"{_short(report.name, wide):<{wide}}  {report.verdict:<11}  {report.error:<10.1e}  "
            f"{report.method}"
        )
    lines.append(tally(report.verdict for report in reports))
    return "\n".join(lines)
