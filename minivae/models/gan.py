r"""Generative adversarial network on the VAE's layers (Goodfellow et al. 2014), for contrast.

    z (B, Z) --generator--> fake (B, D) --+
                                          +-- discriminator --> one logit d (B, 1)
                         x (B, D) --------+

The generator is the VAE's decoder. Where a VAE has its encoder, with the same widths, there is a
discriminator: a classifier whose logit says "real" or "fake". There is no likelihood of the data
and no code of a datum; what is learned comes from the contest of the two.

**Losses**, in nats. The discriminator is a classifier with two classes, so its loss is the
Bernoulli likelihood of the labels (`likelihoods/bernoulli.py`): $s$ for the real ones, 0 for the
fakes. $s = 1$ is the plain loss; a little less, the *one-sided label smoothing* of Salimans et al.
(2016), keeps it from growing ever surer of the real ones:

$$ L_D = -\frac1B \sum_n \left( s \ln \sigma(d(x_n)) + (1 - s) \ln (1 - \sigma(d(x_n)))
         + \ln (1 - \sigma(d(g(z_n)))) \right) \tag{1} $$

The generator wants its fakes to be called real. Of its two losses this is the *non-saturating*
one: it is steep where the discriminator is sure, and not flat as $\ln(1 - \sigma)$ is:

$$ L_G = -\frac1B \sum_n \ln \sigma(d(g(z_n))) \tag{2} $$

**Gradients.** Both are Bernoulli losses of a logit, whose derivative is $\sigma$ minus the label:

$$ dd(x_n) = \frac{\sigma(d(x_n)) - s}{B}, \quad
   dd(g(z_n)) = \frac{\sigma(d(g(z_n)))}{B} \quad \text{for } L_D \tag{3} $$
$$ dd(g(z_n)) = \frac{\sigma(d(g(z_n))) - 1}{B} \quad \text{for } L_G \tag{4} $$

With (3) the discriminator's backward pass ends at its own parameters: the fakes are data to it. For
the generator it must go on, *through* the discriminator to its input, and there the generator's
backward pass begins:

$$ dg(z_n) = J_D^\top \, dd(g(z_n)), \quad
   d\theta_G = \sum_n J_G(z_n)^\top \, dg(z_n) \tag{5} $$

On this way the discriminator is frozen: its parameters have no say in $L_G$, so what the pass
leaves as their gradient is overwritten by that of $L_D$.

**One step, one optimizer.** `params.grad` holds $\partial L_D / \partial \theta_D$ and
$\partial L_G / \partial \theta_G$ side by side, and one update moves both players at once, as in
the simultaneous SGD of Goodfellow (2016, section 3.1). It is the gradient of no single loss, which
is why such a training can circle instead of descending. Adam treats every entry by itself, so one
Adam on the flat pair is two, one for each player; Radford et al. (2016) give both $\beta_1 = 0.5$.

**With convolutions** it follows their rules (section 3): strides instead of pooling, no dense layer
but those from $z$ and to the logit, batch norm but not where images come in or go out, ReLUs in the
generator, leaky ones of slope 0.2 in the discriminator, weights from $N(0, 0.02^2)$, and Adam with
a rate of 2e-4. (Their images end in a tanh, ours in a sigmoid: $\tanh a = 2 \sigma(2a) - 1$.) A
batch norm tells real from fake by the moments of a mixture of them, which the generator's step does
not have; so each kind is a batch of its own.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Count, Whole
from ..engine.layer import Layer
from ..errors import OptionError
from ..ops import LIKELIHOODS, Activation, Bernoulli
from .base import expect_examples
from .contest import Contest, Verdicts
from .declare import Player, refuses
from .registry import Option

OUTPUTS = tuple(name for name, kind in LIKELIHOODS.items() if kind.mean_by is not None)
"""Likelihoods whose mean the generator can give by itself, by a sigmoid or as it is."""


SPREAD = 0.02
"""Standard deviation of a convolutional GAN's initial weights."""


class GAN(Verdicts):
    """Generator and discriminator, by default MLPs of mirrored widths.

    Parameters
    ----------
    n_pixels, hidden, latent, rng, **options
        As those of `VAE`: the generator is its decoder, the discriminator its encoder's trunk with
        one output.
    likelihood : {"bernoulli", "gaussian"}
        What data to make; nothing but the mean is used of it. "bernoulli": values in [0, 1], by a
        sigmoid. "gaussian": any numbers.
    likelihood_options : dict, optional
        None are taken.
    label_smoothing : float
        1 - s: the label of a real example is this much less than 1; in [0, 0.5).
    """

    kind = "gan"
    title = "a GAN"
    options: ClassVar = {
        "label_smoothing": Option(
            float,
            0.0,
            "how much less than 1 the label of a real example is; 0.1 is usual",
            group="contest (of a GAN)",
            needs="discriminator",
        )
    }
    refused: ClassVar = dict.fromkeys(
        ("beta", "schedule", "warmup", "free_bits", "samples", "patience"),
        "a GAN has no loss of held-out data and no KL",
    )
    # beta1: less memory of an opponent that has moved on (Radford et al. 2016). The generator gives
    # grey pixels, so the discriminator has to be shown grey ones.
    defaults: ClassVar = {"lr": 2e-4, "epochs": 200, "beta1": 0.5, "binarize": "none"}
    built: ClassVar = {"conv": {"hidden": (), "norm": "batch", "leak": 0.2}}
    terms: ClassVar = {"d_loss": "Discriminator", "g_loss": "Generator"}
    columns = ("d_loss", "g_loss")
    can = frozenset({"sample", "prior"})
    samples_are = "Samples of the generator"
    examples = ({"label_smoothing": 0.1},)
    parts = ("discriminator", "generator")

    label_smoothing: float

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 20,
        *,
        likelihood: str = "bernoulli",
        likelihood_options: dict[str, Any] | None = None,
        rng: np.random.Generator,
        **options: Any,
    ) -> None:
        if likelihood not in OUTPUTS or likelihood_options:
            having = f" with {likelihood_options}" if likelihood_options else ""
            raise OptionError(
                f"likelihood={likelihood!r}{having} was given, but a GAN has none and makes data "
                f"by the mean alone of one of: {', '.join(OUTPUTS)}, without options."
            )
        super().__init__(n_pixels, hidden, latent, likelihood=likelihood, rng=rng, **options)
        if not 0 <= self.label_smoothing < 0.5:
            raise OptionError(
                f"label_smoothing={self.label_smoothing} was given, but it must be in [0, 0.5); "
                "0.1 is usual."
            )
        self.discriminator, self.generator = self.encoder, self.decoder
        if self.halves.network.name in self.built and not any(self.halves.own.values()):
            for name in [name for name in self.params if name.endswith(".W")]:
                self.params[name][...] = SPREAD * self.normal(rng, self.params.shapes[name])
        squash = LIKELIHOODS[likelihood].mean_by
        self.squash = Activation(squash, **self.where) if squash else None
        self.verdict = Bernoulli(**self.where)

    def _make_encoder(self, rng: np.random.Generator) -> Layer:
        """Make the discriminator: in the encoder's place and of its widths, with one output."""
        return self.halves.encoder(self.data_shape, 1, rng)

    def players(self) -> tuple[Player, ...]:
        """Discriminator and generator, each with a loss and parameters of its own."""
        return (
            Player("discriminator", "d_loss", self.discriminator.params),
            Player("generator", "g_loss", self.generator.params),
        )

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array:
        """Draw the latents z (B, Z) of one step."""
        return self.normal(rng, (batch, self.latent))

    def generate(self, z: Array) -> Array:
        """Fakes (B, n_pixels) for latents z (B, Z)."""
        out = self.decoder.forward(z)
        return out if self.squash is None else self.squash.forward(out)

    def generator_forward(self, z: Array) -> tuple[Array, Array]:
        """Loss (B,) of the generator for latents z (B, Z), nats, and the fakes."""
        fake = self.generate(z)
        logits = self.discriminator.forward(fake)
        return self.verdict.forward(logits, self.backend.xp.ones_like(logits)), fake  # (2)

    def generator_backward(self) -> None:
        """Overwrite the generator's gradients with those of the mean of its loss.

        The discriminator's are overwritten too, with numbers that are not to be applied.
        """
        dfake = self.discriminator.backward(self._back_to_the_logits(examples=1))  # (4)
        dout = dfake if self.squash is None else self.squash.backward(dfake)
        self.decoder.backward_params(dout)  # (5)

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Contest:
        """Compute both losses for real x (B, n_pixels) and latents (B, Z)."""
        g_loss, fake = self.generator_forward(noise)
        return Contest(self.discriminator_forward(x, fake), g_loss)

    def step(self, x: Array, noise: Array, beta: float = 1.0) -> Contest:
        """Both players' losses, and `params.grad` overwritten with the gradient of each one's own.

        Raises
        ------
        ShapeError
            If there are no examples.
        """
        expect_examples(x)
        with self.workspace, self.params.training:
            g_loss, fake = self.generator_forward(noise)
            self.generator_backward()
            # The discriminator's gradients that this left are replaced by its own.
            d_loss = self.discriminator_forward(x, fake)  # (1)
            self.discriminator_backward()  # (3)
            # A copy, as in `Model.step`: the next step uses the memory of this one again.
            return Contest(d_loss.copy(), g_loss.copy())

    def backward(self) -> None:
        """Refuse: the two losses have a backward pass each.

        Raises
        ------
        OptionError
            Always.
        """
        raise OptionError(
            "a GAN has no single loss to go back from; call `step`, or `discriminator_backward` "
            "and `generator_backward` after their forward passes."
        )

    def forget(self) -> None:
        """Let the backward passes refuse until the next forward pass."""
        self.verdict.cache = None

    def decode(self, z: Array) -> Array:
        """Fakes (B, n_pixels) for latents z (B, Z)."""
        self.forget()
        return self.generate(z)

    @refuses
    def encode(self, x: Array) -> Array:
        """Refuse: a GAN has no encoder."""
        raise OptionError(
            "a GAN has no encoder, so it cannot encode or reconstruct data; use a VAE or an "
            "autoencoder."
        )

    reconstruct = encode

    def sample(
        self,
        n: Count,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        draw: bool = False,
    ) -> Array:
        """Generate from n draws from N(0, temperature^2); see `Model.sample`.

        Raises
        ------
        OptionError
            If pixels are to be drawn: the generator gives the data, not their distribution.
        """
        if draw:
            raise OptionError(
                "a GAN's generator gives the data themselves and no distribution to draw them "
                "from; leave out draw (--draw)."
            )
        return super().sample(n, rng, temperature=temperature)

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say whose losses they are; see `Declared.meaning`."""
        return "nats per example; each player's own, and none says how good the samples are"
