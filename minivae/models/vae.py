r"""Variational autoencoder (Kingma and Welling 2014).

    x (B, D) --trunk--> h --+-- mu ------+
                            |            +-- z = mu + exp(logvar / 2) eps --decoder--> likelihood
                            +-- logvar --+
                                 eps ----+

The forward pass ends in the objective (`objectives.py`), which gives the loss. The backward pass
starts there: the objective returns dmu and dlogvar, in which the sample's branch and the KL's have
been added; the encoder takes them through its two heads, where what they send back to h is added
too, and goes on through the trunk. The two heads are one linear layer of width 2 Z, for one product
is faster than two.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Count, Whole
from ..errors import OptionError
from .base import Model
from .gaussian_encoder import GaussianEncoder
from .objectives import ELBO, ImportanceWeighted, Terms
from .registry import Option

OBJECTIVE = "objective (of a VAE)"
"""Title of what goes with a prior's KL, in the help of `minivae train`."""


class VAE(Model):
    """VAE with a Gaussian encoder and a decoder, of MLPs of mirrored widths or any other networks.

    Parameters
    ----------
    n_pixels : int or sequence of int
        Numbers in one datum, or its shape, such as (28, 28, 1).
    hidden : sequence of int
        Hidden widths of the MLPs: of the encoder, and in reverse of the decoder; (400,) by default.
        () is a linear VAE.
    latent : int
        Latent dimensions Z.
    activation : str
        Of the MLPs, one of `minivae.ops.ACTIVATIONS`; "relu" by default.
    network : str
        What encoder and decoder are, one of `minivae.models.NETWORKS`; its other options are
        keywords too.
    encoder, decoder : Layer, optional
        Networks of one's own in their place: from data (B, *shape) to features, and from latents
        (B, Z) to what the likelihood takes; see `halves.py`.
    likelihood : str
        One of `minivae.ops.LIKELIHOODS`.
    likelihood_options : dict, optional
        Options of the likelihood: `sigma` of gaussian, `levels` of categorical.
    logvar_range : (float, float)
        Range that logvar is clamped to, with zero gradient outside.
    free_bits : float
        Nats for each latent dimension that cost nothing.
    samples : int, optional
        If given, maximise the importance-weighted bound with this many samples instead of the ELBO.
    rng : numpy.random.Generator
        Draws the initial weights.
    dtype : {"float32", "float64"}
        dtype of everything.
    backend : str or Backend
        Where the model computes.
    """

    kind = "vae"
    same_calls = True
    title = "a VAE"
    options: ClassVar = {
        "logvar_range": Option(float, (-30.0, 20.0), "range of logvar", many=True, flag=False),
        "free_bits": Option(
            float,
            0.0,
            "nats for each latent dimension that cost nothing",
            group=OBJECTIVE,
            needs="prior",
        ),
        "samples": Option(
            int,
            None,
            "maximise the importance-weighted bound with K samples instead of the ELBO",
            metavar="K",
            group=OBJECTIVE,
            needs="prior",
        ),
    }
    can = frozenset({"encode", "reconstruct", "sample", "draw", "prior", "bound"})
    codes_are = "Posterior means"
    plain = True
    examples: ClassVar[tuple[dict[str, Any], ...]] = ({}, {"samples": 3})

    encoder: GaussianEncoder
    logvar_range: tuple[float, float]
    free_bits: float
    samples: int | None

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 20,
        *,
        rng: np.random.Generator,
        **options: Any,
    ) -> None:
        super().__init__(n_pixels, hidden, latent, rng=rng, **options)
        if self.samples is not None and (self.samples < 1 or self.free_bits):
            raise OptionError(
                f"samples={self.samples} with free_bits={self.free_bits} was given; samples must "
                "be at least 1, and free bits go with the ELBO alone."
            )
        self.objective = (
            ELBO(self.decoder, self.likelihood, self.free_bits)
            if self.samples is None
            else ImportanceWeighted(self.decoder, self.likelihood)
        )

    @classmethod
    def check_run(cls, options: dict[str, Any]) -> None:
        """Refuse a weight of the KL in the bound that has none, and what a weight of 0 undoes.

        A subclass that refuses samples or free bits has no such option here.
        """
        weighted = (options["beta"], options["schedule"]) != (1, "constant")
        if options.get("samples") is not None and weighted:
            raise OptionError(
                "the importance-weighted bound (--samples) has no weight of the KL; leave out "
                "--beta and --schedule."
            )
        idle = {
            "--schedule": options["schedule"] != "constant",
            "--free-bits": options.get("free_bits"),
        }
        for flag, given in idle.items():
            if given and options["beta"] == 0:
                raise OptionError(
                    f"{flag} was given, but --beta 0 leaves the KL out of the loss; leave it out."
                )

    def _make_encoder(self, rng: np.random.Generator) -> GaussianEncoder:
        trunk, width = self.halves.trunk(self.data_shape, self.n_given, rng)
        return GaussianEncoder(
            trunk, width, self.latent, logvar_range=self.logvar_range, rng=rng, **self.where
        )

    def encode(self, x: Array) -> tuple[Array, Array]:
        """Return mu and logvar (B, Z) of q(z | x) for x (B, n_data)."""
        self.forget()
        return self.encoder.forward(x)

    def observed(self, x: Array) -> Array:
        """Return the part of x that the likelihood is of: all of it."""
        return x

    def reconstruct(self, x: Array) -> Array:
        """Mean image (B, n_pixels) decoded from the posterior mean of x (B, n_data)."""
        mu, _ = self.encode(x)
        return self.decode(mu)

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array:
        """Draw eps for one step: (B, Z), or (B, K, Z) with K samples."""
        middle = () if self.samples is None else (self.samples,)
        return self.normal(rng, (batch, *middle, self.latent))

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Terms:
        """Compute the loss and its terms for x (B, n_data) and eps from `draw_noise`."""
        mu, logvar = self.encoder.forward(x)
        return self.objective.forward(x, mu, logvar, noise, beta)

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        dmu, dlogvar = self.objective.backward()
        self.encoder.backward_params(dmu, dlogvar)

    def elbo(self, x: Array, noise: Array) -> Array:
        """Lower bound on ln p(x) (B,), in nats, without beta or free bits."""
        return self.forward(x, noise).bound

    def log_weights(self, x: Array, eps: Array) -> Array:
        """Log-weights (B, K) of importance sampling for x (B, n_data) and noise eps (B, K, Z)."""
        mu, logvar = self.encode(x)
        weigher = ImportanceWeighted(self.decoder, self.likelihood)
        w, _ = weigher.log_weights(self.observed(x), mu, logvar, eps)
        return w

    def held_out_loss(self, numbers: dict[str, Any]) -> float:
        """Minus the bound that is maximised, without beta or free bits."""
        return -numbers["bound"]

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say whether the losses of a run bound a likelihood; see `Declared.meaning`."""
        if note:
            return f"nats per example; {note}"
        bound = "ELBO" if self.samples is None else f"importance-weighted bound, K = {self.samples}"
        weighted = weighted or self.free_bits > 0
        if weighted and not tested:
            return "nats per example; no bound on a likelihood, for beta or free bits are in it"
        text = f"is an upper bound on -ln p(x) (minus the {bound})"
        text = f"nats per example; {'val loss' if tested else 'loss'} {text}"
        return text + ("; loss is not, for beta or free bits are in it" if weighted else "")
