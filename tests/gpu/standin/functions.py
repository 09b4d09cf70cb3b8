"""The functions of CuPy that minivae uses or may use, with CuPy's parameters."""

from typing import Any

import numpy as np

from . import memory
from .array import given, ndarray, number, result, uploaded, view
from .ufuncs import UFUNCS, where_ufunc

# New arrays


def empty(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    made = ndarray(shape, dtype, order=order)
    if made.dtype.kind == "f":
        made._host.fill(np.nan)  # whoever reads it before it is written shall see that
    return made


def _filled(shape: Any, value: Any, dtype: Any, order: str = "C") -> ndarray:
    return result(np.full(shape, value, dtype, order), "fill")


def zeros(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return _filled(shape, 0, dtype, order)


def ones(shape: Any, dtype: Any = float, order: str = "C") -> ndarray:
    return _filled(shape, 1, dtype, order)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    return _filled(shape, number(fill_value), dtype, order)


def _like(a: Any, dtype: Any, shape: Any) -> tuple:
    a = given(a)
    return a.shape if shape is None else shape, a.dtype if dtype is None else dtype


def empty_like(
    prototype: Any, dtype: Any = None, order: str = "K", subok: None = None, shape: Any = None
) -> ndarray:
    return empty(*_like(prototype, dtype, shape))


def zeros_like(
    a: Any, dtype: Any = None, order: str = "K", subok: None = None, shape: Any = None
) -> ndarray:
    return zeros(*_like(a, dtype, shape))


def ones_like(
    a: Any, dtype: Any = None, order: str = "K", subok: None = None, shape: Any = None
) -> ndarray:
    return ones(*_like(a, dtype, shape))


def full_like(
    a: Any,
    fill_value: Any,
    dtype: Any = None,
    order: str = "K",
    subok: None = None,
    shape: Any = None,
) -> ndarray:
    shape, dtype = _like(a, dtype, shape)
    return full(shape, fill_value, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> ndarray:
    start, stop = (0, start) if stop is None else (start, stop)
    return result(np.arange(start, stop, step, dtype), "arange")


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = float, order: str = "C") -> ndarray:
    return result(np.eye(N, M, k, dtype, order), "eye")


# Between host and device


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
) -> ndarray:
    if isinstance(a, ndarray):
        return a.astype(a.dtype if dtype is None else dtype, copy=bool(copy))
    return uploaded(a, dtype)


def array(
    obj: Any,
    dtype: Any = None,
    copy: bool = True,
    order: str = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    return asarray(obj, dtype, copy=copy)


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> np.ndarray:
    if isinstance(a, ndarray):
        return a.get(stream, order, out, blocking)
    return np.asarray(a)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    made = np.ascontiguousarray(given(a), dtype)
    return a if made is a._host else result(made, "copy")


def copy(a: Any, order: str = "K") -> ndarray:
    return result(given(a).copy(order), "copy")


def get_array_module(*args: Any) -> Any:
    from . import cupy

    return cupy if any(isinstance(arg, ndarray) for arg in args) else np


# Reductions, functions as methods


def _reduce(name: str, a: Any, axis: Any, out: Any, **options: Any) -> ndarray:
    with np.errstate(all="ignore"):
        return result(getattr(np, name)(given(a), axis=axis, **options), name, out)


def sum(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduce("sum", a, axis, out, dtype=dtype, keepdims=keepdims)


def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduce("prod", a, axis, out, dtype=dtype, keepdims=keepdims)


def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduce("mean", a, axis, out, dtype=dtype, keepdims=keepdims)


def var(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
) -> ndarray:
    return _reduce("var", a, axis, out, dtype=dtype, ddof=ddof, keepdims=keepdims)


def std(
    a: Any,
    axis: Any = None,
    dtype: Any = None,
    out: Any = None,
    ddof: int = 0,
    keepdims: bool = False,
) -> ndarray:
    return _reduce("std", a, axis, out, dtype=dtype, ddof=ddof, keepdims=keepdims)


def max(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduce("max", a, axis, out, keepdims=keepdims)


def min(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduce("min", a, axis, out, keepdims=keepdims)


def any(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduce("any", a, axis, out, keepdims=keepdims)


def all(a: Any, axis: Any = None, out: Any = None, keepdims: bool = False) -> ndarray:
    return _reduce("all", a, axis, out, keepdims=keepdims)


def argmax(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduce("argmax", a, axis, out, keepdims=keepdims)


def argmin(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: bool = False
) -> ndarray:
    return _reduce("argmin", a, axis, out, keepdims=keepdims)


def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: Any = None) -> ndarray:
    return _reduce("cumsum", a, axis, out, dtype=dtype)


for _method in (sum, prod, mean, var, std, max, min, any, all, argmax, argmin, cumsum):
    setattr(ndarray, _method.__name__, _method)


# Products


def matmul(
    *args: Any,
    axes: Any = None,
    axis: Any = None,
    keepdims: bool = False,
    casting: str = "same_kind",
    dtype: Any = None,
    signature: Any = None,
    order: str = "K",
    out: Any = None,
) -> ndarray:
    a, b = (given(arg) for arg in args)
    with np.errstate(all="ignore"):
        return result(np.matmul(a, b), "matmul", out)


def dot(a: Any, b: Any, out: Any = None) -> ndarray:
    with np.errstate(all="ignore"):
        return result(np.dot(given(a), given(b)), "dot", out)


def vdot(a: Any, b: Any) -> ndarray:
    with np.errstate(all="ignore"):
        return result(np.vdot(given(a), given(b)), "vdot")


def tensordot(a: Any, b: Any, axes: Any = 2) -> ndarray:
    with np.errstate(all="ignore"):
        return result(np.tensordot(given(a), given(b), axes), "tensordot")


ndarray.dot = dot
ndarray.__matmul__ = lambda self, other: matmul(self, other)
ndarray.__rmatmul__ = lambda self, other: matmul(other, self)


def norm(x: Any, ord: None = None, axis: Any = None, keepdims: bool = False) -> ndarray:
    if ord is not None:
        raise NotImplementedError("the stand-in has the Euclidean norm only")
    given(x)
    return UFUNCS["sqrt"](sum(x * x, axis, keepdims=keepdims))


# Layout


def broadcast_to(array: Any, shape: Any) -> ndarray:
    return view(array, np.broadcast_to(given(array), shape))


def concatenate(
    tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> ndarray:
    made = np.concatenate([_joined(a) for a in tup], axis, dtype=dtype, casting=casting)
    return result(made, "concatenate", out)


def stack(
    tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: str = "same_kind"
) -> ndarray:
    made = np.stack([_joined(a) for a in tup], axis, dtype=dtype, casting=casting)
    return result(made, "concatenate", out)


def _joined(a: Any) -> np.ndarray:
    if not isinstance(a, ndarray):
        raise TypeError("Only cupy arrays can be concatenated")
    return a._host


def repeat(a: Any, repeats: int, axis: Any = None) -> ndarray:
    given(a)
    return a.repeat(repeats, axis)


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> ndarray:
    given(a)
    return a.take(indices, axis, out)


def expand_dims(a: Any, axis: Any) -> ndarray:
    return view(a, np.expand_dims(given(a), axis))


def squeeze(a: Any, axis: Any = None) -> ndarray:
    return view(a, np.squeeze(given(a), axis))


def transpose(a: Any, axes: Any = None) -> ndarray:
    return view(a, np.transpose(given(a), axes))


def moveaxis(a: Any, source: Any, destination: Any) -> ndarray:
    return view(a, np.moveaxis(given(a), source, destination))


def reshape(a: Any, newshape: Any, order: str = "C", *, copy: bool | None = None) -> ndarray:
    given(a)
    return a.reshape(newshape, order=order, copy=copy)


def ravel(a: Any, order: str = "C") -> ndarray:
    given(a)
    return a.ravel(order)


def flip(a: Any, axis: Any = None) -> ndarray:
    return view(a, np.flip(given(a), axis))


def pad(array: Any, pad_width: Any, mode: str = "constant", **kwargs: Any) -> ndarray:
    return result(np.pad(given(array), pad_width, mode, **kwargs), "pad")


def as_strided(x: Any, shape: Any = None, strides: Any = None) -> ndarray:
    return view(x, np.lib.stride_tricks.as_strided(given(x), shape, strides))


# Choices


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    given(condition)
    if x is None and y is None:
        return nonzero(condition)
    if x is None or y is None:
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    return where_ufunc(condition.astype("?", copy=False), x, y)


def nonzero(a: Any) -> tuple[ndarray, ...]:
    given(a)
    return a.nonzero()


def count_nonzero(a: Any, axis: Any = None) -> ndarray:
    return result(np.count_nonzero(given(a), axis), "count_nonzero")


def clip(a: Any, a_min: Any, a_max: Any, out: Any = None) -> ndarray:
    given(a)
    low, high = (None if bound is None else number(bound) for bound in (a_min, a_max))
    return result(np.clip(a._host, low, high), "clip", out)


def sort(a: Any, axis: int = -1, kind: None = None) -> ndarray:
    return result(np.sort(given(a), axis), "sort")


def argsort(a: Any, axis: int = -1, kind: None = None) -> ndarray:
    given(a)
    return a.argsort(axis)


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> ndarray:
    made = np.array_equal(given(a1), given(a2), equal_nan)
    return result(made, "array_equal")


def may_share_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    return np.may_share_memory(given(a), given(b))


def shares_memory(a: Any, b: Any, max_work: Any = None) -> bool:
    return np.shares_memory(given(a), given(b))


def ndim(a: Any) -> int:
    return np.ndim(number(a))


def copyto(dst: Any, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    target, source = given(dst), number(src)
    if not np.can_cast(np.result_type(source), target.dtype, casting):
        raise TypeError(f"Cannot cast {np.result_type(source)} to {target.dtype} in {casting} mode")
    memory.launch("copy")
    np.copyto(target, source, casting, where=True if where is None else given(where))


def _clip(self: ndarray, min: Any = None, max: Any = None, out: Any = None) -> ndarray:
    return clip(self, min, max, out)


ndarray.clip = _clip


# NumPy's own functions, called with an array on the device


def _array_ufunc(self: ndarray, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    from . import cupy

    if method != "__call__" or not hasattr(cupy, ufunc.__name__):
        return NotImplemented
    return getattr(cupy, ufunc.__name__)(*inputs, **kwargs)


def _array_function(self: ndarray, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    from . import cupy

    module = cupy
    for part in func.__module__.split(".")[1:]:
        module = getattr(module, part, None)
    function = getattr(module, func.__name__, None)
    if function is None:
        return NotImplemented
    return function(*args, **kwargs)


ndarray.__array_ufunc__ = _array_ufunc
ndarray.__array_function__ = _array_function

__all__ = [
    name
    for name, value in list(globals().items())
    if getattr(value, "__module__", None) == __name__
    and name not in ("norm", "as_strided")
    and not name.startswith("_")
]
