"""The lists of the fresh corpus, which the doctor was measured on once and then left as it is.

Its entries have the form of `corpus`, but are counted apart; each is checked at one point.
"""

import numpy as np

from .corpus import Entry

FRESH_WRONG: list[Entry] = []
FRESH_RIGHT: list[Entry] = []


def wrong(keys, forward=None, at=None, *, wrt=None, dtype="float64"):
    """Add a wrong backward pass, as `corpus.wrong` does."""
    return _adder(FRESH_WRONG, tuple(keys.split()), forward, at, wrt, dtype)


def right(forward=None, at=None, *, wrt=None, dtype="float64"):
    """Add a right backward pass, as `corpus.right` does."""
    return _adder(FRESH_RIGHT, (), forward, at, wrt, dtype)


def _adder(entries, keys, forward, at, wrt, dtype):
    def decorate(function):
        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        assert all(entry.name != name for entry in entries), f"{name} is there twice"
        pair = (function, None) if forward is None else (forward, function)
        wanted = None if wrt is None else tuple(wrt.split())
        entries.append(Entry(name, *pair, at, keys, "fresh", wanted, dtype))
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
