"""Grade a folder of submissions into one table."""

import csv
import io
import secrets
from collections.abc import Callable
from pathlib import Path

from ...check.gradients import crash_line
from ...check.report.result import BUT, RIGHT
from ...engine.door import door
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
    done : callable, optional
        Called with each grade as soon as it is there.

    Raises
    ------
    OptionError
        If there is no submission, or the rubric is wrong.
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
    grades = []
    seed = secrets.randbits(32) if seed is None else seed
    for path in submissions:
        try:
            grade = grade_file(
                path,
                rubric,
                name=name,
                timeout=timeout,
                memory=memory,
                alone=path.is_file(),
                insist=insist,
                seed=seed,
            )
        except OptionError:
            raise
        except (Exception, Overrun) as error:
            grade = Grade(one_line(path.name), problem=CRASHED, crash=crash_line(error))
        grades.append(grade)
        if done is not None:
            done(grade)
    return grades


@door
def grades_csv(grades: list[Grade], rubric: Rubric | None = None) -> str:
    """Grades as a table: a row each, with a column for each exercise."""
    if rubric is not None:
        names = [exercise.name for exercise in rubric.exercises]
    else:
        names = list(dict.fromkeys(e.name for grade in grades for e in grade.exercises))
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["submission", "score", "max_score", "verdict", *names, "remarks"])
    most = rubric.points if rubric is not None else None
    for grade in grades:
        scores = {exercise.name: _points(exercise) for exercise in grade.exercises}
        writer.writerow(
            [
                _plain(grade.file),
                _points(grade),
                f"{grade.max_score if most is None else most:g}",
                grade.verdict,
                *(scores.get(n, "") for n in names),
                _plain(_remarks(grade)),
            ]
        )
    return file.getvalue()


def _points(grade: Grade | ExerciseGrade) -> str:
    """Points as text; none where 0 would only say that nobody knows."""
    return "" if grade.is_open and not grade.score else f"{grade.score:g}"


@door
def write_csv(path: str | Path, grades: list[Grade], rubric: Rubric | None = None) -> None:
    """Write `grades_csv` to a file, as a whole or not at all."""
    text = grades_csv(grades, rubric)
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
