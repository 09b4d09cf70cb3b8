"""What lies between two sequences: on the line between their codes, and in a crossfade of the data.

For `PAIRS` pairs of held-out examples, `POINTS` points on the line between their posterior means
are decoded. What they are measured against is a crossfade in data space, which takes each step from
the second example with probability t, and nothing behind the first end. Measured are the share of
steps that differ from each end, and the cost in nats under an n-gram model.
"""

from typing import Any

import numpy as np

from ...data import Dataset
from ...data.alphabet import closed
from ...models.rows import encode
from .ngram import NGram

PAIRS, POINTS = 200, 9

Measured = dict[str, np.ndarray]
"""Of a way: "from the first", "from the second" and "cost", (POINTS, P) each."""


def pairs(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the examples to go from and to, (P,) each, no example with itself."""
    rng = np.random.default_rng(0)
    a = rng.integers(n, size=PAIRS)
    return a, (a + rng.integers(1, n, size=PAIRS)) % n


def on_the_way(model: Any, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Symbols (POINTS, P, T) decoded on the line between the posterior means of rows (P, T)."""
    start, end = encode(model, first)[0], encode(model, second)[0]
    t = np.linspace(0, 1, POINTS)[:, None, None]
    z = ((1 - t) * start + t * end).reshape(-1, start.shape[1])
    symbols = model.backend.to_host(model.symbols(model.backend.asarray(z, model.params.dtype)))
    return symbols.reshape(POINTS, *first.shape)


def interpolated(model: Any, x: np.ndarray, language: NGram) -> Measured:
    """Go between pairs of x (N, T) by codes, and measure the way."""
    a, b = pairs(len(x))
    return distances(on_the_way(model, x[a], x[b]), x[a], x[b], language)


def crossfaded(data: Dataset, x: np.ndarray, language: NGram) -> Measured:
    """Mix pairs of x (N, T) step by step, and measure the mixtures."""
    a, b = pairs(len(x))
    u = np.random.default_rng(1).random((1, PAIRS, x.shape[1]))
    second = u < np.linspace(0, 1, POINTS)[:, None, None]
    mixed = np.where(second, x[b], x[a]).astype(int).reshape(-1, x.shape[1])
    mixed = closed(mixed, data.alphabet or ()).reshape(POINTS, PAIRS, -1)
    return distances(mixed, x[a], x[b], language)


def distances(path: np.ndarray, first: np.ndarray, second: np.ndarray, language: NGram) -> Measured:
    """Measure a path (POINTS, P, T): steps that differ from its ends (P, T), and its cost."""
    flat = path.reshape(-1, path.shape[2])
    return {
        "from the first": differing(path, first),
        "from the second": differing(path, second),
        "cost": language.nll(flat).reshape(path.shape[:2]),
    }


def differing(path: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Share (POINTS, P) of the steps that differ, of those that either sequence has."""
    there = (path > 0) | (end > 0)
    return ((path != end) & there).sum(axis=2) / np.maximum(1, there.sum(axis=2))
