"""Gradescope's `results.json`: https://gradescope-autograders.readthedocs.io/en/latest/specs/ ."""

import json
from pathlib import Path
from typing import Any

from ...check.report.result import BUT, RIGHT
from ...errors import OptionError
from ...files import write_atomically
from .exercise_grade import ExerciseGrade
from .grade import Grade
from .words import printable

MAX_OUTPUT = 20_000


def results(grade: Grade) -> dict[str, Any]:
    """Return a grade as Gradescope reads it: a test for each exercise, its report as output.

    What the student's code printed is left out: it could be anything that it found to read.
    """
    tests = [
        {
            "name": exercise.title or exercise.name,
            **_score(exercise),
            "max_score": exercise.max_score,
            "status": "passed" if exercise.verdict in (RIGHT, BUT) else "failed",
            "output": exercise.text[:MAX_OUTPUT],
            "output_format": "text",
            "visibility": exercise.visibility,
        }
        for exercise in grade.exercises
    ]
    if not tests:
        tests = [failed_test(grade.file, printable(grade.problem))]
        if grade.is_open:
            del tests[0]["score"]
    return {
        **_score(grade),
        "output": printable(grade.problem),
        "output_format": "text",
        "execution_time": round(grade.seconds),
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def _score(grade: Grade | ExerciseGrade) -> dict[str, float]:
    """The points; none where 0 would only say that nobody knows."""
    return {} if grade.is_open and not grade.score else {"score": grade.score}


def failed_test(name: str, problem: str, max_score: float = 1.0) -> dict[str, Any]:
    """A test that stands for a submission in which nothing could be tested."""
    return {
        "name": name,
        "score": 0.0,
        "max_score": max_score,
        "status": "failed",
        "output": problem,
        "output_format": "text",
        "visibility": "visible",
    }


def failure(name: str, problem: str, max_score: float = 1.0) -> dict[str, Any]:
    """Results for a submission that the grader could not grade: no points, not even 0."""
    test = failed_test(name, problem, max_score)
    del test["score"]
    return {
        "output": problem,
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": [test],
    }


def write_results(path: str | Path, content: dict[str, Any]) -> None:
    """Write results, whatever lay there before; also where the folder has gone.

    Raises
    ------
    OptionError
        If that place cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(content, indent=2, allow_nan=False)
        write_atomically(path, lambda file: file.write(text.encode()))
    except OSError as error:
        raise OptionError(f"{path}: the results cannot be written ({error.strerror}).") from None
