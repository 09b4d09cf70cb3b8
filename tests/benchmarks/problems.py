"""What every contender is given: sizes, the same data, minibatches and first weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

ROWS, PIXELS, LEARNING_RATE = 8192, 784, 1e-3


@dataclass(frozen=True)
class Problem:
    """A model, a batch size and a kind of data.

    Attributes
    ----------
    hidden : tuple of int
        Hidden widths of the encoder, the decoder's in reverse.
    latent, batch : int
        Z and B.
    activation : {"relu", "tanh"}
        Between the layers.
    samples : int, optional
        K of the importance-weighted bound; the ELBO without it.
    pixels : int
        D.
    data : str
        One of `DATA`.
    """

    hidden: tuple[int, ...]
    latent: int
    batch: int
    activation: str = "relu"
    samples: int | None = None
    pixels: int = PIXELS
    data: str = "digits"

    @property
    def encoder(self) -> list[tuple[int, int]]:
        """Widths of the encoder's hidden layers."""
        widths = (self.pixels, *self.hidden)
        return list(pairwise(widths))

    @property
    def heads(self) -> tuple[int, int]:
        """Widths of mu and logvar, side by side."""
        return self.hidden[-1], 2 * self.latent

    @property
    def decoder(self) -> list[tuple[int, int]]:
        """Widths of the decoder's layers."""
        widths = (self.latent, *reversed(self.hidden), self.pixels)
        return list(pairwise(widths))

    def __str__(self) -> str:
        widths = "-".join(map(str, (self.pixels, *self.hidden, self.latent)))
        bound = "ELBO" if self.samples is None else f"IWAE K={self.samples}"
        return f"{widths} {self.activation}, {bound}, batch {self.batch}, {self.data} data"


def problem(model: str, batch: int, samples: int, data: str = "digits") -> Problem:
    """The two models that are measured, by name."""
    if model == "mlp":
        return Problem((400,), 20, batch, data=data)
    return Problem((200, 200), 50, batch, "tanh", samples, data=data)


DATA = ("digits", "dense")
"""Kinds of data. Of the digits' pixels 0.19 are not 0, as of MNIST's grey ones (of its binary ones
0.13); in dense data, photographs say, every pixel is some grey."""


def make_data(pixels: int = PIXELS, rows: int = ROWS, kind: str = "digits") -> np.ndarray:
    """Images (rows, pixels) float32: noisy copies of ten patterns, of a kind of `DATA`."""
    rng = np.random.default_rng(0)
    patterns = rng.random((10, pixels)) < 0.15
    flipped = rng.random((rows, pixels)) < 0.05
    images = (patterns[rng.integers(0, 10, rows)] ^ flipped).astype(np.float32)
    return images if kind == "digits" else np.float32(0.1) + np.float32(0.8) * images


def minibatches(batch: int, rows: int = ROWS) -> Iterator[np.ndarray]:
    """Row numbers of one minibatch after the other, each epoch in another order."""
    rng = np.random.default_rng(1)
    while True:
        order = rng.permutation(rows)
        for start in range(0, rows - batch + 1, batch):
            yield order[start : start + batch]


def noises(p: Problem) -> Iterator[np.ndarray]:
    """Standard normal noise of one step after the other, (B, Z) or (B, K, Z)."""
    rng = np.random.default_rng(3)
    middle = () if p.samples is None else (p.samples,)
    while True:
        yield rng.standard_normal((p.batch, *middle, p.latent), dtype=np.float32)


def first_weights(p: Problem) -> list[tuple[np.ndarray, np.ndarray]]:
    """W (in, out) and b (out,) of every layer: encoder, the two heads as one, decoder."""
    rng = np.random.default_rng(2)
    pairs = []
    for n_in, n_out in [*p.encoder, p.heads, *p.decoder]:
        reach = n_in**-0.5
        W = rng.uniform(-reach, reach, (n_in, n_out)).astype(np.float32)
        pairs.append((W, rng.uniform(-reach, reach, n_out).astype(np.float32)))
    return pairs
