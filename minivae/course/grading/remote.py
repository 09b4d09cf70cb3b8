"""A student's pair as a `Subject`: the engine asks for forward and backward, a session answers.

The engine of `minivae.check` runs here, in the grader's process, and so do all comparisons; what
crosses to the student's process is arguments, and what comes back is outputs and gradients. A cache
stays where it was made, and is a number here. What a call changed in place is changed here too, so
that the check of the contract sees it.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...check.verdict.conventions.names import WITHOUT_GRADIENT, plain
from ...check.verdict.conventions.reading import Arrays, Reading
from ...check.verdict.conventions.values import Unreadable
from ...check.verdict.draws import Generators
from ...check.verdict.functions import read_pair, without_backward
from ...check.verdict.subject import Subject
from .discover import Target
from .door import Answers, RemoteDoor, inside
from .words import NotReadError, StudentError


@dataclass
class RemoteSubject(Subject):
    """A subject whose functions run elsewhere, and its randomness with them."""

    state: dict[str, Any] = field(default_factory=dict)

    def frozen(self, seed: int) -> contextlib.AbstractContextManager[None]:
        """Freeze the randomness there."""
        return inside(self.state, "frozen", seed)


def remote_subject(
    answers: Answers,
    target: Target,
    inputs: dict[str, Any],
    init: dict[str, Any],
    wrt: list[str] | None,
) -> Subject:
    """Make the subject of a target at given inputs.

    Parameters
    ----------
    answers : Answers
        Where the file is loaded.
    target : Target
        What is called.
    inputs : dict
        Arguments of forward, in order: arrays, dicts of arrays, other values. Parameters of a
        class may be among them.
    init : dict
        Arguments of a class's constructor.
    wrt : list of str, optional
        Arguments that must have a gradient; by default those for which one is returned.

    Raises
    ------
    StudentError
        If the code raises, or returns something that is neither outputs nor gradients.
    """
    door = RemoteDoor(answers, target, init)
    try:
        vary, scalar, manners = read_pair(door, inputs, wrt)
    except Unreadable as error:
        raise NotReadError(str(error)) from None
    except StudentError as error:
        error.subject = without_backward(target.name, door)
        raise
    reading = door.reading
    if target.form == "loss" and wrt is None:
        check_loss(reading, scalar)
    notes = []
    missing = [n for n in reading.left_out(vary) if plain(n) not in WITHOUT_GRADIENT]
    if wrt is None and missing and reading.by_name:
        notes.append(f"no gradient was returned for {', '.join(missing)}")
    return RemoteSubject(
        target.name,
        reading.arguments,
        vary,
        door.forward,
        door.backward,
        scalar=scalar,
        notes=notes,
        options=reading.options,
        generators=Generators(watch=door.watch),
        manners=manners,
        state=door.state,
        editor=door,
        record=door.record,
    )


def free_forward(
    answers: Answers, target: Target, inputs: dict[str, Any], init: dict[str, Any]
) -> tuple[Arrays, Callable[[Arrays], np.ndarray]]:
    """Arrays of a target, and its first output at any others, whatever their shapes."""
    door = RemoteDoor(answers, target, init)
    door.reading = Reading(inputs, door.bind()[0])

    def run(values: Arrays) -> np.ndarray:
        door.shapes = None
        with inside(door.state, "frozen", 1):
            return door.forward({n: np.array(a) for n, a in values.items()})[0][0]

    return door.reading.arguments, run


class NoLossError(StudentError):
    """A function that returns several things, but no loss with gradients."""


def check_loss(reading: Reading, scalar: bool) -> None:
    """A loss is a number, and a gradient has the shape of an argument."""
    shapes = {a.shape for a in reading.arguments.values()}
    found = [np.shape(g) for g in reading.last.values() if g is not None]
    if not scalar or (not any(found) and () not in shapes):
        raise NoLossError("it returns several things, but they are no loss with gradients")
    if not reading.by_name and not shapes & set(found):
        raise StudentError(
            "it returns a number, and something that has the shape of none of its arguments; "
            "return (loss, gradients)"
        )
