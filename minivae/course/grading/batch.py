"""Grade a folder of submissions into one table."""

import csv
import functools
import io
import secrets
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ...check.gradients import crash_line
from ...check.report.result import BUT, RIGHT
from ...engine.door import door
from ...engine.kinds import Jobs
from ...engine.workers import each
from ...errors import OptionError
from ...files import write_atomically
from .exercise_grade import ExerciseGrade
from .grade import Grade
from .limits import Overrun
from .rubric import Rubric
from .submission import grade_file
from .trial import CRASHED
from .words import one_line, printable


@door
def grade_folder(
    folder: str | Path,
    rubric: Rubric | None = None,
    *,
    name: str | None = None,
    timeout: float | None = None,
    memory: int = 2048,
    insist: bool = False,
    seed: int | None = None,
    jobs: Jobs = 1,
    done: Callable[[Grade], None] | None = None,
) -> list[Grade]:
    """Grade each file and each subfolder of a folder as a submission.

    A file is run without those beside it, which belong to others. One that brings the grader itself
    to fail has that as its problem, and no points until a person has looked; the others are graded
    all the same.

    Parameters
    ----------
    folder : str or Path
        Where the submissions are.
    rubric, name, timeout, memory, insist, seed
        As for `grade_file`; one fresh seed is drawn for all.
    jobs : int
        Submissions that are graded at once, each in a process of its own.
    done : callable, optional
        Called with each grade as soon as it and those before it are there.

    Raises
    ------
    OptionError
        If there is no submission, or the rubric is wrong.
    """
    how = {"name": name, "timeout": timeout, "memory": memory, "insist": insist}
    how["seed"] = secrets.randbits(32) if seed is None else seed
    grades = []
    for grade in grade_each(submissions_in(folder), rubric, jobs, **how):
        grades.append(grade)
        if done is not None:
            done(grade)
    return grades


def submissions_in(folder: str | Path) -> list[Path]:
    """Files and subfolders of a folder that are submissions, by name.

    Raises
    ------
    OptionError
        If there is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise OptionError(f"{folder} is no folder; give one with a submission per file or folder.")
    submissions = sorted(
        path
        for path in folder.iterdir()
        if not path.name.startswith((".", "__"))
        and not path.is_symlink()
        and (path.is_dir() or path.suffix == ".py")
    )
    if not submissions:
        raise OptionError(f"{folder} holds no submission: no Python file and no subfolder.")
    return submissions


def grade_each(
    submissions: Iterable[Path], rubric: Rubric | None, jobs: int, **how: Any
) -> Iterator[Grade]:
    """Yield the grade of each submission, in order; `how` is what `grade_file` takes."""
    grade_one = functools.partial(_grade_one, rubric=rubric, how=how)
    for path, grade in each(grade_one, submissions, jobs):
        if isinstance(grade, OptionError):
            raise grade
        if isinstance(grade, Exception):
            grade = Grade(one_line(path.name), problem=CRASHED, crash=crash_line(grade))
        yield grade


def _grade_one(path: Path, rubric: Rubric | None, how: dict[str, Any]) -> Grade:
    try:
        return grade_file(path, rubric, alone=path.is_file(), **how)
    except Overrun as error:
        return Grade(one_line(path.name), problem=CRASHED, crash=crash_line(error))
    except OptionError:
        raise
    except Exception as error:  # here, where the line is still known
        return Grade(one_line(path.name), problem=CRASHED, crash=crash_line(error))


Row = dict[str, str]
"""A row of the table: text of each column."""

FIRST, LAST = ("submission", "score", "max_score", "verdict"), "remarks"
"""Columns before those of the exercises, and after them."""


def row_of(grade: Grade, rubric: Rubric | None = None) -> Row:
    """Row of a grade; all that is kept of it, so that the memory does not grow with reports."""
    most = grade.max_score if rubric is None else rubric.points
    row = {"submission": name_of(grade.file), "score": _points(grade), "max_score": f"{most:g}"}
    row["verdict"] = grade.verdict
    row |= {exercise.name: _points(exercise) for exercise in grade.exercises}
    return row | {LAST: _plain(_remarks(grade))}


def name_of(file: str) -> str:
    """What a table calls a submission."""
    return _plain(one_line(file))


def table(rows: Iterable[Row], rubric: Rubric | None = None) -> str:
    """Rows as CSV, with a column for each exercise."""
    rows = list(rows)
    if rubric is not None:
        names = [exercise.name for exercise in rubric.exercises]
    else:
        own = (name for row in rows for name in row if name not in (*FIRST, LAST))
        names = list(dict.fromkeys(own))
    file = io.StringIO()
    columns = [*FIRST, *names, LAST]
    writer = csv.DictWriter(file, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue()


def rows_in(path: Path) -> dict[str, Row]:
    """Rows of a table that was written before, by submission.

    Raises
    ------
    OptionError
        If the file is no such table.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, restval="", strict=True))
    except (csv.Error, UnicodeDecodeError):
        rows = []
    if not rows or not {*FIRST, LAST} <= rows[0].keys():
        raise OptionError(
            f"{path} is no table of grades, so there is nothing to go on with; name one that "
            "--batch wrote, or leave out --resume."
        )
    return {row["submission"]: row for row in rows}


@door
def grades_csv(grades: list[Grade], rubric: Rubric | None = None) -> str:
    """Grades as a table: a row each, with a column for each exercise."""
    return table([row_of(grade, rubric) for grade in grades], rubric)


def _points(grade: Grade | ExerciseGrade) -> str:
    """Points as text; none where 0 would only say that nobody knows."""
    return "" if grade.is_open and not grade.score else f"{grade.score:g}"


@door
def write_csv(path: str | Path, grades: list[Grade], rubric: Rubric | None = None) -> None:
    """Write `grades_csv` to a file, as a whole or not at all."""
    write_rows(path, [row_of(grade, rubric) for grade in grades], rubric)


def write_rows(path: str | Path, rows: Iterable[Row], rubric: Rubric | None = None) -> None:
    """Write `table` to a file, as a whole or not at all."""
    text = table(rows, rubric)
    write_atomically(Path(path), lambda file: file.write(text.encode()))


def _remarks(grade: Grade) -> str:
    """What is wrong, in short."""
    if grade.problem:
        return f"{grade.problem} ({grade.crash})" if grade.crash else grade.problem
    remarks = [f"look at {e.name}, not checked" for e in grade.exercises if e.is_open]
    remarks += [crash for e in grade.exercises for crash in e.crashes]
    for exercise in grade.exercises:
        found = [exercise.problem, *(p.problem for p in exercise.deciding)]
        found += [p.forward for p in exercise.deciding[:1]]
        for report in exercise.reports[:1]:
            for array in report.arrays:
                if array.verdict not in (RIGHT, BUT):
                    likely = array.diagnoses[0].text if array.diagnoses else array.reason
                    found.append(f"d{array.name}: {likely or array.verdict}")
        found += exercise.habits
        told = [what for what in found if what]
        if told:
            remarks.append(f"{exercise.name}: {told[0]}")
    return "; ".join(remarks)


def _plain(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    text = printable(" ".join(text.split()))
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text
