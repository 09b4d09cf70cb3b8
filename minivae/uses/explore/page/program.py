"""A model as data that the page's JavaScript computes from: what each layer does, and its weights.

Nothing of a model is guessed. A layer, a likelihood or a model that is not one of those below is
refused, since a page that computes something else would not say so.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ....engine.layer import Layer, Sequential
from ....errors import OptionError
from ....models.base import Model
from ....models.gaussian_encoder import GaussianEncoder
from ....ops import Activation, Dense, Dropout, Linear
from ....ops.activations.base import ACTIVATIONS, OPTIONS
from ....ops.likelihoods.bernoulli import Bernoulli
from ....ops.likelihoods.categorical import Categorical
from ....ops.likelihoods.gaussian import Gaussian
from ....ops.likelihoods.gaussian_learned import GaussianLearned, GaussianShared

MEANS = {
    Bernoulli: "sigmoid",
    Gaussian: "identity",
    GaussianShared: "identity",
    GaussianLearned: "half",
    Categorical: "levels",
}
"""How each likelihood's mean follows from the decoder's output, as `network.js` calls it."""


def program(model: Model) -> tuple[dict[str, Any], np.ndarray]:
    """What the page computes.

    Parameters
    ----------
    model : Model
        A `VAE` or an `Autoencoder`.

    Returns
    -------
    steps : dict
        JSON types: the steps of `encoder` and `decoder`, `mean`, `levels` of a categorical
        likelihood, `latent`, and the `clamp` of logvar (None for an autoencoder, which has none).
        A step names its weights by where they begin.
    weights : numpy.ndarray, (P,), float32
        All weights, one after the other, each matrix row by row.

    Raises
    ------
    OptionError
        If the model has a part that the page cannot compute.
    """
    likelihood = model.likelihood
    if not model.plain:
        raise _cannot(f"a model of kind {model.kind or type(model).__name__!r}")
    if type(likelihood) not in MEANS:
        raise _cannot(f"the likelihood {likelihood.name!r}")
    arrays: list[np.ndarray] = []

    def keep(array: Any) -> int:
        """Add an array to the weights; return where it begins."""
        start = sum(kept.size for kept in arrays)
        arrays.append(np.asarray(model.backend.to_host(array), np.float32).reshape(-1))
        return start

    encoder, clamp = [model.encoder], None
    if isinstance(model.encoder, GaussianEncoder):
        parts = (model.encoder.trunk, model.encoder.heads)
        encoder = [part for part in parts if part is not None]
        clamp = [model.encoder.clamp.low, model.encoder.clamp.high]
    steps = {
        "encoder": [step for part in encoder for step in _steps(part, keep)],
        "decoder": _steps(model.decoder, keep),
        "mean": MEANS[type(likelihood)],
        "levels": getattr(likelihood, "levels", None),
        "latent": model.latent,
        "clamp": clamp,
    }
    return steps, np.concatenate(arrays)


def _steps(layer: Layer, keep: Callable[[Any], int]) -> list[dict[str, Any]]:
    """Steps of one layer, in order."""
    kind = type(layer)
    if kind is Sequential:
        return [step for part in layer for step in _steps(part, keep)]
    if kind in (Linear, Dense):
        n_in, n_out = layer.params["W"].shape
        W, b = keep(layer.params["W"]), keep(layer.params["b"])
        steps = [{"op": "linear", "in": n_in, "out": n_out, "W": W, "b": b}]
        return steps + (_activation(layer.activation) if kind is Dense else [])
    if kind is Activation:
        return _activation(layer.name, **layer.options)
    if kind is Dropout:
        return []  # in use, it does nothing
    raise _cannot(f"a {kind.__name__} layer")


def _activation(name: str, **options: float) -> list[dict[str, Any]]:
    if name not in ACTIVATIONS:
        raise _cannot(f"the activation {name!r}")
    return [{"op": name, **OPTIONS.get(name, {}), **options}]


def _cannot(what: str) -> OptionError:
    return OptionError(
        f"a page cannot run {what}; it runs a VAE or an autoencoder of dense layers with the "
        "activations and likelihoods of `minivae train`."
    )
