"""What an entry of the corpus is, and the decorators that put code into it.

`keys` are the kinds of mistake (of `minivae.check.diagnosis.mistakes`) that a fair grader would
accept as the name of this one; the first is the best name. `at(rng)` draws the arguments.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Entry:
    """A forward and a backward pass, where to check them, and what is wrong with them."""

    name: str
    forward: Callable
    backward: Callable | None
    at: Callable[[np.random.Generator], dict[str, Any]]
    keys: tuple[str, ...] = ()
    kind: str = "single"
    wrt: tuple[str, ...] | None = None
    dtype: str = "float64"


WRONG: list[Entry] = []
RIGHT: list[Entry] = []


def _add(entries, keys, forward, at, kind, wrt, dtype):
    def decorate(function):
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        assert all(entry.name != name for entry in entries), f"{name} is there twice"
        pair = (function, None) if forward is None else (forward, function)
        wanted = None if wrt is None else tuple(wrt.split())
        entries.append(Entry(name, *pair, at, keys, kind, wanted, dtype))
        return function

    return decorate


def wrong(keys, forward=None, at=None, *, kind="single", wrt=None, dtype="float64"):
    """Add a wrong backward pass, or without `forward` a wrong function `-> (loss, gradients)`.

    `keys` and `wrt` are words with blanks between them.
    """
    return _add(WRONG, tuple(keys.split()), forward, at, kind, wrt, dtype)


def right(forward=None, at=None, *, wrt=None, dtype="float64", kind="right"):
    """Add a right backward pass, or without `forward` a right function `-> (loss, gradients)`.

    Of the kind "undecidable" are those of which nobody can tell: kinks only, or rounding only.
    """
    return _add(RIGHT, (), forward, at, kind, wrt, dtype)


def normal(**shapes):
    """Make an `at` that draws normal numbers: `normal(x=(4, 3), b=(3,))`."""
    return lambda rng: {name: rng.standard_normal(shape) for name, shape in shapes.items()}
