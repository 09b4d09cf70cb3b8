"""Which known formula, reduced how, gives the values that a function returned.

A loss for B examples with D dimensions is made of B times D terms. A function may return them all,
or sum or average them over dimensions and batch. So a value is matched by three things: a variant
of the formula (the right one, or one with a known mistake), a reduction, and a constant factor.
Probes of several sizes tell a mean from a sum with a factor.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

Probe = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Variant:
    """A formula.

    Attributes
    ----------
    key : str
        Name of the mistake in it; "" for the right formula.
    text : str
        The mistake in words.
    terms : callable
        From the arrays of a probe to the terms (B, D).
    """

    key: str
    text: str
    terms: Callable[..., np.ndarray]


@dataclass(frozen=True)
class Reduction:
    """What was done over dimensions and batch: "each" (nothing), "sum" or "mean"."""

    dims: str
    batch: str

    def take(self, terms: np.ndarray) -> np.ndarray:
        """Reduce terms (B, D)."""
        for axis, how in ((1, self.dims), (0, self.batch)):
            if how != "each":
                terms = getattr(terms, how)(axis=axis)
        return terms

    def scale(self, n_dims: int) -> float:
        """How large the result is next to a sum over the dimensions."""
        return 1 / n_dims if self.dims == "mean" else 1.0

    def __str__(self) -> str:
        words = []
        for how, over in ((self.dims, "dimensions"), (self.batch, "batch")):
            words.append(f"not reduced over the {over}" if how == "each" else f"{how} over {over}")
        return ", ".join(words)


ALL = [
    Reduction(dims, batch)
    for dims, batch in product(("sum", "each", "mean"), ("each", "mean", "sum"))
]


@dataclass(frozen=True)
class Match:
    """A formula, a reduction and a factor that give the values that were returned."""

    variant: Variant
    reduction: Reduction
    factor: float

    @property
    def exact(self) -> bool:
        """Whether the factor is 1."""
        return abs(self.factor - 1) < 1e-3


def find_match(
    outputs: Sequence[np.ndarray],
    probes: Sequence[Probe],
    variants: Sequence[Variant],
    tolerance: float,
) -> Match | None:
    """The match with the factor nearest to 1 or -1, of the first variants; None if nothing fits."""
    matches = []
    for variant in variants:
        terms = [variant.terms(*probe) for probe in probes]
        for reduction in ALL:
            factor = _fit(outputs, [reduction.take(t) for t in terms], tolerance)
            if factor is not None:
                matches.append(Match(variant, reduction, factor))
    return min(matches, key=lambda match: round(abs(math.log(abs(match.factor))), 2), default=None)


def _fit(
    outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray], tolerance: float
) -> float | None:
    """Factor between outputs and expected values, if one is the same for all of them."""
    pairs = list(zip(outputs, expected, strict=True))
    # (B, 1) for (B,), and (1,) for a number, are the same values
    if any(y.shape != t.shape and y.squeeze().shape != t.squeeze().shape for y, t in pairs):
        return None
    y = np.concatenate([y.ravel() for y, _ in pairs])
    t = np.concatenate([t.ravel() for _, t in pairs])
    if not (np.isfinite(y).all() and np.isfinite(t).all() and t @ t > 0):
        return None
    factor = float(y @ t / (t @ t))
    if factor == 0 or np.abs(y - factor * t).max() > tolerance * np.abs(y).max():
        return None
    return factor


def fit_features(
    outputs: Sequence[np.ndarray],
    probes: Sequence[Probe],
    features: dict[str, Callable[..., np.ndarray]],
    tolerance: float,
) -> tuple[dict[str, float], Reduction] | None:
    """Coefficients of a sum of features that give the outputs, and the reduction; None if none do.

    This reads a formula off its values: where no known variant fits, the coefficients show which
    part is wrong.
    """
    for reduction in ALL:
        columns = [
            [reduction.take(np.broadcast_to(f(*probe), probe[0].shape)) for f in features.values()]
            for probe in probes
        ]
        pairs = list(zip(outputs, columns, strict=True))
        if any(y.squeeze().shape != column[0].squeeze().shape for y, column in pairs):
            continue
        y = np.concatenate([y.ravel() for y, _ in pairs])
        a = np.concatenate([np.stack([c.ravel() for c in column], axis=1) for _, column in pairs])
        if not np.isfinite(y).all() or len(y) < 2 * len(features):
            continue
        coefficients = np.linalg.lstsq(a, y, rcond=None)[0]
        if np.abs(a @ coefficients - y).max() <= tolerance * np.abs(y).max():
            return dict(zip(features, coefficients.tolist(), strict=True)), reduction
    return None


def formula(coefficients: dict[str, float]) -> str:
    """Coefficients and features as a sum, in words of algebra."""
    parts = []
    for name, c in coefficients.items():
        c = 0.0 if abs(c) < 1e-4 else c
        parts.append(f"{'-' if c < 0 else '+'} {abs(c):.4g}{'' if name == '1' else ' ' + name}")
    return " ".join(parts).removeprefix("+ ")


NAMED_FACTORS = {
    -1.0: ("sign", "the sign is flipped"),
    2.0: ("half_missing", "it is twice too large: the 1/2 is missing"),
    -2.0: ("sign", "the sign is flipped, and the 1/2 is missing"),
    0.5: ("half_twice", "it is half of what it should be: a 1/2 is in twice"),
    -0.5: ("sign", "the sign is flipped, and a 1/2 is in twice"),
    1 / math.log(2): ("bits", "it is in bits; divide by log2(e), or use the natural logarithm"),
}


def judged(match: Match, averaged: str, negative: str = "") -> tuple[str, str]:
    """Key of the mistake ("" if none) and what to say of values that match a formula.

    `averaged` is said of a mean over the dimensions, `negative` of a sign that is flipped.
    """
    key, said = match.variant.key, [match.variant.text] if match.variant.text else []
    if not match.exact:
        factor_key, text = name_factor(match.factor)
        key = key or factor_key
        said.append(text + negative * (factor_key == "sign"))
    if match.reduction.dims == "mean":
        key = key or "dims"
        said.append(averaged)
    return key, "; ".join(said)


def name_factor(factor: float) -> tuple[str, str]:
    """Key and words for a constant factor that is not 1."""
    for known, (key, text) in NAMED_FACTORS.items():
        if abs(factor / known - 1) < 1e-3:
            return key, text
    return "factor", f"it is {factor:.4g} times what it should be"
