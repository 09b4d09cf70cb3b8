r"""The ELBO against the importance-weighted bound.

In the mean over the noise, $\text{ELBO} \le L_K \le L_{K+1} \le \ln p(x)$, and $L_1$ is the ELBO.
More can be said without knowing the decoder:

- Where z is held fixed while $\mu$, logvar and $\varepsilon = (z - \mu) / \sigma$ change together,
  the decoder's part of either bound is constant, so what changes is the KL's part, which is known.
- $L_1$ for each of K noise draws alone gives the log-weights $w_k$, and $L_K$ for all of them must
  be $\ln \frac1K \sum_k e^{w_k}$.
"""

from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Count, Whole
from ...errors import ShapeError
from ..report.result import RIGHT, WRONG
from .bound_parts import TOLERANCES, combination, kl_part
from .matching import Reduction
from .result import NoAnswerError, ValueCheck, call, show, value_check

NAME = "ELBO against the importance-weighted bound"
REPEATS = 120
K = 5
ERRORS = 5.0

MIXED = "an example alone gives another value than in a batch: examples are mixed; "


@door
@value_check(NAME)
def check_bounds(
    elbo: Any,
    iwae: Any,
    *,
    data_dims: Count = 11,
    latent: Count = 2,
    x: np.ndarray | None = None,
    dtype: str = "float64",
    seed: Whole = 0,
) -> ValueCheck:
    """Check an ELBO and an importance-weighted bound of the same decoder against each other.

    Parameters
    ----------
    elbo : callable
        `elbo(x, mu, logvar, eps)` in nats, for x (B, D), mu, logvar and eps (B, Z): for each
        example, or the batch mean. Its KL may be the closed form, or sampled.
    iwae : callable
        `iwae(x, mu, logvar, eps)` with eps (B, K, Z).
    data_dims, latent : int
        D and Z.
    x : array, (B, D), optional
        Data; zeros and ones by default.
    dtype : {"float64", "float32"}
        What they are called with.
    seed : int
        Draws the points and the noise.

    Returns
    -------
    ValueCheck
        Names a KL of the wrong sign or size, a loss returned as a bound, the mean of logs for the
        log of the mean, a missing log K, weights of the wrong sign, examples mixed.
    """
    rng = np.random.default_rng(seed + 1)
    if x is None:
        x = (rng.random((4, data_dims)) < 0.4).astype(float)
    x = np.asarray(x, float)
    if x.ndim != 2 or not x.size:
        raise ShapeError(f"x has shape {x.shape}, but data are (B, D); give at least one example.")
    B = len(x)
    shape = (B, latent)
    mu, logvar = 0.8 * rng.standard_normal(shape), 0.6 * rng.standard_normal(shape) - 0.4

    def single(eps: np.ndarray, m: np.ndarray = mu, v: np.ndarray = logvar) -> np.ndarray:
        return _each(elbo, x, m, v, eps, dtype)

    def weighted(eps: np.ndarray, m: np.ndarray = mu, v: np.ndarray = logvar) -> np.ndarray:
        return _each(iwae, x, m, v, eps, dtype)

    def weighted_once(eps: np.ndarray, m: np.ndarray, v: np.ndarray) -> np.ndarray:
        return weighted(eps[:, None], m, v)

    key, said = kl_part(single, mu, logvar, rng, dtype, sampled=False)
    if key:
        return ValueCheck(NAME, WRONG, f"of the ELBO, {said}", {}, key)
    key, said = kl_part(weighted_once, mu, logvar, rng, dtype, sampled=True)
    if key:
        return ValueCheck(NAME, WRONG, f"of the importance-weighted bound, {said}", {}, key)

    eps = rng.standard_normal((B, K, latent))
    w = np.stack([weighted(eps[:, k : k + 1]) for k in range(K)], axis=1)
    key, said = combination(w, weighted(eps), dtype)
    arrays = (x, mu, logvar)
    batches = {
        "of the ELBO": _batch(elbo, arrays, eps[:, 0], single(eps[:, 0]), dtype),
        "of the importance-weighted bound": _batch(iwae, arrays, eps, weighted(eps), dtype),
    }
    numbers = _means((elbo, iwae), tuple(batches.values()), arrays, rng, dtype)
    if key:
        return ValueCheck(NAME, WRONG, f"of the importance-weighted bound, {said}", numbers, key)
    for of, how in batches.items():
        if not how:
            cure = "sum over the dimensions of each example alone"
            if of != "of the ELBO":
                cure = "the mean of the weights runs over the samples, not over the batch"
            return ValueCheck(NAME, WRONG, f"{of}, {MIXED}{cure}", numbers, "wrong_axis")
    key, said = _order(numbers)
    return ValueCheck(NAME, WRONG if key else RIGHT, said, numbers, key)


def _each(
    bound: Any, x: np.ndarray, mu: np.ndarray, logvar: np.ndarray, eps: np.ndarray, dtype: str
) -> np.ndarray:
    """A bound for each example (B,), from calls with one example each: no reduction can hide it."""
    values = []
    for n in range(len(x)):
        rows = slice(n, n + 1)
        y = call(bound, x[rows], mu[rows], logvar[rows], eps[rows], dtype=dtype)
        if y.size != 1:
            raise NoAnswerError(
                f"for one example the bound has shape {y.shape}, but it is one number for each "
                "example; sum over dimensions, and combine the samples",
                WRONG,
            )
        values.append(y.item())
    if not np.isfinite(values).all():
        raise NoAnswerError("a bound is NaN or infinite at ordinary arguments", WRONG)
    return np.array(values)


def _batch(bound: Any, arrays: tuple, eps: np.ndarray, each: np.ndarray, dtype: str) -> str:
    """How the values of the examples (B,) make that of a batch: each, mean or sum; or not: ""."""
    whole = call(bound, *arrays, eps, dtype=dtype)
    tolerance = TOLERANCES[dtype] * max(np.abs(each).max(), 1.0)
    for how in ("each", "mean", "sum"):
        expected = Reduction("each", how).take(each[:, None])
        if expected.size == whole.size and (
            np.abs(expected.ravel() - whole.ravel()).max() <= tolerance * expected.size
        ):
            return how
    return ""


def _means(
    bounds: tuple[Any, Any],
    reductions: tuple[str, str],
    arrays: tuple,
    rng: np.random.Generator,
    dtype: str,
) -> dict[str, float]:
    """Means over the noise of the ELBO and of the bounds with 1 and K samples, and their gaps."""
    B, Z = arrays[1].shape
    elbo, iwae = bounds
    one, many = (B if how == "sum" else 1 for how in reductions)
    rows = []
    for _ in range(REPEATS):
        eps = rng.standard_normal((B, K, Z))
        rows.append(
            [
                call(elbo, *arrays, eps[:, 0], dtype=dtype).mean() / one,
                call(iwae, *arrays, eps[:, :1], dtype=dtype).mean() / many,
                call(iwae, *arrays, eps, dtype=dtype).mean() / many,
            ]
        )
    means = np.array(rows)
    numbers = {}
    for i, name in enumerate(("ELBO", "bound with K = 1", f"bound with K = {K}")):
        numbers[name] = float(means[:, i].mean())
    for name, gap in (
        ("K = 1 over ELBO", means[:, 1] - means[:, 0]),
        (f"K = {K} over ELBO", means[:, 2] - means[:, 0]),
        (f"K = {K} over K = 1", means[:, 2] - means[:, 1]),
    ):
        numbers[name] = float(gap.mean())
        numbers[f"standard error of {name}"] = float(gap.std(ddof=1) / np.sqrt(REPEATS))
    return numbers


def _order(numbers: dict[str, float]) -> tuple[str, str]:
    def gap(name: str) -> tuple[float, float]:
        return numbers[name], ERRORS * numbers[f"standard error of {name}"] + 1e-6

    same, room = gap("K = 1 over ELBO")
    if abs(same) > room:
        return "unknown", (
            f"with one sample the bound is {show(same)} nats over the ELBO in the mean, but the "
            "two are the same: their reconstruction terms differ"
        )
    for name in (f"K = {K} over ELBO", f"K = {K} over K = 1"):
        gained, room = gap(name)
        if gained < -room:
            return "unknown", f"more samples lower the bound: {name} is {show(gained)} nats"
    gained = numbers[f"K = {K} over ELBO"]
    return "", (
        f"the bound with one sample is the ELBO in the mean, and {K} samples raise it by "
        f"{show(gained)} nats"
    )
