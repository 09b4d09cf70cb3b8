"""A student's pair as a `Subject`: the engine asks for forward and backward, a session answers.

The engine of `minivae.check` runs here, in the grader's process, and so do all comparisons; what
crosses to the student's process is arguments, and what comes back is outputs and gradients. A cache
stays where it was made, and is a number here. What a call changed in place is changed here too, so
that the check of the contract sees it.
"""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...check.verdict.conventions.names import WITHOUT_GRADIENT, plain
from ...check.verdict.conventions.reading import Arrays, Reading
from ...check.verdict.conventions.values import Unreadable, parts_of
from ...check.verdict.draws import Generators
from ...check.verdict.functions import arrays_of, manners_of, read_pair, without_backward
from ...check.verdict.subject import Manners, Subject
from ...errors import OptionError
from .discover import Target
from .files import place_of
from .sandbox import NotReadError, StudentError
from .worker.messages import Opaque


class Answers(Protocol):
    """A sandbox, or anything else that answers like one."""

    def call(self, do: str, **arguments: Any) -> Any:
        """Call a method of the session."""


@dataclass
class RemoteSubject(Subject):
    """A subject whose functions run elsewhere, and its randomness with them."""

    state: dict[str, Any] = field(default_factory=dict)

    def frozen(self, seed: int) -> contextlib.AbstractContextManager[None]:
        """Freeze the randomness there."""
        return _inside(self.state, "frozen", seed)


SERIAL = itertools.count(1)


@contextlib.contextmanager
def _inside(state: dict[str, Any], key: str, value: Any) -> Iterator[None]:
    """Put [serial number, value] into the state inside a `with`."""
    before = state.get(key)
    state[key] = [next(SERIAL), value]
    try:
        yield
    finally:
        state[key] = before


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
        with _inside(door.state, "frozen", 1):
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


class RemoteDoor:
    """Forward and backward over a session; see `Door` in `minivae.check.verdict.functions`."""

    def __init__(self, answers: Answers, target: Target, init: dict[str, Any]) -> None:
        self.answers, self.target, self.init = answers, target, init
        self.reading = Reading({}, {})
        self.state: dict[str, Any] = {}
        self.log: list[np.ndarray] = []
        self.shapes: list[tuple[int, ...]] | None = None

    def bind(self) -> tuple[Arrays, list[list[str]]]:
        """Choose what is called, make the object; its parameters, and the names in its return."""
        target = self.target
        answer = self.answers.call(
            "bind",
            form=target.form,
            forward=target.forward,
            backward=target.backward,
            init=self.init,
            methods=target.methods,
            loss=target.loss,
            way=target.way,
        )
        answer = answer if isinstance(answer, dict) else {}
        return arrays_of(answer.get("parameters")), _words(answer.get("names"))

    def inside(self, key: str, value: Any) -> contextlib.AbstractContextManager[None]:
        """Put something into the state there inside a `with`: "frozen" and a seed."""
        return _inside(self.state, key, value)

    def late(self) -> Arrays:
        """Parameters that the first forward pass has made."""
        return arrays_of(self.answers.call("late"))

    def manners(self) -> Manners:
        """What else is to be known of the pair."""
        return manners_of(self.answers.call("manners"))

    def functions(self, upstream: list[np.ndarray]) -> list[dict[str, Any]]:
        """The source of the pair; see `Editor`."""
        answer = self.answers.call("functions", upstream=upstream)
        found = [_function(each) for each in (answer if isinstance(answer, list) else [])]
        path = getattr(self.answers, "path", None)
        for each in found if isinstance(path, Path) else []:
            each["cell"], first = place_of(path, each["line"])
            each["end"] += (first - each["line"]) * bool(each["end"])
            each["line"] = first
        return found

    def trial(
        self, index: int, text: str, arguments: Arrays, upstream: list[np.ndarray]
    ) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Outputs and gradients with another text of a function; see `Editor`."""
        answer = self.answers.call(
            "trial",
            index=index,
            text=text,
            arguments=self.reading.nested(arguments),
            upstream=list(upstream),
            frozen=self.state.get("frozen"),
        )
        answer = answer if isinstance(answer, dict) else {}
        outputs = [number_array(y, "forward") for y in parts_of(answer.get("outputs"))]
        return outputs, self._gradients(answer)

    @contextlib.contextmanager
    def watch(self, repeat: bool) -> Iterator[list[np.ndarray]]:
        """Note, or repeat, the random draws there."""
        self.log = []
        with _inside(self.state, "watch", repeat):
            yield self.log

    def forward(self, values: Arrays) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Outputs, and a handle for the cache."""
        if not self.reading.arguments:
            raise OptionError(
                f"there is no array of floats among the inputs of {self.target.name}."
            )
        answer = self._ask("forward", arguments=self.reading.nested(values))
        outputs = [number_array(y, "forward") for y in parts_of(answer.get("outputs"))]
        shapes = [y.shape for y in outputs]
        if self.shapes is None:
            if not outputs:
                raise StudentError("forward returned nothing")
            if not all(np.isfinite(y).all() for y in outputs if y.dtype.kind in "fc"):
                raise StudentError("forward returns NaN or infinity at these inputs")
            self.shapes = shapes
        elif shapes != self.shapes:
            raise StudentError(
                f"forward returned the shapes {shapes}, but {self.shapes} before, for inputs of "
                "the same shapes"
            )
        self._write_back(answer.get("changed"), values)
        return outputs, {"handle": answer.get("handle"), "changes": 0, "arguments": values}

    def backward(self, upstream: list[np.ndarray], cache: dict[str, Any]) -> dict[str, Any]:
        """Gradients by flat name."""
        answer = self._ask("backward", handle=cache["handle"], upstream=list(upstream))
        self._write_back(answer.get("changed"), cache["arguments"])
        for dy, changed in zip(upstream, answer.get("upstream") or [], strict=False):
            if isinstance(changed, np.ndarray):
                overwrite(dy, changed)
        cache["changes"] += bool(answer.get("cache_changed"))
        return self._gradients(answer)

    def _gradients(self, answer: dict[str, Any]) -> dict[str, Any]:
        left = answer.get("parameters")
        gradients = self.reading.gradients(
            answer.get("returned"), left if isinstance(left, dict) else {}
        )
        return {
            n: number_array(g, f"backward, for {n},")
            for n, g in gradients.items()
            if g is not None and not isinstance(g, Opaque)
        }

    def record(self, values: Arrays) -> dict[str, Any] | None:
        """The tape of a forward pass, as plain data, for the diagnosis."""
        nested = self.reading.nested
        names = nested({n: n for n in values})
        try:
            return self._ask("record", arguments=nested(values), names=names)
        except StudentError:
            return None

    def _ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        frozen, watch = self.state.get("frozen"), self.state.get("watch")
        answer = self.answers.call(do, **arguments, frozen=frozen, watch=watch)
        if not isinstance(answer, dict):
            raise StudentError(f"{do} gave no answer that can be read")
        drawn = answer.get("draws")
        if isinstance(drawn, list):
            self.log += [array for array in drawn if isinstance(array, np.ndarray)]
        return answer

    def _write_back(self, changed: Any, values: Arrays) -> None:
        """Repeat here what was changed in place there."""
        for flat, value in self.reading.entries(changed if isinstance(changed, dict) else {}):
            if flat in values:
                overwrite(values[flat], value)


def _words(names: Any) -> list[list[str]]:
    """Take only what has the right types; it comes from the student's process."""
    names = names if isinstance(names, list) else []
    return [[w for w in words if isinstance(w, str)] for words in names if isinstance(words, list)]


def _function(found: Any) -> dict[str, Any]:
    """A described function, if it has the right types; it comes from the student's process."""
    found = found if isinstance(found, dict) else {}
    line, text, scope = found.get("line"), found.get("text"), found.get("scope")
    if not (isinstance(line, int) and isinstance(text, str) and isinstance(scope, dict)):
        return {"line": 0, "text": "", "scope": {}, "end": 0}
    end = found.get("end")
    scope = {
        name[:80]: ([int(n) for n in value[0]], bool(value[1]))
        for name, value in list(scope.items())[:60]
        if isinstance(name, str) and isinstance(value, list) and len(value) == 2
        if isinstance(value[0], list) and all(isinstance(n, int) for n in value[0])
    }
    end = end if isinstance(end, int) else 0
    return {"line": line, "text": text[:20_000], "scope": scope, "end": end}


def number_array(value: Any, who: str) -> np.ndarray:
    """Value as an array of numbers; `StudentError` if it is something else."""
    if isinstance(value, bool | int | float | np.ndarray):
        return np.asarray(value)
    if isinstance(value, list):
        with contextlib.suppress(ValueError, TypeError):
            array = np.asarray(value)
            if array.dtype.kind in "biufc":
                return array
    kind = value.kind if isinstance(value, Opaque) else type(value).__name__
    raise StudentError(f"{who} returned a {kind} where an array was expected")


def overwrite(array: np.ndarray, value: np.ndarray) -> None:
    """Put the numbers into the array, if they fit."""
    if array.shape == value.shape and value.dtype.kind in "biuf":
        array[...] = value
