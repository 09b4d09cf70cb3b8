"""Points: at which inputs an exercise is tried, and where these come from.

One point can hide a mistake: a forgotten sum over a batch of one, a factor that equals a size. So
there are three: the first, one with other sizes, one with other values. Where points hang on them,
they are drawn anew for each grading, so that no file can hold the answers.
"""

import contextlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...check.verdict.conventions.implied import IMPLIED
from ...errors import OptionError
from .combine import Fixed
from .discover import Target
from .inputs import draw, other_sizes, vary
from .probing import probe
from .remote import Answers
from .rubric import Exercise
from .search import NoGuessError, other_way, search, with_cost
from .truth import Solution, example_for, kind_specs
from .words import StudentError


@dataclass(frozen=True)
class Point:
    """Inputs to try.

    Attributes
    ----------
    label : str
        Which point it is, such as "other sizes".
    inputs, init : dict
        Arguments of forward, and of a class's constructor.
    decides : bool
        Whether points depend on it, and not only the report.
    must_run : bool
        Whether it is a mistake if the function raises there.
    remark : str
        What is to be said where the gradients agree.
    doubt : NoGuessError, optional
        Why the inputs may not be what is meant: backward raises there, or its gradients do not fit.
        It is wrong if a change of one expression makes it right, and else not checked.
    """

    label: str
    inputs: dict[str, Any]
    init: dict[str, Any]
    decides: bool = True
    must_run: bool = True
    remark: str = ""
    doubt: NoGuessError | None = None


def points_of(
    target: Target,
    exercise: Exercise | None,
    example: Any,
    solution: Solution | None,
    answers: Answers,
    seed: int,
) -> tuple[list[Point], str, Target]:
    """Points to try, a sentence that says where their inputs come from, and how it is called.

    Raises
    ------
    NoGuessError
        If the inputs must be guessed, and no guess runs.
    """
    own = example_for(example, target)
    if exercise is not None:
        points = _points_of_rubric(exercise, solution, target, seed)
        if points:
            origin = "the rubric"
            if own is not None:
                points.append(_split(target, "example()", own, decides=False, must_run=False))
                origin = "the rubric, and example() besides"
            return points, f"inputs from {origin}", target
    if own is not None:
        rng = np.random.default_rng(101)
        points = [_split(target, "example()", own)]
        for which in ("other", "still other"):
            label = f"example() with {which} values"
            points.append(_split(target, label, _varied(own, rng), must_run=False))
        return points, "inputs from example() in the file", called_at(answers, target, points[0])
    return guessed(target, answers)


def called_at(answers: Answers, target: Target, point: Point) -> Target:
    """A target as it is called, where the names in backward leave open how, at given inputs."""
    given = Fixed(point.inputs, point.init)
    with contextlib.suppress(StudentError, OptionError):
        probe(answers, target, given)
    if target.loss == IMPLIED and given.ran:
        return with_cost(target, given)
    return target if given.agrees or not given.ran else other_way(answers, target, given) or target


def guessed(target: Target, answers: Answers) -> tuple[list[Point], str, Target]:
    """Points at inputs that names and source suggest, where they come from, how it is called.

    Raises
    ------
    NoGuessError
        If there are none at which it runs.
    """
    doubt = None
    try:
        guess, target = search(answers, target)
    except NoGuessError as error:
        if error.ran is None:
            raise
        guess, doubt = error.ran, error
    points = [
        Point(label, *guess.drawn(which, seed), must_run=not i, remark=guess.remark, doubt=doubt)
        for i, (label, which, seed) in enumerate(
            [("the first inputs", 0, 11), ("other sizes", 1, 12), ("other values", 0, 13)]
        )
    ]
    shapes = ", ".join(
        f"{n} {_shape(v)}"
        for n, v in {**points[0].inputs, **points[0].init}.items()
        if v is not None or not target.makes(n)
    )
    return points, f"{GUESSED}: {shapes}", target


GUESSED = "inputs from the names of the arguments"


def _three(sizes: dict[str, int], vary_sizes: bool) -> list[tuple[str, dict[str, int], int, bool]]:
    """Label, sizes, seed and whether it must run, of the three points."""
    second = [("other sizes", other_sizes(sizes), 12, False)] if vary_sizes else []
    return [
        ("the first inputs", sizes, 11, True),
        *second,
        ("other values", sizes, 13, False),
    ]


def _shape(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} {_shape(v)}" for k, v in value.items()) + "}"
    return str(value.shape) if isinstance(value, np.ndarray) else str(value)


def _points_of_rubric(
    exercise: Exercise, solution: Solution | None, target: Target, own: int
) -> list[Point]:
    three = _three(exercise.sizes, exercise.vary_sizes)
    if not exercise.inputs and exercise.case is None:
        given = solution.example(exercise.name) if solution is not None else None
        if given is None:
            return []
        rng = np.random.default_rng([own, 17])
        inputs = [given, _varied(given, rng), _varied(given, rng)]
        labels = ("the first inputs", "other values", "still other values")
        return [_split(target, *pair) for pair in zip(labels, inputs, strict=True)]
    points = []
    for label, sizes, seed, _ in three:
        rng = np.random.default_rng([own, seed])
        if exercise.inputs:
            inputs = draw(exercise.inputs, sizes, rng)
        else:
            inputs = dict(exercise.case.draw(rng, sizes))
        init = {n: sizes.get(v, v) if isinstance(v, str) else v for n, v in exercise.init.items()}
        options = exercise.options
        points.append(Point(label, {**inputs, **options}, init))
    return points


def wanted_gradients(exercise: Exercise) -> list[str] | None:
    """Arguments that must have a gradient, by the rubric; None if it does not say."""
    if exercise.inputs:
        return exercise.wrt
    if exercise.case is not None:
        return [n for n in kind_specs(exercise) if n in exercise.case.vary]
    return None


def _varied(given: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    return {n: v if n == "init" else vary(v, rng) for n, v in given.items()}


def _split(
    target: Target,
    label: str,
    given: dict[str, Any],
    *,
    decides: bool = True,
    must_run: bool = True,
) -> Point:
    """Tell apart what goes to a class's constructor: what is named there and not in forward."""
    own = {n for n, _ in target.parameters}
    names = {n for n, _ in target.init}
    init = {n: v for n, v in given.items() if n in names and n not in own}
    inputs = {n: v for n, v in given.items() if n not in init}
    if isinstance(inputs.get("init"), dict) and "init" not in own:
        init |= inputs.pop("init")
    return Point(label, inputs, init, decides, must_run)
