"""Numbers of a trained model on data that it has not seen.

An evaluation does not depend on the batch size: terms are per example, the last batch may be
ragged, sums are taken over examples in float64, and the noise is drawn row by row from one
generator, so that each example meets the same noise however the rows are grouped. It computes as a
training step does, so the numbers do not depend on how many threads there are either.
"""

from typing import Annotated, Any

import numpy as np

from ..data.batches import batches
from ..data.pixels import Pixels
from ..engine.cpu.workspace import Workspace
from ..engine.door import door
from ..engine.kinds import Between, Count
from ..errors import OptionError
from ..models.base import AnyModel
from .parallel import Crew


@door
def evaluate(
    model: AnyModel,
    x: np.ndarray | Pixels,
    *,
    rng: np.random.Generator,
    batch: Count = 500,
    crew: Crew | None = None,
) -> dict[str, Any]:
    """Mean terms of a model over data.

    Parameters
    ----------
    model : Model
        One under which data have a loss: a VAE or an autoencoder, but no GAN.
    x : numpy.ndarray or Pixels, (N, n_pixels) or (N, *shape)
        Data, as they are: binarize them first if the model was trained on binary pixels.
    rng : numpy.random.Generator
        Draws the noise of the latents.
    batch : int
        Rows at once; changes time and memory only.
    crew : Crew, optional
        Processes that take turns with the batches; all of them must call this.

    Returns
    -------
    dict
        The mean of each of the model's terms in nats, such as `nll` and `kl`; of a term that is one
        number for each latent dimension also those means, such as `kl_per_dim` (Z,). `elbo`, minus
        the terms' sum, and `bound`, which is the importance-weighted one if the model has samples,
        are NaN of a model that bounds nothing. An autoencoder's `kl_per_dim` is empty.

    Raises
    ------
    OptionError
        If there are no examples, or the batch size is below 1.
    """
    if len(x) == 0 or batch < 1:
        raise OptionError(
            f"an evaluation was asked for on {len(x)} examples in batches of {batch}; "
            "give at least one of each."
        )
    to_host = model.backend.to_host
    bounds = "bound" in model.can
    names = (*model.terms, *(["bound"] if bounds else []))
    found: dict[int, dict[str, np.ndarray]] = {}
    workspace = Workspace(shared=model.backend.shares)
    crew = Crew() if crew is None else crew
    for turn, rows in enumerate(batches(len(x), batch)):
        with workspace:
            noise = model.draw_noise(rng, rows.stop - rows.start)  # also for those of others
            if turn % crew.size == crew.rank:
                terms = model.forward(model.prepare(x[rows]), noise)
                found[turn] = {n: to_host(getattr(terms, n)).astype("float64") for n in names}
    found = {turn: parts for some in crew.every(found) for turn, parts in some.items()}
    in_order = [found[turn] for turn in sorted(found)]
    means = {name: np.concatenate([p[name] for p in in_order]).mean(axis=0) for name in names}
    numbers: dict[str, Any] = {name: float(mean.sum()) for name, mean in means.items()}
    nan = float("nan")
    numbers["elbo"] = -sum(numbers[name] for name in model.summed) if bounds else nan
    numbers.setdefault("bound", nan)
    return numbers | {f"{name}_per_dim": mean for name, mean in means.items() if mean.ndim}


@door
def log_likelihood(
    model: AnyModel,
    x: np.ndarray | Pixels,
    *,
    rng: np.random.Generator,
    samples: Annotated[int, Between(1, 10**7, "[]")] = 5000,
    rows: Count = 5000,
) -> np.ndarray:
    r"""Estimate ln p(x) by the importance-weighted bound, in chunks that bound the memory.

    $\ln \frac1K \sum_k e^{w_k}$ (Burda et al. 2016, equation 8) is kept as a running pair for each
    example, the largest log-weight so far and the sum of the exponentials relative to it; a chunk
    of samples only updates the pair.

    Parameters
    ----------
    model : Model
        One that bounds ln p(x), such as a VAE.
    x : numpy.ndarray or Pixels, (N, n_pixels) or (N, *shape)
        Data.
    rng : numpy.random.Generator
        Draws the noise, example by example: the estimate does not depend on `rows`.
    samples : int
        K, importance samples for each example.
    rows : int
        Decoder rows at once; memory is about 8 arrays of (rows, widest layer).

    Returns
    -------
    numpy.ndarray, (N,), float64
        Nats. A lower bound in expectation, tighter with more samples.

    Raises
    ------
    OptionError
        If the model gives data no likelihood, or a number is below 1.
    """
    if "bound" not in model.can:
        raise OptionError(
            f"log_likelihood was given a model of kind {model.kind!r}, but only a VAE gives data a "
            "likelihood; use `evaluate` for its reconstruction term."
        )
    if samples < 1 or rows < 1:
        raise OptionError(f"samples={samples} and rows={rows} were given; both must be at least 1.")
    estimate = np.empty(len(x))
    workspace = Workspace(shared=model.backend.shares)
    for examples in batches(len(x), max(1, rows // samples)):
        data = model.prepare(x[examples])
        largest = np.full(len(data), -np.inf)
        total = np.zeros(len(data))
        for part in batches(samples, rows):
            with workspace:
                eps = model.draw_importance_noise(rng, len(data), part.stop - part.start)
                w = model.backend.to_host(model.log_weights(data, eps)).astype("float64")
            new_largest = np.maximum(largest, w.max(axis=1))
            total *= np.exp(largest - new_largest)
            total += np.exp(w - new_largest[:, None]).sum(axis=1)
            largest = new_largest
        estimate[examples] = largest + np.log(total / samples)
    return estimate
