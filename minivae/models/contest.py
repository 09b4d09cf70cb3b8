"""The discriminator's half of a GAN: its loss and gradients, of real and fake examples.

The numbered equations are those of `gan.py`. A batch norm in training tells real from fake by the
moments of a mixture of them, which the generator's step, of fakes alone, does not have. So with
one, each kind is a batch of its own.
"""

from dataclasses import dataclass
from typing import Any

from ..engine.backend import Array
from ..errors import StateError
from ..ops import Bernoulli
from .base import Model


@dataclass(frozen=True)
class Contest:
    """What one step of a GAN gives; arrays on the model's backend.

    Attributes
    ----------
    d_loss : array, (B,)
        Discriminator's loss of a real example and a fake one, nats.
    g_loss : array, (B,)
        Generator's loss of a fake, nats.
    """

    d_loss: Array
    g_loss: Array

    @property
    def loss(self) -> Array:
        """Sum of both (), batch mean; a number to look at, which nothing minimises."""
        return (self.d_loss + self.g_loss).mean()


class Verdicts(Model, listed=False):
    """Base of the GAN: what its discriminator says, and learns from it."""

    discriminator: Any
    verdict: Bernoulli
    label_smoothing: float
    real: Array

    def discriminator_forward(self, x: Array, fake: Array) -> Array:
        """Loss (B,) of the discriminator on real x (B, n_pixels) and fake (B, n_pixels), nats."""
        xp, B = self.backend.xp, len(x)
        if self.apart:
            real = self._judge(x, 1 - self.label_smoothing).copy()
            self.real = x
            return real + self._judge(fake, 0.0)  # (1), before the mean
        labels = xp.zeros((len(x) + len(fake), 1), x.dtype)
        labels[:B] = 1 - self.label_smoothing
        logits = self.discriminator.forward(xp.concatenate([x, fake]))
        nll = self.verdict.forward(logits, labels)
        return nll[:B] + nll[B:]  # (1), before the mean

    def discriminator_backward(self) -> None:
        """Overwrite the discriminator's gradients with those of the mean of its loss."""
        if not self.apart:
            self.discriminator.backward_params(self._back_to_the_logits(examples=2))  # (3)
            return
        params = self.discriminator.params
        self.discriminator.backward_params(self._back_to_the_logits(examples=1))  # (3), of the fake
        of_the_fake = params.grad.copy()
        with params.rehearsal():  # the moments of these have been carried on
            self._judge(self.real, 1 - self.label_smoothing)
        self.discriminator.backward_params(self._back_to_the_logits(examples=1))  # (3), of the real
        params.grad += of_the_fake

    @property
    def apart(self) -> bool:
        """Whether real and fake are batches of their own: in training, of a batch norm."""
        params = self.discriminator.params
        return bool(params.training) and params.carried.size > 0

    def _judge(self, x: Array, label: float) -> Array:
        """Loss (B,) of the discriminator on x (B, n_pixels) that are all of one kind."""
        logits = self.discriminator.forward(x)
        return self.verdict.forward(logits, self.backend.xp.full_like(logits, label))

    def _back_to_the_logits(self, examples: int) -> Array:
        """Gradient of the mean loss for the logits, where each mean takes in `examples` of them."""
        if self.verdict.cache is None:
            raise StateError(
                "GAN: a backward pass was asked for before its forward pass; call "
                "`discriminator_forward` or `generator_forward` first."
            )
        kept = self.verdict.saved()[0]
        per_example = self.backend.xp.full(len(kept), examples / len(kept), kept.dtype)
        return self.verdict.backward(per_example)
