"""What the models have in common: data at the door, reconstructions, samples, configuration."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from ..engine.backend import Array, Backend, get_backend
from ..engine.cpu.workspace import Workspace
from ..engine.kinds import Count, Kind, Whole
from ..engine.layer import Layer
from ..engine.noise import normal
from ..engine.params import Params
from ..errors import CallError, OptionError, ShapeError, UndefinedError
from ..ops import LIKELIHOODS, OF_SYMBOLS
from .declare import Declared, expect_draws
from .halves import Halves, last_bias
from .mlp import check_widths
from .network import DEFAULT, find_network
from .registry import settle, written
from .summary import Summary, summary


class Model(Declared, listed=False):
    """Base of the models: a decoder, a likelihood, and one flat pair of parameters.

    The parameters are described where the models are; see `VAE`. A model of one's own is a
    subclass: it says what it is in the attributes of `Declared`, and defines `_make_encoder`,
    `draw_noise`, `forward`, `backward`, and what it can.
    """

    past_the_door = frozenset({"normal"})  # `noise.normal` looks itself

    parts = ("encoder", "decoder")
    """What the two halves are called in `params`."""

    n_given = 0
    """Numbers that encoder and decoder are given beside the datum and the latent."""

    labels: tuple[str, ...] = ()
    """Names of the classes, of a model that takes each datum with its class."""

    encoder: Any
    decoder: Any

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 20,
        *,
        activation: str | None = None,
        likelihood: str = "bernoulli",
        likelihood_options: dict[str, Any] | None = None,
        network: str = DEFAULT,
        encoder: Layer | None = None,
        decoder: Layer | None = None,
        rng: np.random.Generator,
        dtype: str = "float32",
        backend: str | Backend = "auto",
        **options: Any,
    ) -> None:
        if likelihood not in (known := {**LIKELIHOODS, **OF_SYMBOLS}):
            raise OptionError(
                f"likelihood={likelihood!r} was given; choose one of: {', '.join(LIKELIHOODS)}."
            )
        shape = list(n_pixels) or [0] if isinstance(n_pixels, Sequence) else [n_pixels]
        self.shape = check_widths(shape, "n_pixels")
        self.n_pixels = math.prod(self.shape)
        (self.latent,) = check_widths([latent], "latent")
        self.backend = get_backend(backend)
        self.workspace = Workspace(shared=self.backend.shares)
        self.likelihood_options: dict[str, Any] = dict(likelihood_options or {})
        self.where: dict[str, Any] = {"dtype": dtype, "backend": self.backend}
        settle(self, options)
        given = {"hidden": hidden, "activation": activation, **options}
        given = {name: value for name, value in given.items() if value is not None}
        of_network = {**self.built.get(network, {}), **given}
        self.halves = Halves(
            network, of_network, encoder, decoder, who=self.title, where=self.where
        )
        self.hidden: tuple[int, ...] = getattr(self.halves.network, "hidden", ())
        self.activation: str = getattr(self.halves.network, "activation", "")
        try:
            self.likelihood = known[likelihood](**self.likelihood_options, **self.where)
        except CallError:
            raise OptionError(
                f"likelihood_options={self.likelihood_options} was given, "
                f"but the {likelihood} likelihood does not take that."
            ) from None
        self.n_data = self.likelihood.data_width(self.n_pixels)
        self.encoder = self._make_encoder(rng)
        self.decoder = self._make_decoder(rng)
        self.params = Params.join({name: layer.params for name, layer in self.layers().items()})

    def layers(self) -> dict[str, Layer]:
        """Whatever has parameters, by its name in `params`; a model that has more adds it."""
        halves = dict(zip(self.parts, (self.encoder, self.decoder), strict=True))
        return {**halves, "likelihood": self.likelihood}

    def _make_encoder(self, rng: np.random.Generator) -> Layer:
        raise UndefinedError(f"{type(self).__name__} must define _make_encoder; write it.")

    def _make_decoder(self, rng: np.random.Generator) -> Layer:
        """Network from the latents, and what is given beside them, to the likelihood."""
        n_out = self.likelihood.output_width(self.n_pixels)
        kinds = self.likelihood.kinds
        return self.halves.decoder(self.latent + self.n_given, self.shape, n_out, rng, kinds=kinds)

    @property
    def data_shape(self) -> tuple[int, ...]:
        """Shape of one datum in the model; several numbers for a value lie in its last axis."""
        each = self.n_data // self.n_pixels
        if len(self.shape) == 2 and each > 1:
            return (*self.shape, each)
        return (*self.shape[:-1], self.shape[-1] * each)

    @property
    def config(self) -> dict[str, Any]:
        """Everything that builds a model of these sizes again, as JSON types.

        Of networks of one's own it holds the text alone.
        """
        of_halves = self.halves.config
        config = {
            "kind": self.kind,
            "n_pixels": self.n_pixels if len(self.shape) == 1 else list(self.shape),
            "hidden": of_halves.get("hidden"),
            "latent": self.latent,
            "activation": of_halves.get("activation"),
            "likelihood": self.likelihood.name,
            "likelihood_options": self.likelihood_options,
            "dtype": str(self.params.dtype),
        }
        config = {name: value for name, value in config.items() if value is not None}
        return {**config, **of_halves, **written(self)}

    @classmethod
    def example(
        cls, rng: np.random.Generator, *, network: str = DEFAULT, **options: Any
    ) -> "Model":
        """Build a small model for a check, in float64 and, unless `options` say else, smooth."""
        smooth: dict[str, Any] = {"hidden": (5,), "activation": "tanh"}
        sizes = {n: v for n, v in smooth.items() if n in find_network(network).options}
        sizes |= {"n_pixels": 7, "latent": 2, "dtype": "float64"}
        return cls(**{**sizes, **cls.examples[0], **options}, network=network, rng=rng)

    def draw_rows(self, rng: np.random.Generator, n: Whole) -> np.ndarray:
        """Draw host rows (n, n_pixels) in [0, 1), as `prepare` takes them, for a check."""
        return rng.random((n, self.n_pixels))

    def prepare(self, x: np.ndarray | Array) -> Array:
        """Bring data, of the host or the backend, into the model's form and dtype.

        Parameters
        ----------
        x : array, (N, n_pixels) or (N, *shape)
            Rows, or examples in their shape.

        Returns
        -------
        array, (N, n_data)
            Rows.

        Raises
        ------
        ShapeError
            If the data have another shape.
        """
        ours = isinstance(x, self.backend.array_type)
        x = x if ours else np.asarray(x)
        if x.shape[1:] == self.shape:
            x = x.reshape(len(x), self.n_pixels)
        if x.ndim != 2 or x.shape[1] != self.n_pixels:
            shaped = f" or (N, {', '.join(map(str, self.shape))})" if len(self.shape) > 1 else ""
            raise ShapeError(
                f"the data have shape {x.shape}, but this model takes (N, {self.n_pixels}){shaped};"
                " flatten each example to one row, or build a model for that width."
            )
        encoded = self.likelihood.encode_data(x.astype(self.params.dtype, copy=False))
        return self.backend.asarray(encoded, self.params.dtype)

    def start_at(self, mean: np.ndarray) -> None:
        """Set the decoder's output bias so that it starts at this mean image (n_pixels,).

        Raises
        ------
        OptionError
            If its last layer has not one bias for each number that it gives.
        """
        bias = self.likelihood.bias_for(np.asarray(mean, dtype=float).reshape(-1))
        found = last_bias(getattr(self.decoder, "net", self.decoder))
        if found is None or found.shape != bias.shape:
            raise OptionError(
                "the decoder was to start at the mean of the data, but its last layer has no bias "
                f"of {bias.size} numbers; leave that out (--bias-from-data)."
            )
        found[...] = self.backend.asarray(bias, self.params.dtype)

    def decode(self, z: Array) -> Array:
        """Mean of the data (B, n_pixels) for latents z (B, Z)."""
        self.forget()
        return self.likelihood.mean(self.decoder.forward(z))

    def forget(self) -> None:
        """Let `backward` refuse until the next `forward`: the decoder is used for something else.

        The layers keep what their last forward pass left, and that is no longer the loss's.
        """
        self.likelihood.cache = None

    def sample(
        self,
        n: Count,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        draw: bool = False,
    ) -> Array:
        """Decode n draws from the prior, which is N(0, temperature^2), unless a model says else.

        Parameters
        ----------
        n : int
            How many.
        rng : numpy.random.Generator
            Draws the latents, and the pixels if asked to.
        temperature : float
            Standard deviation of the latents; 1 is the prior.
        draw : bool
            Draw the pixels too, instead of showing their means.

        Returns
        -------
        array, (n, n_pixels)
        """
        expect_draws(n, temperature)
        self.forget()
        out = self.decoder.forward(self.draw_latents(n, rng, temperature))
        return self.likelihood.draw(out, rng) if draw else self.likelihood.mean(out)

    def normal(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Standard normal noise in the model's dtype, drawn on the host."""
        return normal(rng, shape, self.params.dtype, self.backend)

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array | None:
        """Draw the noise of one step for `batch` examples; None if the model takes none."""
        raise UndefinedError(f"{type(self).__name__} must define draw_noise; write it.")

    def forward(self, x: Array, noise: Array | None, beta: float = 1.0) -> Any:
        """Compute the loss and its terms for x (B, n_data): `Terms`, or `Losses` by other names."""
        raise UndefinedError(f"{type(self).__name__} must define forward; write it.")

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        raise UndefinedError(f"{type(self).__name__} must define backward; write it.")

    def step(self, x: Array, noise: Array | None, beta: float = 1.0) -> Any:
        """Forward and backward pass for x (B, ...): the terms, and `params.grad` overwritten.

        Updating is the optimizer's: `optimizer.step(model.params)`.
        """
        expect_examples(x)
        calls = self.workspace.calls.of(self, x, noise, beta)
        with self.workspace, self.params.training, calls as again:
            if not again.replayed:
                again.terms = self.forward(x, noise, beta)
                self.backward()
            # A copy: the next step uses this memory again (`cpu/workspace.py`; a device's is not).
            return again.terms.copy() if self.backend.waits else again.terms

    def summary(self) -> Summary:
        """Layers, shapes and numbers of parameters as a table; `print` it, or let a notebook."""
        return summary(self)

    def __repr__(self) -> str:
        between = self.halves.between(self.n_data, self.latent)
        several = getattr(self, "samples", None)
        samples = f"{several} samples, " if several else ""
        return (
            f"{type(self).__name__}({between}, {self.likelihood.name}, {samples}"
            f"{self.params.theta.size:,} parameters, {self.params.dtype})"
        )


def expect_examples(x: Array) -> None:
    """Raise `ShapeError` if a step is asked for on nothing."""
    if len(x) == 0:
        raise ShapeError("a step was asked for on 0 examples; give at least one.")


AnyModel = Annotated[
    Model, Kind("a model", lambda value: isinstance(value, Declared), mend="give a Model")
]
"""A `Model`, or what is trained and evaluated as one is: a classifier."""
