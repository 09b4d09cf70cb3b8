"""Parameters that nobody has found: arrays of an object that change its output, without a gradient.

A class whose parameters are called or kept in an unusual way would pass unchecked. So each of its
arrays for which no gradient was found is moved a little; where the output moves too, the array is
reported. What forward itself writes, such as a cache, moves nothing.
"""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .names import CONSTANTS, gradient_names, plain
from .values import is_float, same, try_copy

DEPTH = 4


def overlooked(
    instance: Any, known: set[int], names: dict[int, str], outputs: Callable[[], Any]
) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of the arrays of an object that change its output.

    Parameters
    ----------
    instance : object
        With a forward pass.
    known : set of int
        `id` of each array that is none: arguments, and parameters with a gradient.
    names : dict of int to str
        What arrays are called, by their `id`; the others by the way to them.
    outputs : callable
        Runs forward.
    """
    before = try_copy(outputs())
    found = []
    for name, array in list(_arrays(instance, "", DEPTH, set(known))):
        constant = plain(name.rpartition(".")[2]) in CONSTANTS or not array.flags.writeable
        if constant or not array.size or id(array.base) in known:
            continue
        kept = array.copy()
        moved = kept * 1.37 + 0.11 * (1 + np.arange(kept.size).reshape(kept.shape) % 3)
        try:
            array[...] = moved
            changed = not same(outputs(), before)
        except Exception:
            changed = False
        finally:
            array[...] = kept
        if changed and same(outputs(), before):
            found.append((names.get(id(array), name), array.shape))
    return found


def numbers_with_gradients(instance: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Names of parameters that are numbers, not arrays, and the shapes of their gradients."""
    found = []
    for name, value in vars(instance).items():
        if type(value) in (int, float) and value:
            gradients = [getattr(instance, form, None) for form in gradient_names(name)]
            found += [(name, np.shape(g)) for g in gradients if isinstance(g, np.ndarray | float)]
    return found


def lost_among(backward: Callable | None, names: list[str]) -> list[str]:
    """Local names in backward that are called as the gradients of parameters are."""
    code = getattr(inspect.unwrap(backward), "__code__", None) if backward else None
    locals_ = code.co_varnames[code.co_argcount :] if code is not None else ()
    forms = {form for name in names for form in gradient_names(name.rpartition(".")[2])}
    return [name for name in locals_ if name in forms]


def _arrays(holder: Any, path: str, depth: int, seen: set[int]) -> Iterator[tuple[str, np.ndarray]]:
    """Paths and arrays of floats in an object, in what it holds, and in what that holds."""
    if isinstance(holder, dict):
        items = [(f"{path}[{key!r}]", value) for key, value in holder.items()]
    elif isinstance(holder, list | tuple):
        items = [(f"{path}[{i}]", value) for i, value in enumerate(holder)]
    else:
        items = [(f"{path}.{key}".lstrip("."), value) for key, value in vars(holder).items()]
    for name, value in items:
        if id(value) in seen:
            continue
        seen.add(id(value))
        if is_float(value):
            yield name, value
        elif depth and _is_container(value):
            yield from _arrays(value, name, depth - 1, seen)


def _is_container(value: Any) -> bool:
    holds = isinstance(value, dict | list | tuple) or hasattr(value, "__dict__")
    return holds and not hasattr(value, "__code__") and not isinstance(value, type)
