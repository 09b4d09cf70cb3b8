"""Inputs to try: drawn from written shapes, from what the arguments are called, or varied.

A shape is written in letters, as in `minivae.engine.case`: "B D" is a batch of rows, and each
letter has a size that is a prime of its own, so that nothing is symmetric by accident. Behind the
letters may stand what kind of values: "B D binary", "B labels:L".
"""

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
NO_GRADIENT = ("binary", "one_hot", "mask", "labels")
"""Kinds of values that are data, and have no gradient."""


@dataclass(frozen=True)
class Spec:
    """How to draw one argument: letters or numbers of its axes, and a kind of values.

    `number` is a value that is passed as it is, `below` the letter of the size that labels stay
    below.
    """

    axes: tuple[str, ...] = ()
    kind: str = "normal"
    below: str = ""
    number: float | None = None

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
    """Size of an axis, given by letter or as a number."""
    return int(axis) if axis.isdigit() else sizes[axis]


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
    if spec.number is not None:
        return spec.number
    shape = tuple(size_of(axis, sizes) for axis in spec.axes)
    normal = rng.standard_normal(shape)
    if spec.kind == "labels":
        return rng.integers(0, size_of(spec.below, sizes), shape)
    if spec.kind == "one_hot":
        return np.eye(shape[-1])[rng.integers(0, shape[-1], shape[:-1])]
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
    if not isinstance(value, np.ndarray) or value.dtype.kind != "f" or not value.size:
        return value
    if np.isin(value, (0, 1)).all() and value.any():
        return value
    if not value.any():
        return 0.3 * rng.standard_normal(value.shape).astype(value.dtype)
    moved = value * (1 + 0.3 * rng.uniform(-1, 1, value.shape))
    if value.min() >= 0 and value.max() <= 1 and value.ndim and np.allclose(value.sum(-1), 1):
        moved /= moved.sum(-1, keepdims=True)
    return np.clip(moved, value.min(), value.max()).astype(value.dtype)


ALIASES = {
    "B I": "x input inputs data a a_prev h inp features",
    "I O": "w weight weights kernel",
    "O": "b bias biases",
    "B Z": "mu mean logvar log_var logsigma log_sigma logsigma2 z eps epsilon noise",
    "B Z positive": "sigma std var variance",
    "B D": "logits logit scores",
    "B D unit": "p probs prob y_hat yhat x_hat xhat x_recon recon reconstruction",
    "B labels:D": "labels label classes",
    "B K": "log_w logw log_weights",
    "B I mask": "mask",
    "I": "gamma scale shift",
    "B I again": "y_pred pred prediction predictions y t target targets y_true",
}
NUMBERS = {
    0.7: "keep keep_prob keep_rate temperature temp tau",
    0.3: "p_drop drop dropout rate free_bits",
    0.2: "alpha slope negative_slope",
    1.7: "beta kl_weight",
}


def specs_from_names(parameters: list[tuple[str, bool]]) -> dict[str, Spec] | None:
    """Guess how to draw arguments from their names; None if one says nothing.

    Parameters
    ----------
    parameters : list of (str, bool)
        Names, and whether the argument is required: an optional one that says nothing is left out.
    """
    names = {n.lower().strip("_") for n, _ in parameters}
    specs: dict[str, Spec] = {}
    for name, required in parameters:
        spec = _layered(name, names) or _spec_of(name.lower().strip("_"), names, required)
        if spec is not None:
            specs[name] = spec
        elif required and not name.startswith("*"):
            return None
    return specs or None


def _layered(name: str, names: set[str]) -> Spec | None:
    """`W1`, `b1`, `W2`, ...: weights and biases of layers that follow each other."""
    match = re.fullmatch(r"(w|weight|b|bias)_?([0-9])", name.lower())
    if not match:
        return None
    numbers = sorted({int(n[-1]) for n in names if re.fullmatch(r"(w|weight)_?[0-9]", n)})
    if int(match[2]) not in numbers:
        return None
    axes = ["I", *"HMN"[: len(numbers) - 1], "O"]
    at = numbers.index(int(match[2]))
    if at + 1 >= len(axes):
        return None
    return Spec((axes[at + 1],)) if match[1].startswith("b") else Spec((axes[at], axes[at + 1]))


def _spec_of(name: str, names: set[str], required: bool) -> Spec | None:
    guessed = names & set(ALIASES["B D unit"].split())
    scores = names & set(ALIASES["B D"].split())
    if name in ("eps", "epsilon") and names & {"gamma", "x"} and not names & {"mu", "z"}:
        return Spec(number=1e-5) if required else None
    if name == "beta" and "gamma" in names:
        return Spec(("I",))
    if name in ("x", "input", "data", "y", "t", "target", "targets", "y_true"):
        if scores or guessed:
            return Spec(("B", "D"), "binary")
        if name == "x" and names & {"mu", "mean"} and not names & {"z", "eps"}:
            return Spec(("B", "Z"))
    if name == "mask" and (scores or guessed):
        return Spec(("B", "D"), "mask")
    if name in ("x", "z") and names & {"log_w", "logw"}:
        return Spec(("B", "K", "Z"))
    for text, aliases in ALIASES.items():
        if name in aliases.split():
            if name == "z" and names & {"w", "w1", "weight"}:
                return Spec(("B", "I"))
            return parse_spec(text.removesuffix(" again"))
    if required:
        for number, aliases in NUMBERS.items():
            if name in aliases.split():
                return Spec(number=number)
    return None


NOT_DIFFERENTIATED = "eps epsilon noise mask y t target targets y_true labels label classes x_true"
WITHOUT_GRADIENT = frozenset(NOT_DIFFERENTIATED.split())
"""Names of arguments that have no gradient, when there are more arguments than gradients."""
