r"""What may be said of a trained VAE: is it done, better than nothing, and does it use its latents.

The questions come in this order, for each makes no sense before the one above it is answered.

1. **Does the loss still fall?** A line is fitted to the losses of the last fifth of the epochs. It
   falls if its slope is more than three times its standard error, and the fall along it more than
   a hundredth of all that was gained since the first epoch.
2. **Is it better than one constant picture?** A decoder that gives the mean of the training data
   for every z costs no KL. Its loss is what a model must beat that is said to have learned more.
3. **Does the code tell examples apart?** A code of KL nats tells about $e^{KL}$ kinds of examples
   apart; with less than `LEAST` nats the decoder all but ignores it, whatever single dimensions do.
"""

import math
from typing import Any

import numpy as np

from ...data import Pixels
from ...data.batches import by_rows
from ...models.base import Model
from .collapse import FEW, Usage

LEAST = 1.0
"""Nats that a code carries if it is of any use."""

LR = 1e-3
"""A learning rate that seldom drives the decoder away from its code at the start."""

SHORTEST = 5
"""Epochs before which nothing is said about whether the loss falls."""


def still_falls(losses: list[float]) -> tuple[float, int]:
    """Nats by which the loss falls in the last epochs, and how many these are; (0, n) if it rests.

    Parameters
    ----------
    losses : list of float
        Of each epoch: those of the validation, if there are some.
    """
    n = max(SHORTEST, math.ceil(len(losses) / 5))
    if len(losses) < n:
        return 0.0, n
    last = np.array(losses[-n:])
    t = np.arange(n) - (n - 1) / 2
    slope = float(t @ last / (t @ t))
    rest = last - last.mean() - slope * t
    error = math.sqrt(float(rest @ rest) / (n - 2) / float(t @ t))
    fall = -slope * (n - 1)
    gained = max(losses) - min(losses)
    return (fall, n) if -slope > 3 * error and fall > 0.01 * gained else (0.0, n)


def constant_loss(model: Model, mean: np.ndarray, spread: float, x: np.ndarray | Pixels) -> float:
    """Loss, in nats per example of x (N, n_data), of a decoder that knows the data's mean alone.

    Parameters
    ----------
    model : Model
        Whose likelihood counts.
    mean : numpy.ndarray, (n_pixels,)
        Of the training data.
    spread : float
        Their standard deviation about it, which is the scale that such a decoder would learn.
    x : numpy.ndarray or Pixels
        As the model takes them.
    """
    likelihood = type(model.likelihood)(**model.likelihood_options, **model.where)
    likelihood.start_at_spread(spread)
    out = model.backend.asarray(likelihood.constant(mean, spread)[None], model.params.dtype)

    def nll(part: np.ndarray) -> Any:
        rows = model.observed(model.prepare(part))
        return likelihood.forward(model.backend.xp.repeat(out, len(rows), axis=0), rows)

    return float(by_rows(model.backend, nll, x).mean(dtype="float64"))


def verdict(
    used: Usage,
    *,
    loss: float,
    constant: float,
    losses: list[float],
    cures: list[str],
    on: str,
    what: str = "picture",
) -> str:
    """Say what the numbers carry.

    Parameters
    ----------
    used : Usage
        Of the latent dimensions.
    loss : float
        Minus the ELBO, nats per example.
    constant : float
        From `constant_loss`.
    losses : list of float
        Of each epoch.
    cures : list of str
        From `cures_for`.
    on : str
        The command that trains on.
    what : str
        What an example is.
    """
    if used.examples < FEW:
        return used.report()
    gain, total = constant - loss, float(used.kl.sum())
    cure = f" train anew with {' or '.join(cures)}." if cures else ""
    beside = f"one constant {what}, whose loss is {constant:.2f} nats"
    better = (
        f"It is no better than {beside}."
        if gain <= 0
        else f"It is better than {beside}, by {gain:.2f}."
    )
    fall, n = still_falls(losses)
    epochs = len(losses)
    if epochs < SHORTEST or fall:
        when = (
            f"{epochs} epoch{'s are' if epochs > 1 else ' is'} too few to tell whether the loss "
            "still falls"
            if epochs < SHORTEST
            else f"The loss still falls, by {fall:.2f} nats in the last {n} of {epochs} epochs"
        )
        so_far = f"so far {used.active.sum()} of {len(used.kl)} carry something"
        return (
            f"{when}, so what the latent dimensions will do is open ({so_far}); go on with "
            f"`{on}`. {better}" + (cure and f" If that does not change,{cure}" if gain <= 0 else "")
        )
    if gain > 0 and total >= LEAST:
        return f"{better} {used.report()}"
    nothing = (
        f"The whole code carries {total:.2f} nats about an example, which tells about "
        f"{math.exp(min(total, 700)):.1f} kinds of examples apart: the decoder all but ignores it."
    )
    said = [better, nothing] if total < LEAST else [better]
    return " ".join(said) + cure.replace(" t", " T", 1)


def cures_for(options: dict[str, Any], suited: dict[str, Any]) -> list[str]:
    """Flags of `minivae train`, the likeliest to help first, against a code that is ignored.

    Parameters
    ----------
    options : dict
        Of the run.
    suited : dict
        What its likelihood would have chosen for the data.
    """
    cures = [
        f"--{name} {value:g}"
        for name, value in suited.items()
        if options.get(name) is not None and options[name] > 1.5 * value
    ]
    if options["beta"] > 1:
        cures.append("--beta 1")
    if options["lr"] > 3 * LR:
        cures.append(f"--lr {LR:g}")
    if cures:
        return cures[:1]
    if options.get("word_dropout") == 0 and options["decoder_kind"] == "gru":
        return ["--word-dropout 0.5", *(["--free-bits 0.1"] if not options["free_bits"] else [])]
    if options["schedule"] == "constant":
        cures.append("--schedule linear")
    return cures if options.get("free_bits") else [*cures, "--free-bits 0.1"]
