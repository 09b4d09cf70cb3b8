"""The stand-in's array: what `cupy.ndarray` has, over memory of the host that is out of reach.

It holds a NumPy array and is none: NumPy cannot read it, and nothing takes both kinds together.
Where CuPy would quietly copy, or compute with a NumPy array that it was given, this array refuses.
"""

from typing import Any

import numpy as np

from . import memory


class Flags:
    """Layout of an array."""

    def __init__(self, host: np.ndarray, owndata: bool) -> None:
        self.c_contiguous = host.flags.c_contiguous
        self.f_contiguous = host.flags.f_contiguous
        self.owndata = owndata

    def __getitem__(self, name: str) -> bool:
        return getattr(self, name.lower())


class ndarray:
    """An array on the pretended device."""

    __slots__ = ("__weakref__", "_host", "base")
    __array_priority__ = 100
    __hash__ = None

    def __init__(
        self,
        shape: Any,
        dtype: Any = float,
        memptr: None = None,
        strides: None = None,
        order: str = "C",
    ) -> None:
        if memptr is not None or strides is not None:
            raise NotImplementedError("the stand-in has no memory to point into")
        self._host = memory.allocated(np.empty(shape, dtype, order))
        self.base = None

    # Layout

    shape = property(lambda self: self._host.shape)
    strides = property(lambda self: self._host.strides)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    nbytes = property(lambda self: self._host.nbytes)
    itemsize = property(lambda self: self._host.itemsize)
    flags = property(lambda self: Flags(self._host, self.base is None))
    T = property(lambda self: view(self, self._host.T))
    real = property(lambda self: view(self, self._host.real))
    imag = property(lambda self: view(self, self._host.imag))

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self._host)

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(len(self)))

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> "ndarray":
        shape = shape[0] if len(shape) == 1 else shape
        made = self._host.reshape(shape, order=order)
        if np.may_share_memory(made, self._host) and not copy:
            return view(self, made)
        return result(made, "reshape")

    def ravel(self, order: str = "C") -> "ndarray":
        return self.reshape(-1, order=order)

    def flatten(self, order: str = "C") -> "ndarray":
        return result(self._host.flatten(order), "flatten")

    def transpose(self, *axes: Any) -> "ndarray":
        return view(self, self._host.transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> "ndarray":
        return view(self, self._host.swapaxes(axis1, axis2))

    def squeeze(self, axis: Any = None) -> "ndarray":
        return view(self, self._host.squeeze(axis))

    def view(self, dtype: Any = None, type: None = None) -> "ndarray":
        return view(self, self._host.view() if dtype is None else self._host.view(dtype))

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> "ndarray":
        return view(self, self._host.diagonal(offset, axis1, axis2))

    # Entries

    def __getitem__(self, index: Any) -> "ndarray":
        index, advanced = _index(index)
        if not advanced:  # a view even of one entry
            return view(self, self._host[index if Ellipsis in index else (*index, ...)])
        if any(getattr(part, "dtype", None) == np.bool_ for part in index):
            memory.read("boolean index")  # how many are true is the shape of the result
        return result(self._host[index], "take")

    def __setitem__(self, index: Any, value: Any) -> None:
        index, _ = _index(index)
        if isinstance(value, np.ndarray) and value.shape:
            raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
        value = number(value)
        if self._host[index].size:
            memory.launch("copy" if isinstance(value, np.ndarray) else "fill")
        with np.errstate(all="ignore"):
            self._host[index] = value

    def take(self, indices: Any, axis: int | None = None, out: Any = None) -> "ndarray":
        return result(self._host.take(given(indices), axis), "take", out)

    def repeat(self, repeats: int, axis: int | None = None) -> "ndarray":
        if not isinstance(repeats, int):
            raise ValueError("the stand-in repeats every entry as often")
        return result(self._host.repeat(repeats, axis), "repeat")

    def nonzero(self) -> "tuple[ndarray, ...]":
        memory.read("nonzero")  # their number is the shape of the result
        return tuple(result(found, "nonzero") for found in np.nonzero(self._host))

    def fill(self, value: Any) -> None:
        self[...] = value

    def sort(self, axis: int = -1, kind: None = None) -> None:
        memory.launch("sort")
        self._host.sort(axis)

    def argsort(self, axis: int = -1, kind: None = None) -> "ndarray":
        return result(self._host.argsort(axis, "stable"), "argsort")

    # Copies on the device

    def copy(self, order: str = "C") -> "ndarray":
        return result(self._host.copy(order), "copy")

    def astype(
        self,
        dtype: Any,
        order: str = "K",
        casting: str | None = None,
        subok: None = None,
        copy: bool = True,
    ) -> "ndarray":
        if not copy and self.dtype == dtype:
            return self
        with np.errstate(all="ignore"):
            made = self._host.astype(dtype, order, casting or "unsafe")
        return result(made, "astype")

    def __copy__(self) -> "ndarray":
        return self.copy()

    def __deepcopy__(self, memo: dict) -> "ndarray":
        return self.copy()

    # Between host and device

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if self.dtype != arr.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if self.shape != arr.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        memory.upload("set")
        self._host[...] = arr
        if stream is not None:
            stream._fetching(arr)

    def get(
        self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True
    ) -> np.ndarray:
        return self._read("get", order, out)

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self._read("item").item()

    def tolist(self) -> Any:
        return self._read("tolist").tolist()

    def tobytes(self, order: str = "C") -> bytes:
        return self._read("tobytes").tobytes(order)

    def _read(self, name: str, order: str = "C", out: Any = None) -> np.ndarray:
        if self.size:
            memory.read(name)
        if out is None:
            return self._host.copy(order)
        if (out.dtype, out.shape) != (self.dtype, self.shape):
            raise ValueError("`out` has another dtype or shape")
        out[...] = self._host
        return out

    def __bool__(self) -> bool:
        return bool(self._read("bool"))

    def __int__(self) -> int:
        return int(self._read("int"))

    def __float__(self) -> float:
        return float(self._read("float"))

    def __complex__(self) -> complex:
        return complex(self._read("complex"))

    def __repr__(self) -> str:
        return repr(self._read("repr"))

    def __str__(self) -> str:
        return str(self._read("str"))

    def __format__(self, spec: str) -> str:
        return format(self._read("format"), spec)

    def __reduce__(self) -> tuple:
        return uploaded, (self._read("pickle"),)

    def __array__(self, dtype: Any = None, copy: Any = None) -> None:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. "
            "Please use `.get()` to construct a NumPy array explicitly."
        )


def wrapped(host: np.ndarray, base: ndarray | None = None) -> ndarray:
    """Put memory of the host out of reach."""
    array = object.__new__(ndarray)
    array._host, array.base = host, base
    return array


def view(of: ndarray, host: np.ndarray) -> ndarray:
    """Make an array that shares the memory of another."""
    return wrapped(host, of if of.base is None else of.base)


def result(host: Any, name: str, out: ndarray | None = None) -> ndarray:
    """Make the array that a launch has computed, or write it to `out`."""
    host = np.asarray(host)
    if host.size:
        memory.launch(name)
    if out is None:
        return wrapped(memory.allocated(host))
    if not isinstance(out, ndarray):
        raise TypeError("Output arguments type must be cupy.ndarray")
    if out.shape != host.shape:
        raise ValueError("Out shape is mismatched")
    out._host[...] = host
    return out


def uploaded(values: Any, dtype: Any = None) -> ndarray:
    """Copy from the host to the device."""
    host = np.array(values, dtype)
    if host.dtype.kind not in "biufc":
        raise ValueError(f"Unsupported dtype {host.dtype}")
    memory.upload("array")
    return wrapped(memory.allocated(host))


def number(value: Any) -> Any:
    """What NumPy is to compute with, of an array on the device or of a number."""
    if isinstance(value, ndarray):
        return value._host
    if type(value) in (bool, int, float, complex) or isinstance(value, np.generic):
        return value
    if isinstance(value, np.ndarray) and not value.shape:
        return value.item()
    raise TypeError(f"Unsupported type {type(value)}")


def given(value: Any) -> np.ndarray:
    """What NumPy is to compute with, of an array on the device and of nothing else."""
    if isinstance(value, ndarray):
        return value._host
    raise TypeError(
        f"Argument 'a' has incorrect type (expected <class 'cupy.ndarray'>, got {type(value)})"
    )


def _index(index: Any) -> tuple[tuple, bool]:
    """Return the index for the memory of the host, and whether it gathers entries."""
    parts, advanced = [], False
    for part in index if isinstance(index, tuple) else (index,):
        if isinstance(part, ndarray):
            advanced = True
            if part.dtype.kind not in "biu":
                raise IndexError(
                    "arrays used as indices must be of integer or boolean type. "
                    f"(actual: {part.dtype.type})"
                )
            part = part._host
        elif isinstance(part, np.ndarray | list | tuple):
            # CuPy copies it to the device, each time; here it has to be there.
            raise TypeError(f"an index of {type(part)} was given to an array on the device")
        elif isinstance(part, bool | np.bool_):
            raise TypeError("the stand-in takes no bool as an index")
        parts.append(part)
    return tuple(parts), advanced
