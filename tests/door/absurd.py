"""Values that no sensible call has, and which of them mean nothing for an annotation."""

import datetime
import numbers
import types
import typing
from collections import abc
from pathlib import Path

import numpy as np

from minivae.engine.kinds import Kind


def absurd(folder):
    """Name -> maker of a value; each is made anew, for a call may change or exhaust it."""
    rng = np.random.default_rng(5)
    return {
        "None": lambda: None,
        "True": lambda: True,
        "-1": lambda: -1,
        "0": lambda: 0,
        "1.5": lambda: 1.5,
        "nan": lambda: float("nan"),
        "inf": lambda: float("inf"),
        "-inf": lambda: float("-inf"),
        "1e30": lambda: 1e30,
        "10**30": lambda: 10**30,
        "10**400": lambda: 10**400,
        "10**9": lambda: 10**9,
        "1j": lambda: 1j,
        "text": lambda: "text",
        "empty text": lambda: "",
        "control": lambda: "a\x1b[31m\x00b\nc",
        "bytes": lambda: b"",
        "[]": list,
        "ragged": lambda: [[1], [2, 3]],
        "deep": lambda: [[[[1.0]]]],
        "list of text": lambda: ["a", "b"],
        "list of None": lambda: [None],
        "()": tuple,
        "{}": dict,
        "{1: 2}": lambda: {1: 2},
        "set": lambda: {1, 2},
        "object": object,
        "lambda": lambda: lambda *_: None,
        "class": lambda: int,
        "module": lambda: types,
        "date": lambda: datetime.date(2000, 1, 1),
        "generator": lambda: (i for i in range(3)),
        "no such path": lambda: folder / "no" / "such",
        "folder": lambda: folder,
        "complex array": lambda: np.ones((3, 4), complex),
        "date array": lambda: np.zeros((3, 4), "datetime64[D]"),
        "object array": lambda: np.array([None, object()], object),
        "text array": lambda: np.array([["a", "b"]]),
        "bool array": lambda: np.ones((3, 4), bool),
        "0-d array": lambda: np.array(1.0),
        "empty array": lambda: np.empty(0),
        "empty rows": lambda: np.empty((0, 64)),
        "no columns": lambda: np.empty((3, 0)),
        "7-d array": lambda: np.ones((1, 2, 1, 2, 1, 2, 1)),
        "float16": lambda: np.ones((3, 4), np.float16),
        "longdouble": lambda: np.ones((3, 4), np.longdouble),
        "nan array": lambda: np.full((3, 4), np.nan),
        "inf array": lambda: np.full((3, 4), np.inf),
        "large ints": lambda: np.full((3, 4), 2**62),
        "vector": lambda: rng.standard_normal(5),
        "float32 rows": lambda: rng.standard_normal((3, 64)).astype("float32"),
        "structured": lambda: np.zeros(3, [("a", int)]),
    }


def plain(annotation):
    """An annotation without limits and names for a checker alone."""
    origin = typing.get_origin(annotation)
    return plain(typing.get_args(annotation)[0]) if origin is typing.Annotated else annotation


def means_nothing(annotation, value):
    """Whether a value means nothing where an annotation says what is meant; None if it says not."""
    if any(isinstance(promise, Kind) for promise in getattr(annotation, "__metadata__", ())):
        return None  # it says itself what it means
    annotation = plain(annotation)
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        answers = [means_nothing(each, value) for each in typing.get_args(annotation)]
        return None if None in answers else all(answers)
    if annotation in (None, type(None)):
        return value is not None
    if annotation is int:
        return isinstance(value, bool) or not isinstance(value, numbers.Integral)
    if annotation is float:
        real = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return not real or value != value  # NaN
    if annotation is bool:
        return not isinstance(value, bool | np.bool_)
    if annotation is str:
        return not isinstance(value, str)
    if annotation is Path:
        return not isinstance(value, Path)
    if annotation is np.ndarray:
        return not isinstance(value, np.ndarray) or value.dtype.kind in "cMmOUSV"
    if annotation is np.random.Generator:
        return True
    base = origin or annotation
    if base is abc.Callable:
        return not callable(value)
    if base in (list, tuple, abc.Sequence):
        return not isinstance(value, list | tuple | np.ndarray)
    if base is dict:
        return not isinstance(value, dict)
    if isinstance(base, type) and base.__module__.startswith("minivae"):
        return not isinstance(value, base)
    return None
