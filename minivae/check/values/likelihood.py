"""Negative log-likelihoods: against their formulas, and against the sum of all probabilities.

A likelihood's probabilities sum to 1 over all data that are possible, or integrate to 1. That needs
no formula, and shows constants that were dropped.
"""

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import OptionError
from ..report.result import RIGHT, WRONG
from .formulas import BERNOULLI, CATEGORICAL, FEATURES, GAUSSIAN, fixed, sigmoid
from .matching import Match, Probe, find_match, fit_features, formula, judged
from .result import TOLERANCES, NoAnswerError, ValueCheck, call, show, value_check

KINDS = ("bernoulli", "gaussian", "gaussian_fixed", "categorical")
FAR = {"float64": 30.0, "float32": 12.0}
"""A logit far out, where a probability rounds to 1 only if it must."""


@door
@value_check("value of the likelihood")
def check_likelihood(
    nll: Any,
    kind: str = "bernoulli",
    *,
    sigma: float = 1.0,
    dtype: str = "float64",
    seed: Whole = 0,
) -> ValueCheck:
    """Check the value of a negative log-likelihood, in nats.

    Parameters
    ----------
    nll : callable
        `nll(logits, x)` for Bernoulli (B, D) and categorical (B, D, L) with one-hot x;
        `nll(mean, logvar, x)` for a Gaussian, `nll(mean, x)` for one with a fixed sigma.
    kind : {"bernoulli", "gaussian", "gaussian_fixed", "categorical"}
        Which.
    sigma : float
        Standard deviation of "gaussian_fixed".
    dtype : {"float64", "float32"}
        What it is called with.
    seed : int
        Draws the points.

    Returns
    -------
    ValueCheck
        Names dropped constants, a mean over the dimensions, an eps inside the logarithm, a flipped
        sign, a sigmoid or softmax too many or too few.
    """
    if kind not in KINDS:
        raise OptionError(f"kind={kind!r} was given; choose one of {', '.join(KINDS)}.")
    name = f"value of the {kind} likelihood"
    rng = np.random.default_rng(seed + 1)
    probes, outputs = _values(nll, kind, dtype, rng)
    variants = {
        "bernoulli": BERNOULLI,
        "categorical": CATEGORICAL,
        "gaussian": GAUSSIAN,
        "gaussian_fixed": fixed(sigma),
    }[kind]
    match = find_match(outputs, probes, variants, 10 * TOLERANCES[dtype])
    mass = _mass(nll, kind, dtype, sigma)
    numbers = {"sum of all probabilities": mass}
    if match is None or match.exact:
        eps = _inner_constant(nll, kind, dtype, match, numbers)
        if eps:
            return ValueCheck(name, WRONG, eps, numbers, "loss_constant")
    if match is None:
        said = f"wrong, cause unknown: the probabilities of all possible data sum to {show(mass)}"
        if kind == "gaussian":
            fit = fit_features(outputs, probes, FEATURES, 10 * TOLERANCES[dtype])
            if fit is not None:
                said = (
                    f"your value is {formula(fit[0])} ({fit[1]}), but it must be "
                    "0.5 (x - mean)^2 exp(-logvar) + 0.5 logvar + 0.9189"
                )
        return ValueCheck(name, WRONG, said, numbers, "unknown")
    averaged = (
        "it is averaged over the D dimensions instead of summed: next to a KL that is summed, that "
        "is a beta of D"
    )
    key, said = judged(match, averaged, ": a loss is -log p, and this is log p")
    if key:
        if not abs(mass - 1) < 1e-3:
            said += f"; the probabilities of all possible data sum to {show(mass)}, not 1"
        return ValueCheck(name, WRONG, said, numbers, key)
    said = f"equals the formula ({match.reduction}); all probabilities sum to {show(mass)}"
    if match.reduction.batch == "sum":
        said += "; it is summed over the batch, so sum the KL over the batch too"
    return ValueCheck(name, RIGHT, said, numbers)


def _values(
    nll: Callable, kind: str, dtype: str, rng: np.random.Generator
) -> tuple[list[Probe], list[np.ndarray]]:
    """Points of two sizes and the values there; logits between 0 and 1 if others give NaN."""
    probes: list[Probe] = []
    for B, D in [(3, 7), (2, 5)] * 6:
        if kind == "categorical":
            x = np.eye(4)[rng.integers(0, 4, (B, D))]
            probe = (rng.standard_normal((B, D, 4)), x)
        elif kind == "bernoulli":
            probe = (1.2 * rng.standard_normal((B, D)), (rng.random((B, D)) < 0.5) * 1.0)
        else:
            arrays = rng.standard_normal((3, B, D))
            probe = tuple(arrays) if kind == "gaussian" else tuple(arrays[:2])
        probes.append(tuple(a.astype("float32").astype(float) for a in probe))
    outputs = [call(nll, *probe, dtype=dtype) for probe in probes]
    if kind == "bernoulli" and not all(np.isfinite(y).all() for y in outputs):
        probes = [(sigmoid(a), x) for a, x in probes]
        outputs = [call(nll, *probe, dtype=dtype) for probe in probes]
    if not all(np.isfinite(y).all() for y in outputs):
        raise NoAnswerError("the likelihood is NaN or infinite at ordinary arguments", WRONG)
    return probes, outputs


def _mass(nll: Callable, kind: str, dtype: str, sigma: float) -> float:
    """Sum of exp(-nll) over all data of two variables, or its integral over one."""

    def probability(*arrays: np.ndarray) -> float:
        return float(np.exp(-call(nll, *arrays, dtype=dtype).sum()))

    if kind == "bernoulli":
        a = np.array([[0.4, 0.8]])
        return sum(probability(a, np.array([x], float)) for x in product((0, 1), repeat=2))
    if kind == "categorical":
        a = np.array([[[0.3, -0.8, 1.1], [0.9, 0.2, -0.5]]])
        levels = product(range(3), repeat=2)
        return sum(probability(a, np.eye(3)[[pair]]) for pair in levels)
    mean, logvar = np.array([[0.3]]), np.array([[-0.6]])
    width = sigma if kind == "gaussian_fixed" else math.exp(-0.3)
    steps = np.linspace(-9, 9, 181) * width
    arrays = (mean,) if kind == "gaussian_fixed" else (mean, logvar)
    values = [probability(*arrays, mean + step) for step in steps]
    return float(np.sum(values) * (steps[1] - steps[0]))


def _inner_constant(
    nll: Callable, kind: str, dtype: str, match: Match | None, numbers: dict[str, float]
) -> str:
    """What to say if the loss levels off far out, as with a constant inside the logarithm."""
    if kind not in ("bernoulli", "categorical") or (match is not None and match.variant.key):
        return ""
    far = FAR[dtype]
    if kind == "bernoulli":
        arrays = np.array([[far]]), np.array([[0.0]])
    else:
        arrays = np.array([[[far, 0.0, 0.0]]]), np.array([[[0.0, 1.0, 0.0]]])
    value = abs(float(call(nll, *arrays, dtype=dtype).sum()))
    numbers[f"value at a logit of {far:g}"] = value
    if not math.isfinite(value):
        return (
            f"it is infinite or NaN at a logit of {far:g}, where it should be {far:g}: take the "
            "logarithm from the logits, softplus(a) - x a, and not of a rounded probability"
        )
    if value > 0.99 * far or (match is None and not value > 2):
        return ""
    return (
        f"it levels off: at a logit of {far:g} it is {show(value)} nats instead of {far:g}, which "
        f"is -ln({math.exp(-value):.1g}): a constant inside the logarithm, or a clip of the "
        "probability; take the logarithm from the logits, softplus(a) - x a"
    )
