r"""More labelled examples than there are: from a conditional VAE, and by moving pictures about.

Two ways to make an example of class y with a conditional VAE:

- **from the prior**: $z \sim N(0, I)$, decoded with y. It may be anything that the model believes
  in, and does not depend on a particular real example.
- **from the posterior**: $z \sim q(z \mid x, y)$ of a real example x, decoded with y. It is a
  variation of x, and stays close to it where the posterior is narrow.

Either is the mean of the pixels, as `sample` and `reconstruct` give it.

The classical way needs no model: shift and turn a picture a little, by amounts that do not change
its class. It puts in what somebody knows about pictures; a VAE has only the data it was trained on.
"""

import math
from collections.abc import Sequence
from typing import Annotated

import numpy as np

from ..data.batches import by_rows
from ..data.labelled import labelled
from ..data.pixels import Pixels
from ..engine.backend import Array, get_backend
from ..engine.door import door
from ..engine.kinds import Between, Count, Weight, Whole
from ..errors import DataError, OptionError, ShapeError
from ..models.conditional import ConditionalVAE
from ..models.rows import encode
from ..ops.likelihoods.base import is_binary
from ..train.loop import fit
from ..train.optim.adam import Adam
from ..train.settings import Settings, Training


@door
def train_generator(
    x: np.ndarray | Pixels,
    y: np.ndarray,
    labels: Sequence[str],
    *,
    network: str = "mlp",
    shape: Sequence[int] | None = None,
    hidden: Sequence[int] = (256,),
    latent: int = 16,
    epochs: int = 50,
    batch: int = 128,
    likelihood: str = "bernoulli",
    binarize: bool = True,
    seed: Whole = 0,
    backend: str = "auto",
    progress: bool = False,
) -> ConditionalVAE:
    """Train a conditional VAE.

    Parameters
    ----------
    x : numpy.ndarray or Pixels, (N, D)
        Examples, in [0, 1] under a Bernoulli likelihood.
    y : numpy.ndarray, int
        Their classes.
    labels : sequence of str
        Names of the classes.
    shape : sequence of int, optional
        Shape of one example, for a network that takes images; by default (D,).
    network, hidden, latent, epochs, batch, likelihood, seed, backend, progress
        As everywhere.
    binarize : bool
        Draw binary pixels from grey ones, anew each time.

    Raises
    ------
    DataError
        If the labels do not fit, or the data lie outside [0, 1].
    """
    rows = labelled(x, y, len(labels))
    rng = np.random.default_rng(seed)
    how = {"labels": labels, "likelihood": likelihood, "rng": rng, "backend": backend}
    model = ConditionalVAE(
        x.shape[1] if shape is None else shape, hidden, latent, network=network, **how
    )
    model.likelihood.note(x)
    drawn = "dynamic" if binarize and not is_binary(x) else "none"
    settings = Settings(epochs=epochs, batch=batch, binarize=drawn, seed=seed)
    return fit(Training(model, Adam(), rng, settings), rows, progress=progress).model


@door
def from_prior(
    model: ConditionalVAE, y: np.ndarray, rng: np.random.Generator, *, temperature: float = 1.0
) -> np.ndarray:
    """Decode draws from the prior for the classes y (N,); returns host data (N, n_pixels)."""
    noise = rng.standard_normal((len(y), model.latent), "float32") * _checked(temperature)
    return _decoded(model, noise, y)


@door
def from_posterior(
    model: ConditionalVAE,
    x: np.ndarray,
    y: np.ndarray,
    rng: np.random.Generator,
    *,
    temperature: float = 1.0,
) -> np.ndarray:
    """Decode a draw from the posterior of each example.

    Parameters
    ----------
    model : ConditionalVAE
        The generator.
    x : numpy.ndarray, (N, n_pixels)
        Real examples.
    y : numpy.ndarray, (N,), int
        Their classes.
    rng : numpy.random.Generator
        Draws the latents.
    temperature : float
        Factor on the posterior's standard deviation; 0 gives the reconstructions.

    Returns
    -------
    numpy.ndarray, (N, n_pixels)
    """
    noise = rng.standard_normal((len(y), model.latent), "float32") * _checked(temperature)
    mu, logvar = encode(model, labelled(x, y, len(model.labels)))
    return _decoded(model, mu + np.exp(logvar / 2) * noise, y)


def _decoded(model: ConditionalVAE, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    def decode(z: np.ndarray, y: np.ndarray) -> Array:
        return model.decode(model.backend.asarray(z, model.params.dtype), model.one_hot(y))

    return by_rows(model.backend, decode, z, y)


def _checked(temperature: float) -> np.float32:
    if not temperature >= 0:
        raise OptionError(f"temperature={temperature} was given, but it must be at least 0.")
    return np.float32(temperature)


@door
def in_turn(
    y: np.ndarray, per_class: Annotated[int, Between(1, 10**7, "[]")], n_classes: Count
) -> np.ndarray:
    """Row numbers of `per_class` examples of each class, which take turns where they are too few.

    Returns
    -------
    numpy.ndarray, (n_classes * per_class,), int
        Class after class.

    Raises
    ------
    DataError
        If a class has no example.
    """
    rows = []
    for k in range(n_classes):
        rows.append(np.flatnonzero(y == k))
        if not len(rows[-1]):
            raise DataError(f"class {k} has no example; give at least one of each class.")
    return np.concatenate([np.resize(found, per_class) for found in rows])


@door
def jitter(
    x: np.ndarray,
    shape: Sequence[int],
    rng: np.random.Generator,
    *,
    shift: Weight = 2.0,
    degrees: Weight = 15.0,
) -> np.ndarray:
    """Shift and turn each picture at random, with bilinear interpolation and 0 around it.

    Parameters
    ----------
    x : numpy.ndarray, (N, H W)
        Grey pictures.
    shape : (int, int)
        H and W.
    rng : numpy.random.Generator
        Draws an angle and two shifts for each, uniformly.
    shift : float
        Largest shift in either direction, pixels.
    degrees : float
        Largest turn.

    Returns
    -------
    numpy.ndarray, (N, H W)

    Raises
    ------
    ShapeError
        If the examples are no grey pictures of that shape.
    """
    if len(shape) != 2 or x.ndim != 2 or x.shape[1] != math.prod(shape):
        raise ShapeError(
            f"rows of shape {x.shape} for pictures of shape {tuple(shape)} were given, but grey "
            "pictures (H, W) can be shifted and turned; give rows of H W pixels."
        )
    H, W = shape
    N = len(x)
    angle = np.radians(rng.uniform(-degrees, degrees, (N, 1)))
    down, right = rng.uniform(-shift, shift, (2, N, 1))
    pictures = x.reshape(N, H, W)
    return by_rows(get_backend("numpy"), _moved, pictures, angle, down, right, rows=200)


def _moved(x: np.ndarray, angle: np.ndarray, down: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Turn and shift pictures (N, H, W) by one angle and two shifts each (N, 1)."""
    N, H, W = x.shape
    # Where the pixel (i, j) of the result comes from: turned about the middle, then shifted.
    i, j = (axis.reshape(-1) for axis in np.mgrid[:H, :W])
    i, j = i - (H - 1) / 2, j - (W - 1) / 2
    rows = np.cos(angle) * i - np.sin(angle) * j + (H - 1) / 2 - down
    columns = np.sin(angle) * i + np.cos(angle) * j + (W - 1) / 2 - right
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    # A border of zeros, wide enough for the four neighbours of whatever lies outside.
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    n = np.arange(N)[:, None]
    moved = np.zeros((N, H * W))
    for di in (0, 1):
        for dj in (0, 1):
            weight = (1 - np.abs(rows - top - di)) * (1 - np.abs(columns - left - dj))
            at = np.clip(top + di, -1, H) + 1, np.clip(left + dj, -1, W) + 1
            moved += weight * padded[n, *at]
    return moved.astype(x.dtype)
