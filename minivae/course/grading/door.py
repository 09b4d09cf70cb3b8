"""The door to a student's pair: a request goes out, outputs and gradients come in, as numbers.

Whatever comes in may be forged, so its type is checked before it is used.
"""

import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...check.diagnosis.steps.search import MAX_STEPS
from ...check.tape import Tape
from ...check.tape.derivatives import DERIVATIVES
from ...check.verdict.conventions.reading import Arrays, Reading
from ...check.verdict.conventions.values import parts_of
from ...check.verdict.functions import arrays_of
from ...check.verdict.subject import Manners, manners_of
from ...errors import OptionError
from .discover import Target
from .files import place_of
from .words import StudentError
from .worker.messages import Opaque
from .worker.packing import unpack


class Answers(Protocol):
    """A sandbox, or anything else that answers like one."""

    def call(self, do: str, **arguments: Any) -> Any:
        """Call a method of the session."""


SERIAL = itertools.count(1)


@contextlib.contextmanager
def inside(state: dict[str, Any], key: str, value: Any) -> Iterator[None]:
    """Put [serial number, value] into the state inside a `with`."""
    before = state.get(key)
    state[key] = [next(SERIAL), value]
    try:
        yield
    finally:
        state[key] = before


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
        return inside(self.state, key, value)

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
        with inside(self.state, "watch", repeat):
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
            n: real_array(g, f"backward, for {n},")
            for n, g in gradients.items()
            if g is not None and not isinstance(g, Opaque)
        }

    def record(self, values: Arrays) -> Tape | None:
        """The tape of a forward pass, for the diagnosis."""
        nested = self.reading.nested
        names = nested({n: n for n in values})
        try:
            packed = self._ask("record", arguments=nested(values), names=names)
            return unpack(packed, MAX_STEPS, Tape(), DERIVATIVES)
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


def real_array(value: Any, who: str) -> np.ndarray:
    """Value as an array of real numbers, such as a gradient is; `StudentError` if it is none."""
    array = number_array(value, who)
    if array.dtype.kind == "c" and array.imag.any():
        raise StudentError(f"{who} returned complex numbers, but this gradient is real")
    return array.real


def overwrite(array: np.ndarray, value: np.ndarray) -> None:
    """Put the numbers into the array, if they fit."""
    if array.shape == value.shape and value.dtype.kind in "biuf":
        array[...] = value
