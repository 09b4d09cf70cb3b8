"""What an annotation promises of a value: `kind_of` turns it into a test and the words for it.

    batch: Count            a whole number of at least 1
    beta1: Annotated[float, Between(0, 1, "[)")]
    x: np.ndarray           numbers that are real, on the host
    hidden: Sequence[int]   a list or tuple of whole numbers
    path: str | Path        one of the two

True is no number here, NaN and infinity are none that an option can be, a text is no sequence, and
numbers that are complex, dates or texts are no data. An annotation of `Any` promises nothing.
"""

import math
import numbers
import os
import types
import typing
from collections import abc
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import numpy as np

from ..errors import DtypeError, MinivaeError, OptionError


class Kind(NamedTuple):
    """What a value can be.

    Attributes
    ----------
    what : str
        In words, such as "a whole number".
    holds : callable
        Whether a value is one.
    error : type
        What to raise if it is not.
    mend : str
        How to get one, for the end of the sentence.
    computes : {"", "float", "real"}
        Whether it is an array to compute with, of one dtype with the others; and, if "real", one
        that has no complex form, such as noise, data, and what a kink is in.
    """

    what: str
    holds: abc.Callable[[Any], bool]
    error: type[MinivaeError] = OptionError
    mend: str = "give one"
    computes: str = ""


@dataclass(frozen=True)
class Between:
    """Limits of a number, as the metadata of an annotation; a round bracket leaves one out."""

    low: float
    high: float = math.inf
    ends: str = "[)"

    def holds(self, value: Any) -> bool:
        """Whether a number lies between them."""
        above = value > self.low if self.ends[0] == "(" else value >= self.low
        return bool(above and (value < self.high if self.ends[1] == ")" else value <= self.high))

    @property
    def words(self) -> str:
        """Such as " of at least 1"."""
        low = f"above {self.low:g}" if self.ends[0] == "(" else f"of at least {self.low:g}"
        if math.isinf(self.high):
            return f" {low}"
        if self.high > 10:
            return f" {low} and at most {self.high:,.0f}"
        return f" in {self.ends[0]}{self.low:g}, {self.high:g}{self.ends[1]}"


Count = Annotated[int, Between(1)]
"""A whole number of things, of which there must be one."""
Whole = Annotated[int, Between(0)]
"""A whole number that may be 0, as a seed or a position."""
Indent = Annotated[int, Between(0, 100, "[]")]
"""Spaces at the beginning of a line of JSON."""
Jobs = Annotated[int, Between(1, 64, "[]")]
"""A number of processes at once."""
Positive = Annotated[float, Between(0, ends="()")]
"""A number above 0."""
Weight = Annotated[float, Between(0)]
"""A number that may be 0 but not below."""
Share = Annotated[float, Between(0, 1, "[]")]
"""A part of a whole."""
Part = Annotated[float, Between(0, 1, "(]")]
"""A part of a whole that is not nothing."""
Inside = Annotated[float, Between(0, 1, "()")]
"""A part of a whole that is neither nothing nor all."""


def is_whole(value: Any) -> bool:
    """Whether this is a whole number; True is none."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)


def is_number(value: Any) -> bool:
    """Whether this is a real number that is finite."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool | np.bool_):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number that no float can hold
        return False


def is_text(value: Any) -> bool:
    """Whether this is a text, without the zero character, which no file's name can have."""
    return isinstance(value, str) and "\0" not in value


def is_real_array(value: Any) -> bool:
    """Whether this is a host array of real numbers."""
    return isinstance(value, np.ndarray) and value.dtype.kind in "biuf"


def is_dtype(value: Any) -> bool:
    """Whether this names a dtype that is computed in; None is NumPy's float64 and no name."""
    try:
        return value is not None and np.dtype(value) in (np.dtype("float32"), np.dtype("float64"))
    except (TypeError, ValueError, SyntaxError):
        return False


DTYPE = Kind(
    "'float32' (to train) or 'float64' (to check)", is_dtype, DtypeError, "choose one of the two"
)
"""What a parameter called `dtype` takes: a name, or a dtype of NumPy's."""

AN_ARRAY = "convert it with `numpy.asarray(values, 'float64')`"

Rows = Annotated[
    Any,
    Kind(
        "rows: a NumPy array of real numbers, or Pixels",
        lambda value: is_real_array(value) or (hasattr(value, "divisor") and len(value.shape) == 2),
        DtypeError,
        AN_ARRAY,
    ),
]
"""Data of the host, as numbers or as bytes and what they are divided by."""

SIMPLE: dict[Any, Kind] = {
    int: Kind("a whole number", is_whole),
    float: Kind("a finite number", is_number),
    str: Kind("a text", is_text),
    bool: Kind("True or False", lambda value: isinstance(value, bool | np.bool_)),
    bytes: Kind("bytes", lambda value: isinstance(value, bytes)),
    type(None): Kind("None", lambda value: value is None),
    np.ndarray: Kind("a NumPy array of real numbers", is_real_array, DtypeError, AN_ARRAY),
    np.random.Generator: Kind(
        "a random generator",
        lambda value: isinstance(value, np.random.Generator),
        mend="make one with `numpy.random.default_rng(seed)`",
    ),
    os.PathLike: Kind("a path", lambda value: isinstance(value, os.PathLike)),
    abc.Callable: Kind("a function", callable),
}
"""Kinds of what is no container and no class of the package."""

MANY = (list, tuple)
"""What a sequence of anything may be; a sequence of numbers may be an array (N,) too."""


def kind_of(annotation: Any) -> Kind | None:
    """Return what an annotation promises, None if nothing."""
    origin, inside = typing.get_origin(annotation), typing.get_args(annotation)
    if annotation in (Any, object, typing.Self) or isinstance(annotation, typing.TypeVar):
        return None
    if annotation is None:
        return SIMPLE[type(None)]
    if origin is Annotated:
        return _narrowed(inside[0], inside[1:])
    if origin in (typing.Union, types.UnionType):
        return _any_of(*inside)
    if origin is typing.Literal:
        words = ", ".join(map(repr, inside))
        return Kind(f"one of {words}", lambda value: isinstance(value, str) and value in inside)
    base = origin or annotation
    if base in SIMPLE:
        return SIMPLE[base]
    if base is type:
        of = inside[0] if inside and isinstance(inside[0], type) else object
        what = "a class" if of is object else f"a kind of {of.__name__}"
        return Kind(what, lambda value: isinstance(value, type) and issubclass(value, of))
    if isinstance(base, type):
        return _container(base, inside) or _instance(base)
    return None


def _narrowed(annotation: Any, promises: tuple) -> Kind | None:
    """The kind of an annotation with further promises: a `Kind` of its own, or limits."""
    kind = kind_of(annotation)
    for promise in promises:
        if isinstance(promise, Kind):
            kind = promise
        elif isinstance(promise, Between) and kind is not None:
            kind = _limited(kind, promise)
    return kind


def _limited(kind: Kind, limits: Between) -> Kind:
    what = kind.what.replace("finite ", "") + limits.words
    return kind._replace(what=what, holds=lambda value: kind.holds(value) and limits.holds(value))


def _any_of(*annotations: Any) -> Kind | None:
    """The kind of a union."""
    found = [kind_of(annotation) for annotation in annotations]
    kinds = [kind for kind in found if kind is not None]
    if len(kinds) < len(found):
        return None  # one of them may be anything
    first = kinds[0]
    what = " or ".join(dict.fromkeys(kind.what for kind in kinds))
    return first._replace(
        what=what,
        holds=lambda value: any(k.holds(value) for k in kinds),
        computes=next((k.computes for k in kinds if k.computes), ""),
    )


def _container(base: type, inside: tuple) -> Kind | None:
    """The kind of a container and of what is in it, None if it is no container."""
    if issubclass(base, abc.Mapping):
        return _mapping(*map(kind_of, inside)) if len(inside) == 2 else _mapping(None, None)
    if base is tuple and inside and inside[-1] is not Ellipsis:
        return _fixed([kind_of(part) for part in inside])
    if issubclass(base, list | tuple) and hasattr(base, "_fields"):
        return None
    if base is tuple:
        return _sequence(kind_of(inside[0]) if inside else None, MANY)
    if base is list or base is abc.Sequence:
        kind = kind_of(inside[0]) if inside else None
        numeric = kind is not None and "number" in kind.what
        return _sequence(kind, (*MANY, np.ndarray) if numeric else MANY)
    if base in (abc.Collection, set, frozenset):
        return _sequence(kind_of(inside[0]) if inside else None, (*MANY, abc.Set, abc.KeysView))
    if base in (abc.Iterable, abc.Iterator):
        return Kind("something to iterate over", _can_be_iterated)
    return None


def _can_be_iterated(value: Any) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, str | bytes)


def _sequence(kind: Kind | None, types_: tuple[type, ...]) -> Kind:
    what = "a list or tuple" + (f", each entry {kind.what}" if kind else "")

    def holds(value: Any) -> bool:
        several = isinstance(value, types_) and getattr(value, "ndim", 1) == 1
        return several and (kind is None or all(kind.holds(entry) for entry in value))

    return Kind(what, holds)


def _fixed(kinds: list[Kind | None]) -> Kind:
    what = f"a tuple of {len(kinds)}: " + ", ".join(k.what if k else "anything" for k in kinds)

    def holds(value: Any) -> bool:
        return (
            isinstance(value, MANY)
            and len(value) == len(kinds)
            and all(k is None or k.holds(v) for k, v in zip(kinds, value, strict=True))
        )

    return Kind(what, holds)


def _mapping(keys: Kind | None, values: Kind | None) -> Kind:
    what = "a dict" + (f", each value {values.what}" if values else "")

    def holds(value: Any) -> bool:
        return (
            isinstance(value, abc.Mapping)
            and (keys is None or all(map(keys.holds, value)))
            and (values is None or all(map(values.holds, value.values())))
        )

    return Kind(what, holds)


def _instance(base: type) -> Kind:
    """The kind of a class: its own objects."""
    name = base.__name__.lstrip("_")
    article = "an" if name[0] in "AEIOU" else "a"
    what = f"{article} {name}"
    return Kind(what, lambda value: isinstance(value, base), mend=f"give {what}")
