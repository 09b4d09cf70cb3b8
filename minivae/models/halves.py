"""The two halves of a model: built by a named network, or made of layers of one's own.

    VAE((28, 28, 1), latent=8, encoder=Sequential(...), decoder=Sequential(...), rng=rng)

`encoder` is the trunk, from the data to features; the model adds the heads. `decoder` leads from
the latents to what the likelihood takes. Layers of one's own see the data in their shape,
(B, 28, 28, 1), and may give features and outputs in any shape; here they are laid in rows.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..engine.backend import Array, get_backend
from ..engine.layer import Layer, Reshape, Sequential
from ..engine.params import Params
from ..errors import OptionError, ShapeError
from ..ops import Linear
from .network import DEFAULT, find_network
from .planes import Planes
from .registry import written


class Halves:
    """Builds encoder and decoder.

    Parameters
    ----------
    name : str
        Of the network that builds what is not given.
    options : dict
        The network's options; None stands for its default.
    encoder, decoder : Layer, optional
        Layers of one's own.
    who : str
        What a sentence calls the model.
    where : dict
        `dtype` and `backend` of the layers.

    Raises
    ------
    OptionError
        If there is no such network or option, or a layer cannot be half of the model.
    """

    def __init__(
        self,
        name: str,
        options: dict[str, Any],
        encoder: Layer | None,
        decoder: Layer | None,
        *,
        who: str,
        where: dict[str, Any],
    ) -> None:
        kind = find_network(name)
        given = {option: value for option, value in options.items() if value is not None}
        if strange := [option for option in given if option not in kind.options]:
            raise OptionError(
                f"{strange[0]} was given, but {who} on the network {name!r} does not take that; "
                f"the network takes: {', '.join(kind.options) or 'nothing'}."
            )
        self.network = kind(**given)
        self.where = where
        self.own = {"encoder": encoder, "decoder": decoder}
        for what, layer in self.own.items():
            if layer is not None:
                check_own(layer, what, Params({}, **where))

    def trunk(
        self, shape: Sequence[int], n_given: int, rng: np.random.Generator
    ) -> tuple[list[Layer], int]:
        """Layers from rows to features, and how many features they give.

        Parameters
        ----------
        shape : sequence of int
            Shape of one datum.
        n_given : int
            Numbers beside the datum in its row. Layers of one's own, and networks that take rows,
            are given the whole row; others an image with so many channels more.
        rng : numpy.random.Generator
            Draws the weights.
        """
        own, row, seen = self.own["encoder"], (math.prod(shape) + n_given,), self.seen(shape)
        if own:
            return in_rows([own], row if n_given else tuple(shape), self.where, probed=True)
        if not (self.network.shaped and n_given and len(seen) == 3):
            seen = seen if self.network.shaped else row
            layers = self.network.trunk(seen, rng=rng, **self.where)
            return in_rows(layers, seen, self.where, probed=False)
        planes = Planes(seen, n_given, **self.where)
        layers = self.network.trunk((*seen[:2], seen[2] + n_given), rng=rng, **self.where)
        return in_rows([planes, *layers], row, self.where, probed=False)

    def seen(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Shape in which a network that is `shaped` takes data: an image has channels."""
        return (*shape, 1) if len(shape) == 2 else tuple(shape)

    def grid(self, shape: Sequence[int]) -> tuple[int, int] | None:
        """Rows and columns of places that the features keep; None of layers of one's own."""
        return None if any(self.own.values()) else self.network.grid(self.seen(shape))

    def encoder(
        self,
        shape: Sequence[int],
        n_out: int,
        rng: np.random.Generator,
        *,
        placed: bool = False,
    ) -> Sequential:
        """Trunk, and a linear layer to `n_out` numbers; or to so many for each place of `grid`."""
        if placed:
            layers = self.network.to_places(n_out, self.seen(shape), rng=rng, **self.where)
            return Sequential(*in_rows(layers, self.seen(shape), self.where, probed=False)[0])
        layers, width = self.trunk(shape, 0, rng)
        return Sequential(*layers, Linear(width, n_out, rng=rng, init="glorot", **self.where))

    def decoder(
        self,
        n_in: int,
        shape: tuple[int, ...],
        n_out: int,
        rng: np.random.Generator,
        *,
        kinds: int = 1,
        placed: bool = False,
    ) -> Layer:
        """Layer from latents (B, n_in) to (B, n_out), which stand for data of `shape`.

        If they are `placed`, the latents are the numbers of each place of `grid`.

        The likelihood wants its `kinds` of numbers, such as means and log-variances, in a block
        each; an image's last axis has them value by value.

        Raises
        ------
        ShapeError
            If layers of one's own give another number of numbers.
        """
        own, seen = self.own["decoder"], self.seen(shape)
        build = self.network.from_places if placed else self.network.decoder
        made = own or build(n_in, seen, n_out, rng=rng, **self.where)
        layers, width = in_rows([made], (n_in,), self.where, probed=own is not None)
        if self.network.shaped and kinds > 1 and not own:
            layers.append(Apart(kinds, **self.where))
        if width != n_out:
            raise ShapeError(
                f"the decoder gives {width} numbers for each datum, but the likelihood of data of "
                f"shape {shape} takes {n_out}; give it another last layer."
            )
        return made if len(layers) == 1 else Sequential(*layers)

    @property
    def config(self) -> dict[str, Any]:
        """What builds the halves again, as JSON types; of layers of one's own, their text alone."""
        own = {what: repr(layer) for what, layer in self.own.items() if layer is not None}
        if len(own) == 2:
            return own
        name = {} if self.network.name == DEFAULT else {"network": self.network.name}
        return {**written(self.network), **name, **own}

    def between(self, n_in: int, n_out: int) -> str:
        """Say in few words what leads from `n_in` to `n_out` numbers, for a model's `repr`."""
        if all(self.own.values()):
            return f"{n_in}-own-{n_out}"
        return self.network.between(n_in, n_out)


class Apart(Layer):
    """Kinds of numbers in a block each, of numbers that lie value by value: both (B, kinds D).

    Parameters
    ----------
    kinds : int
        Numbers that a value has.
    """

    def __init__(self, kinds: int, **where: Any) -> None:
        super().__init__(**where)
        self.kinds = kinds

    def forward(self, x: Array) -> Array:
        """Return the numbers x (B, D kinds), each value's together, kind by kind."""
        self.cache = ()
        return self._turned(x, (-1, self.kinds))

    def backward(self, dy: Array) -> Array:
        """Return dx (B, D kinds): the same numbers value by value."""
        self.saved()
        return self._turned(dy, (self.kinds, -1))

    def _turned(self, x: Array, axes: tuple[int, int]) -> Array:
        turned = x.reshape(len(x), *axes).swapaxes(1, 2)
        return self.backend.xp.ascontiguousarray(turned).reshape(x.shape)

    def __repr__(self) -> str:
        return f"Apart({self.kinds})"


def check_own(layer: Any, what: str, like: Params) -> None:
    """Refuse what cannot be half of a model.

    Raises
    ------
    OptionError
        If it is no layer, one of another dtype or backend, or one that takes noise.
    """
    if not isinstance(layer, Layer):
        raise OptionError(
            f"{what}={layer!r} was given, but a network is made of layers; give a Layer, such as a "
            "Sequential of several."
        )
    if layer.params.dtype != like.dtype or layer.backend is not like.backend:
        raise OptionError(
            f"{what} is {layer.params.dtype} on {layer.backend.name!r}, but the model was to be "
            f"{like.dtype} on {like.backend.name!r}; build both with one dtype and one backend."
        )
    if layer.needs_noise:
        raise OptionError(
            f"{what} has a layer that takes noise, such as Dropout, which a model has none for; "
            "leave that layer out."
        )


def in_rows(
    layers: list[Layer], shape: tuple[int, ...], where: dict[str, Any], *, probed: bool
) -> tuple[list[Layer], int]:
    """Let layers take rows and give rows, whatever shapes they have inside.

    Parameters
    ----------
    layers : list of Layer
        One after the other.
    shape : tuple of int
        Shape of one example that the first one takes.
    where : dict
        `dtype` and `backend`.
    probed : bool
        Find out by an example of zeros what shape the last one gives; else the layers are asked.

    Returns
    -------
    layers : list of Layer
        The same, with a `Reshape` before and after them where one is needed.
    width : int
        Numbers that they give for each example.

    Raises
    ------
    ShapeError
        If they do not give one result for each example.
    """
    made: tuple[int, ...] = (1, *shape)
    if probed:
        x = get_backend(where["backend"]).xp.zeros(made, where["dtype"])
        with np.errstate(all="ignore"):  # there need be no such datum
            for layer in layers:
                x = layer.forward(x)
        made = x.shape
    else:
        for layer in layers:
            made = layer.output_shape(made)
    if len(made) < 2 or made[0] != 1:
        raise ShapeError(
            f"a network gave shape {made} for one example of shape {shape}; keep the first axis, "
            "which counts the examples, and give at least one number for each."
        )
    if len(shape) > 1:
        layers = [Reshape(*shape, **where), *layers]
    if len(made) > 2:
        layers = [*layers, Reshape(-1, **where)]
    return layers, math.prod(made[1:])


def last_bias(layer: Layer) -> Array | None:
    """Bias of a network's last layer that is more than a `Reshape`, if it has one."""
    if isinstance(layer, Sequential):
        moves = (Reshape, Apart)
        return last_bias(next(part for part in reversed(layer.layers) if type(part) not in moves))
    return layer.params["b"] if "b" in layer.params.shapes else None
