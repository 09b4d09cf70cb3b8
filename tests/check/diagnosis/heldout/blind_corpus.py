"""The lists of the blind corpus: code by another author, who knew the doctor's keys only."""

import numpy as np

from .corpus import Entry
from .fresh_corpus import adder

BLIND_WRONG: list[Entry] = []
BLIND_RIGHT: list[Entry] = []


def wrong(keys, forward=None, at=None, *, wrt=None, dtype="float64"):
    """Add a wrong backward pass, as `corpus.wrong` does."""
    return adder(BLIND_WRONG, "blind", tuple(keys.split()), forward, at, wrt, dtype)


def right(forward=None, at=None, *, wrt=None, dtype="float64"):
    """Add a right backward pass, as `corpus.right` does."""
    return adder(BLIND_RIGHT, "blind", (), forward, at, wrt, dtype)


def some(_fixed=None, _shift=0.1, **shapes):
    """Make an `at` that draws arrays of these shapes, and adds what is `_fixed`."""

    def at(rng):
        drawn = {n: _shift + rng.standard_normal(s) for n, s in shapes.items()}
        for n, value in (_fixed or {}).items():
            drawn[n] = value(rng) if callable(value) else value
        return drawn

    return at


def logistic(a):
    """The sigmoid."""
    return 1.0 / (1.0 + np.exp(-a))
