"""One trial: a student's pair at one point, against its own forward pass or the truth."""

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ...check.gradients import check_subject, crash_line
from ...check.values.forward import forward_doubt
from ...check.verdict.subject import Subject
from ...errors import MinivaeError
from .discover import Target
from .exercise_grade import ExerciseGrade, PointResult
from .points import Point, wanted_gradients
from .remote import NoLossError, free_forward, remote_subject
from .rubric import Exercise
from .sandbox import NotReadError, Sandbox, SandboxError, StudentError
from .truth import Solution, Truth, believing, forward_difference, kind_truth

CRASHED = "the doctor itself failed here, so this says nothing about the code; tell your instructor"
FITS = "the gradient fits this forward pass, but {}"
SINGLE = "the source asks for float32, which rounds to 7 digits; it was checked in float64"
MAX_ENTRIES, FEWEST_ENTRIES = 150, 20
SECONDS = (0.8, 0.3)
"""Time for the numerical gradients of the first point, and of each other one."""


def unharmed(run: Callable[..., ExerciseGrade]) -> Callable[..., ExerciseGrade]:
    """Let a method that fills in a grade, its first argument, say so where the grader fails."""

    @functools.wraps(run)
    def careful(self: Any, grade: ExerciseGrade, *rest: Any) -> ExerciseGrade:
        try:
            return run(self, grade, *rest)
        except (MinivaeError, StudentError, SandboxError):
            raise
        except Exception as error:
            return replace(
                grade, problem=f"{grade.name}: {CRASHED}", crash=crash_line(error), points=[]
            )

    return careful


def try_point(
    sandbox: Sandbox,
    target: Target,
    point: Point,
    exercise: Exercise | None,
    solution: Solution | None,
    seconds: float,
    *,
    seek: bool = True,
) -> PointResult:
    """Check a target at one point; what goes wrong in the student's code is in the result.

    With `seek`, the line that is wrong is looked for.
    """
    result = PointResult(point.label, decides=point.decides)
    point, wrt, truth = _matched(target, point, exercise, solution)
    try:
        subject = remote_subject(sandbox, target, point.inputs, point.init, wrt)
        if truth is not None:
            result.forward = forward_difference(subject, truth)
            if result.forward.startswith("forward returns the shapes"):
                return result
            subject, result.asked = believing(subject, truth), truth.asked
        result.report = check_subject(
            subject if seek else replace(subject, editor=None),
            np.random.default_rng(29),
            tolerance=exercise.tolerance if exercise is not None else None,
            max_entries=_entries(subject, seconds),
            seed=3,
        )
        if result.report.passed and subject.manners.single:
            result.report.habits.append(SINGLE)
        if result.report.passed and point.remark:
            result.report.habits.append(point.remark)
        if result.report.passed and truth is None:
            doubt = forward_doubt(
                target.name, *free_forward(sandbox, target, point.inputs, point.init)
            )
            result.report.habits += [FITS.format(doubt)] if doubt else []
    except NoLossError:
        raise
    except (SandboxError, StudentError) as error:
        result.problem = f"{target.name}: {error}"
        result.doubtful = isinstance(error, NotReadError)
    except MinivaeError as error:
        result.problem = str(error)
    except Exception as error:  # something that nobody thought of; it is no fault of the student's
        result.problem, result.crash = f"{target.name}: {CRASHED}", crash_line(error)
    if sandbox.died and not result.problem:
        result.problem, result.report = f"{target.name}: {sandbox.died}", None
    return result


def _matched(
    target: Target, point: Point, exercise: Exercise | None, solution: Solution | None
) -> tuple[Point, list[str] | None, Truth | None]:
    """Call the rubric's arguments by the student's names, where these are others."""
    if exercise is None or not point.decides:
        return point, None, None
    truth = None
    if solution is not None:
        truth = solution.truth(exercise.name, point.inputs, point.init)
    elif exercise.kind:
        truth = kind_truth(exercise, point.inputs)
    wrt = wanted_gradients(exercise)
    if wrt is None and truth is not None and truth.asked:
        wrt = [n for n in truth.asked if n in point.inputs]
    own = [n for n, _ in target.parameters if not n.startswith("*")]
    given = list(point.inputs)
    if target.form == "class" or set(given) <= set(own) or len(given) > len(own):
        return point, wrt, truth
    names = dict(zip(given, own, strict=False))
    if wrt is not None:
        wrt = [".".join([names[n.partition(".")[0]], *n.split(".")[1:]]) for n in wrt]
    renamed = replace(point, inputs={names[n]: v for n, v in point.inputs.items()})
    return renamed, wrt, None if truth is None else truth.renamed(names)


def _entries(subject: Subject, seconds: float) -> int:
    """How many entries of each array can be checked in the time, by timing one evaluation."""
    start = time.perf_counter()
    if subject.truth is not None:
        subject.truth({n: a.copy() for n, a in subject.arguments.items()})
    else:
        subject.forward({n: a.copy() for n, a in subject.arguments.items()})
    one = 6 * max(time.perf_counter() - start, 1e-6)
    return int(np.clip(seconds / one / len(subject.vary), FEWEST_ENTRIES, MAX_ENTRIES))
