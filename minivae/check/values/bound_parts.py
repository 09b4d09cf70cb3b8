"""What a bound is made of: the KL's part, and how the samples' weights are combined."""

from collections.abc import Callable

import numpy as np

from .kl import closed_form
from .result import show

TOLERANCES = {"float64": 1e-6, "float32": 2e-3}
Bound = Callable[..., np.ndarray]


def _logmeanexp(w: np.ndarray) -> float:
    m = w.max()
    return float(m + np.log(np.exp(w - m).mean()))


def _softmax(w: np.ndarray) -> np.ndarray:
    e = np.exp(w - w.max())
    return e / e.sum()


COMBINATIONS = {
    "": ("the log of the mean of the weights", _logmeanexp),
    "mean_of_logs": (
        "it is the mean of the log-weights, which is the ELBO again and does not grow with K; take "
        "the log of the mean of the weights, logsumexp(log_w) - log K",
        np.mean,
    ),
    "log_k": (
        "log K is not subtracted: it is exactly log K too high; the weights must be averaged, not "
        "summed",
        lambda w: _logmeanexp(w) + np.log(len(w)),
    ),
    "log_k_twice": ("log K is subtracted twice", lambda w: _logmeanexp(w) - np.log(len(w))),
    "weights": (
        "the weights are exp(-log w): the sign is flipped before the exponential, so that the "
        "worst sample counts most",
        lambda w: -_logmeanexp(-w),
    ),
    "weighted_mean": (
        "it is the mean of the log-weights under the normalised weights; that surrogate has the "
        "right gradient, but it is no bound: take logsumexp(log_w) - log K",
        lambda w: _softmax(w) @ w,
    ),
    "weighted_mean_sign": (
        "it is the mean of the log-weights under the softmax of -log w: the sign is flipped, so "
        "that the worst sample counts most",
        lambda w: _softmax(-w) @ w,
    ),
    "largest": ("it is the largest log-weight", np.max),
    "sum_of_logs": ("it is the sum of the log-weights", np.sum),
    "mean_of_weights": ("the logarithm is missing", lambda w: np.exp(w).mean()),
}
"""Mistake -> what it is, and what it gives for log-weights (K,)."""


def _sampled_kl(z: np.ndarray, mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """Log ratio ln q(z) - ln p(z) for each example (B,)."""
    eps = (z - mu) * np.exp(-logvar / 2)
    return 0.5 * (z * z - eps * eps - logvar).sum(axis=1)


def kl_part(
    bound: Bound,
    mu: np.ndarray,
    logvar: np.ndarray,
    rng: np.random.Generator,
    dtype: str,
    sampled: bool,
) -> tuple[str, str]:
    """What is wrong with the KL's part of a bound, found with z held fixed; "" if nothing is."""
    z = mu + 0.7 * rng.standard_normal(mu.shape)
    heads = [(mu, logvar)]
    for _ in range(4):
        shift, stretch = rng.standard_normal((2, *mu.shape))
        heads.append((mu + 0.5 * shift, logvar + 0.5 * stretch))
    values = np.stack([bound((z - m) * np.exp(-v / 2), m, v) for m, v in heads])
    prior = bound(z, 0 * mu, 0 * logvar)  # q is the prior here: no KL, sampled or not
    parts = {
        "closed": np.stack([closed_form(m, v).sum(axis=1) for m, v in heads]),
        "sampled": np.stack([_sampled_kl(z, m, v) for m, v in heads]),
        "no entropy": np.stack([_sampled_kl(z, m, v) + v.sum(axis=1) / 2 for m, v in heads]),
        "reversed": np.stack(
            [0.5 * (v + (1 + m**2) * np.exp(-v) - 1).sum(axis=1) for m, v in heads]
        ),
    }
    moved = values - prior
    tolerance = TOLERANCES[dtype] * max(np.abs(values).max(), 1.0)
    if np.abs(moved).max() <= tolerance:
        return "kl_missing", "the KL's part is missing: it is the reconstruction alone"
    for name, part in parts.items():
        factor = -float((moved * part).sum() / (part * part).sum())
        if np.abs(moved + factor * part).max() > tolerance:
            continue
        return _judge_part(name, factor, prior, mu.shape[1], sampled)
    return "unknown", (
        "what changes with mu and logvar while z is held fixed is neither the closed form of the "
        "KL nor ln q(z) - ln p(z): its terms are wrong"
    )


def _judge_part(
    name: str, factor: float, prior: np.ndarray, latent: int, sampled: bool
) -> tuple[str, str]:
    if name == "no entropy":
        return "entropy_missing", "logvar is missing from ln q(z): the entropy term is dropped"
    if name == "reversed":
        return "kl_reversed", "the KL is taken the other way round, of the prior from q"
    if abs(factor - 1) < 1e-3:
        if sampled and name == "closed":
            return "closed_kl", (
                "the closed form of the KL stands in the log-weights; each sample needs its own "
                "ln p(z) - ln q(z), or it is no bound"
            )
        return "", ""
    if factor < 0:
        if (prior > 0).all():
            return "sign", (
                "it is the loss, the negative of the bound: return -nll - KL, or negate it"
            )
        return "sign", "the KL is added instead of subtracted: the bound is -nll - KL"
    if abs(factor * latent - 1) < 1e-3:
        return "dims", "the KL is averaged over the latent dimensions instead of summed: beta 1/Z"
    if abs(factor - 2) < 1e-3:
        return "factor", "the KL is in twice, or its 1/2 is missing: a beta of 2"
    return "factor", f"the KL has the factor {show(factor)}: that is a beta, and no bound"


def combination(w: np.ndarray, values: np.ndarray, dtype: str) -> tuple[str, str]:
    """How the log-weights (B, K) were combined to the values (B,); key "" if as they should."""
    tolerance = TOLERANCES[dtype] * max(np.abs(w).max(), 1.0)
    for key, (said, combine) in COMBINATIONS.items():
        if np.abs(np.array([combine(row) for row in w]) - values).max() <= tolerance:
            return key, said
    offset = values - np.array([_logmeanexp(row) for row in w])
    return "unknown", (
        f"with {w.shape[1]} samples it is not the log of the mean of the {w.shape[1]} weights; it "
        "is off by "
        f"{show(offset.min())} to {show(offset.max())} nats"
    )
