"""The recorder: stands between a model's layers and their operations while a `with` block runs.

Every layer runs its operations through its attribute `call`. Inside the block that attribute is
one that records; after the block it is the one from before. So what runs outside of the block has
not changed by an instruction, and recording costs nothing when it is off.

Not every array comes out of an operation: gradients of two branches are added, and heads are cut
from one array, in plain lines of a model or an objective. For those, the recorder watches the
methods of the model's own parts line by line (`sys.settrace`, for this thread, inside the block):
an array that such a line assigns or returns, and that no operation has made, is a record too.
"""

import dataclasses
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import Any

import numpy as np

from ...engine.backend import Backend, kernels
from ...engine.layer import Layer
from ...models.base import Model
from .. import derivations
from . import lines
from .naming import arguments, names_of, outputs
from .record import BACKWARD, FORWARD, Array, Record


def parts_of(root: Any) -> dict[str, Any]:
    """Everything in a model that runs operations: its path -> layer, objective, or the model."""
    found: dict[str, Any] = {}
    waiting = [("", root)]
    seen = set()
    while waiting:
        path, thing = waiting.pop(0)
        if isinstance(thing, list | tuple):
            waiting += [(_join(path, str(i)), item) for i, item in enumerate(thing)]
        elif isinstance(thing, dict):
            waiting += [(_join(path, str(key)), item) for key, item in thing.items()]
        elif _is_part(thing) and id(thing) not in seen:
            seen.add(id(thing))
            found[path or "model"] = thing
            # `layers` of a Sequential: their path is the number alone, as in the parameters' names.
            waiting += [
                (path if name == "layers" else _join(path, name), value)
                for name, value in vars(thing).items()
            ]
    return found


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _is_part(thing: Any) -> bool:
    return isinstance(thing, Layer | Model) or callable(getattr(thing, "__dict__", {}).get("call"))


class Recorder:
    """Records what the parts of a model do.

    Parameters
    ----------
    parts : dict of str to object
        From `parts_of`.
    backend : Backend
        Where they compute.
    records : list of Record
        Where the records go.
    """

    def __init__(self, parts: dict[str, Any], backend: Backend, records: list[Record]) -> None:
        self.parts, self.backend, self.records = parts, backend, records
        self.path_of = {id(part): path for path, part in parts.items()}
        # id -> the array, held so that no other gets its id, and the record that has made it
        self.known: dict[int, tuple[Any, int | None]] = {}
        self.frames: list[FrameType] = []
        self._originals: list[tuple[Any, Callable]] = []
        self._tracing: Any = None
        self._watched: CodeType | None = None  # the reference that is being run
        self._inside: dict[str, Any] = {}  # what it has computed on the way

    def start(self) -> None:
        """Put the recording `call` in the place of each part's own."""
        for path, part in self.parts.items():
            original = vars(part).get("call")
            if original is not None:
                self._originals.append((part, original))
                part.call = self._recording(path, original)
        self._tracing = sys.gettrace()
        sys.settrace(self._entered)

    def stop(self) -> None:
        """Put everything back."""
        sys.settrace(self._tracing)
        for part, original in self._originals:
            part.call = original
        self._originals, self.known, self.frames, self._inside = [], {}, [], {}

    # Operations.

    def _recording(self, path: str, original: Callable) -> Callable:
        def call(reference: Callable, *arrays: Any, out: dict | None = None, **options: Any) -> Any:
            kernel = kernels().get((self.backend.name, reference))
            # A kernel keeps other arrays than its reference; an object that is one has no names.
            signed = kernel if inspect.isfunction(kernel) else reference
            bound = inspect.signature(signed).bind(*arrays, **options)
            given = list(arguments(bound))
            inputs = tuple(self._copy(name, x) for name, x in given if self._is_array(x))
            rest = {name: x for name, x in given if not self._is_array(x)}
            self._know(arrays, out)
            self._watched, self._inside = None if kernel else reference.__code__, {}
            result = original(reference, *arrays, out=out, **options)
            self._know(result, self._inside, origin=len(self.records))
            made = outputs(result)
            # A result that is an argument, handed on, comes from here for whoever takes it.
            self.known |= {id(x): (x, len(self.records)) for x in made if self._is_array(x)}
            names = names_of(reference, sys._getframe(1), len(made))
            code, file, line = lines.body(reference)
            self._add(
                phase=BACKWARD if self._is_backward(reference.__name__) else FORWARD,
                where=path,
                operation=_operation_name(reference),
                summary=(inspect.getdoc(reference) or "").partition("\n")[0],
                code=code,
                file=file,
                line=line,
                inputs=inputs,
                outputs=tuple(
                    self._copy(name, x)
                    for name, x in zip(names, made, strict=True)
                    if self._is_array(x)
                ),
                inner=tuple(self._inner(given, made)),
                options=rest,
                kernel=_kernel_name(kernel) if kernel else "",
            )
            return result

        return call

    def _inner(self, given: list[tuple[str, Any]], made: list[Any]) -> Iterator[Array]:
        """Arrays that the reference has computed on the way, and that are none of its results."""
        elsewhere = {id(x) for x in (*made, *(value for _, value in given))}
        for name, x in self._inside.items():
            if self._is_array(x) and id(x) not in elsewhere:
                yield self._copy(name, x)

    def _add(self, *, code: str, file: str, line: int, **rest: Any) -> None:
        formula = _formula(file, line, len(code.splitlines()))
        place = {"code": code, "file": file, "line": line, "formula": formula}
        self.records.append(Record(index=len(self.records), **place, **rest))

    def _is_array(self, x: Any) -> bool:
        return isinstance(x, self.backend.array_type)

    def _copy(self, name: str, x: Any) -> Array:
        # The memory of a step is used again by the next, so the numbers are copied at once.
        _, origin = self.known.get(id(x), (x, None))
        return Array(name, np.array(self.backend.to_host(x)), origin)

    def _know(self, *things: Any, origin: int | None = None) -> None:
        """Note these arrays, unless they have been noted: where they come from stays."""
        for x in self._arrays_in(things):
            self.known.setdefault(id(x), (x, origin))

    def _arrays_in(self, thing: Any) -> Iterator[Any]:
        if self._is_array(thing):
            yield thing
        elif isinstance(thing, list | tuple):
            for item in thing:
                yield from self._arrays_in(item)
        elif isinstance(thing, dict):
            yield from self._arrays_in(list(thing.values()))
        elif dataclasses.is_dataclass(thing) and not isinstance(thing, Backend | type):
            yield from self._arrays_in(list(vars(thing).values()))

    # Lines between operations.

    def _is_backward(self, name: str = "") -> bool:
        names = [name, *(frame.f_code.co_name for frame in self.frames)]
        return any("backward" in name for name in names)

    def _entered(self, frame: FrameType, event: str, _: Any) -> Callable | None:
        """Follow a frame if it is a pass of one of the parts, or a helper inside of one."""
        if frame.f_code is self._watched:
            self._watched = None
            return self._keep_locals
        if frame.f_code.co_varnames[:1] != ("self",):
            return None
        if id(frame.f_locals.get("self")) not in self.path_of:
            return None
        name = frame.f_code.co_name
        if not self.frames:
            if not name.startswith((FORWARD, BACKWARD)):
                return None
            starts = name.startswith(FORWARD)
            if starts:  # a new step, in the memory of the one before
                self.known = {}
            for part in self.parts.values():
                if not starts:
                    self._know(getattr(part, "cache", None))
                for name in getattr(part, "params", ()):
                    self._know(part.params[name], part.params.grad_of(name))
        self.frames.append(frame)
        self._know(list(frame.f_locals.values()))
        at = frame.f_lineno

        def follow(frame: FrameType, event: str, value: Any) -> Callable:
            nonlocal at
            if event == "line":
                self._look(frame, at, frame.f_locals.items())
                at = frame.f_lineno
            elif event == "return":
                given = list(self._arrays_in(value))
                self._look(frame, frame.f_lineno, zip(_asked_for(frame, given), given, strict=True))
                self.frames.pop()
            return follow

        return follow

    def _keep_locals(self, frame: FrameType, event: str, _: Any) -> Callable:
        if event == "return":
            self._inside = dict(frame.f_locals)
        return self._keep_locals

    def _look(self, frame: FrameType, line: int, named: Iterable[tuple[str, Any]]) -> None:
        """Record the statement at a line if it has made an array that nothing else has."""
        new = {
            id(x): (name, x) for name, x in named if self._is_array(x) and id(x) not in self.known
        }
        file = frame.f_code.co_filename
        statement = lines.statement_at(file, line) if new else None
        if statement is None:
            return
        have = frame.f_locals
        names = {name for name, _ in new.values()}
        read = [name for name in lines.used(statement) if self._is_array(have.get(name))]
        inputs = tuple(self._copy(name, have[name]) for name in read if name not in names)
        self._know([x for _, x in new.values()], origin=len(self.records))
        self._add(
            phase=BACKWARD if self._is_backward() else FORWARD,
            where=self.path_of[id(have["self"])],
            operation=frame.f_code.co_qualname,
            summary="A line of the model itself, which joins, cuts or adds what operations gave.",
            code=lines.text_of(file, statement),
            file=file,
            line=statement.lineno,
            inputs=inputs,
            outputs=tuple(self._copy(name, x) for name, x in new.values()),
        )


def _asked_for(frame: FrameType, given: list[Any]) -> list[str]:
    """What the caller of a frame calls the arrays that it is given back."""
    outer = frame.f_back
    names = lines.targets(lines.statement_at(outer.f_code.co_filename, outer.f_lineno))
    return names if len(names) == len(given) else ["result"] * len(given)


def _operation_name(reference: Callable) -> str:
    module = reference.__module__.rpartition(".")[2]
    return f"{module}.{reference.__name__}"


def _kernel_name(kernel: Callable) -> str:
    return getattr(kernel, "__name__", "") or getattr(kernel, "name", type(kernel).__name__)


def _formula(file: str, line: int, count: int) -> dict[int, str]:
    """Equations that some lines of a file cite, with their LaTeX from the file's docstring."""
    known, cited = derivations.of_file(file) if file else ({}, {})
    numbers = [n for at in range(line, line + count) for n in cited.get(at, [])]
    return {n: known[n] for n in dict.fromkeys(numbers) if n in known}
