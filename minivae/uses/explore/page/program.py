"""A model as data that the page's JavaScript computes from: what each layer does, and its weights.

Nothing of a model is guessed. A layer, a likelihood or a model that is not one of those below is
refused, since a page that computes something else would not say so.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ....engine.layer import Layer, Sequential
from ....errors import OptionError
from ....models.base import Model
from ....models.gaussian_encoder import GaussianEncoder
from ....ops import ACTIVATIONS, Activation, Dense, Dropout, Likelihood, Linear


def program(model: Model) -> tuple[dict[str, Any], np.ndarray]:
    """What the page computes.

    Parameters
    ----------
    model : Model
        A `VAE` or an `Autoencoder`.

    Returns
    -------
    steps : dict
        JSON types: the steps of `encoder` and `decoder`, the `options` of the likelihood, `latent`,
        and the `clamp` of logvar (None for an autoencoder, which has none).
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
    if "js_mean" not in vars(type(likelihood)):  # one that is inherited need not be its own
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
        "options": {name: getattr(likelihood, name) for name in likelihood.options},
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
    return [{"op": name, **ACTIVATIONS[name].options, **options}]


def functions(likelihood: Likelihood) -> str:
    """JavaScript of every activation, and of a model's likelihood, as their files have them."""
    entries = [
        f"{name}: (x{_taken(forms.options)}) => {forms.js}," for name, forms in ACTIVATIONS.items()
    ]
    options = _taken(likelihood.options)
    entries = [
        "const ACTIVATIONS = {",
        *entries,
        "};",
        "const LIKELIHOOD = {",
        f"encode: (x{options}) => {likelihood.js_encode},",
        f"mean: (out{options}) => {likelihood.js_mean},",
        "};",
    ]
    return "\n".join(entries)


def _taken(options: Iterable[str]) -> str:
    """The options as a further parameter of a JavaScript function, by their names."""
    return f", {{ {', '.join(options)} }}"


def _cannot(what: str) -> OptionError:
    return OptionError(
        f"a page cannot run {what}; it runs a VAE or an autoencoder of dense layers with the "
        "activations and likelihoods of `minivae train`."
    )
