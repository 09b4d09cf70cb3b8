"""Functions of one entry each, and the operators of an array."""

from collections.abc import Callable
from typing import Any

import numpy as np

from . import memory
from .array import ndarray, number, result


class ufunc:
    """One launch that computes entry by entry, as NumPy's function of that name does."""

    def __init__(self, host: Callable, name: str = "") -> None:
        self._host = host
        self.nin, self.nout = host.nin, host.nout
        self.nargs = self.nin + self.nout
        self.__name__ = self.name = f"cupy_{name or host.__name__}"

    def __call__(self, *args: Any, **kwargs: Any) -> ndarray:
        out, dtype = kwargs.pop("out", None), kwargs.pop("dtype", None)
        casting = kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(
                f"Wrong number of arguments for {self.name!r}. It must be either {self.nin} or "
                f"{self.nargs} (with outputs), but given {len(args)}."
            )
        if len(args) > self.nin:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            out = args[self.nin]
        out = out[0] if isinstance(out, tuple) else out
        values = [number(arg) for arg in args[: self.nin]]
        with np.errstate(all="ignore"):
            if out is None:
                return result(self._host(*values, dtype=dtype, casting=casting), self.name)
            if not isinstance(out, ndarray):
                raise TypeError("Output arguments type must be cupy.ndarray")
            if np.broadcast_shapes(*(np.shape(value) for value in values)) != out.shape:
                raise ValueError("Out shape is mismatched")
            self._host(*values, out=out._host, dtype=dtype, casting=casting)
        if out.size:
            memory.launch(self.name)
        return out

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"


class _Erf:
    """SciPy's error function, which has no `dtype` of NumPy's own ufuncs."""

    nin, nout, __name__ = 1, 1, "erf"

    def __call__(self, x: Any, out: Any = None, dtype: Any = None, casting: str = "") -> Any:
        from scipy.special import erf

        return erf(x, out=out)


erf = ufunc(_Erf())

NAMES = (
    "absolute add arctan bitwise_and bitwise_or bitwise_xor ceil cos cosh divide equal exp "
    "exp2 expm1 floor floor_divide greater greater_equal invert isfinite isinf isnan less "
    "less_equal log log1p log2 logaddexp logical_and logical_not logical_or logical_xor "
    "maximum minimum multiply negative not_equal power reciprocal remainder rint sign sin "
    "sinh sqrt square subtract tan tanh "
)

UFUNCS = {name: ufunc(getattr(np, name)) for name in NAMES.split()}
UFUNCS |= {"abs": UFUNCS["absolute"], "true_divide": UFUNCS["divide"], "mod": UFUNCS["remainder"]}


def _where(condition: Any, x: Any, y: Any, dtype: Any = None, casting: str = "") -> Any:
    return np.where(condition, x, y)


_where.nin, _where.nout = 3, 1  # type: ignore[attr-defined]
where_ufunc = ufunc(_where, "where")

OPERATORS = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}


def _equip(function: ufunc, operator: str) -> None:
    def forward(self: ndarray, other: Any) -> ndarray:
        return function(self, other)

    def reflected(self: ndarray, other: Any) -> ndarray:
        return function(other, self)

    def in_place(self: ndarray, other: Any) -> ndarray:
        return function(self, other, self)

    setattr(ndarray, f"__{operator}__", forward)
    if operator in OPERATORS:
        setattr(ndarray, f"__r{operator}__", reflected)
        setattr(ndarray, f"__i{operator}__", in_place)


for _operator, _name in (OPERATORS | COMPARISONS).items():
    _equip(UFUNCS[_name], _operator)

ndarray.__neg__ = lambda self: UFUNCS["negative"](self)
ndarray.__abs__ = lambda self: UFUNCS["absolute"](self)
ndarray.__invert__ = lambda self: UFUNCS["invert"](self)
ndarray.__hash__ = None
