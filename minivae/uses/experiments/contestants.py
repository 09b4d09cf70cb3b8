"""The models that are compared, and how both kinds are trained: by the same loop.

A VAE and a GAN of the same widths see the same data in minibatches of the same size for the same
number of steps. What differs is what has to: the optimizer of a GAN is Adam with beta1 = 0.5, and
a VAE of the plane warms its KL up over the first half of the training.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...data.pixels import Pixels
from ...models import MODELS
from ...models.base import Model
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training


def train(
    kind: str,
    x: np.ndarray | Pixels,
    *,
    hidden: Sequence[int] | None,
    latent: int,
    lr: float,
    epochs: int,
    seed: int,
    batch: int = 100,
    likelihood: str = "bernoulli",
    activation: str = "relu",
    images: Sequence[int] | None = None,
    warmup: float | None = None,
    after_epoch: Callable[[Training], None] | None = None,
) -> Model:
    """Train one model.

    Parameters
    ----------
    kind : {"vae", "gan", "autoencoder"}
        Which.
    x : numpy.ndarray or Pixels, (N, n_pixels)
        Data.
    hidden, latent, activation, likelihood
        As `VAE` takes them.
    images : sequence of int, optional
        Shape of one example, for the network of convolutions; without it, the network is an MLP.
    lr, epochs, batch
        Learning rate of Adam, epochs, examples in a step.
    seed : int
        Draws the weights, the order of the data and the noise.
    warmup : float, optional
        Epochs over which the weight of the KL rises from 0 to 1.
    after_epoch : callable, optional
        As `fit` takes it.
    """
    rng = np.random.default_rng(seed)
    options: dict[str, Any] = {"activation": activation, "likelihood": likelihood}
    if images is not None:
        options["network"] = "conv"
    model = MODELS[kind](images or x.shape[1], hidden, latent, rng=rng, **options)
    optimizer = Adam(lr, beta1=model.defaults.get("beta1", 0.9))
    settings = Settings(epochs=epochs, batch=batch, seed=seed)
    if warmup is not None:
        settings = Settings(epochs=epochs, batch=batch, seed=seed, schedule="linear", warmup=warmup)
    training = Training(model, optimizer, rng, settings)
    fit(training, x, progress=False, after_epoch=after_epoch)
    return model


def host_samples(model: Model, n: int, seed: int, **options: Any) -> np.ndarray:
    """Samples (n, n_pixels) of a model, on the host."""
    return model.backend.to_host(model.sample(n, np.random.default_rng(seed), **options))
