"""The truth: forward passes that the instructor trusts, run in the grader's own process.

A gradient check believes the forward pass. A student's forward pass may be wrong, or lie: return
zeros, say, so that a backward pass of zeros agrees with it. Where the rubric names an operation of
minivae (`kind`) or a solution, its forward pass is believed instead: the student's values are
compared with it, and the numerical gradients are taken of it. And where a gradient differs from the
slope on purpose, as one that is stopped, whoever returns what the solution returns is right.
"""

import contextlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class Truth:
    """What is right.

    Attributes
    ----------
    values : callable
        Outputs for arguments.
    gradients : callable, optional
        `gradients(arguments, upstream)`, by argument, as the solution has them.
    asked : tuple of str
        Arguments and parameters for which the solution has gradients.
    """

    values: Callable[[Arrays], list[np.ndarray]]
    gradients: Callable[[Arrays, list[np.ndarray]], dict[str, Any]] | None = None
    asked: tuple[str, ...] = ()

    def renamed(self, names: dict[str, str]) -> "Truth":
        """The same under other names of the arguments."""
        back = {new: old for old, new in names.items()}

        def under_old(values: Arrays) -> Arrays:
            return {back.get(n, n): a for n, a in values.items()}

        def gradients(values: Arrays, upstream: list[np.ndarray]) -> dict[str, Any]:
            assert self.gradients is not None
            found = self.gradients(under_old(values), upstream)
            return {names.get(n, n): g for n, g in found.items()}

        return Truth(
            lambda values: self.values(under_old(values)),
            None if self.gradients is None else gradients,
            tuple(names.get(n, n) for n in self.asked),
        )


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
            self.session.load(str(path), f"minivae_solution_{path.stem}", [path.parent.name])
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
        """Return the solution's two passes at inputs like these."""
        target = choose(self.targets, name, str(self.path))
        door = RemoteDoor(self, target, init)
        parameters, _ = door.bind()
        door.reading = Reading(inputs, parameters)
        arguments = door.reading.arguments

        def values_of(values: Arrays) -> list[np.ndarray]:
            return door.forward({n: values.get(n, a) for n, a in arguments.items()})[0]

        def gradients(values: Arrays, upstream: list[np.ndarray]) -> dict[str, Any]:
            values = {n: values.get(n, a).copy() for n, a in arguments.items()}
            outputs, cache = door.forward(values)
            pairs = zip(upstream, outputs, strict=True)
            return door.backward([np.array(dy).reshape(y.shape) for dy, y in pairs], cache)

        try:
            outputs = values_of(arguments)
        except Exception as error:
            raise OptionError(
                f"{self.path}: {name}: the solution's forward does not run at the rubric's inputs "
                f"({type(error).__name__}: {error})."
            ) from None
        try:
            gradients(arguments, [np.ones_like(y) for y in outputs])
            return Truth(values_of, gradients, tuple(door.reading.vary()))
        except Exception:  # a solution whose backward pass is left out
            return Truth(values_of)


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

    def values_of(values: Arrays) -> list[np.ndarray]:
        y, _ = case.forward(**{own: values[n] for n, own in names.items()}, **options)
        return [np.asarray(y)]

    try:
        values_of({n: np.array(inputs[n]) for n in names})
    except Exception as error:
        raise OptionError(
            f"exercise {exercise.name!r}: kind: {exercise.kind} does not run at the rubric's "
            f"inputs ({type(error).__name__}: {error})."
        ) from None
    return Truth(values_of)


def believing(subject: Subject, truth: Truth) -> Subject:
    """The subject with the true outputs, and the student's cache and backward pass."""

    def forward(values: Arrays) -> tuple[list[np.ndarray], Any]:
        outputs = truth.values({n: a.copy() for n, a in values.items()})
        return outputs, subject.forward(values)[1]

    def known(upstream: list[np.ndarray]) -> dict[str, Any]:
        assert truth.gradients is not None
        return truth.gradients(subject.arguments, upstream)

    has = truth.gradients is not None
    return replace(subject, forward=forward, truth=truth.values, known=known if has else None)


def forward_difference(subject: Subject, truth: Truth) -> str:
    """What is wrong with the student's forward values, in a sentence without the right ones."""
    yours, _ = subject.forward({n: a.copy() for n, a in subject.arguments.items()})
    right = truth.values({n: a.copy() for n, a in subject.arguments.items()})
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
