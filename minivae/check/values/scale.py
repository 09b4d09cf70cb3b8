"""The scale of a reconstruction loss next to the KL: whether sums and means agree.

The KL of the ELBO is summed over the latent dimensions. If the reconstruction is averaged over 784
pixels, it is 784 times too small next to it, which is a beta of 784.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import OptionError
from ..report.result import NOT_CHECKED, RIGHT, WRONG
from .formulas import HALF_LN_2PI, bernoulli_terms
from .kl import probe_kl
from .matching import ALL, Match, Probe, Variant, find_match
from .result import TOLERANCES, NoAnswerError, ValueCheck, call, show, value_check

NAME = "scale of the reconstruction"
FAMILIES = [
    Variant("", "a Bernoulli likelihood from logits", bernoulli_terms),
    Variant(
        "probabilities",
        "a Bernoulli likelihood from probabilities",
        lambda p, x: -x * np.log(p) - (1 - x) * np.log(1 - p),
    ),
    Variant("square", "a squared error", lambda m, x: 0.5 * (x - m) ** 2),
    Variant("unit", "a Gaussian likelihood", lambda m, x: 0.5 * (x - m) ** 2 + HALF_LN_2PI),
]


@door
@value_check(NAME)
def check_loss_scale(
    loss: Any, n_dims: int = 784, kl: Any = None, *, dtype: str = "float64", seed: Whole = 0
) -> ValueCheck:
    """Find out whether a reconstruction loss is summed or averaged, and what beta that means.

    Parameters
    ----------
    loss : callable
        `loss(logits, x)` for (B, D) arrays; also means or probabilities in place of logits.
    n_dims : int
        D, such as 784.
    kl : callable, optional
        `kl(mu, logvar)` that is added to it; by default a KL summed over the latent dimensions
        and averaged over the batch.
    dtype : {"float64", "float32"}
        What it is called with.
    seed : int
        Draws the points.

    Returns
    -------
    ValueCheck
        Wrong if the beta that the two scales amount to is not 1.
    """
    if n_dims < 2:
        raise OptionError(f"n_dims={n_dims} was given, but sums and means differ from 2 upwards.")
    probes, outputs = _values(loss, n_dims, dtype, np.random.default_rng(seed + 1))
    # A loss that folds its input into images of a fixed size makes sense of D dimensions only.
    match = find_match(outputs, probes, FAMILIES, 10 * TOLERANCES[dtype]) or find_match(
        outputs[:2], probes[:2], FAMILIES, 10 * TOLERANCES[dtype]
    )
    if match is None:
        match = _by_replication(loss, probes[0], dtype)
        if match is None:
            said = (
                f"not checked: repeating the dimensions or the examples changes the value neither "
                f"as a sum nor as a mean would; for inputs of shape {probes[0][0].shape} it has "
                f"shape {outputs[0].shape}"
            )
            return ValueCheck(NAME, NOT_CHECKED, said)
    # the scale next to a sum over the dimensions; a squared error may have any, as 1 / variance
    scale = match.factor * match.reduction.scale(n_dims)
    if match.factor < 0:
        said = f"it is the negative of {match.variant.text}: the log-likelihood, and not a loss"
        return ValueCheck(NAME, WRONG, said, {"factor": match.factor}, "sign")
    kl_scale, kl_batch, kl_said, kl_symbol = _kl_scale(kl, dtype, seed)
    batch = match.reduction.batch
    numbers = {"scale of the reconstruction": scale, "scale of the KL": kl_scale}
    said = [f"it is {match.variant.text}: {match.reduction}"]
    if not match.exact and match.variant.text:
        said[0] += f", times {show(match.factor)}"
    free = match.variant.key == "square" and match.reduction.dims != "mean"
    beta = kl_scale if free else kl_scale / scale
    wrong = ""
    if abs(beta - 1) > 1e-3 or kl_symbol:
        wrong = "dims" if match.reduction.dims == "mean" or kl_symbol else "factor"
        said.append(
            f"{kl_said}, so the effective beta is {show(beta)}{kl_symbol}; sum both over their "
            f"dimensions ({n_dims} of the data), and average both over the batch"
        )
    elif free and abs(scale - 1) > 1e-3:
        said.append(
            f"that is the Gaussian likelihood with a variance of {show(1 / scale)}, up to a "
            f"constant; next to one with variance 1 it is a beta of {show(1 / scale)}"
        )
    if {batch, kl_batch} == {"sum", "mean"}:
        wrong = wrong or "batch"
        summed, power = ("reconstruction", "1/B") if batch == "sum" else ("KL", "B")
        said.append(
            f"the {summed} is summed over the batch and the other averaged: a further beta of "
            f"{power} for a batch of B"
        )
    elif batch == "sum" and kl_batch != "sum":
        said.append("it is summed over the batch: sum the KL over the batch too, or beta is 1/B")
    numbers["effective beta"] = beta
    if not wrong and len(said) == 1:
        said.append("next to a KL that is summed over the latent dimensions, beta is 1")
    return ValueCheck(NAME, WRONG if wrong else RIGHT, "; ".join(said), numbers, wrong)


def _values(
    loss: Callable, n_dims: int, dtype: str, rng: np.random.Generator
) -> tuple[list[Probe], list[np.ndarray]]:
    """Points and values there, for D and, if it takes that, 2 D dimensions."""
    sizes = [(3, n_dims), (2, n_dims), (3, 2 * n_dims), (5, 2 * n_dims)]
    probes = []
    for shape in sizes:
        logits = rng.standard_normal(shape).astype("float32").astype(float)
        probes.append((logits, (rng.random(shape) < 0.5) * 1.0))
    outputs = _call_all(loss, probes, dtype)
    if not all(np.isfinite(y).all() for y in outputs):
        probes = [(0.5 * (1 + np.tanh(a / 2)), x) for a, x in probes]
        outputs = _call_all(loss, probes, dtype)
        if not all(np.isfinite(y).all() for y in outputs):
            raise NoAnswerError("the loss is NaN or infinite at ordinary arguments", WRONG)
    return probes[: len(outputs)], outputs


def _call_all(loss: Callable, probes: list[Probe], dtype: str) -> list[np.ndarray]:
    outputs = [call(loss, *probe, dtype=dtype) for probe in probes[:2]]
    try:
        return outputs + [call(loss, *probe, dtype=dtype) for probe in probes[2:]]
    except NoAnswerError:  # it takes n_dims dimensions only
        return outputs


def _by_replication(loss: Callable, probe: Probe, dtype: str) -> Match | None:
    """How a loss of any formula is reduced, from its value when dimensions or examples repeat."""
    once = call(loss, *probe, dtype=dtype)
    wider = call(loss, *(np.tile(a, (1, 2)) for a in probe), dtype=dtype)
    longer = call(loss, *(np.tile(a, (2, 1)) for a in probe), dtype=dtype)
    tolerance = 10 * TOLERANCES[dtype] * np.abs(once).max()
    for reduction in ALL:
        if reduction.dims == "each":
            continue
        grown = once * (2 if reduction.dims == "sum" else 1)
        copied = {
            "each": np.concatenate([once, once]) if once.ndim else once,
            "sum": 2 * once,
            "mean": once,
        }[reduction.batch]
        same = wider.shape == grown.shape and longer.shape == copied.shape
        if reduction.batch == "each" and not once.ndim:
            continue
        if (
            same
            and np.abs(wider - grown).max() <= tolerance
            and np.abs(longer - copied).max() <= tolerance
        ):
            return Match(Variant("", "some loss", bernoulli_terms), reduction, 1.0)
    return None


def _kl_scale(kl: Any, dtype: str, seed: Whole) -> tuple[float, str, str, str]:
    """Scale of the KL next to a sum, its batch reduction, words, and "/Z" if it is averaged."""
    if kl is None:
        return 1.0, "", "the KL counts as summed over the latent dimensions", ""
    _, _, match = probe_kl(kl, dtype, seed)
    if match is None:
        raise NoAnswerError("the KL matches no known formula; see check_kl_value")
    said = f"the KL is reduced by: {match.reduction}"
    if not match.exact:
        said += f", times {show(match.factor)}"
    symbol = "/Z, with Z latent dimensions" if match.reduction.dims == "mean" else ""
    return match.factor, match.reduction.batch, said, symbol
