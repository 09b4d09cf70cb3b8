"""Formulas of the likelihoods, with the mistakes that are made in them."""

import math
from collections.abc import Callable

import numpy as np

from .matching import Variant

HALF_LN_2PI = 0.5 * math.log(2 * math.pi)


def sigmoid(a: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-a)), without overflow."""
    return 0.5 * (1 + np.tanh(a / 2))


def bernoulli_terms(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Sigmoid cross-entropy of logits a and data x, for each entry."""
    return np.logaddexp(0, a) - x * a


def _log_softmax(a: np.ndarray, axis: int = -1) -> np.ndarray:
    return a - np.logaddexp.reduce(a, axis=axis, keepdims=True)


def _softmax_terms(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    return -(x * _log_softmax(a)).sum(axis=-1)


BERNOULLI = [
    Variant("", "", bernoulli_terms),
    Variant(
        "double_sigmoid",
        "the sigmoid is applied twice: the function takes logits and is given, or makes, "
        "probabilities first",
        lambda a, x: bernoulli_terms(sigmoid(a), x),
    ),
    Variant(
        "sigmoid_missing",
        "the sigmoid is missing: the logits are taken for probabilities",
        lambda a, x: -x * np.log(a) - (1 - x) * np.log(1 - a),
    ),
    Variant(
        "data_flipped",
        "x and 1 - x are exchanged: the likelihood is that of the negative picture",
        lambda a, x: bernoulli_terms(a, 1 - x),
    ),
    Variant(
        "half_missing_term",
        "the term (1 - x) log(1 - p) is missing: pixels that are 0 cost nothing",
        lambda a, x: x * np.logaddexp(0, -a),
    ),
    Variant(
        "half_missing_term",
        "the term x log p is missing: pixels that are 1 cost nothing",
        lambda a, x: (1 - x) * np.logaddexp(0, a),
    ),
    Variant(
        "squared_error",
        "it is the squared error of the probabilities, and no Bernoulli likelihood",
        lambda a, x: (x - sigmoid(a)) ** 2,
    ),
]
CATEGORICAL = [
    Variant("", "", _softmax_terms),
    Variant(
        "wrong_axis",
        "the softmax runs over the variables instead of over the levels: use the last axis",
        lambda a, x: -(x * _log_softmax(a, axis=-2)).sum(axis=-1),
    ),
    Variant(
        "normaliser_missing",
        "the normaliser logsumexp(logits) is missing: it is -logits at the true level",
        lambda a, x: -(x * a).sum(axis=-1),
    ),
    Variant(
        "double_softmax",
        "the softmax is applied twice: the function takes logits",
        lambda a, x: _softmax_terms(np.exp(_log_softmax(a)), x),
    ),
    Variant(
        "logarithm_missing",
        "the logarithm is missing: it is minus the probability of the true level",
        lambda a, x: -(x * np.exp(_log_softmax(a))).sum(axis=-1),
    ),
]


def _gaussian(error: float, logvar: float, constant: float, power: float = 1.0) -> Callable:
    """Terms error (x - m)^2 exp(-power v) + logvar v + constant."""
    return lambda m, v, x: error * (x - m) ** 2 * np.exp(-power * v) + logvar * v + constant


LN_2PI_DROPPED = (
    "1/2 ln 2 pi is dropped from each dimension: fine for gradients, but as a reported "
    "likelihood it is 0.9189 nats too good for each dimension"
)
GAUSSIAN = [
    Variant("", "", _gaussian(0.5, 0.5, HALF_LN_2PI)),
    Variant("constant_dropped", LN_2PI_DROPPED, _gaussian(0.5, 0.5, 0)),
    Variant(
        "logvar_missing",
        "the terms 1/2 logvar and 1/2 ln 2 pi are missing: the variance can grow at no cost",
        _gaussian(0.5, 0, 0),
    ),
    Variant(
        "logvar_missing",
        "the term 1/2 logvar is missing: the variance can grow at no cost",
        _gaussian(0.5, 0, HALF_LN_2PI),
    ),
    Variant(
        "factor", "logvar has no 1/2, or is taken for log sigma", _gaussian(0.5, 1, HALF_LN_2PI)
    ),
    Variant(
        "exponent_sign",
        "the square is multiplied by exp(logvar) instead of divided by it",
        _gaussian(0.5, 0.5, HALF_LN_2PI, power=-1),
    ),
    Variant(
        "log_sigma_head",
        "the head is taken for log sigma; logvar is the log of the variance",
        _gaussian(0.5, 1, HALF_LN_2PI, power=2),
    ),
    Variant(
        "variance_for_std",
        "the square is divided by the standard deviation exp(logvar / 2) instead of the variance",
        _gaussian(0.5, 0.5, HALF_LN_2PI, power=0.5),
    ),
    Variant(
        "variance_for_std",
        "the square is divided by the square of the variance",
        _gaussian(0.5, 0.5, HALF_LN_2PI, power=2),
    ),
    Variant("half_missing", "the square has no 1/2", _gaussian(1, 0.5, HALF_LN_2PI)),
    Variant("sign", "the square has the wrong sign", _gaussian(-0.5, 0.5, HALF_LN_2PI)),
    Variant(
        "constant", "the constant is ln 2 pi without its 1/2", _gaussian(0.5, 0.5, 2 * HALF_LN_2PI)
    ),
]
FEATURES = {
    "(x - mean)^2 exp(-logvar)": lambda m, v, x: (x - m) ** 2 * np.exp(-v),
    "logvar": lambda m, v, x: v,
    "1": lambda m, v, x: np.ones_like(m),
}


def fixed(sigma: float) -> list[Variant]:
    """Variants for a fixed sigma: those of `GAUSSIAN` that differ, at a constant logvar."""
    v = 2 * math.log(sigma)
    kept = ("", "constant_dropped", "logvar_missing", "variance_for_std", "half_missing", "sign")
    variants = [
        Variant(
            variant.key,
            variant.text.replace("logvar", "log sigma^2"),
            lambda m, x, terms=variant.terms: terms(m, np.full_like(m, v), x),
        )
        for variant in GAUSSIAN
        if variant.key in kept
    ]
    alone = Variant("half_missing", "it is (x - mean)^2 alone", lambda m, x: (x - m) ** 2)
    return [*variants, alone]
