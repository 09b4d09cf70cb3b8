r"""VAE with categorical latents, trained through the Gumbel-softmax (Jang et al. 2017).

    x (B, D) --encoder--> logits (B, Z, K) --+-- KL from 1/K
                                             |
                              gumbel noise --+-- y (B, Z, K) --decoder--> likelihood of x

A datum is described by Z variables, each with one of K categories, and the prior gives them all the
same chance. The negative ELBO has two terms, as any: the expected nll under
$q(c \mid x) = \prod_z \pi_{z c_z}$, and the KL of the categories from the uniform ones, which is a
closed form (`ops/kl_categorical.py`).

**The first is a sum over $K^Z$ codes**, so it is sampled; and a drawn category has no slope for
the logits. In training the decoder is therefore given the relaxed draw of
`ops/gumbel_softmax.py`, whose temperature falls with the steps: what is minimised is

$$ L = \frac1B \sum_n \Big( -\ln p(x_n \mid y_n) + \beta \sum_z KL_{nz} \Big) \tag{1} $$

which bounds nothing, for a mixture of categories is no category. With `straight_through` the
decoder is given the category that the relaxed draw leans to, one-hot, and the gradient goes back
as if it had been the relaxed one (`ops/straight_through.py`): then (1) is a draw of the negative
ELBO, and its gradient a biased one.

**An evaluation draws categories**, by the largest of logits and noise. What it gives is the
negative ELBO itself, an upper bound on $-\ln p(x)$ that owes nothing to the temperature. So the
training loss and the validation loss are two things, and where they drift apart, the decoder has
come to read mixtures.

Both branches meet at the logits, and there their gradients are added, in `backward`.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array, Indices
from ..engine.kinds import Count, Whole
from ..engine.layer import Layer
from ..engine.noise import gumbel
from ..errors import OptionError, ShapeError, StateError
from ..ops import GumbelSoftmax, KLCategorical, StraightThrough, fork
from ..ops.negative_elbo import negative_elbo_backward, negative_elbo_forward
from .base import Model
from .objectives import Terms
from .registry import Option


class CategoricalVAE(Model):
    """VAE whose latents are categories.

    Parameters
    ----------
    n_pixels, hidden, rng, **options
        As for `VAE`.
    latent : int
        Categorical variables Z.
    categories : int
        K of each, at least 2.
    tau, tau_min : float
        Temperature of the first step, and the least one; above 0.
    tau_rate : float
        How fast it falls, 1 / steps.
    straight_through : bool
        Give the decoder categories in training too, and the slope of the relaxed ones.
    """

    kind = "gumbel"
    title = "a categorical VAE"
    options: ClassVar = {
        "categories": Option(int, 10, "that each latent variable has", metavar="K"),
        "tau": Option(float, 1.0, "temperature of the first step"),
        "tau_min": Option(float, 0.5, "least temperature"),
        "tau_rate": Option(
            float, 5e-4, "how fast it falls: the step t has tau exp(-rate t), or the least one"
        ),
        "straight_through": Option(
            bool, False, "let the decoder see categories in training, with the slope of mixtures"
        ),
    }
    can = frozenset({"reconstruct", "sample", "draw", "prior", "bound", "categories"})
    samples_are = "Samples from the prior"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"categories": 3, "tau_rate": 0.1},
        {"categories": 3, "straight_through": True},
    )

    categories: int
    tau: float
    tau_min: float
    tau_rate: float
    straight_through: bool

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
        self.kl = KLCategorical(**self.where)
        self.call = self.backend.call
        self.cache: tuple | None = None

    def _make_encoder(self, rng: np.random.Generator) -> Layer:
        if self.categories < 2:
            raise OptionError(
                f"categories={self.categories} was given, but a variable has at least 2."
            )
        self.relax = GumbelSoftmax(self.tau, self.tau_min, self.tau_rate, **self.where)
        self.pass_through = StraightThrough(**self.where)
        return self.halves.encoder(self.data_shape, self.latent * self.categories, rng)

    def _make_decoder(self, rng: np.random.Generator) -> Layer:
        n_in, n_out = self.latent * self.categories, self.likelihood.output_width(self.n_pixels)
        return self.halves.decoder(n_in, self.shape, n_out, rng, kinds=self.likelihood.kinds)

    def layers(self) -> dict[str, Layer]:
        """Encoder, decoder and likelihood, and the draw, which keeps count of the steps."""
        return {**super().layers(), "relax": self.relax, "pass_through": self.pass_through}

    @property
    def levels(self) -> int:
        """Values that each number of a code has: K."""
        return self.categories

    def logits(self, x: Array) -> Array:
        """Logits (B, Z, K) of the categories of x (B, n_data)."""
        return self.encoder.forward(x).reshape(len(x), self.latent, self.categories)

    def one_hot(self, codes: Indices) -> Array:
        """Categories (..., Z), numbers, as what the decoder takes: (..., Z K).

        Raises
        ------
        ShapeError
            If there are not Z of each.
        """
        if codes.shape[-1:] != (self.latent,):
            raise ShapeError(
                f"codes of shape {codes.shape} were given, but a code is {self.latent} categories; "
                f"give (B, {self.latent})."
            )
        hot = codes[..., None] == self.backend.xp.arange(self.categories)
        flat = (*codes.shape[:-1], self.latent * self.categories)
        return hot.astype(self.params.dtype).reshape(flat)

    def codes(self, x: Array) -> Indices:
        """Likeliest categories (B, Z) of x (B, n_data), counted from 0."""
        self.forget()
        return self.logits(x).argmax(axis=-1)

    def decode_codes(self, codes: Indices) -> Array:
        """Mean of the data (B, n_pixels) for categories, codes (B, Z)."""
        return self.decode(self.one_hot(codes))

    def reconstruct(self, x: Array) -> Array:
        """Mean image (B, n_pixels) decoded from the likeliest categories of x (B, n_data)."""
        return self.decode_codes(self.codes(x))

    def draw_latents(self, n: Count, rng: np.random.Generator, temperature: float = 1.0) -> Array:
        """Draw categories from the prior, all alike, and return what the decoder takes, (n, Z K).

        Raises
        ------
        OptionError
            If a temperature is given: alike they are at any.
        """
        if temperature != 1:
            raise OptionError(
                f"temperature={temperature} was given, but the prior of a categorical VAE is "
                "uniform at any temperature, so leave that out."
            )
        return self.one_hot(
            self.backend.asarray(rng.integers(self.categories, size=(n, self.latent)))
        )

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array:
        """Draw the Gumbel noise (B, Z, K) of one step."""
        shape = (batch, self.latent, self.categories)
        return gumbel(rng, shape, self.params.dtype, self.backend)

    def draw_importance_noise(
        self, rng: np.random.Generator, batch: Whole, samples: Whole
    ) -> Array:
        """Draw Gumbel noise (B, S, Z, K) for S samples of each example."""
        shape = (batch, samples, self.latent, self.categories)
        return gumbel(rng, shape, self.params.dtype, self.backend)

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Terms:
        """Compute the loss and its terms for x (B, n_data) and Gumbel noise (B, Z, K).

        In a step of training by the relaxed draw, (1); else by drawn categories.
        """
        logits = self.logits(x)
        kl = self.kl.forward(logits)
        drawn = self.one_hot((logits + noise).argmax(axis=-1))
        relaxed = bool(self.params.training)
        if relaxed:
            y = self.relax.forward(logits, noise).reshape(drawn.shape)
            z = self.pass_through.forward(y, drawn - y) if self.straight_through else y
        else:
            z = drawn
        nll = self.likelihood.forward(self.decoder.forward(z), x)
        loss, cache = self.call(negative_elbo_forward, nll, kl, float(beta), 0.0)  # (1)
        self.cache = cache if relaxed else None
        return Terms(loss, nll, kl)

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last step's loss."""
        if self.cache is None:
            raise StateError(
                "a categorical VAE was asked to go back without a step of training before; call "
                "`step`: an evaluation draws categories, and those have no slope."
            )
        dnll, dkl = self.call(negative_elbo_backward, 1.0, *self.cache)
        # Branch 1: through the draw, the decoder and the likelihood.
        dz = self.decoder.backward(self.likelihood.backward(dnll))
        dy = self.pass_through.backward(dz) if self.straight_through else dz
        B = len(dy)
        dlogits_draw = self.relax.backward(dy.reshape(B, self.latent, self.categories))
        # Branch 2: through the KL. The logits feed both, so their gradient is the sum.
        dlogits = self.call(fork.backward_two, dlogits_draw, self.kl.backward(dkl))
        self.encoder.backward_params(dlogits.reshape(B, self.latent * self.categories))

    def forget(self) -> None:
        """Let `backward` refuse until the next step."""
        super().forget()
        self.cache = None

    def elbo(self, x: Array, noise: Array) -> Array:
        """Lower bound on ln p(x) (B,), in nats, by one draw of the categories."""
        return self.forward(x, noise).bound

    def log_weights(self, x: Array, eps: Array) -> Array:
        """Log-weights (B, S) of importance sampling for x (B, n_data) and noise (B, S, Z, K)."""
        self.forget()
        logits = self.logits(x)[:, None]
        drawn = self.one_hot((logits + eps).argmax(axis=-1))
        B, S, width = drawn.shape
        out = self.decoder.forward(drawn.reshape(B * S, width))
        nll = self.likelihood.forward(out.reshape(B, S, out.shape[1]), x[:, None])
        self.forget()
        xp = self.backend.xp
        shifted = logits - logits.max(axis=-1, keepdims=True)
        logp = shifted - xp.log(xp.exp(shifted).sum(axis=-1, keepdims=True))
        log_q = (drawn.reshape(eps.shape) * logp).sum(axis=(2, 3))
        return -nll - self.latent * math.log(self.categories) - log_q

    def held_out_loss(self, numbers: dict[str, Any]) -> float:
        """Minus the ELBO, of drawn categories and without beta."""
        return -numbers["bound"]

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say whether the losses of a run bound a likelihood; see `Declared.meaning`."""
        if note:
            return f"nats per example; {note}"
        relaxed = "categories" if self.straight_through else "mixtures of categories"
        if not tested:
            return f"nats per example; of {relaxed}, drawn in training: no bound on a likelihood"
        return (
            "nats per example; val loss is an upper bound on -ln p(x) (minus the ELBO); loss is of "
            f"{relaxed}" + (" with beta" if weighted else "")
        )

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.latent} x {self.categories} categories)"
