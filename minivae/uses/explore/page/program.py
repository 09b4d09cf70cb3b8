"""A model as data that the page's JavaScript computes from: what each layer does, and its weights.

Nothing of a model is guessed. A layer, a likelihood or a model that is not one of those below is
refused, since a page that computes something else would not say so.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ....engine.layer import Layer, Reshape, Sequential
from ....errors import OptionError
from ....models.base import Model
from ....models.gaussian_encoder import GaussianEncoder
from ....models.halves import Apart
from ....ops import (
    ACTIVATIONS,
    Activation,
    BatchNorm,
    Conv1d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    LayerNorm,
    Likelihood,
    Linear,
)
from ....ops.standardise import one_by_root

Keep = Callable[[Any], int]
"""Takes an array among the weights and returns where it begins."""


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
        raise cannot(f"a model of kind {model.kind or type(model).__name__!r}")
    if "js_mean" not in vars(type(likelihood)):  # one that is inherited need not be its own
        raise cannot(f"the likelihood {likelihood.name!r}")
    arrays, keep = kept(model)
    encoder, clamp = [model.encoder], None
    if isinstance(model.encoder, GaussianEncoder):
        parts = (model.encoder.trunk, model.encoder.heads)
        encoder = [part for part in parts if part is not None]
        clamp = [model.encoder.clamp.low, model.encoder.clamp.high]
    steps = {
        "encoder": steps_of(encoder, (1, model.n_data), keep),
        "decoder": steps_of([model.decoder], (1, model.latent), keep),
        "options": {name: getattr(likelihood, name) for name in likelihood.options},
        "latent": model.latent,
        "clamp": clamp,
    }
    return steps, np.concatenate(arrays)


def kept(model: Model) -> tuple[list[np.ndarray], Keep]:
    """A list for the weights of a model, and what adds to it and says where an array begins."""
    arrays: list[np.ndarray] = []

    def keep(array: Any) -> int:
        start = sum(kept.size for kept in arrays)
        arrays.append(np.asarray(model.backend.to_host(array), np.float32).reshape(-1))
        return start

    return arrays, keep


def steps_of(layers: Iterable[Layer], shape: tuple[int, ...], keep: Keep) -> list[dict[str, Any]]:
    """Steps of layers one after the other, for one example of `shape`."""
    steps = []
    for layer in layers:
        made = layer.output_shape(shape)
        steps += _step(layer, shape, made, keep)
        shape = made
    return steps


def _step(
    layer: Layer, shape: tuple[int, ...], made: tuple[int, ...], keep: Keep
) -> list[dict[str, Any]]:
    """Steps of one layer, from one example of `shape` to one of `made`."""
    kind = type(layer)
    if kind is Sequential:
        return steps_of(layer, shape, keep)
    if kind in (Linear, Dense):
        n_in, n_out = layer.params["W"].shape
        W, b = keep(layer.params["W"]), keep(layer.params["b"])
        steps = [{"op": "linear", "in": n_in, "out": n_out, "W": W, "b": b}]
        return steps + (_activation(layer.activation) if kind is Dense else [])
    if kind is Conv1d:  # an image of one row
        return [_convolution(layer, (1, *shape), (1, *made), keep)]
    if kind in (Conv2d, ConvTranspose2d):
        return [_convolution(layer, shape, made, keep)]
    if kind is BatchNorm:  # in use, a factor and an offset for each channel
        mean, var = (layer.params.carried_of(name) for name in ("mean", "var"))
        factor = layer.params["gain"] * one_by_root(var, layer.eps)
        offset = layer.params["bias"] - mean * factor
        return [{"op": "scale", "factor": keep(factor), "offset": keep(offset), "width": made[-1]}]
    if kind is LayerNorm:
        gain, bias = keep(layer.params["gain"]), keep(layer.params["bias"])
        norm = {"op": "layer_norm", "gain": gain, "bias": bias}
        return [{**norm, "width": layer.width, "eps": layer.eps}]
    if kind is Apart:
        return [{"op": "apart", "kinds": layer.kinds}]
    if kind is Activation:
        return _activation(layer.name, **layer.options)
    if kind in (Dropout, Reshape):
        return []  # in use they change no number
    raise cannot(f"a {kind.__name__} layer")


def _convolution(
    layer: Conv2d, shape: tuple[int, ...], made: tuple[int, ...], keep: Keep
) -> dict[str, Any]:
    """A convolution or a transposed one: sizes, and where the first window lies."""
    back = isinstance(layer, ConvTranspose2d)
    (top, _), (left, _) = layer.sides(made[1:3] if back else shape[1:3])
    return {
        "op": "conv_transpose2d" if back else "conv2d",
        "from": shape[1:],
        "to": made[1:],
        "kernel": layer.kernel,
        "stride": layer.stride,
        "top": top,
        "left": left,
        "W": keep(layer.params["W"]),
        "b": keep(layer.b),
    }


def _activation(name: str, **options: float) -> list[dict[str, Any]]:
    return [{"op": name, **ACTIVATIONS[name].options, **options}]


def functions(likelihood: Likelihood) -> str:
    """JavaScript of every activation, and of a model's likelihood, as their files have them."""
    options = _taken(likelihood.options)
    entries = [
        activations(),
        "const LIKELIHOOD = {",
        f"encode: (x{options}) => {likelihood.js_encode},",
        f"mean: (out{options}) => {likelihood.js_mean},",
        "};",
    ]
    return "\n".join(entries)


def activations() -> str:
    """JavaScript of every activation, as their files have it."""
    entries = [
        f"{name}: (x{_taken(forms.options)}) => {forms.js}," for name, forms in ACTIVATIONS.items()
    ]
    return "\n".join(["const ACTIVATIONS = {", *entries, "};"])


def _taken(options: Iterable[str]) -> str:
    """The options as a further parameter of a JavaScript function, by their names."""
    return f", {{ {', '.join(options)} }}"


def cannot(what: str) -> OptionError:
    """The error that says what a page cannot run."""
    return OptionError(
        f"a page cannot run {what}; it runs a VAE or an autoencoder on the networks, with the "
        "activations and likelihoods, of `minivae train`."
    )
