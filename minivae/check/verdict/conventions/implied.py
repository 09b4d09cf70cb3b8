"""The cost that a backward pass begins with, where nobody has written it down.

`backward(X, y)` of a network begins with `p - y`, the gradient of a cross-entropy or of a squared
error of what forward returns. Each of the usual costs is tried; the gradients say which is meant.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from .names import plain, sure_names, upstreams_among

LABELS = sure_names("target", "labels")
IMPLIED = "(implied)"
"""What stands for the name of a cost that is not written."""


def log_softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """The logarithm of exp(x), normalised along an axis."""
    x = x - x.real.max(axis=axis, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=axis, keepdims=True))


def _cross_entropy(p: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    likely = p.real.min() > 0 and p.real.max() < 1
    return -np.sum(y * (np.log(p) if likely else log_softmax(p, axis)))


def _binary(p: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    if not (p.real.min() > 0 and p.real.max() < 1):
        p = 1 / (1 + np.exp(-p))
    return -np.sum(y * np.log(p) + (1 - y) * np.log(1 - p))


def _squares(p: np.ndarray, y: np.ndarray, axis: int) -> np.ndarray:
    return np.sum((p - y) ** 2)


COSTS = [
    ("the mean cross-entropy", _cross_entropy, lambda n, k: 1 / n),
    ("the summed cross-entropy", _cross_entropy, lambda n, k: 1),
    ("the mean binary cross-entropy", _binary, lambda n, k: 1 / n),
    ("the summed binary cross-entropy", _binary, lambda n, k: 1),
    ("half the mean squared distance", _squares, lambda n, k: 0.5 / n),
    ("half the summed squares", _squares, lambda n, k: 0.5),
    ("the summed squares", _squares, lambda n, k: 1),
    ("the mean squared distance", _squares, lambda n, k: 1 / n),
    ("the mean of all squares", _squares, lambda n, k: 1 / (n * k)),
]
"""Name, sum over the examples, and the factor for n examples of k outputs."""


class Implied:
    """One of the usual costs of an output and of what it should be.

    Parameters
    ----------
    way : int
        Its place among `COSTS`.
    """

    def __init__(self, way: int) -> None:
        self.name, self.total, self.factor = COSTS[way]

    def __call__(self, output: Any, wanted: Any, x: Any) -> Any:
        """The cost; the examples are along the axis whose size is one of x, too."""
        p, y = np.asarray(output), np.asarray(wanted)
        p = p[None] if p.ndim == 1 and y.size == 1 else p  # of one example
        rows = p.ndim < 2 or p.shape[0] in (1, *np.shape(x))
        n = p.shape[0 if rows else -1]
        axis = -1 if rows else 0
        if y.size == n < p.size:  # labels
            y = np.eye(p.size // n)[y.astype(int).ravel()]
            y = y if rows else y.T
        return self.factor(n, p.size // n) * self.total(p, y.reshape(p.shape), axis)


def labels_among(backward: list[tuple[str, bool]], own: Iterable[str]) -> Iterator[str]:
    """Labels that backward takes, and forward does not, where it takes no upstream gradient."""
    names = [n for n, required in backward if required and n not in own]
    if not upstreams_among(names):
        yield from (n for n in names if plain(n) in LABELS)
