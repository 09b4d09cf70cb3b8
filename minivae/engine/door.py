"""`@door`: what a public function is given is looked at once, before it computes.

What a parameter may be is what its annotation says (`kinds.py`), and the shapes of arrays are what
the docstring says, so neither is written twice and neither can go out of date:

    @door
    def forward(x: Array, W: Array, b: Array) -> tuple[Array, tuple]:
        \"\"\"Compute `y = x W + b`: x (B, I), W (I, O), b (O,) -> y (B, O).\"\"\"

    forward(x, W, b[1:])    ShapeError: b has shape (6,) where O, of W, is 7, ...

How shapes are said is in `shapes.py`. Arrays that are annotated `Array` must have one dtype.

The door is for those who call from outside. `Backend.call` goes past it, for a layer has looked at
its inputs already (`Layer.expect`); so a step of training does not pay for it.
"""

import functools
import inspect
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from ..errors import (
    BackendError,
    CallError,
    DtypeError,
    MinivaeError,
    OutOfMemoryError,
    ShapeError,
    shown,
)
from .hints import hints_of, of_arrays
from .kinds import DTYPE, Kind, kind_of
from .shapes import ENTRY_BY_ENTRY, binds, shapes_in, written

F = TypeVar("F", bound=Callable)

FLOATS = {"float32": "32", "complex64": "32", "float64": "64", "complex128": "64"}
"""dtypes that operations compute in, and their precision."""

BY_VALUE = {int, float, complex, bool, str, bytes, tuple, type, type(None)}
"""Types of which the value matters."""

PLAIN = {"__init__", "__call__", "__len__", "__getitem__"}
"""Methods with a name of Python's that users call."""


class Contract:
    """What a function is promised: a kind for each parameter, and the shapes of its arrays."""

    def __init__(self, function: Callable, where: str, docs: Iterable[str] = ()) -> None:
        self.where = where
        signature = inspect.signature(function)
        hints = hints_of(function)
        self.names = []
        self.kinds: dict[str, Kind | None] = {}
        self.rest = self.others = ""
        self.passed: set[tuple] = set()
        self.limited = any("Between" in str(hint) for hint in hints.values())
        for name, parameter in signature.parameters.items():
            self.kinds[name] = DTYPE if name == "dtype" else kind_of(hints.get(name, Any))
            if parameter.kind is parameter.VAR_POSITIONAL:
                self.rest = name
            elif parameter.kind is parameter.VAR_KEYWORD:
                self.others = name
            elif parameter.kind is not parameter.KEYWORD_ONLY:
                self.names.append(name)
            kind = self.kinds[name]
            if name == "backend" and kind is not None:
                self.kinds[name] = kind._replace(error=BackendError)
            elif parameter.default is None and kind is not None:
                self.kinds[name] = kind._replace(holds=_or_none(kind.holds))
        self.floats = [name for name, kind in self.kinds.items() if kind and kind.computes]
        arrays = [name for name, hint in hints.items() if name in self.kinds and of_arrays(hint)]
        arrays += ["shape"] * ("shape" in self.kinds)  # a tuple, but with axes of its own
        self.shapes: dict[str, list[tuple[str, ...]]] = {}
        for doc in (inspect.getdoc(function) or "", *docs):  # then what a base's method says
            shapes = shapes_in(doc, arrays)
            if ENTRY_BY_ENTRY.search(doc):
                shapes |= {name: shapes[name] or [("...",)] for name in self.floats}
            found = {name: ways for name, ways in shapes.items() if ways}
            self.shapes = found | self.shapes

    def check(self, args: tuple, kwargs: dict[str, Any]) -> None:
        """Look at the arguments of one call; their number is Python's own business."""
        mark = self.mark(args, kwargs)
        if mark is not None and mark in self.passed:
            return
        self.look(args, kwargs)
        if mark is not None and len(self.passed) < 1000:
            self.passed.add(mark)

    def mark(self, args: tuple, kwargs: dict[str, Any]) -> tuple | None:
        """What the answer depends on: type, shape and dtype, or the value; None if it is more.

        A step of training asks the same again and again, and then it costs next to nothing.
        """
        marks: list[Any] = []
        for value in (*args, *kwargs, *kwargs.values()) if kwargs else args:
            kind = type(value)
            shape = getattr(value, "shape", None)
            if shape:
                marks += (kind, shape, getattr(value, "dtype", None))
            elif kind is float and not self.limited and value - value == 0:
                marks.append(kind)
            elif shape is not None or kind in BY_VALUE:
                marks += (kind, value)
            elif kind in (list, dict, set):
                return None
            else:
                marks.append(kind)
        try:
            hash(found := tuple(marks))
        except TypeError:
            return None
        return found

    def look(self, args: tuple, kwargs: dict[str, Any]) -> None:
        """Look at each argument, and at what they have in common."""
        given = dict(zip(self.names, args, strict=False))
        given.update(kwargs)
        for name, value in given.items():
            kind = self.kinds.get(name)
            if kind is None and name not in self.kinds and self.others:
                kind = self.kinds[self.others]
            if kind is not None and not kind.holds(value):
                self.refuse(name, value, kind)
        if self.rest and (kind := self.kinds[self.rest]) is not None:
            for value in args[len(self.names) :]:
                if not kind.holds(value):
                    self.refuse(self.rest, value, kind)
        if self.floats:
            self.one_dtype(given)
        if self.shapes:
            self.fit(given)

    def refuse(self, name: str, value: Any, kind: Kind) -> None:
        """Raise the error of a kind."""
        raise kind.error(
            f"{self.where} was given {name}={shown(value)}, but {name} must be {kind.what}; "
            f"{kind.mend}."
        )

    def one_dtype(self, given: Mapping[str, Any]) -> None:
        """Compare the dtypes of the arrays that are computed with."""
        arrays = {name: given[name] for name in self.floats if hasattr(given.get(name), "dtype")}
        for name, array in arrays.items():
            kind = self.kinds[name]
            if str(array.dtype) not in FLOATS or (
                array.dtype.kind == "c" and kind is not None and kind.computes == "real"
            ):
                raise DtypeError(
                    f"{self.where} was given {name} as {array.dtype}, but computes in float32 or "
                    f"float64; convert it with `{name}.astype('float64')`."
                )
        if len({FLOATS[str(array.dtype)] for array in arrays.values()}) > 1:
            listed = ", ".join(f"{name} as {array.dtype}" for name, array in arrays.items())
            raise DtypeError(
                f"{self.where} was given {listed}, but computes in one dtype; convert them with "
                "`astype`."
            )

    def fit(self, given: Mapping[str, Any]) -> None:
        """Find a way of calling whose shapes fit."""
        arrays = {
            name: tuple(given[name] if name == "shape" else given[name].shape)
            for name in self.shapes
            if hasattr(given.get(name), "shape") or (name == "shape" and name in given)
        }
        ways = max((len(self.shapes[name]) for name in arrays), default=0)
        for way in range(ways):
            sizes: dict[str, Any] = {}
            if all(
                binds(self.shapes[name][min(way, len(self.shapes[name]) - 1)], shape, sizes)
                for name, shape in arrays.items()
            ):
                return
        if ways:
            have = ", ".join(f"{name} {shape}" for name, shape in arrays.items())
            want = " or ".join(
                ", ".join(
                    f"{name} ({written(self.shapes[name][min(w, len(self.shapes[name]) - 1)])})"
                    for name in arrays
                )
                for w in range(ways)
            )
            raise ShapeError(
                f"{self.where} was given the shapes {have}, but takes {want}, a letter being one "
                "size throughout; reshape what does not fit."
            )


def _or_none(holds: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or holds(value)


def door(public: F) -> F:
    """Check what a function is given, or what a class's constructor and methods are given."""
    if isinstance(public, type):
        past = getattr(public, "past_the_door", ())
        for name, method in list(vars(public).items()):
            if (name.startswith("_") and name not in PLAIN) or name in past:
                continue
            if inspect.isfunction(method) and len(inspect.signature(method).parameters) > 1:
                where = public.__name__ if name == "__init__" else f"{public.__name__}.{name}"
                docs = [
                    inspect.cleandoc(vars(base)[name].__doc__ or "")
                    for base in public.__mro__[1:]
                    if name in vars(base) and name != "__init__"
                ]
                setattr(public, name, _checked(method, where, docs, of_object=True))
            elif isinstance(method, classmethod | staticmethod):
                function = method.__func__
                bound = isinstance(method, classmethod)
                if inspect.isfunction(function):
                    checked = _checked(function, f"{public.__name__}.{name}", of_object=bound)
                    setattr(public, name, type(method)(checked))
        return typing.cast("F", public)
    where = f"{public.__module__.rpartition('.')[2]}.{public.__name__}"
    return typing.cast("F", _checked(public, where))


def _checked(
    function: Callable, where: str, docs: Iterable[str] = (), *, of_object: bool = False
) -> Callable:
    if getattr(function, "has_door", False):
        return function
    made: list[Contract] = []

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        if not made:
            made.append(Contract(function, where, docs))
            if of_object:
                made[0].names = made[0].names[1:]
        made[0].check(args[1:] if of_object else args, kwargs)
        try:
            return function(*args, **kwargs)
        except (MemoryError, OverflowError, ValueError, TypeError) as error:
            said = mended(error, function, where, args, kwargs)
            if said is None:
                raise
            raise said from error

    checked.has_door = True  # type: ignore[attr-defined]
    return checked


TOO_LARGE = re.compile("Maximum allowed|array is too big|too large|too many (?!values to)|overflow")
"""How NumPy and Python say of a size that no machine has it."""


def mended(
    error: Exception, function: Callable, where: str, args: tuple, kwargs: dict[str, Any]
) -> MinivaeError | None:
    """What to say of memory that there is not, or of arguments that a function does not have."""
    if isinstance(error, MinivaeError):
        return None
    text = str(error).rstrip(".")
    if isinstance(error, TypeError):
        try:
            inspect.signature(function).bind(*args, **kwargs)
        except TypeError as why:
            takes = ", ".join(name for name in inspect.signature(function).parameters)
            return CallError(f"{where} takes ({takes}), but was called otherwise: {why}.")
        return None
    if isinstance(error, MemoryError | OverflowError) or TOO_LARGE.search(text):
        return OutOfMemoryError(f"{where} needs more memory than there is ({text}); ask for less.")
    return None
