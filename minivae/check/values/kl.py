r"""The KL from the standard normal, against its closed form.

$$ KL = \tfrac12 (\mu^2 + e^{\text{logvar}} - \text{logvar} - 1) \tag{1} $$

It is 0 at $\mu = 0$, logvar $= 0$, where the two distributions are one, and never below.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Whole
from ..report.result import RIGHT, WRONG
from .matching import Match, Probe, Reduction, Variant, find_match, fit_features, formula, judged
from .result import TOLERANCES, NoAnswerError, ValueCheck, call, show, value_check

NAME = "value of the KL"


def closed_form(mu: np.ndarray, logvar: np.ndarray) -> np.ndarray:
    """KL of N(mu, exp(logvar)) from N(0, 1) for each dimension: (1)."""
    return 0.5 * (mu**2 + np.expm1(logvar) - logvar)


def _positive(head: np.ndarray) -> np.ndarray:
    return np.where(head > 0, head, np.nan)


RIGHT_KL = Variant("", "", closed_form)
VARIANTS = [
    RIGHT_KL,
    Variant(
        "minus_one",
        "the -1 is missing from 1/2 (mu^2 + exp(logvar) - logvar - 1)",
        lambda m, h: 0.5 * (m**2 + np.exp(h) - h),
    ),
    Variant(
        "log_sigma_head",
        "it is the form for a head that is log sigma, 1/2 (mu^2 + exp(2 s) - 2 s - 1); logvar is "
        "the log of the variance, so that exp(logvar) already is sigma^2",
        lambda m, h: 0.5 * (m**2 + np.expm1(2 * h) - 2 * h),
    ),
    Variant(
        "sigma_head",
        "it is the form for a head that is sigma, 1/2 (mu^2 + s^2 - log s^2 - 1); logvar is the "
        "log of the variance: write exp(logvar) for s^2, and logvar for its log",
        lambda m, h: 0.5 * (m**2 + h**2 - np.log(h**2) - 1),
    ),
    Variant(
        "variance_head",
        "it is the form for a head that is the variance itself, 1/2 (mu^2 + v - log v - 1); logvar "
        "is the log of the variance: write exp(logvar) for v, and logvar for its log",
        lambda m, h: 0.5 * (m**2 + h - np.log(_positive(h)) - 1),
    ),
    Variant(
        "kl_reversed",
        "it is the KL the other way round, of N(0, 1) from N(mu, exp(logvar)); the ELBO needs the "
        "KL of the encoder's distribution from the prior",
        lambda m, h: 0.5 * (h + (1 + m**2) * np.exp(-h) - 1),
    ),
    Variant(
        "swapped",
        "mu and logvar are swapped: look at the order of the arguments",
        lambda m, h: closed_form(h, m),
    ),
    Variant(
        "logvar_sign",
        "the term in logvar has the wrong sign: it is subtracted, "
        "1/2 (mu^2 + exp(logvar) - logvar - 1)",
        lambda m, h: 0.5 * (m**2 + np.exp(h) + h - 1),
    ),
    Variant(
        "exp_sign",
        "the term exp(logvar) has the wrong sign; the KL is -1/2 (1 + logvar - mu^2 - exp(logvar))",
        lambda m, h: 0.5 * (m**2 - np.exp(h) - h - 1),
    ),
    Variant(
        "mu_sign",
        "the term mu^2 has the wrong sign; the KL is -1/2 (1 + logvar - mu^2 - exp(logvar))",
        lambda m, h: 0.5 * (-(m**2) + np.expm1(h) - h),
    ),
    Variant("mu_missing", "the term mu^2 is missing", lambda m, h: 0.5 * (np.expm1(h) - h)),
    Variant(
        "mu_not_squared",
        "mu is not squared: the first term is mu^2",
        lambda m, h: 0.5 * (m + np.expm1(h) - h),
    ),
    Variant(
        "logvar_missing", "the term - logvar is missing", lambda m, h: 0.5 * (m**2 + np.expm1(h))
    ),
    Variant(
        "exp_missing",
        "the term exp(logvar) is missing, or logvar stands in its place",
        lambda m, h: 0.5 * (m**2 - h - 1),
    ),
    Variant(
        "variance_for_std",
        "the standard deviation exp(logvar / 2) stands where the variance exp(logvar) belongs",
        lambda m, h: 0.5 * (m**2 + np.exp(h / 2) - h - 1),
    ),
    Variant(
        "variance_for_std",
        "exp(logvar) is squared, but it is the variance already",
        lambda m, h: 0.5 * (m**2 + np.exp(2 * h) - h - 1),
    ),
]
FEATURES = {
    "mu^2": lambda m, h: m**2,
    "exp(logvar)": lambda m, h: np.exp(h),
    "logvar": lambda m, h: h,
    "1": lambda m, h: np.ones_like(m),
}


def probe_kl(
    kl: Callable, dtype: str, seed: Whole
) -> tuple[list[Probe], list[np.ndarray], Match | None]:
    """Points, the values of `kl` there, and the formula that they match."""
    probes = draw_heads(seed)
    outputs = [call(kl, *probe, dtype=dtype) for probe in probes]
    if not all(np.isfinite(y).all() for y in outputs):
        # perhaps a logarithm of the head itself: try where that exists
        probes = [(mu, np.abs(head) + 0.1) for mu, head in probes]
        outputs = [call(kl, *probe, dtype=dtype) for probe in probes]
        if not all(np.isfinite(y).all() for y in outputs):
            raise NoAnswerError("the KL is NaN or infinite at ordinary mu and logvar", WRONG)
    return probes, outputs, find_match(outputs, probes, VARIANTS, TOLERANCES[dtype])


def draw_heads(seed: Whole) -> list[Probe]:
    """Several pairs (mu, logvar) of two sizes, as float32 holds them."""
    rng = np.random.default_rng(seed)
    sizes = [(5, 7), (3, 11)] * 6
    return [
        tuple(0.9 * rng.standard_normal(size).astype("float32").astype(float) for _ in range(2))
        for size in sizes
    ]


AVERAGED = (
    "it is averaged over the Z latent dimensions instead of summed: next to a reconstruction that "
    "is summed over its dimensions, that is a beta of 1/Z"
)


@door
@value_check(NAME)
def check_kl_value(kl: Any, *, dtype: str = "float64", seed: Whole = 0) -> ValueCheck:
    """Check the value of a KL from the standard normal prior.

    Parameters
    ----------
    kl : callable
        `kl(mu, logvar)` for (B, Z) arrays, in nats: for each entry, or reduced over dimensions or
        batch.
    dtype : {"float64", "float32"}
        What it is called with.
    seed : int
        Draws the points.

    Returns
    -------
    ValueCheck
        Names a missing 1/2 or -1, a flipped sign, a reversed KL, a head taken for sigma or log
        sigma, a mean over the dimensions.
    """
    probes, outputs, match = probe_kl(kl, dtype, seed)
    zero = np.zeros((5, 7))
    numbers = {
        "smallest value": float(min(y.min() for y in outputs)),
        "at mu = 0, logvar = 0": float(call(kl, zero, zero, dtype=dtype).sum()),
    }
    if match is None:
        return ValueCheck(NAME, WRONG, _describe(outputs, probes, dtype), numbers, "unknown")
    dims = "sum" if match.reduction.dims == "mean" else match.reduction.dims
    expected = Reduction(dims, match.reduction.batch).take(closed_form(*probes[0])).ravel()
    values = outputs[0].ravel()
    worst = np.abs(values - expected).argmax()
    yours, right = float(values[worst]), float(expected[worst])
    numbers |= {"yours": yours, "closed form": right}
    key, said = judged(match, AVERAGED)
    if key:
        if numbers["smallest value"] < 0:
            said += f"; a KL is never below 0, and yours is {show(numbers['smallest value'])}"
        elif abs(yours - right) > 1e-3 * abs(right):
            said += f"; where the closed form gives {show(right)}, yours gives {show(yours)}"
        return ValueCheck(NAME, WRONG, said, numbers, key)
    said = f"equals the closed form ({match.reduction}), is 0 at mu = 0, logvar = 0, never below"
    if match.reduction.batch == "sum":
        said += (
            "; it is summed over the batch: sum the reconstruction over the batch too, or this is "
            "a beta of B"
        )
    return ValueCheck(NAME, RIGHT, said, numbers)


def _describe(outputs: list[np.ndarray], probes: list[Probe], dtype: str) -> str:
    fit = fit_features(outputs, probes, FEATURES, 10 * TOLERANCES[dtype])
    if fit is None:
        return (
            f"wrong, cause unknown: for mu and logvar of shape {probes[0][0].shape} it returned "
            f"shape {outputs[0].shape}, of a sum of {show(outputs[0].sum())}; the closed form sums "
            f"to {show(closed_form(*probes[0]).sum())} over all entries"
        )
    return (
        f"your value is {formula(fit[0])} ({fit[1]}), but the KL is "
        "0.5 mu^2 + 0.5 exp(logvar) - 0.5 logvar - 0.5"
    )
