"""Forward mistakes that a gradient check cannot see, in functions that are known by their names.

A right gradient of a wrong forward pass is right. What is recognised by its name and arguments, a
KL, a sampler, a VAE's loss, an importance-weighted bound, is run at a few points more. Another
convention is no mistake, and so is a factor that may be a beta: where both are possible, nothing is
said.
"""

import math
from collections.abc import Callable

import numpy as np

from ...check.values.kl import closed_form, probe_kl
from ...check.values.result import NoAnswerError, show
from ...check.values.scale import FAMILIES
from ...check.verdict.conventions.names import is_data, is_noise, is_spread, plain, rank

Arrays = dict[str, np.ndarray]
Run = Callable[[Arrays], np.ndarray]
SAMPLERS = ("sampl", "reparam")
BOUNDS = ("iwae", "importance", "logmeanexp", "iwbound", "iwelbo")
HEADS = {"log_sigma_head": "log sigma", "sigma_head": "sigma", "variance_head": "the variance"}
TOLERANCE = 1e-6


def forward_doubt(name: str, arguments: Arrays, run: Run) -> str:
    """What is wrong with the values of a function whose gradients are right; "" if nothing is seen.

    Parameters
    ----------
    name : str
        What it is called.
    arguments : dict of str to numpy.ndarray
        Its arrays, by name.
    run : callable
        `run(arguments)`, the first output; raises where the function does. Random draws are the
        same in every call.
    """
    mu = _only(arguments, lambda n: rank("mu", n) < 2 and not is_spread(n))
    head = _only(arguments, is_spread)
    called = plain(name)
    try:
        with np.errstate(all="ignore"):
            if mu is not None and head is not None:
                if arguments[mu].ndim != 2 or arguments[mu].shape != arguments[head].shape:
                    return ""
                others = {n for n in arguments if n not in (mu, head) and not is_noise(n)}
                if "kl" in called and len(arguments) == 2:
                    return _of_kl(called, lambda m, h: run({mu: m, head: h}), head)
                if any(part in called for part in SAMPLERS) and not others:
                    return _of_sampler(arguments, run, mu, head)
                if len(others) == 2:
                    return _of_loss(arguments, run, (mu, head, *sorted(others, key=_is_prediction)))
            if any(part in called for part in BOUNDS):
                return _of_bound(arguments, run)
    except Exception:  # it cannot be called with other arguments
        return ""
    return ""


def _only(arguments: Arrays, fits: Callable[[str], bool]) -> str | None:
    """The one argument that fits; None if there are more or none."""
    found = [n for n in arguments if fits(n)]
    return found[0] if len(found) == 1 else None


def _is_prediction(name: str) -> bool:
    return not is_data(name)


def _meaning(head: str) -> str | None:
    """What the name of a head says that it is, by the keys of `HEADS`; "" for a log variance."""
    called = plain(head)
    log = called.startswith(("log", "ln", "lv"))
    if log and not any(part in called for part in ("var", "lv", "sigma2", "sigmasq", "s2")):
        return "log_sigma_head"
    if log:
        return ""
    return {"s": "sigma_head", "v": "variance_head"}.get(called[:1])


def _of_kl(called: str, kl: Callable, head: str) -> str:
    """A KL that is no KL: below 0, with a wrong term, of another head than it is called."""
    try:
        _, outputs, match = probe_kl(kl, "float64", 0)
    except NoAnswerError:
        return ""
    meaning, least = _meaning(head), min(float(y.min()) for y in outputs)
    below = f"a KL is never below 0, and this one is {show(least)}"
    if match is None:
        trusted = meaning in ("", "log_sigma_head") and least < -TOLERANCE
        return f"{below} at ordinary arguments" if trusted else ""
    key = match.variant.key
    if key == "swapped" or (key in HEADS and meaning in (None, key)):
        key = ""
    if key == "kl_reversed" and any(part in called for part in ("rev", "prior", "back")):
        return ""
    said = match.variant.text if key else ""
    if match.factor < 0 and not any(part in called for part in ("neg", "minus")):
        said = said or "its sign is flipped"
    if not said:
        return ""
    return f"{said}; {below}" if least < -TOLERANCE else said


def _of_sampler(arguments: Arrays, run: Run, mu: str, head: str) -> str:
    """A sampler whose standard deviation is the variance.

    Two heads with the same noise tell it, whatever the noise is.
    """
    meaning = _meaning(head)
    if meaning not in ("", "variance_head"):
        return ""
    rng = np.random.default_rng(3)
    h = rng.uniform(0.4, 1.6, arguments[head].shape)
    at_h, at_1 = (
        np.asarray(run({**arguments, head: value})) - arguments[mu]
        for value in (h, np.ones_like(h))
    )
    if at_h.shape != h.shape or not np.all(at_1):
        return ""
    ratio = at_h / at_1
    if meaning == "" and np.allclose(ratio, np.exp(h - 1), rtol=1e-6):
        return (
            f"its standard deviation is exp({head}), which is the variance: write "
            f"exp({head} / 2) * noise"
        )
    if meaning == "variance_head" and np.allclose(ratio, h, rtol=1e-6):
        return f"its standard deviation is {head}, which is the variance: write sqrt({head})"
    return ""


def _of_loss(arguments: Arrays, run: Run, names: tuple[str, str, str, str]) -> str:
    """A VAE's loss: KL and reconstruction summed here and averaged there, or of different signs.

    How their ratio grows when batch or dimensions are doubled tells a mean from a sum; a constant
    factor, such as beta, does not matter.
    """
    mu, head, x, p = names
    if arguments[x].shape != arguments[p].shape or arguments[x].ndim != 2:
        return ""
    if _meaning(head) != "" or len(arguments[x]) != len(arguments[mu]):
        return ""
    ratio = _ratio(arguments, run, names)
    if ratio is None:
        return ""
    if ratio < 0:
        return "KL and reconstruction have different signs: in the loss both are added"
    batch = {n: np.concatenate([a, a]) for n, a in arguments.items()}
    data = {n: np.concatenate([a, a], axis=1) if n in (x, p) else a for n, a in arguments.items()}
    latent = {n: np.concatenate([a, a], axis=1) if n not in (x, p) else a
              for n, a in arguments.items()}  # fmt: skip
    grown = [_ratio(a, run, names) for a in (batch, data, latent)]
    if any(g is None for g in grown):
        return ""
    of_batch, of_data, of_latent = (round(math.log2(g / ratio), 6) for g in grown if g)
    if of_batch in (1, -1):
        summed, other = ("KL", "reconstruction") if of_batch == 1 else ("reconstruction", "KL")
        beta = "B" if of_batch == 1 else "1/B"
        return (
            f"the {summed} is summed over the batch and the {other} averaged: that is a beta of "
            f"{beta} for a batch of B"
        )
    if (of_data, of_latent) == (1, 0):
        return (
            "the reconstruction is averaged over the dimensions of the data, beside a KL that is "
            "summed over its own: that is a beta of D for D dimensions of the data; sum both"
        )
    if (of_data, of_latent) == (0, -1):
        return (
            "the KL is averaged over the latent dimensions, beside a reconstruction that is "
            "summed over its own: that is a beta of 1/Z for Z latent dimensions; sum both"
        )
    return ""


def _ratio(arguments: Arrays, run: Run, names: tuple[str, str, str, str]) -> float | None:
    """Scale of the KL by that of the reconstruction; None if they are not what is known."""
    mu, head, x, p = names

    def loss(**values: np.ndarray) -> float:
        return float(np.asarray(run({**arguments, **values})).reshape(()))

    def scale(terms: Callable, points: list[tuple[np.ndarray, ...]], *where: str) -> float | None:
        """The factor of a sum in the loss, from the differences between points."""
        y = np.diff([loss(**dict(zip(where, point, strict=True))) for point in points])
        t = np.diff([float(np.sum(terms(*point))) for point in points])
        c = float(y @ t / (t @ t))
        fits = np.isfinite(c) and c and np.abs(y - c * t).max() <= TOLERANCE * np.abs(y).max()
        return c if fits else None

    rng = np.random.default_rng(5)
    heads = [tuple(rng.standard_normal((2, *arguments[mu].shape))) for _ in range(4)]
    kl = scale(closed_form, heads, mu, head)
    target = arguments[x]
    points = [(t,) for t in rng.uniform(0.2, 0.8, (4, *target.shape))]
    for family in FAMILIES if kl is not None else ():
        found = scale(lambda q, f=family: f.terms(q, target), points, p)
        if found is not None:
            return kl / found
    return None


def _of_bound(arguments: Arrays, run: Run) -> str:
    """An importance-weighted bound without its - log K.

    The same samples once more leave the mean of the weights as it is, and double their sum.
    """
    once = np.asarray(run(arguments))
    noises = [n for n in arguments if is_noise(n) and arguments[n].ndim == 3]
    noises = noises or (list(arguments) if len(arguments) == 1 else [])
    for axis in (1, 0) if noises and arguments[noises[0]].ndim > 1 else ():
        wide = {n: np.concatenate([arguments[n]] * 2, axis=axis) for n in noises}
        again = np.asarray(run({**arguments, **wide}))
        if again.shape != once.shape:
            continue
        gained = np.abs(again - once) / math.log(2)
        counts = (1, arguments[noises[0]].shape[1 - axis])  # by example or mean, or their sum
        if any(np.allclose(gained, count, rtol=1e-9) for count in counts):
            return (
                "the same samples once more change the bound by log 2: it is the logarithm of the "
                "sum of the weights; subtract log K to get that of their mean"
            )
    return ""
