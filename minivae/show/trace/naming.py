"""What arguments and results are called."""

import inspect
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from ...engine.case import Case
from . import lines


def arguments(bound: inspect.BoundArguments) -> Iterator[tuple[str, Any]]:
    """Name and value of each argument; those of `*saved` are numbered."""
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_POSITIONAL:
            single = len(value) == 1
            yield from ((name if single else f"{name}{i}", x) for i, x in enumerate(value))
        elif kind is inspect.Parameter.VAR_KEYWORD:
            yield from value.items()
        else:
            yield name, value


def outputs(result: Any) -> list[Any]:
    """What an operation has computed; a forward function's cache is left out."""
    if isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], tuple):
        result = result[0]
    if result is None:
        return []
    return list(result) if isinstance(result, tuple) else [result]


def names_of(reference: Callable, caller: FrameType, count: int) -> list[str]:
    """Names of the outputs: as the caller assigns them, as they are returned, as the case says."""
    statement = lines.statement_at(caller.f_code.co_filename, caller.f_lineno)
    for names in (lines.targets(statement), lines.returned(reference), _of_case(reference)):
        if len(names) >= count and all(names[:count]):
            return names[:count]
    gradient = "backward" in reference.__name__
    return ["dx" if gradient else "y"] if count == 1 else [f"out{i}" for i in range(count)]


def _of_case(reference: Callable) -> list[str]:
    """Names that the operation's case gives to the gradients."""
    cases = getattr(sys.modules.get(reference.__module__), "CASES", ())
    case: Case | None = next((case for case in cases if case.backward is reference), None)
    return [f"d{name}" for name in case.vary] if case else []
