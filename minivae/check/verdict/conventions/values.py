"""Nested values, as students pass and return them: compared, copied, taken apart."""

import copy
from typing import Any

import numpy as np


class Unreadable(Exception):
    """Code that cannot be read, in a sentence that says what would help."""


def same(a: Any, b: Any) -> bool:
    """Whether two nested values hold the same numbers; NaN equals NaN."""
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        a, b = np.asarray(a), np.asarray(b)
        if a.shape != b.shape or a.dtype != b.dtype:
            return False
        return bool(np.array_equal(a, b, equal_nan=a.dtype.kind in "fc"))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple | list) and isinstance(b, tuple | list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    if isinstance(a, int | float | complex) and isinstance(b, int | float | complex):
        return a == b or (a != a and b != b)
    return True


def changed(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The values that are no longer what they were."""
    return {n: v for n, v in now.items() if not same(v, before[n])}


def try_copy(value: Any) -> Any:
    """A deep copy; None where there can be none."""
    try:
        return copy.deepcopy(value)
    except Exception:
        return None


def parts_of(value: Any) -> list[Any]:
    """The parts of a tuple or list; anything else is one part, and None is none."""
    return list(value) if isinstance(value, tuple | list) else [] if value is None else [value]


def is_number(value: Any) -> bool:
    """Whether a value is one number, and no container of one."""
    return not isinstance(value, tuple | list | dict) and value is not None and np.ndim(value) == 0


def is_float(value: Any) -> bool:
    """Whether a value is an array of floats."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def times(returned: Any, factor: float) -> Any:
    """Gradients in any container, times a number."""
    if factor == 1:
        return returned
    if isinstance(returned, dict):
        return {key: times(value, factor) for key, value in returned.items()}
    if isinstance(returned, list | tuple):
        return [times(value, factor) for value in returned]
    return returned if returned is None else factor * returned
