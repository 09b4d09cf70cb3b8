"""The lists of the fresh corpus, by another author than the first ones. The doctor
named 87 % of it when it first met it, and was mended since.

Its entries have the form of `corpus`, but are counted apart; each is checked at one point.
"""

import numpy as np

from .corpus import Entry

FRESH_WRONG: list[Entry] = []
FRESH_RIGHT: list[Entry] = []


def wrong(keys, forward=None, at=None, *, wrt=None, dtype="float64"):
    """Add a wrong backward pass, as `corpus.wrong` does."""
    return adder(FRESH_WRONG, "fresh", tuple(keys.split()), forward, at, wrt, dtype)


def right(forward=None, at=None, *, wrt=None, dtype="float64"):
    """Add a right backward pass, as `corpus.right` does."""
    return adder(FRESH_RIGHT, "fresh", (), forward, at, wrt, dtype)


def adder(entries, kind, keys, forward, at, wrt, dtype):
    """A decorator that adds an entry to a list."""

    def decorate(function):
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        assert all(entry.name != name for entry in entries), f"{name} is there twice"
        pair = (function, None) if forward is None else (forward, function)
        wanted = None if wrt is None else tuple(wrt.split())
        entries.append(Entry(name, *pair, at, keys, kind, wanted, dtype))
        return function

    return decorate


def draw(fixed=None, **shapes):
    """Make an `at` that draws normal numbers, a little off 0, and adds what is `fixed`."""
    return lambda rng: {
        **{name: 0.2 + 0.9 * rng.standard_normal(shape) for name, shape in shapes.items()},
        **(fixed or {}),
    }


def sigmoid(t):
    """1 / (1 + exp(-t))."""
    return 1 / (1 + np.exp(-t))
