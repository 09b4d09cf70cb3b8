r"""The sampler against the KL.

Under $q = N(\mu, \sigma^2)$ the mean of $\ln q(z) - \ln p(z)$ is the KL. With z from the sampler,
that mean over many samples must agree with the closed form within its standard error; and the
samples must have the mean $\mu$ and the standard deviation that the KL means.
"""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Whole
from ..report.result import RIGHT, WRONG
from .kl import AVERAGED, closed_form, probe_kl
from .matching import judged
from .result import NoAnswerError, ValueCheck, call, show, value_check

NAME = "sampler against the KL"
SAMPLES = 20_000
ERRORS = 6.0
"""Standard errors that a deviation must exceed to count."""

SCALES = {
    "logvar": ("exp(logvar / 2)", lambda h: np.exp(h / 2)),
    "log_sigma_head": ("exp(logvar)", np.exp),
    "sigma_head": ("the head itself", np.abs),
    "variance_head": ("the root of the head", lambda h: np.sqrt(np.abs(h))),
    "softplus_head": ("the softplus of the head", lambda h: np.logaddexp(0, h)),
    "exponent_sign": ("exp(-logvar / 2)", lambda h: np.exp(-h / 2)),
    "half_twice": ("exp(logvar / 4)", lambda h: np.exp(h / 4)),
    "noise_unscaled": ("1, whatever logvar is", np.ones_like),
}
"""What the head is taken for -> what the standard deviation of the samples then is."""
CURES = {
    "log_sigma_head": "exp(logvar) is the variance, not the standard deviation: write "
    "exp(logvar / 2) in the sampler",
    "exponent_sign": "the sign of the exponent is flipped: write exp(logvar / 2)",
    "half_twice": "the exponent is halved twice: write exp(logvar / 2)",
    "noise_unscaled": "the noise is not scaled: write mu + exp(logvar / 2) * eps",
    "sigma_head": "logvar is taken for sigma: write exp(logvar / 2)",
    "variance_head": "logvar is taken for the variance: write exp(logvar / 2)",
    "softplus_head": "logvar is put through a softplus: write exp(logvar / 2)",
}
KEYS = {"log_sigma_head": "variance_for_std"}
KL_HEADS = {"": "logvar"} | {k: k for k in ("log_sigma_head", "sigma_head", "variance_head")}


@door
@value_check(NAME)
def check_sampler(
    reparameterize: Any, kl: Any = None, *, dtype: str = "float64", seed: Whole = 0
) -> ValueCheck:
    """Check that samples have the mean, the spread and the KL that they should have.

    Parameters
    ----------
    reparameterize : callable
        `reparameterize(mu, logvar, eps) -> z`, all (B, Z); or without eps, if it draws its own.
    kl : callable, optional
        `kl(mu, logvar)`, see `check_kl_value`; the closed form if it is not given.
    dtype : {"float64", "float32"}
        What they are called with.
    seed : int
        Draws the points and the noise.

    Returns
    -------
    ValueCheck
        Names the variance used as standard deviation, a KL and a sampler that take the head for
        different things, and mistakes of the KL itself.
    """
    numbers: dict[str, float] = {}
    mu, head, z = _draw(reparameterize, dtype, seed, positive=False)
    if not np.isfinite(z).all():
        mu, head, z = _draw(reparameterize, dtype, seed, positive=True)
        if not np.isfinite(z).all():
            raise NoAnswerError("the samples are NaN or infinite at ordinary mu and logvar", WRONG)
    mean, std = z.mean(axis=1), z.std(axis=1, ddof=1)
    numbers["sample std"] = float(std[0, 0])
    for name in ("logvar", "log_sigma_head"):
        words, scale = SCALES[name]
        numbers[f"{words} there"] = float(scale(head)[0, 0])

    key, said = _moments(mu, head, z, mean, std)
    if key:
        return ValueCheck(NAME, WRONG, said, numbers, key)
    meaning = next(m for m, (_, f) in SCALES.items() if _agrees(std, f(head)))
    words, scale = SCALES[meaning]

    kl_key, kl_said, kl_head = "", "", "logvar" if kl is None else None
    if kl is not None:
        _, _, match = probe_kl(kl, dtype, seed)
        if match is not None:
            kl_head = KL_HEADS.get(match.variant.key)
            kl_key, kl_said = judged(match, AVERAGED)
            if kl_head == meaning != "logvar" and kl_key == match.variant.key:
                kl_key = ""
    sigma = scale(head) if kl_head == meaning else np.exp(head / 2)
    estimate, error = _monte_carlo(mu, sigma, z)
    expected, value = estimate.sum(), closed_form(mu, head).sum()
    error = float(np.sqrt((error**2).sum()))
    numbers |= {"mean of log q - log p": float(expected), "standard error": error}

    if meaning != "logvar" and kl_head != meaning:
        said = f"the samples' standard deviation is {words}, and {CURES[meaning]}"
        if kl_head == "logvar":
            numbers["KL"] = float(value)
            said += (
                f"; the mean of log q - log p over the samples is {show(expected)} +- "
                f"{show(error)} nats, where the KL is {show(value)}"
            )
        return ValueCheck(NAME, WRONG, said, numbers, KEYS.get(meaning, meaning))
    if kl is not None and kl_head is None and not kl_key:
        return ValueCheck(
            NAME,
            WRONG,
            "the samples are right, but the KL matches no known formula; see check_kl_value",
            numbers,
            "unknown",
        )
    if kl_key:
        said = f"the samples are right, but of the KL: {kl_said}"
        return ValueCheck(NAME, WRONG, said, numbers, kl_key)
    if kl_head == "logvar":
        numbers["KL"] = float(value)
        if abs(expected - value) > ERRORS * error:
            said = (
                f"the mean of log q - log p over the samples is {show(expected)} +- {show(error)} "
                f"nats, where the KL is {show(value)}"
            )
            return ValueCheck(NAME, WRONG, said, numbers, "unknown")
        said = (
            f"the mean of log q - log p over {SAMPLES} samples is {show(expected)} +- "
            f"{show(error)} nats, and the KL is {show(value)}; the samples' standard deviation is "
            f"{words}"
        )
    else:
        said = (
            f"sampler and KL agree with each other: both take the second head for what makes "
            f"{words} the standard deviation, so call it so; it is not the log of the variance"
        )
    return ValueCheck(NAME, RIGHT, said, numbers)


def _draw(
    reparameterize: Callable, dtype: str, seed: Whole, positive: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mu and head (B, Z), samples z (B, SAMPLES, Z)."""
    rng = np.random.default_rng(seed + 1)
    B, Z = 3, 5
    mu = rng.choice([-1, 1], (B, Z)) * rng.uniform(0.4, 1.6, (B, Z))
    head = rng.choice([-1, 1], (B, Z)) * rng.uniform(0.5, 1.7, (B, Z))
    head[0, 0] = abs(head[0, 0])
    if positive:
        head = np.abs(head)
    mu, head = mu.astype("float32").astype(float), head.astype("float32").astype(float)
    rows = [np.repeat(a, SAMPLES, axis=0) for a in (mu, head)]
    if _takes_noise(reparameterize):
        rows.append(rng.standard_normal((B * SAMPLES, Z)))
    z = call(reparameterize, *rows, dtype=dtype)
    if z.shape != (B * SAMPLES, Z):
        raise NoAnswerError(
            f"for mu and logvar of shape {rows[0].shape} the samples have shape {z.shape}, not "
            "the same",
            WRONG,
        )
    return mu, head, z.reshape(B, SAMPLES, Z)


def _takes_noise(reparameterize: Any) -> bool:
    function = getattr(reparameterize, "forward", reparameterize)
    try:
        inspect.signature(function).bind(0, 0, 0)
    except TypeError:
        return False
    except ValueError:
        return True
    return True


def _agrees(std: np.ndarray, expected: np.ndarray) -> bool:
    """Whether all standard deviations agree; that of one is std / sqrt(2 n)."""
    return bool((np.abs(std - expected) <= ERRORS * expected / np.sqrt(2 * SAMPLES)).all())


def _moments(
    mu: np.ndarray, head: np.ndarray, z: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> tuple[str, str]:
    """What is wrong with mean, spread and independence of the samples; "" if nothing is."""
    sigma = np.exp(head / 2)
    if (std <= 1e-6 * sigma).all():
        if np.abs(mean - mu).max() < 1e-6:
            return "noise_missing", "the samples are mu itself: the noise is missing"
        return "noise_shared", (
            "all examples get the same noise: draw it in the shape of mu, one number for each entry"
        )
    if _agrees(std, sigma / np.sqrt(12)) and np.abs(mean - mu - sigma / 2).max() < 0.05:
        return "noise_uniform", (
            "the noise is uniform between 0 and 1 (rand); it must be standard normal (randn)"
        )
    fraction = std / np.sqrt(SAMPLES)
    for key, words, wanted in (
        ("", "", mu),
        ("mu_missing", "the samples have the mean 0: mu is not added", 0 * mu),
        ("sign", "the samples have the mean -mu: its sign is flipped", -mu),
        ("factor", "the samples have the mean 2 mu: it is added twice", 2 * mu),
    ):
        if (np.abs(mean - wanted) <= ERRORS * fraction).all():
            if key:
                return key, words
            break
    else:
        return "unknown", (
            f"the samples have not the mean mu: where mu is {show(mu[0, 0])} their mean is "
            f"{show(mean[0, 0])} +- {show(fraction[0, 0])}"
        )
    if not any(_agrees(std, f(head)) for _, f in SCALES.values()):
        ratio = std / sigma
        if np.ptp(ratio) < 0.05 * ratio.mean():
            return "factor", (
                f"the samples' standard deviation is {show(ratio.mean())} times exp(logvar / 2)"
            )
        return "unknown", (
            f"the samples' standard deviation is neither exp(logvar / 2) nor anything known: "
            f"where exp(logvar / 2) is {show(sigma[0, 0])} it is {show(std[0, 0])}"
        )
    scaled = (z - mean[:, None]) / std[:, None]
    joint = np.einsum("bni,bnj->bij", scaled, scaled) / SAMPLES - np.eye(mu.shape[1])
    if np.abs(joint).max() > ERRORS / np.sqrt(SAMPLES):
        return "noise_shared", (
            "the dimensions of one sample are correlated: the same noise is used for several of "
            "them; draw one number for each entry"
        )
    return "", ""


def _monte_carlo(mu: np.ndarray, sigma: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of log q - log p over the samples (B, Z), and its standard error."""
    u = (z - mu[:, None]) / sigma[:, None]
    ratio = 0.5 * (z**2 - u**2) - np.log(sigma)[:, None]
    return ratio.mean(axis=1), ratio.std(axis=1, ddof=1) / np.sqrt(SAMPLES)
