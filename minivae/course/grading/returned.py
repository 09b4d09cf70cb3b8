"""What a student's functions return, made into arrays under the names of the arguments."""

import contextlib
from typing import Any

import numpy as np

from .sandbox import StudentError
from .worker.messages import Opaque


def match_name(key: str, order: list[str]) -> str:
    """The argument whose gradient is called `key`, or key itself."""
    candidates = [key]
    for prefix in ("d", "d_", "grad_", "grad", "g_", "dL_d", "dl_d", "dloss_d", "delta_"):
        if key.startswith(prefix):
            candidates.append(key.removeprefix(prefix))
    candidates += [key.removesuffix(end) for end in ("_grad", "_gradient") if key.endswith(end)]
    for candidate in candidates:
        if candidate in order:
            return candidate
    lower = {n.lower(): n for n in order}
    return next((lower[c.lower()] for c in candidates if c.lower() in lower), key)


def parts_of(value: Any) -> list[Any]:
    """The parts of a tuple or list; anything else is one part, and None is none."""
    return list(value) if isinstance(value, tuple | list) else [] if value is None else [value]


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
