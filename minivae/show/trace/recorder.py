"""The recorder: stands between a model's layers and their operations while a `with` block runs.

Every layer runs its operations through its attribute `call`. Inside the block that attribute is
one that records; after the block it is the one from before. So what runs outside of the block has
not changed by an instruction, and recording costs nothing when it is off.

What a reference computes on the way is seen when it returns: for as long as it runs, this thread's
`sys.settrace` waits for that. A kernel shows nothing of its inside.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType
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
        # Marks of an array -> the record that made it, and the array, held so that they stay its.
        self.made: dict[Any, tuple[int, Any]] = {}
        self._originals: list[tuple[Any, Callable]] = []

    def start(self) -> None:
        """Put the recording `call` in the place of each part's own."""
        for path, part in self.parts.items():
            original = vars(part).get("call")
            if original is not None:
                self._originals.append((part, original))
                part.call = self._recording(path, original)

    def stop(self) -> None:
        """Put everything back."""
        for part, original in self._originals:
            part.call = original
        self._originals, self.made = [], {}

    def _recording(self, path: str, original: Callable) -> Callable:
        def call(reference: Callable, *arrays: Any, out: dict | None = None, **options: Any) -> Any:
            kernel = kernels().get((self.backend.name, reference))
            # A kernel keeps other arrays than its reference; an object that is one has no names.
            signed = kernel if inspect.isfunction(kernel) else reference
            bound = inspect.signature(signed).bind(*arrays, **options)
            given = list(arguments(bound))
            inputs = tuple(self._copy(name, x) for name, x in given if self._is_array(x))
            run = functools.partial(original, reference, *arrays, out=out, **options)
            result, inside = (run(), {}) if kernel else _watched(reference, run)
            made = outputs(result)
            self._note(made, result, inside, given)
            elsewhere = {id(x) for x in (*made, *(x for _, x in given))}
            names = names_of(reference, sys._getframe(1), len(made))
            named = zip(names, made, strict=True)
            code, file, line = lines.body(reference)
            record = Record(
                index=len(self.records),
                phase=BACKWARD if "backward" in reference.__name__ else FORWARD,
                where=path,
                operation=_operation_name(reference),
                formula=_formula(file, line, len(code.splitlines())),
                summary=(inspect.getdoc(reference) or "").partition("\n")[0],
                code=code,
                file=file,
                line=line,
                inputs=inputs,
                outputs=tuple(self._copy(name, x) for name, x in named if self._is_array(x)),
                inner=tuple(
                    self._copy(name, x)
                    for name, x in inside.items()
                    if self._is_array(x) and id(x) not in elsewhere
                ),
                options={name: x for name, x in given if not self._is_array(x)},
                kernel=_kernel_name(kernel) if kernel else "",
            )
            self.records.append(record)
            return result

        return call

    def _note(self, made: list[Any], result: Any, inside: dict, given: list) -> None:
        """Note that an operation's arrays come from its record: its results, and what it kept."""
        taken = {id(x) for _, x in given}
        kept = [x for x in (*_flat(result), *inside.values()) if id(x) not in taken]
        # A result that is an argument, handed on, comes from here for whoever takes it.
        for x in filter(self._is_array, (*kept, *made)):
            self.made |= dict.fromkeys(_marks(x), (len(self.records), x))

    def _copy(self, name: str, x: Any) -> Array:
        # The memory of a step is used again by the next, so the numbers are copied at once.
        origin = next((self.made[mark][0] for mark in _marks(x) if mark in self.made), None)
        return Array(name, np.array(self.backend.to_host(x)), origin)

    def _is_array(self, x: Any) -> bool:
        return isinstance(x, self.backend.array_type)


def _flat(result: Any) -> Iterator[Any]:
    """All that is in a result and its cache."""
    if isinstance(result, list | tuple):
        for item in result:
            yield from _flat(item)
    else:
        yield result


def _marks(x: Any) -> tuple[Any, ...]:
    """What tells an array from others: itself, and whose memory it shows how much of.

    By the second, an array is the same after it has been reshaped.
    """
    return id(x), (id(x if x.base is None else x.base), x.size)


def _watched(reference: Callable, run: Callable) -> tuple[Any, dict[str, Any]]:
    """Run a reference; its result, and all its names at its end, with their values."""
    inside: dict[str, Any] = {}

    def leaves(frame: FrameType, event: str, _: Any) -> Callable:
        if event == "return":
            inside.update(frame.f_locals)
        return leaves

    before, code = sys.gettrace(), inspect.unwrap(reference).__code__
    sys.settrace(lambda frame, *_: leaves if frame.f_code is code else None)
    try:
        return run(), inside
    finally:
        sys.settrace(before)


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
