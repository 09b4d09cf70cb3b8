"""A student's pair as a `Subject`: the engine asks for forward and backward, a session answers.

The engine of `minivae.check` runs here, in the grader's process, and so do all comparisons; what
crosses to the student's process is arguments, and what comes back is outputs and gradients. A cache
stays where it was made, and is a number here. What a call changed in place is changed here too, so
that the check of the contract sees it.
"""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ...check.verdict.draws import Generators
from ...check.verdict.subject import Arrays, Subject
from ...errors import OptionError
from .discover import Target
from .inputs import WITHOUT_GRADIENT
from .returned import match_name, number_array, overwrite, parts_of
from .sandbox import StudentError
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
    call = {"form": target.form, "forward": target.forward, "backward": target.backward}
    parameters = answers.call("bind", **call, init=init)
    pair = RemotePair(answers, target, inputs, arrays_of(parameters), wrt)
    outputs, cache = pair.forward({n: a.copy() for n, a in pair.arguments.items()})
    gradients = pair.backward([np.ones_like(y) for y in outputs], cache)
    if target.form == "class":  # a new object, in which no gradient has been added up
        answers.call("bind", **call, init=init)
    wrt = pair.wrt
    if wrt is None:
        missing = {n for n, g in pair.last.items() if g is None and not _may_be_data(n)}
        if not gradients:
            missing = set(pair.last) - WITHOUT_GRADIENT
        vary = [n for n in pair.arguments if n in gradients or n in missing]
    else:
        extra = () if set(wrt) & pair.parameters.keys() else pair.parameters
        vary = [n for n in dict.fromkeys((*wrt, *extra)) if n in pair.arguments]
    if not vary:
        there = ", ".join(gradients) or "none"
        raise StudentError(
            f"backward returned no gradient that could be told from its name (there is {there}); "
            f"return a tuple in the order of the arguments {', '.join(pair.arguments)}, or a dict "
            "by name"
        )
    notes = []
    missing = [n for n in pair.arguments if n not in vary and n not in WITHOUT_GRADIENT]
    if wrt is None and missing and pair.by_name:
        notes.append(f"no gradient was returned for {', '.join(missing)}")
    return RemoteSubject(
        target.name,
        pair.arguments,
        tuple(vary),
        pair.forward,
        pair.backward,
        scalar=all(y.ndim == 0 for y in outputs),
        notes=notes,
        options=pair.options,
        generators=Generators(watch=pair.watch),
        state=pair.state,
    )


def arrays_of(found: Any) -> Arrays:
    """The float arrays of what `bind` returned."""
    found = found if isinstance(found, dict) else {}
    return {n: a for n, a in found.items() if isinstance(a, np.ndarray) and a.dtype.kind == "f"}


def _may_be_data(name: str) -> bool:
    """Whether None is a fair gradient for an argument of that name."""
    plain = name.lower().strip("_")
    return plain in WITHOUT_GRADIENT or plain in ("x", "data", "input", "inputs")


class RemotePair:
    """Forward and backward over a session, with the arguments flat: entries of dicts apart.

    Attributes
    ----------
    arguments : dict
        Float arrays; the entry `W` of a dict `params` is `W`, or `params.W` if there are two `W`.
    options : dict
        What else is passed.
    """

    def __init__(
        self,
        answers: Answers,
        target: Target,
        inputs: dict[str, Any],
        parameters: Arrays,
        wrt: list[str] | None = None,
    ) -> None:
        self.answers, self.target = answers, target
        self.arguments: Arrays = {}
        self.options: dict[str, Any] = {}
        self.parameters = parameters
        self.places: list[tuple[str, str | None, str]] = []  # argument, key in it, flat name
        self.state: dict[str, Any] = {}
        self.log: list[np.ndarray] = []
        self.shapes: list[tuple[int, ...]] | None = None
        self.wrt = wrt
        self.by_name = False
        self.last: dict[str, Any] = {}  # gradients as they were returned, None too
        given = {**inputs, **{n: a for n, a in parameters.items() if n not in inputs}}
        self.given = given
        keys = [key for value in given.values() if isinstance(value, dict) for key in value]
        for name, value in given.items():
            if not isinstance(value, dict):
                self._place(name, None, name, value)
                continue
            for key, entry in value.items():
                alone = keys.count(key) == 1 and key not in given
                flat = key if alone else f"{name}.{key}"
                self._place(name, key, flat, entry)
                if wrt is not None:
                    self.wrt = [flat if n == f"{name}.{key}" else n for n in self.wrt or wrt]
        if not self.arguments:
            raise OptionError(f"there is no array of floats among the inputs of {target.name}.")

    def _place(self, name: str, key: str | None, flat: str, value: Any) -> None:
        self.places.append((name, key, flat))
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            self.arguments[flat] = value.astype(float)
        else:
            self.options[flat] = value

    @contextlib.contextmanager
    def watch(self, repeat: bool) -> Iterator[list[np.ndarray]]:
        """Note, or repeat, the random draws there."""
        self.log = []
        with _inside(self.state, "watch", repeat):
            yield self.log

    def _nested(self, values: Arrays) -> dict[str, Any]:
        nested: dict[str, Any] = {}
        for name, key, flat in self.places:
            value = values.get(flat, self.options.get(flat))
            if key is None:
                nested[name] = value
            else:
                nested.setdefault(name, {})[key] = value
        return nested

    def forward(self, values: Arrays) -> tuple[list[np.ndarray], dict[str, Any]]:
        """Outputs, and a handle for the cache."""
        answer = self._ask("forward", arguments=self._nested(values))
        outputs = [number_array(y, "forward") for y in parts_of(answer.get("outputs"))]
        shapes = [y.shape for y in outputs]
        if self.shapes is None:
            if not outputs:
                raise StudentError("forward returned nothing")
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
            if isinstance(changed, np.ndarray) and changed.shape == dy.shape:
                overwrite(dy, changed)
        cache["changes"] += bool(answer.get("cache_changed"))
        left = answer.get("parameters")
        gradients = self._named(answer.get("returned"))
        if isinstance(left, dict):
            gradients |= {n: g for n, g in left.items() if n not in gradients}
        self.last = gradients
        clean = {}
        for n, g in gradients.items():
            if g is not None and not isinstance(g, Opaque):
                clean[n] = number_array(g, f"backward, for {n},")
        return clean

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
        for name, key, flat in self.places:
            value = changed.get(name) if isinstance(changed, dict) else None
            if key is not None:
                value = value.get(key) if isinstance(value, dict) else None
            if flat in values and isinstance(value, np.ndarray):
                overwrite(values[flat], value)

    def _named(self, returned: Any) -> dict[str, Any]:
        """Gradients by flat name, of a dict, a tuple, or one array."""
        if isinstance(returned, dict):
            self.by_name = True
            return self._of_dict(returned)
        parts = parts_of(returned)
        if len(parts) == 1 and isinstance(parts[0], dict):
            self.by_name = True
            return self._of_dict(parts[0])
        named: dict[str, Any] = {}
        for name, part in zip(self._order(len(parts)), parts, strict=False):
            if isinstance(part, dict):
                named |= self._of_dict(part)
            else:
                named[name] = part
        return named

    def _order(self, count: int) -> list[str]:
        """Arguments that a tuple of `count` gradients belongs to, a dict as one."""
        every = [n for n in self.given if self._has_float(n)]
        if self.target.form == "class":
            every = [n for n in every if n not in self.parameters]
        if self.wrt is not None:
            asked = [n for n in every if self._asked(n)]
            return every if count == len(every) else asked
        likely = [n for n in every if n.lower().strip("_") not in WITHOUT_GRADIENT]
        return likely if count == len(likely) else every

    def _asked(self, name: str) -> bool:
        flats = [flat for outer, _, flat in self.places if outer == name]
        return any(flat in (self.wrt or ()) for flat in flats)

    def _has_float(self, name: str) -> bool:
        return any(outer == name and flat in self.arguments for outer, _, flat in self.places)

    def _of_dict(self, gradients: dict[str, Any]) -> dict[str, Any]:
        """Names of gradients, `dW`, `grad_W`, `W`, brought to those of the arguments."""
        named: dict[str, Any] = {}
        order = list(self.arguments)
        outer = {name for name, key, _ in self.places if key is not None}
        for key, value in gradients.items():
            if isinstance(value, dict):
                if len(outer) > 1 and match_name(key, list(outer)) in outer:
                    prefix = match_name(key, list(outer))
                    value = {
                        flat: value[k]
                        for name, k, flat in self.places
                        if name == prefix and k in value
                    }
                named |= self._of_dict(value)
            else:
                named[match_name(key, order)] = value
        return named
