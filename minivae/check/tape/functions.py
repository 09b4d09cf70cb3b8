"""NumPy's functions for traced arrays, each by steps that a tape can hold."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .trace import FUNCTIONS, Traced, plain, write


def _stands_for(*names: str) -> Callable[[Callable], Callable]:
    """Say which NumPy functions a function here stands for."""

    def decorate(function: Callable) -> Callable:
        for name in names:
            FUNCTIONS[getattr(np, name)] = function
        return function

    return decorate


@_stands_for("sum")
def _sum(a: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    return np.add.reduce(a, axis=axis, keepdims=bool(keepdims))


@_stands_for("max", "amax")
def _max(a: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    return np.maximum.reduce(a, axis=axis, keepdims=bool(keepdims))


@_stands_for("min", "amin")
def _min(a: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    return np.minimum.reduce(a, axis=axis, keepdims=bool(keepdims))


def _count(a: Any, axis: Any) -> int:
    if axis is None:
        return int(np.size(a))
    axes = axis if isinstance(axis, tuple) else (axis,)
    return int(np.prod([np.shape(a)[i] for i in axes]))


@_stands_for("mean", "average")
def _mean(a: Any, axis: Any = None, keepdims: Any = False, **_: Any) -> Any:
    return np.add.reduce(a, axis=axis, keepdims=bool(keepdims)) / _count(a, axis)


@_stands_for("var")
def _var(a: Any, axis: Any = None, ddof: int = 0, keepdims: Any = False, **_: Any) -> Any:
    centred = a - _mean(a, axis, True)
    total = np.add.reduce(centred * centred, axis=axis, keepdims=bool(keepdims))
    return total / (_count(a, axis) - ddof)


@_stands_for("std")
def _std(a: Any, axis: Any = None, ddof: int = 0, keepdims: Any = False, **_: Any) -> Any:
    return np.sqrt(_var(a, axis, ddof, keepdims))


@_stands_for("dot")
def _dot(a: Any, b: Any, **_: Any) -> Any:
    return np.multiply(a, b) if np.ndim(a) == 0 or np.ndim(b) == 0 else np.matmul(a, b)


@_stands_for("outer")
def _outer(a: Any, b: Any, **_: Any) -> Any:
    return np.multiply(np.reshape(a, (-1, 1)), np.reshape(b, (1, -1)))


@_stands_for("clip")
def _clip(a: Any, a_min: Any = None, a_max: Any = None, **options: Any) -> Any:
    low, high = plain(options.get("min", a_min)), plain(options.get("max", a_max))
    low, high = (-np.inf if low is None else low), (np.inf if high is None else high)
    return write("clip", (a,), {"low": low, "high": high}, np.clip(plain(a), low, high))


@_stands_for("where")
def _where(condition: Any, *branches: Any) -> Any:
    condition = np.asarray(plain(condition)).astype(bool)
    if not branches:
        return np.where(condition)
    result = np.where(condition, *(plain(b) for b in branches))
    return write("where", branches, {"branch": 1 - condition}, result)


@_stands_for("reshape")
def _reshape(a: Any, shape: Any, **_: Any) -> Any:
    result = np.reshape(plain(a), shape)
    return a.reshape(result.shape) if isinstance(a, Traced) else result


@_stands_for("ravel")
def _ravel(a: Any, **_: Any) -> Any:
    return a.reshape(-1)


@_stands_for("transpose")
def _transpose(a: Any, axes: Any = None) -> Any:
    return a.transpose(*(axes or ()))


@_stands_for("swapaxes")
def _swapaxes(a: Any, one: int, two: int) -> Any:
    return a.swapaxes(one, two)


@_stands_for("expand_dims")
def _expand_dims(a: Any, axis: Any) -> Any:
    return a.reshape(np.expand_dims(plain(a), axis).shape)


@_stands_for("squeeze")
def _squeeze(a: Any, axis: Any = None) -> Any:
    return a.squeeze(axis)


@_stands_for("atleast_2d")
def _atleast_2d(a: Any) -> Any:
    return a.reshape(np.atleast_2d(plain(a)).shape)


@_stands_for("broadcast_to")
def _broadcast_to(a: Any, shape: Any, **_: Any) -> Any:
    return write("broadcast_to", (a,), {}, np.broadcast_to(plain(a), shape))


@_stands_for("concatenate")
def _concatenate(arrays: Any, axis: int = 0, **_: Any) -> Any:
    result = np.concatenate(plain(list(arrays)), axis=axis)
    return write("concatenate", tuple(arrays), {"axis": axis % result.ndim}, result)


@_stands_for("hstack")
def _hstack(arrays: Any, **_: Any) -> Any:
    return _concatenate(arrays, axis=1 if np.ndim(arrays[0]) > 1 else 0)


@_stands_for("vstack")
def _vstack(arrays: Any, **_: Any) -> Any:
    return _concatenate([np.atleast_2d(a) for a in arrays], axis=0)


@_stands_for("stack")
def _stack(arrays: Any, axis: int = 0, **_: Any) -> Any:
    return _concatenate([np.expand_dims(a, axis) for a in arrays], axis=axis)


@_stands_for("repeat")
def _repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    if not isinstance(repeats, int) or axis is None:
        return np.repeat(plain(a), repeats, axis=axis)
    axis = axis % np.ndim(a)
    result = np.repeat(plain(a), repeats, axis=axis)
    return write("repeat", (a,), {"axis": axis, "repeats": repeats}, result)


@_stands_for("einsum")
def _einsum(subscripts: Any, *operands: Any, **_: Any) -> Any:
    result = np.einsum(subscripts, *plain(operands))
    if not isinstance(subscripts, str) or "->" not in subscripts or "." in subscripts:
        return result
    if any(len(set(part)) < len(part) for part in subscripts.split("->")[0].split(",")):
        return result
    return write("einsum", operands, {"subscripts": subscripts}, result)


@_stands_for("tensordot")
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if isinstance(axes, int):
        axes = range(np.ndim(a) - axes, np.ndim(a)), range(axes)
    ones, twos = ([axes] if isinstance(axes, int) else list(axes) for axes in axes)
    first = list("abcdefghijkl"[: np.ndim(a)])
    second = list("mnopqrstuvwx"[: np.ndim(b)])
    for one, two in zip(ones, twos, strict=True):
        second[two] = first[one]
    out = [c for c in first if c not in second] + [c for c in second if c not in first]
    return np.einsum(f"{''.join(first)},{''.join(second)}->{''.join(out)}", a, b)


@_stands_for("split", "array_split")
def _split(a: Any, parts: Any, axis: int = 0) -> Any:
    if isinstance(parts, int):
        ends = np.cumsum([len(p) for p in np.array_split(np.arange(np.shape(a)[axis]), parts)])
        parts = ends[:-1]
    bounds = [0, *(int(end) for end in parts), np.shape(a)[axis]]
    before = (slice(None),) * (axis % np.ndim(a))
    return [a[(*before, slice(*pair))] for pair in itertools.pairwise(bounds)]


@_stands_for("tile")
def _tile(a: Any, repeats: Any) -> Any:
    result = np.tile(plain(a), repeats)
    times = np.broadcast_to(np.reshape(repeats, -1), (np.size(repeats),))
    if len(times) != np.ndim(a):
        return result
    for axis, n in enumerate(times):
        a = _concatenate([a] * int(n), axis=axis)
    return a


@_stands_for("pad")
def _pad(a: Any, pad_width: Any, mode: str = "constant", **options: Any) -> Any:
    result = np.pad(plain(a), pad_width, mode, **options)
    if mode != "constant" or np.any(options.get("constant_values", 0)):
        return result
    widths = np.broadcast_to(pad_width, (np.ndim(a), 2))
    padded = np.zeros(result.shape)  # on the tape, as all arrays made while it runs
    padded[tuple(slice(b, b + n) for (b, _), n in zip(widths, np.shape(a), strict=True))] = a
    return padded


@_stands_for("copy")
def _copy(a: Any, **_: Any) -> Any:
    return a.copy()
