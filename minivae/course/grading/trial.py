"""One trial: a student's pair at one point, against its own forward pass or the truth."""

import contextlib
import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...check.diagnosis.edits import mends_of_stop
from ...check.gradients import check_subject, crash_line
from ...check.report.result import BUT, WRONG, ArrayCheck
from ...check.verdict.conventions.implied import COSTS, IMPLIED
from ...check.verdict.conventions.names import WITHOUT_GRADIENT, is_data, plain
from ...check.verdict.judge import ratio_is
from ...check.verdict.subject import Subject
from ...errors import MinivaeError, OptionError
from .discover import Target
from .example import example_text
from .exercise_grade import ExerciseGrade
from .forward import forward_doubt
from .lane import Lane
from .limits import Overrun, interrupted
from .point_result import PointResult
from .points import Point, wanted_gradients
from .remote import NoLossError, free_forward, remote_subject
from .rubric import Exercise
from .sandbox import Sandbox
from .told import FITS, cut, told
from .truth import Solution, Truth, believing, forward_difference, kind_truth
from .words import NotReadError, SandboxError, StudentError

CRASHED = "the doctor itself failed here, so this says nothing about the code; tell your instructor"
SINGLE = "the source asks for float32, which rounds to 7 digits; it was checked in float64"
COST = "no cost is written; these are the gradients of {} of what forward returns"
MEAN = "the gradient of the mean over the {} examples, whose sum the cost is"
SLOW = "it could not be checked in the time that there is; tell your instructor"
MAX_ENTRIES, FEWEST_ENTRIES = 150, 20
SECONDS = (0.8, 0.3)
"""Time for the numerical gradients of the first point, and of each other one."""


def unharmed(run: Callable[..., ExerciseGrade]) -> Callable[..., ExerciseGrade]:
    """Let a method that fills in a grade, from a lane, say so where the grader fails or is slow."""

    @functools.wraps(run)
    def careful(self: Any, grade: ExerciseGrade, lane: Lane, *rest: Any) -> ExerciseGrade:
        try:
            with interrupted(lane.left):
                return run(self, grade, lane, *rest)
        except (NoLossError, OptionError):
            raise
        except MinivaeError as error:
            return replace(grade, problem=f"{grade.name}: {error}", points=[])
        except Overrun as error:
            said, crash = SLOW, crash_line(error)
        except Exception as error:
            said, crash = CRASHED, crash_line(error)
        return replace(grade, problem=f"{grade.name}: {said}", crash=crash, points=[])

    return careful


def try_points(
    grade: ExerciseGrade,
    lane: Lane,
    file: Path,
    target: Target,
    points: list[Point],
    exercise: Exercise | None,
    solution: Solution | None,
    seed: int,
) -> None:
    """Try a target at some points, and fill in the grade."""
    grade.trusted = exercise is not None and bool(exercise.kind or solution)
    hint = "edit" if exercise is None else exercise.hint
    for i, point in enumerate(points):
        try:
            sandbox = lane.sandbox(file)
        except StudentError as error:
            grade.problem = str(error)
            return
        seek = hint not in ("verdict", "gradient") and all(
            found.verdict != WRONG
            for found in grade.points  # once is enough
        )
        result = try_point(
            sandbox,
            target,
            point,
            exercise,
            solution,
            SECONDS[min(i, 1)],
            seed=seed + i,
            seek=seek,
        )
        if point.doubt is not None and not result.mended:
            grade.problem = f"{target.name}: {point.doubt}"
            grade.example = example_text(target, point.doubt.guess)
            grade.points = []
            return
        if result.report is not None:
            result.report = told(result.report, hint)
        for mend in filter(None, (cut(mend, hint) for mend in result.mends)):
            result.problem += f"; {mend.text}"
        if result.problem and not point.must_run and i:
            grade.notes.append(f"not tried at {point.label}: {result.problem}")
            if not sandbox.died:
                continue
            result.decides = True  # to hang or to die is not to refuse other sizes
        grade.points.append(result)
        if sandbox.died or (result.problem and i == 0):
            return


def try_point(
    sandbox: Sandbox,
    target: Target,
    point: Point,
    exercise: Exercise | None,
    solution: Solution | None,
    seconds: float,
    *,
    seed: int,
    seek: bool = True,
) -> PointResult:
    """Check a target at one point; what goes wrong in the student's code is in the result.

    `seed` draws what the code cannot know: the upstream gradients, and which entries are compared.
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
            subject = believing(subject, truth)
        result.asked, result.unnamed = _asked(target, point, subject, wrt, truth)
        options: dict[str, Any] = {
            "tolerance": exercise.tolerance if exercise is not None else None,
            "max_entries": _entries(subject, seconds),
            "seed": seed,
        }
        read = subject if seek else replace(subject, editor=None)
        try:
            result.report = check_subject(read, np.random.default_rng(seed), **options)
        except RecursionError:  # source that is nested too deeply to be read; numbers are not
            read = replace(subject, editor=None, record=None)
            result.report = check_subject(read, np.random.default_rng(seed), **options)
        if target.loss not in (None, IMPLIED) and truth is None:
            _excuse_mean(result.report.arrays, point.inputs)
        if result.report.passed and subject.manners.single:
            result.report.habits.append(SINGLE)
        remarks = [point.remark, COST.format(COSTS[target.way][0]) * (target.loss == IMPLIED)]
        if result.report.passed:
            result.report.habits += filter(None, remarks)
        if result.report.passed and truth is None:
            doubt = forward_doubt(
                target.name, *free_forward(sandbox, target, point.inputs, point.init)
            )
            result.report.habits += [FITS + doubt] if doubt else []
    except NoLossError:
        raise
    except (SandboxError, StudentError) as error:
        result.problem = f"{target.name}: {error}"
        result.doubtful = isinstance(error, NotReadError)
        if seek and isinstance(error, StudentError) and error.subject is not None:
            with contextlib.suppress(Exception):  # that it stops is said; a mend is a kindness
                result.mends = mends_of_stop(error.subject)
    except MinivaeError as error:
        result.problem = str(error)
    except Exception as error:  # something that nobody thought of; it is no fault of the student's
        result.problem, result.crash = f"{target.name}: {CRASHED}", crash_line(error)
    if sandbox.died and not result.problem:
        result.problem, result.report = f"{target.name}: {sandbox.died}", None
    return result


def _excuse_mean(arrays: list[ArrayCheck], inputs: dict[str, Any]) -> None:
    """Let gradients of a mean over the examples pass where the cost, another function, is a sum."""
    first = next((a for a in inputs.values() if np.ndim(a) == 2), None)
    for size in () if first is None else {first.shape[0], first.shape[1]} - {1}:
        if all(ratio_is(array, 1 / size) for array in arrays):
            for array in arrays:
                array.verdict, array.reason = BUT, MEAN.format(size)


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


def _asked(
    target: Target, point: Point, subject: Subject, wrt: list[str] | None, truth: Truth | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the gradients that count, and of parameters that nobody has named.

    They are what the rubric or the solution says. Where neither does, they are those of all
    arguments; and the parameters of a class, of which a student may make any number, count as one.
    """
    known = subject.arguments

    def flat(name: str) -> str:
        end = name.rpartition(".")[2]
        return name if name in known or end not in known else end

    if truth is not None and truth.asked:
        return tuple(map(flat, truth.asked)), ()
    given = [n for n in known if n in point.inputs or n.partition(".")[0] in point.inputs]
    keys = [k for value in point.inputs.values() if isinstance(value, dict) for k in value]
    given += [n for n in known if n in keys and n not in given]
    own = tuple(n for n in known if n not in given) if target.form == "class" else ()
    if wrt is not None:
        return tuple(map(flat, wrt)), () if truth is not None else own
    loss = target.form == "loss"  # of data, which have no gradient there
    none = {n for n in given if plain(n) in WITHOUT_GRADIENT or (loss and is_data(n))}
    return tuple(n for n in given if n in subject.vary or n not in none), own


def _entries(subject: Subject, seconds: float) -> int:
    """How many entries of each array can be checked in the time, by timing one evaluation."""
    start = time.perf_counter()
    if subject.truth is not None:
        subject.truth({n: a.copy() for n, a in subject.arguments.items()})
    else:
        subject.forward({n: a.copy() for n, a in subject.arguments.items()})
    one = 6 * max(time.perf_counter() - start, 1e-6)
    return int(np.clip(seconds / one / len(subject.vary), FEWEST_ENTRIES, MAX_ENTRIES))
