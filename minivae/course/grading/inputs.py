"""Inputs to try: drawn from written shapes, or varied.

A shape is written in letters, as in `minivae.engine.case`: "B D" is a batch of rows, and each
letter has a size that is a prime of its own, so that nothing is symmetric by accident. Behind the
letters may stand what kind of values: "B D binary", "B labels:L".
"""

import copy
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...engine.case import SIZES as CASE_SIZES
from ...errors import OptionError

SIZES = {
    **{letter: (2, 3, 5, 7)[i % 4] for i, letter in enumerate("ACEFGHJMNPQRSTUVWXY")},
    **CASE_SIZES,
    "M": 23,
}
"""Letter -> size at the first point."""

OTHER_SIZES = {"B": 5, "I": 7, "O": 2, "D": 13, "Z": 3, "K": 11, "L": 5, "H": 17, "M": 11}
"""Letter -> size where other sizes are tried; other letters get the next prime."""

KINDS = ("normal", "positive", "unit", "binary", "one_hot", "simplex", "mask", "away")
COLUMNS = "one_hot_columns"
"""One-hot vectors as columns: a kind of guessed inputs alone."""
NO_GRADIENT = ("binary", "one_hot", "mask", "labels")
"""Kinds of values that are data, and have no gradient."""


@dataclass(frozen=True)
class Spec:
    """How to draw one argument: letters or numbers of its axes, and a kind of values.

    `value` is passed as it is, where `kind` is "constant", or names sizes; `below` is the letter
    of the size that labels stay below.
    """

    axes: tuple[str, ...] = ()
    kind: str = "normal"
    below: str = ""
    value: Any = None

    def __str__(self) -> str:
        """As `parse_spec` reads it."""
        kind = f"labels:{self.below}" if self.below else self.kind
        return " ".join([*self.axes, *([kind] if kind != "normal" else [])])


def parse_spec(text: str) -> Spec:
    """Read "B D binary"; raise `OptionError` with what is wrong about it."""
    axes, kind, below = [], "normal", ""
    words = text.split()
    for i, word in enumerate(words):
        name, _, of = word.partition(":")
        if re.fullmatch(r"[A-Z]|[0-9]+", word):
            axes.append(word)
        elif i == len(words) - 1 and word in KINDS:
            kind = word
        elif i == len(words) - 1 and name == "labels" and re.fullmatch(r"[A-Z]|[0-9]+", of):
            kind, below = "labels", of
        else:
            raise OptionError(
                f"{word!r} in {text!r} is no axis (a capital letter or a number) and, as the last "
                f"word, no kind of values ({', '.join(KINDS)}, labels:L)."
            )
    return Spec(tuple(axes), kind, below)


def size_of(axis: str, sizes: dict[str, int]) -> int:
    """Size of an axis: a letter, a number, or as docstrings have it "n_a + n_x" and "4*H"."""
    if axis in sizes:
        return sizes[axis]
    total = 0
    for part in axis.split("+"):
        product = 1
        for factor in part.split("*"):
            product *= int(factor) if factor.strip().isdigit() else sizes[factor.strip()]
        total += product
    return total


def sizes_of(letters: str, sizes: dict[str, int]) -> Any:
    """The size of one letter, or a tuple of those of several."""
    found = tuple(sizes[letter] for letter in letters.split())
    return found if len(found) > 1 else found[0]


def other_sizes(sizes: dict[str, int]) -> dict[str, int]:
    """Sizes that differ from these in every letter, but for those of 1."""
    others = {}
    for letter, size in sizes.items():
        other = OTHER_SIZES.get(letter, size)
        others[letter] = 1 if size == 1 else other if other != size else _next_prime(size)
    return others


def _next_prime(n: int) -> int:
    n += 1
    while any(n % k == 0 for k in range(2, n)):
        n += 1
    return n


def draw(specs: dict[str, Spec], sizes: dict[str, int], rng: np.random.Generator) -> dict[str, Any]:
    """Draw all arguments; a dotted name, `params.W`, becomes an entry of a dict."""
    drawn: dict[str, Any] = {}
    for name, spec in specs.items():
        outer, _, key = name.partition(".")
        value = _draw_one(spec, sizes, rng)
        if key:
            drawn.setdefault(outer, {})[key] = value
        else:
            drawn[name] = value
    return drawn


def _draw_one(spec: Spec, sizes: dict[str, int], rng: np.random.Generator) -> Any:
    if spec.kind == "constant":
        return copy.deepcopy(spec.value)
    if spec.kind == "size":
        return sizes_of(spec.value, sizes)
    shape = tuple(size_of(axis, sizes) for axis in spec.axes)
    normal = rng.standard_normal(shape)
    if spec.kind == "labels":
        drawn = rng.integers(0, size_of(spec.below, sizes), shape)
        return drawn if shape else int(drawn)
    if spec.kind == "one_hot":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
    if spec.kind == COLUMNS:
        return np.eye(shape[0])[:, rng.integers(0, shape[0], shape[1:])]
    values = {
        "normal": lambda: normal,
        "positive": lambda: np.exp(0.5 * normal),
        "unit": lambda: rng.uniform(0.05, 0.95, shape),
        "binary": lambda: (normal > 0).astype(float),
        "mask": lambda: (normal > -0.5).astype(float),
        "simplex": lambda: np.exp(normal) / np.exp(normal).sum(-1, keepdims=True),
        "away": lambda: np.where(normal < 0, -1, 1) * (0.2 + np.abs(normal)),
    }[spec.kind]()
    return values if spec.axes else float(values)


def vary(value: Any, rng: np.random.Generator) -> Any:
    """Other values of the same kind, in the range of those given; zeros and ones stay."""
    if isinstance(value, dict):
        return {key: vary(v, rng) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(vary(v, rng) for v in value)
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return value
    if np.isin(value, (0, 1)).all() and value.any():
        return value
    if not value.any():
        return 0.3 * np.asarray(rng.standard_normal(value.shape), value.dtype)
    moved = value * (1 + 0.3 * rng.uniform(-1, 1, value.shape))
    if value.min() >= 0 and value.max() <= 1 and value.ndim and np.allclose(value.sum(-1), 1):
        moved /= moved.sum(-1, keepdims=True)
    return np.asarray(np.clip(moved, value.min(), value.max()), value.dtype)
