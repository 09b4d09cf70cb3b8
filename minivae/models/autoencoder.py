r"""Autoencoder: the VAE without the "variational", for contrast.

    x (B, D) --encoder--> z (B, Z) --decoder--> likelihood of x

Each datum is encoded as a point, not as a distribution, and nothing asks the points to follow a
prior. The loss is the reconstruction term alone, the mean of nll over the batch, so its backward
pass is one chain, with no branches to add.
"""

from typing import ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Whole
from ..engine.layer import Layer
from ..errors import OptionError
from .base import Model
from .declare import refuses
from .objectives import Terms


class Autoencoder(Model):
    """Autoencoder of the networks of a VAE, whose parameters it takes; see `VAE`."""

    kind = "autoencoder"
    title = "an autoencoder"
    refused: ClassVar = dict.fromkeys(("beta", "schedule", "warmup"), "an autoencoder has no prior")
    columns = ("nll", "val_nll")
    can = frozenset({"encode", "reconstruct", "sample", "draw"})
    plain = True
    samples_are = "Decoded noise: an autoencoder has no prior"

    def _make_encoder(self, rng: np.random.Generator) -> Layer:
        return self.halves.encoder(self.data_shape, self.latent, rng)

    def encode(self, x: Array) -> Array:
        """Latent z (B, Z) of x (B, n_data)."""
        self.forget()
        return self.encoder.forward(x)

    def reconstruct(self, x: Array) -> Array:
        """Mean image (B, n_pixels) that x (B, n_data) is decoded to."""
        return self.decode(self.encode(x))

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> None:
        """An autoencoder takes no noise."""

    def forward(self, x: Array, noise: None = None, beta: float = 1.0) -> Terms:
        """Compute the loss, the batch mean of nll, for x (B, n_data)."""
        nll = self.likelihood.forward(self.decoder.forward(self.encoder.forward(x)), x)
        xp = self.backend.xp
        # There is no prior, hence no KL and no bound: a column for each would say 0 for "none".
        none = xp.zeros((len(x), 0), x.dtype)
        return Terms(nll.mean(), nll, none, xp.full(len(x), float("nan"), x.dtype))

    def backward(self) -> None:
        """Overwrite `params.grad`: the chain rule from the likelihood back to the encoder."""
        out, *_ = self.likelihood.saved()
        B = out.shape[0]
        dnll = self.backend.xp.full(B, 1 / B, out.dtype)
        dz = self.decoder.backward(self.likelihood.backward(dnll))
        self.encoder.backward_params(dz)

    @refuses
    def elbo(self, x: Array, noise: None = None) -> Array:
        """Refuse: an autoencoder bounds nothing.

        Raises
        ------
        OptionError
            Always.
        """
        raise OptionError(
            "an Autoencoder has no ELBO, since it has no prior and its codes are points; "
            "use `forward(x).nll` for its reconstruction term, or a VAE."
        )

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say that the loss bounds no likelihood; see `Declared.meaning`."""
        return "nats per example; the reconstruction alone: an autoencoder bounds no likelihood"
