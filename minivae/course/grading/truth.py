"""The truth: forward passes that the instructor trusts, run in the grader's own process.

A gradient check believes the forward pass. A student's forward pass may be wrong, or lie: return
zeros, say, so that a backward pass of zeros agrees with it. Where the rubric names an operation of
minivae (`kind`) or a solution, its forward pass is believed instead: the student's values are
compared with it, and the numerical gradients are taken of it.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...check import tape
from ...check.verdict import conventions, draws, frozen
from ...check.verdict.conventions import Reading
from ...check.verdict.conventions.reading import Arrays
from ...check.verdict.functions import is_list_of_numbers
from ...check.verdict.subject import Subject
from ...errors import OptionError
from .discover import Target, choose, discover
from .inputs import Spec
from .remote import RemoteDoor
from .rubric import Exercise
from .worker.session import Session

Truth = Callable[[Arrays], list[np.ndarray]]


class Solution:
    """The instructor's file, loaded here; it answers like a sandbox.

    Raises
    ------
    OptionError
        If it does not import.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.session = path, Session(conventions, draws, frozen, tape)
        sys.path.insert(0, str(path.parent))
        try:
            self.session.load(str(path), f"minivae_solution_{path.stem}", path.parent.name)
        except Exception as error:
            raise OptionError(
                f"{path}: the solution does not import ({type(error).__name__}: {error})."
            ) from None
        finally:
            with contextlib.suppress(ValueError):
                sys.path.remove(str(path.parent))
        self.targets = discover(self.session.describe())

    def call(self, do: str, **arguments: Any) -> Any:
        """Call a method of the session."""
        return self.session.handle({"do": do, "with": arguments})

    def example(self, name: str) -> dict[str, Any] | None:
        """What the solution's `example()` gives for an exercise."""
        return example_for(self.session.example(), choose(self.targets, name, str(self.path)))

    def truth(self, name: str, inputs: dict[str, Any], init: dict[str, Any]) -> Truth:
        """Return the solution's forward pass at inputs like these."""
        target = choose(self.targets, name, str(self.path))
        door = RemoteDoor(self, target, init)
        parameters, _ = door.bind()
        door.reading = Reading(inputs, parameters)
        arguments = door.reading.arguments
        try:
            door.forward({n: a.copy() for n, a in arguments.items()})
        except Exception as error:
            raise OptionError(
                f"{self.path}: {name}: the solution's forward does not run at the rubric's inputs "
                f"({type(error).__name__}: {error})."
            ) from None
        return lambda values: door.forward({n: values[n] for n in arguments})[0]


def example_for(example: Any, target: Target) -> dict[str, Any] | None:
    """Arguments out of what an `example()` returned: a dict of them, or of such dicts by name."""
    if not isinstance(example, dict) or not example:
        return None
    stems = [target.name.removesuffix(end) for end in ("_forward", "_loss", "_fwd")]
    names = {n for n, _ in (*target.parameters, *target.init)}
    for key in (target.name, target.forward, *stems):
        inner = example.get(key)
        if isinstance(inner, dict) and (key not in names or names & inner.keys()):
            return inner
    if not names & example.keys():
        return None  # it is for others
    return {
        key: np.asarray(value) if is_list_of_numbers(value) else value
        for key, value in example.items()
    }


def kind_specs(exercise: Exercise) -> dict[str, Spec]:
    """How to draw the arguments of an operation of minivae, by its own names."""
    case = exercise.case
    assert case is not None
    axes = {**case.vary, **case.fixed}
    return {name: Spec(tuple(letters)) for name, letters in axes.items()}


def kind_truth(exercise: Exercise, inputs: dict[str, Any]) -> Truth:
    """The forward pass of the operation that the rubric names, at inputs like these."""
    case = exercise.case
    assert case is not None
    own = [*case.vary, *case.fixed]
    theirs = [n for n, spec in (exercise.inputs or kind_specs(exercise)).items() if spec.axes]
    lower = {n.lower(): n for n in own}
    if {n.lower() for n in theirs} == lower.keys():
        names = {n: lower[n.lower()] for n in theirs}
    elif len(theirs) == len(own):
        names = dict(zip(theirs, own, strict=True))
    else:
        raise OptionError(
            f"exercise {exercise.name!r}: kind: {exercise.kind} takes {', '.join(own)}, but the "
            f"inputs are {', '.join(theirs)}."
        )
    options = {**case.options, **exercise.options}

    def truth(values: Arrays) -> list[np.ndarray]:
        y, _ = case.forward(**{own: values[n] for n, own in names.items()}, **options)
        return [np.asarray(y)]

    try:
        truth({n: np.array(inputs[n]) for n in names})
    except Exception as error:
        raise OptionError(
            f"exercise {exercise.name!r}: kind: {exercise.kind} does not run at the rubric's "
            f"inputs ({type(error).__name__}: {error})."
        ) from None
    return truth


def believing(subject: Subject, truth: Truth) -> Subject:
    """The subject with the true outputs, and the student's cache and backward pass."""

    def forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        outputs = truth({n: a.copy() for n, a in values.items()})
        return outputs, subject.forward(values)[1]

    return replace(subject, forward=forward, truth=truth)


def forward_difference(subject: Subject, truth: Truth) -> str:
    """What is wrong with the student's forward values, in a sentence without the right ones."""
    yours, _ = subject.forward({n: a.copy() for n, a in subject.arguments.items()})
    right = truth({n: a.copy() for n, a in subject.arguments.items()})
    shapes = [y.shape for y in yours], [y.shape for y in right]
    if shapes[0] != shapes[1]:
        return f"forward returns the shapes {shapes[0]}, but it should return {shapes[1]}"
    for y, r in zip(yours, right, strict=True):
        off = np.abs(y - r) / max(np.abs(r).max(initial=0.0), 1e-300)
        off = np.where(np.isfinite(off), off, np.inf)
        if off.size and off.max() > 1e-6:
            at = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))
            where = f", most at {list(at)}" if at else ""
            return (
                f"forward returns other values than it should: {int((off > 1e-6).sum())} of "
                f"{off.size} are off, by up to {off.max():.1e} of the largest{where}"
            )
    return ""
