"""Numbers of a trained model on data that it has not seen.

An evaluation does not depend on the batch size: terms are per example, the last batch may be
ragged, sums are taken over examples in float64, and the noise is drawn row by row from one
generator, so that each example meets the same noise however the rows are grouped.
"""

from typing import Any

import numpy as np

from ..data.batches import batches
from ..data.pixels import Pixels
from ..engine.backend import Array
from ..errors import OptionError
from ..models.base import Model
from ..models.objectives import ImportanceWeighted
from ..models.vae import VAE


def evaluate(
    model: Model, x: np.ndarray | Pixels, *, rng: np.random.Generator, batch: int = 500
) -> dict[str, Any]:
    """Mean terms of a model over data.

    Parameters
    ----------
    model : Model
        A VAE or an autoencoder.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Data, as they are: binarize them first if the model was trained on binary pixels.
    rng : numpy.random.Generator
        Draws the noise of the latents.
    batch : int
        Rows at once; changes time and memory only.

    Returns
    -------
    dict
        `nll`, `kl`, `elbo`, `bound` (means in nats; `bound` is the importance-weighted one if the
        model has samples, else the ELBO) and `kl_per_dim` (Z,). An autoencoder has no bounds: they
        are NaN, and `kl_per_dim` is empty.

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
    nll, bound = np.empty(len(x)), np.empty(len(x))
    kl = []
    for rows in batches(len(x), batch):
        noise = model.draw_noise(rng, rows.stop - rows.start)
        terms = model.forward(model.prepare(x[rows]), noise)
        nll[rows], bound[rows] = to_host(terms.nll), to_host(terms.bound)
        kl.append(to_host(terms.kl).astype("float64"))
    kl_per_dim = np.concatenate(kl).mean(axis=0)
    has_prior = kl_per_dim.size > 0
    return {
        "nll": float(nll.mean()),
        "kl": float(kl_per_dim.sum()),
        "elbo": float(-nll.mean() - kl_per_dim.sum()) if has_prior else float("nan"),
        "bound": float(bound.mean()),
        "kl_per_dim": kl_per_dim,
    }


def log_likelihood(
    model: VAE,
    x: np.ndarray | Pixels,
    *,
    rng: np.random.Generator,
    samples: int = 5000,
    rows: int = 5000,
) -> np.ndarray:
    r"""Estimate ln p(x) by the importance-weighted bound, in chunks that bound the memory.

    $\ln \frac1K \sum_k e^{w_k}$ (Burda et al. 2016, equation 8) is kept as a running pair for each
    example, the largest log-weight so far and the sum of the exponentials relative to it; a chunk
    of samples only updates the pair.

    Parameters
    ----------
    model : VAE
        The model.
    x : numpy.ndarray or Pixels, (N, n_pixels)
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
        If the model is no VAE, or a number below 1.
    """
    if not isinstance(model, VAE):
        raise OptionError(
            f"log_likelihood was given a model of kind {model.kind!r}, but only a VAE gives data a "
            "likelihood; use `evaluate` for its reconstruction term."
        )
    if samples < 1 or rows < 1:
        raise OptionError(f"samples={samples} and rows={rows} were given; both must be at least 1.")
    weigher = ImportanceWeighted(model.decoder, model.likelihood)
    estimate = np.empty(len(x))
    for examples in batches(len(x), max(1, rows // samples)):
        data = model.prepare(x[examples])
        mu, logvar = model.encode(data)
        largest = np.full(len(data), -np.inf)
        total = np.zeros(len(data))
        for part in batches(samples, rows):
            eps = model.normal(rng, (len(data), part.stop - part.start, model.latent))
            w = _host_weights(weigher, model.observed(data), mu, logvar, eps)
            new_largest = np.maximum(largest, w.max(axis=1))
            total *= np.exp(largest - new_largest)
            total += np.exp(w - new_largest[:, None]).sum(axis=1)
            largest = new_largest
        estimate[examples] = largest + np.log(total / samples)
    return estimate


def _host_weights(
    weigher: ImportanceWeighted, x: Array, mu: Array, logvar: Array, eps: Array
) -> np.ndarray:
    w, _ = weigher.log_weights(x, mu, logvar, eps)
    return weigher.decoder.backend.to_host(w).astype("float64")
