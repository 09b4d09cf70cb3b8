"""A report as plain text that fits 100 columns."""

import shutil
import textwrap
from collections import Counter
from collections.abc import Iterable

import numpy as np

from .result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck, Result

WIDTH = 100


def report_text(report: Result) -> str:
    """The report: verdict, a row for each gradient, the likely mistakes, what else was seen."""
    title = f"{report.name}: {report.verdict.upper()}"
    how = f"{report.method}, {report.evaluations} evaluations, tolerance {report.tolerance:.0e}"
    lines = [*textwrap.wrap(title, WIDTH), *textwrap.wrap(how, WIDTH, initial_indent="  ")]
    if report.shown:
        lines.append(
            f"  {'gradient':<22} {'shape':<16} {'verdict':<11} {'error':<8} "
            f"{'worst at':<12} {'yours':>11} {'numerical':>11}"
        )
    for array in report.shown:
        lines.append(_row(array))
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


def _row(array: ArrayCheck) -> str:
    error = f"{array.error:.1e}" if np.isfinite(array.error) else "-"
    worst, yours, numerical = "-", "-", "-"
    if array.worst is not None and array.yours is not None and array.numerical is not None:
        worst = "[" + ", ".join(map(str, array.worst)) + "]"
        yours = f"{float(array.yours[array.worst]):.4g}"
        numerical = f"{float(array.numerical[array.worst]):.4g}"
    return (
        f"  {_short('d' + array.name, 22):<22} {_short(str(array.shape), 16):<16} "
        f"{array.verdict:<11} {error:<8} {_short(worst, 12):<12} {yours:>11} {numerical:>11}"
    ).rstrip()


def _short(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _item(text: str, indent: str = "      ") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent + "- ", subsequent_indent=indent + "  ")


def tally(verdicts: Iterable[str]) -> str:
    """How often each verdict was given, in words: `3 of 5 right, 1 wrong, 1 not checked`."""
    counts = Counter(verdicts)
    words = {BUT: "right, but ...", WRONG: "wrong", NOT_CHECKED: "not checked"}
    others = [f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]]
    return ", ".join([f"{counts[RIGHT]} of {counts.total()} right", *others])


def table(reports: list[Result]) -> str:
    """Several reports as a table, a line each, as wide as the terminal or `WIDTH`."""
    room = min(WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns) - 46
    width = max([9, *(min(room, len(report.name)) for report in reports)])
    lines = [f"{'operation':<{width}}  {'verdict':<11}  {'rel. error':<10}  method"]
    for report in reports:
        lines.append(
            f"{_short(report.name, width):<{width}}  {report.verdict:<11}  {report.error:<10.1e}  "
            f"{report.method}"
        )
    lines.append(tally(report.verdict for report in reports))
    return "\n".join(lines)
