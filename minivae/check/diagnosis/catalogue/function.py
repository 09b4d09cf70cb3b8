"""A function of one array that students differentiate by heart, and the ways it goes wrong."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Back = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Wrong:
    """A wrong derivative.

    Attributes
    ----------
    key : str
        One of `MISTAKES`.
    text : str
        What is wrong; `{x}` stands for the argument, `{g}` for the upstream gradient.
    back : callable
        `back(dy, x)`: what comes back then.
    """

    key: str
    text: str
    back: Back


@dataclass(frozen=True)
class Function:
    """A function of one array.

    Attributes
    ----------
    name : str
        Short name.
    value : callable
        `value(x)`. One of rows runs over the last axis, where it keeps all entries or one.
    back : callable
        `back(dy, x)`, the right derivative.
    mend : str
        How it is written: what every text ends with.
    wrong : tuple of Wrong
        The wrong ones; those of rows take the first axis for the last.
    rows : bool
        Whether it runs over an axis; else it works entry by entry.
    """

    name: str
    value: Callable[[np.ndarray], np.ndarray]
    back: Back
    mend: str
    wrong: tuple[Wrong, ...]
    rows: bool = False


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(x > 0, 1, e) / (1 + e)


def softmax(x: np.ndarray, axis: int | None = -1) -> np.ndarray:
    """exp(x), normalised along an axis, or over everything."""
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def jacobian(p: np.ndarray, dy: np.ndarray, axis: int | None = -1) -> np.ndarray:
    """What the softmax p sends back."""
    return p * (dy - (dy * p).sum(axis=axis, keepdims=True))
