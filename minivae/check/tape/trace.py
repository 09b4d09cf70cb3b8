"""Arrays that write down what is done with them, on a `Tape`.

They are NumPy arrays in every other respect. An operation that is not known here gives an ordinary
array; what depends on it is then missing from the tape, which is noticed and the tape not used.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from .derivatives import DERIVATIVES, SLOPES
from .tape import Ref, Tape

UFUNCS = {
    **{name: name for name in SLOPES},
    **{name: name for name in ("add", "subtract", "multiply", "divide", "power", "matmul")},
    **{name: name for name in ("maximum", "minimum", "logaddexp")},
    "true_divide": "divide",
    "float_power": "power",
    "fmax": "maximum",
    "fmin": "minimum",
    "fabs": "absolute",
}
REDUCTIONS = {"add": "sum", "maximum": "max", "minimum": "min"}
FUNCTIONS: dict[Any, Callable] = {}
"""NumPy's function -> the one that stands for it; `functions.py` fills this."""


class Traced(np.ndarray):
    """An array with its place on a tape."""

    tape: Tape | None = None
    number: int = -1

    def __array_finalize__(self, other: Any) -> None:
        self.tape, self.number = None, -1

    def __array_ufunc__(
        self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **options: Any
    ) -> Any:
        """Apply the function to plain arrays, and write it down."""
        if out is not None:
            options["out"] = tuple(plain(x) for x in out)
        # Taken before the call, which may write into one of the inputs.
        before = tuple(x if isinstance(x, Traced) else plain(x) for x in inputs)
        result = getattr(ufunc, method)(*(plain(x) for x in inputs), **options)
        traced: Any = result
        if method == "__call__" and ufunc.__name__ in UFUNCS and set(options) <= {"out", "dtype"}:
            traced = write(UFUNCS[ufunc.__name__], before, {}, result)
        elif method == "reduce" and ufunc.__name__ in REDUCTIONS and len(inputs) == 1:
            params = {"axis": options.get("axis", 0), "keepdims": bool(options.get("keepdims"))}
            traced = write(REDUCTIONS[ufunc.__name__], before, params, result)
        if out is not None and isinstance(out[0], Traced):
            is_traced = isinstance(traced, Traced)
            out[0].tape = traced.tape if is_traced else None
            out[0].number = traced.number if is_traced else -1
            return out[0]
        return traced

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        """Apply one of the functions of `functions.py`, or the plain one, untraced."""
        if func in FUNCTIONS:
            return FUNCTIONS[func](*args, **kwargs)
        return func(*plain(args), **plain(kwargs))

    def __getitem__(self, key: Any) -> Any:
        key = plain(key)
        return write("getitem", (self,), {"key": key}, plain(self)[key])

    def __setitem__(self, key: Any, value: Any) -> None:
        key = plain(key)
        changed = np.array(plain(self))
        changed[key] = plain(value)
        written = write("setitem", (self, value), {"key": key}, changed)
        np.ndarray.__setitem__(self, key, plain(value))
        if isinstance(written, Traced):
            self.tape, self.number = written.tape, written.number
        elif isinstance(value, Traced):
            self.tape = None

    def reshape(self, *shape: Any, **options: Any) -> Any:
        """As NumPy's."""
        result = plain(self).reshape(*shape, **options)
        return result if options else write("reshape", (self,), {}, result)

    def ravel(self, order: str = "C") -> Any:
        """As NumPy's."""
        return self.reshape(-1)

    flatten = ravel

    def transpose(self, *axes: Any) -> Any:
        """As NumPy's."""
        order = axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes
        order = tuple(order) if order else tuple(range(self.ndim))[::-1]
        order = tuple(axis % self.ndim for axis in order)
        return write("transpose", (self,), {"axes": order}, plain(self).transpose(order))

    @property
    def T(self) -> Any:  # type: ignore[override]
        """As NumPy's."""
        return self.transpose()

    def swapaxes(self, one: int, two: int) -> Any:
        """As NumPy's."""
        order = list(range(self.ndim))
        order[one], order[two] = order[two], order[one]
        return self.transpose(*order)

    def squeeze(self, axis: Any = None) -> Any:
        """As NumPy's."""
        return self.reshape(plain(self).squeeze(axis).shape)

    def astype(self, dtype: Any, **options: Any) -> Any:
        """As NumPy's; for floats nothing is done."""
        return self if np.dtype(dtype).kind == "f" else plain(self).astype(dtype, **options)

    def copy(self, order: str = "C") -> Any:
        """As NumPy's."""
        return write("positive", (self,), {}, np.array(plain(self)))

    def mean(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """As NumPy's."""
        return np.mean(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, ddof: int = 0, keepdims: bool = False, **_: Any) -> Any:
        """As NumPy's."""
        return np.var(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def std(self, axis: Any = None, ddof: int = 0, keepdims: bool = False, **_: Any) -> Any:
        """As NumPy's."""
        return np.std(self, axis=axis, ddof=ddof, keepdims=keepdims)

    def sum(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """As NumPy's."""
        return np.add.reduce(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """As NumPy's."""
        return np.maximum.reduce(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
        """As NumPy's."""
        return np.minimum.reduce(self, axis=axis, keepdims=keepdims)

    def dot(self, other: Any) -> Any:
        """As NumPy's."""
        return np.dot(self, other)

    def clip(self, low: Any = None, high: Any = None, **_: Any) -> Any:
        """As NumPy's."""
        return np.clip(self, low, high)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """As NumPy's."""
        return np.repeat(self, repeats, axis=axis)


def plain(value: Any) -> Any:
    """The value as an ordinary array, inside containers too."""
    if isinstance(value, Traced):
        return value.view(np.ndarray)
    if isinstance(value, tuple | list):
        return type(value)(plain(v) for v in value)
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    return value


def write(op: str, inputs: Any, params: dict[str, Any], result: Any) -> Any:
    """Write a step down and give its result its place; only if all its inputs are on the tape."""
    tapes = [x.tape for x in inputs if isinstance(x, Traced) and x.tape is not None]
    tape = next((t for t in tapes if t.open), None)  # an object may keep arrays of an earlier run
    if tape is None or op not in DERIVATIVES:
        return np.array(result) if tapes else result
    if any(isinstance(x, Traced) and x.tape is None for x in inputs):
        return np.array(result)
    refs: tuple[Ref, ...] = tuple(
        ("node", x.number)
        if isinstance(x, Traced) and x.tape is tape
        else ("const", np.array(x, float))
        for x in inputs
    )
    traced = np.asarray(result, float).view(Traced)
    traced.tape, traced.number = tape, tape.add(op, refs, params, result)
    return traced


@contextlib.contextmanager
def _buffers(tape: Tape) -> Iterator[None]:
    """Let arrays that a function makes to fill them be on the tape too."""
    module: Any = np
    made = {n: getattr(np, n) for n in ("zeros", "empty", "zeros_like", "empty_like")}
    vectorized = np.vectorize.__call__

    def of_entries(self: Any, *args: Any, **options: Any) -> Any:
        result = vectorized(self, *plain(args), **plain(options))
        return write("erf", args, {}, result) if self.pyfunc is math.erf else result

    def traced(make: Callable) -> Callable:
        def made_here(*args: Any, **options: Any) -> Any:
            array = make(*plain(args), **options)
            if not array.ndim or array.dtype.kind != "f":
                return array
            buffer = np.nan_to_num(array).view(Traced)
            buffer.tape, buffer.number = tape, tape.add("buffer", (), {}, buffer)
            return buffer

        return made_here

    for name, make in made.items():
        setattr(module, name, traced(make))
    module.vectorize.__call__ = of_entries
    try:
        yield
    finally:
        module.vectorize.__call__ = vectorized
        for name, make in made.items():
            setattr(module, name, make)


def record(
    run: Callable[[dict[str, np.ndarray]], list[np.ndarray]], arguments: dict[str, np.ndarray]
) -> Tape | None:
    """The tape of a forward pass; None if it cannot be followed to its outputs."""
    tape = Tape()
    traced = {}
    for name, value in arguments.items():
        array = np.array(value, float).view(Traced)
        array.tape, array.number = tape, tape.add("argument", (), {}, value)
        tape.arguments[name] = array.number
        traced[name] = array
    try:
        with _buffers(tape):
            outputs = run(traced)
    except Exception:
        return None
    finally:
        tape.open = False
    for y in outputs:
        number = _number_of(y, tape)
        if number is None:
            return None
        tape.outputs.append(number)
    return tape


def _number_of(y: Any, tape: Tape) -> int | None:
    """The node of an output: by its place, or the last one that has its value."""
    if isinstance(y, Traced) and y.tape is tape:
        return y.number
    y = np.asarray(plain(y))
    for number in reversed(range(len(tape.nodes))):
        value = tape.nodes[number].value
        if value.shape == y.shape and np.array_equal(value, y):
            return number
    return None
