"""Multilayer perceptrons, the encoders and decoders of the models here."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from ..backend import Backend
from ..errors import OptionError
from ..layer import Layer, Sequential
from ..ops import Activation, Linear

HE_ACTIVATIONS = ("relu", "leaky_relu", "silu", "gelu", "softplus")
"""Activations that pass about half of the signal, for which He's initialisation is meant."""


def mlp(
    widths: Sequence[int],
    *,
    activation: str = "relu",
    output: str = "linear",
    rng: np.random.Generator,
    dtype: str = "float32",
    backend: str | Backend = "numpy",
) -> Sequential:
    """Linear layers of the given widths, with an activation after each but the last.

    Parameters
    ----------
    widths : sequence of int
        Input width, hidden widths, output width; at least two numbers.
    activation : str
        Name of the activation.
    output : {"linear", "activated"}
        Whether an activation follows the last linear layer too.
    rng : numpy.random.Generator
        Draws the initial weights.
    dtype : {"float32", "float64"}
        dtype of all layers.
    backend : str or Backend
        Where they compute.
    """
    options = {"dtype": dtype, "backend": backend}
    layers: list[Layer] = []
    for i, (n_in, n_out) in enumerate(pairwise(widths)):
        activated = output == "activated" or i < len(widths) - 2
        init = "he" if activated and activation in HE_ACTIVATIONS else "glorot"
        layers.append(Linear(n_in, n_out, rng=rng, init=init, **options))
        if activated:
            layers.append(Activation(activation, **options))
    return Sequential(*layers)


def check_widths(widths: Sequence[int], what: str) -> tuple[int, ...]:
    """Return widths as a tuple of positive ints.

    Raises
    ------
    OptionError
        If one is not a whole number of at least 1.
    """
    try:
        checked = tuple(int(width) for width in widths)
        valid = all(
            width >= 1 and width == given for width, given in zip(checked, widths, strict=True)
        )
    except (TypeError, ValueError):
        valid = False
    if not valid:
        raise OptionError(
            f"{what}={widths!r} was given, but widths are whole numbers of at least 1, "
            "such as (400,) or (200, 200)."
        )
    return checked
