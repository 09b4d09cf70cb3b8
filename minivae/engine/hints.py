"""Annotations of a function, also those that are there for a type checker alone."""

import builtins
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .kinds import kind_of


def hints_of(function: Callable) -> dict[str, Any]:
    """Annotations of a function; a name that is there for a type checker alone is any class."""
    found = {}
    known = getattr(inspect.unwrap(function), "__globals__", {})
    for name, hint in getattr(function, "__annotations__", {}).items():
        found[name] = _evaluated(hint, known)
    return found


def of_arrays(hint: Any) -> bool:
    """Whether an annotation is one of arrays."""
    kind = kind_of(hint)
    parts = (hint, *typing.get_args(hint))
    found = any(part is np.ndarray for part in parts)
    return found or (kind is not None and (bool(kind.computes) or "array" in kind.what))


class _Named(type):
    """A class that is known by its name alone: its objects are those of any class so called."""

    def __instancecheck__(cls, value: Any) -> bool:
        return any(base.__name__ == cls.__name__ for base in type(value).__mro__)


class _Known(dict):
    """Names of a module; what is not there becomes a class that is known by its name."""

    def __missing__(self, name: str) -> Any:
        return _Named(name, (), {})


def _evaluated(hint: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(hint, str):
        return hint
    return eval(hint, {"__builtins__": {}}, _Known({**vars(builtins), **known}))
