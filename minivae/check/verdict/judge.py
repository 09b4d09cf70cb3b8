"""What else decides: whether the numbers could show a mistake, and what is right on purpose.

A comparison says that two gradients agree or not. Agreement is no evidence where the output does
not depend on the argument; and a disagreement is no mistake where value and gradient differ on
purpose, where a course divides by the number of examples in another place, or where a loss is
called without an upstream gradient.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..report.result import BUT, NOT_CHECKED, RIGHT, WRONG, ArrayCheck, Diagnosis
from .conventions.names import gradient_names, is_weight, plain, sure_names
from .conventions.values import same
from .epsilon import judge_epsilon
from .habits import Run
from .leaps import is_constant, jumps
from .subject import Subject

Function = Callable[[np.ndarray], Any]


def judge_alone(check: ArrayCheck, f: Function, x: np.ndarray, subject: Subject) -> None:
    """Look at one gradient again, at an output that may not depend on its argument smoothly."""
    if check.numerical is None or not x.size or _is_broken(check):
        return
    known = check.numerical[np.isfinite(check.numerical)]
    flat = not known.any()
    returned = check.yours is not None
    if returned and (flat or check.verdict == WRONG) and jumps(f, x):
        check.verdict, check.silent = NOT_CHECKED, flat and not np.any(check.yours)
        check.reason = (
            f"the output jumps where {check.name} moves (it is rounded, or a sign or an index is "
            "taken of it), and a numerical gradient does not see jumps: a gradient that goes "
            "straight through cannot be checked"
        )
    elif returned and check.verdict == WRONG and subject.manners.stopped:
        if np.shape(check.yours) == check.shape and np.isfinite(check.yours).all():
            check.verdict = NOT_CHECKED
            check.reason = (
                f'"{subject.manners.stopped}" in the source says that the gradient differs from '
                f"the slope of the value on purpose; for {check.name} it does, by "
                f"{check.error:.1e}, and a numerical gradient cannot tell whether rightly"
            )
    elif flat and (is_constant(f, x) if not returned else not np.any(check.yours)):
        if returned and check.verdict != RIGHT:
            return  # zeros of another shape
        check.verdict, check.silent = NOT_CHECKED, True
        check.reason = (
            f"the output does not change with {check.name} at these numbers, so that a gradient of "
            "0 shows nothing; is forward finished, or are all weights 0?"
        )


def _is_broken(check: ArrayCheck) -> bool:
    """Whether a gradient holds NaN or infinity, which nothing excuses."""
    return check.yours is not None and not np.isfinite(check.yours).all()


def judge_together(
    arrays: list[ArrayCheck],
    subject: Subject,
    upstream: list[np.ndarray],
    found: Run,
    again: Callable[[list[np.ndarray]], dict[str, Any]],
    tolerance: float,
) -> None:
    """Look at what all gradients say together.

    Parameters
    ----------
    arrays : list of ArrayCheck
        Their verdicts are changed.
    subject : Subject
        What is checked.
    upstream : list of numpy.ndarray
        The upstream gradients.
    found : Run
        What the pair did.
    again : callable
        Gradients for other upstream gradients.
    tolerance : float
        Relative error that passes.
    """
    if subject.known is not None:
        _believe(arrays, subject.known(upstream), tolerance)
    if subject.manners.upstream:
        _judge_upstream(arrays, subject, upstream, again, tolerance)
    if subject.manners.foreign and subject.known is None and subject.truth is None:
        _judge_mean(arrays, subject, upstream)
        judge_epsilon(arrays, subject, upstream)
    if not found.steady:
        for array in arrays:
            off = array.verdict == WRONG and not _is_broken(array)
            if off and np.shape(array.yours) == array.shape:
                array.verdict = NOT_CHECKED
                array.reason = (
                    "forward returns something else each time, with the same inputs, so that no "
                    "difference of two values means anything"
                )


def _believe(arrays: list[ArrayCheck], known: dict[str, Any], tolerance: float) -> None:
    """Whoever returns the gradient of the grader's own solution is right."""
    for array in arrays:
        theirs = known.get(array.name)
        if array.verdict == RIGHT or theirs is None or np.shape(array.yours) != np.shape(theirs):
            continue
        scale = max(np.abs(theirs).max(initial=0.0), 1e-300)
        if np.abs(array.yours - theirs).max(initial=0.0) <= tolerance * scale + 1e-12:
            array.verdict, array.silent = RIGHT, False
            array.reason = "the solution's gradient, which is not the slope of the value"
        elif array.verdict == NOT_CHECKED and not array.silent:
            array.verdict = WRONG
            array.reason = "it differs from the solution's gradient"


def relies_on_default(
    subject: Subject, outputs: list[np.ndarray], again: Callable[[list[np.ndarray]], dict[str, Any]]
) -> list[str]:
    """Say, of a loss whose upstream gradient is optional, that it is not used; else nothing.

    Such a backward pass is called without one, and is then to be checked at 1.
    """
    manners = subject.manners
    if not (subject.scalar and manners.upstream and manners.optional):
        return []
    one, two = (again([np.full_like(y, factor) for y in outputs]) for factor in (1.0, 2.0))
    if not same(one, two):
        return []
    return [f"{manners.name} is not used; that is right where it is 1, as by default"]


def _judge_upstream(
    arrays: list[ArrayCheck],
    subject: Subject,
    upstream: list[np.ndarray],
    again: Callable[[list[np.ndarray]], dict[str, Any]],
    tolerance: float,
) -> None:
    """Backward is linear in the upstream gradient; a loss that ignores it is right at 1 alone."""
    one, two = again(upstream), again([2 * dy for dy in upstream])
    name = subject.manners.name
    for array in arrays:
        a, b = one.get(array.name), two.get(array.name)
        if a is None or b is None or np.shape(a) != np.shape(b) or array.verdict == NOT_CHECKED:
            continue
        a, b = np.asarray(a), np.asarray(b)
        size = np.abs(a).max(initial=0.0)
        if not np.isfinite(a).all() or np.abs(b - 2 * a).max(initial=0.0) <= 1e-5 * size:
            continue
        ignored = (
            subject.scalar
            and np.shape(a) == array.shape
            and _is_right_at_one(array, float(np.sum(upstream[0])), tolerance)
        )
        array.verdict = WRONG
        words = f"d{array.name} does not double when {name} doubles: multiply by {name}, once"
        if ignored:
            words = (
                f"d{array.name} is right only where {name} is 1: multiply by {name}, the gradient "
                "of what follows, once"
            )
            array.diagnoses = [Diagnosis("no_upstream", words, 0.0)]
        else:
            array.reason = array.reason or words


def _is_right_at_one(array: ArrayCheck, dy: float, tolerance: float) -> bool:
    known = np.isfinite(array.numerical)
    right = array.numerical[known] / dy
    scale = np.abs(right).max(initial=0.0)
    off = np.abs(array.yours[known] - right).max(initial=0.0)
    return bool(off <= 10 * tolerance * scale + 1e-12)


def _judge_mean(arrays: list[ArrayCheck], subject: Subject, upstream: list[np.ndarray]) -> None:
    """A layer whose parameters' gradients are all divided by the number of examples.

    That is a course's convention: its cost is a mean, and the 1/m is put into each layer instead
    of into the first upstream gradient. A gradient that is passed on to the layer before must not
    have it, else it would be there once more with each layer; unless there are no parameters, as
    in the activation that comes last. A loss has its own; but one for each example may return what
    their mean gives.
    """
    if subject.scalar or not (subject.manners.upstream or upstream[0].ndim == 1):
        return
    for axis, size in _batch_axes(subject, upstream[0].shape):
        rows = [
            a
            for a in arrays
            if len(a.shape) == axis[1] and a.shape[axis[0]] == size and not is_weight(a.name)
        ]
        divided = [a for a in arrays if all(a is not row for row in rows)]
        if any(row.verdict == WRONG for row in rows):
            divided = arrays if axis[0] == 0 and not divided else []
        divided = [a for a in divided if a.verdict == WRONG or np.any(a.yours)]  # no dead layer's
        if size > 1 and divided and all(ratio_is(a, 1 / size) for a in divided):
            for array in divided:
                array.verdict = BUT
                array.reason = (
                    f"the gradient times 1/{size}, where {size} is the number of examples: right "
                    "in a course that puts the 1/m of its mean cost here, if it is in no other "
                    "layer and not in the upstream gradient as well"
                )
            return


def _batch_axes(subject: Subject, output: tuple[int, ...]) -> list[tuple[tuple[int, int], int]]:
    """(axis, number of axes) and size of what may be the examples: an axis of data and output."""
    arguments, inputs = subject.arguments, sure_names("x")
    data = [n for n in arguments if plain(n) in inputs] or list(arguments)[:1]
    return [
        ((axis % arguments[n].ndim, arguments[n].ndim), arguments[n].shape[axis])
        for n in data
        for axis in (0, -1)
        if arguments[n].ndim and output and arguments[n].shape[axis] == output[axis]
    ]


def ratio_is(array: ArrayCheck, factor: float) -> bool:
    """Whether a wrong gradient is the right one times a factor."""
    if array.verdict != WRONG or np.shape(array.yours) != array.shape or array.numerical is None:
        return False
    known = np.isfinite(array.numerical)
    right = factor * array.numerical[known]
    scale = np.abs(right).max(initial=0.0)
    return bool(
        scale > 0
        and np.isfinite(array.yours).all()
        and np.abs(array.yours[known] - right).max() <= 1e-6 * scale
    )


def overlooked(subject: Subject) -> list[ArrayCheck]:
    """A line for each array of an object that changes the output and has no gradient."""

    def reason(name: str) -> str:
        forms = gradient_names(name.rpartition(".")[2])
        lost = next((n for n in subject.manners.lost if n in forms), "")
        if lost:
            return f"{lost} is computed in backward and kept nowhere; write self.{lost}"
        return (
            f"{name} changes the output, but it could not be compared: the gradient of {name} was "
            f"not found (keep it as d{name.rpartition('.')[2]}, or return it by name), or it is a "
            "number where an array is needed"
        )

    return [
        ArrayCheck(name, shape, NOT_CHECKED, reason=reason(name))
        for name, shape in subject.manners.overlooked.items()
        if name not in subject.vary
    ]


def with_increments(subject: Subject, found: Run) -> Subject:
    """The subject, whose gradients no longer add up from call to call."""
    return replace(subject, backward=found.increments(subject)) if found.sums else subject
