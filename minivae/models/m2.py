r"""A VAE of few labels: the class is a latent variable, given for some (Kingma et al. 2014, M2).

    x --+--classifier--> q(y | x)
        +--encoder, given y--> q(z | x, y) --> z --+--decoder--> likelihood of x
                                   y (all C) ------'

The model is a conditional VAE's, $p(x) = \sum_y p(y) \int p(z) \, p(x \mid y, z) \, dz$ with
$p(y) = 1/C$. Where the label is known, minus its bound and the cost of the label is

$$ L(x, y) = -\text{elbo}(x \mid y) + \ln C \;\ge\; -\ln p(x, y) \tag{1} $$

Where it is not, a classifier $\pi_y = q(y \mid x)$ takes its place, and the class is summed out. No
class is drawn: a draw would have no slope, and its variance would be large.

$$ U(x) = \sum_y \pi_y \left( L(x, y) + \ln \pi_y \right) \;\ge\; -\ln p(x) \tag{2} $$

(1) says nothing to the classifier, so known labels teach it too. With $w_{ny} = \pi_y$ of an
unlabelled example and the one-hot label of a labelled one, the loss of a batch is

$$ J = \frac1B \sum_n \Big( \sum_y w_{ny} \, L(x_n, y)
     + [\text{unlabelled}] \sum_y \pi_{ny} \ln \pi_{ny}
     - \alpha \, [\text{labelled}] \ln \pi_{n y_n} \Big) \tag{3} $$

**Backwards.** $L(x_n, y)$ enters with the factor $w_{ny} / B$. With the classifier's logits $a$ and
$G_{ny} = L(x_n, y) + \ln \pi_{ny}$, as the derivative of a mean under a softmax,

$$ da_{ny} = \frac1B \begin{cases}
   \pi_{ny} \big( G_{ny} - \sum_c \pi_{nc} G_{nc} \big) & \text{unlabelled} \\
   \alpha \, (\pi_{ny} - y_{ny}) & \text{labelled} \end{cases} \tag{4} $$

Rows carry labels as a conditional VAE's do (`data/labelled.py`); one without a label has zeros
there. Each example goes through encoder and decoder once for every class.
"""

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..data.batches import by_rows
from ..data.pixels import Pixels
from ..engine.backend import Array
from ..engine.kinds import Count, Whole
from ..engine.layer import Layer
from ..errors import OptionError, StateError
from ..ops import KL, Reparameterize
from .conditional import ConditionalVAE
from .declare import Losses
from .registry import Option


class FewLabelsVAE(ConditionalVAE):
    r"""Conditional VAE with a classifier in place of the labels that are not there.

    Parameters
    ----------
    n_pixels, hidden, latent, labels, rng, **options
        As for `ConditionalVAE`.
    few_labels : int, optional
        Labels that a training keeps, as many of each class; all by default.
    label_weight : float
        $\alpha$ of (3).
    """

    kind = "m2"
    title = "a VAE of few labels"
    options: ClassVar = {
        **ConditionalVAE.options,
        "few_labels": Option(int, None, "labels that the training keeps (default: all)"),
        "label_weight": Option(float, 300.0, "weight of the known labels in the classifier's loss"),
    }
    refused: ClassVar = dict.fromkeys(("free_bits", "samples"), "the class is summed out")
    terms: ClassVar = {
        "nll": "Reconstruction (nll)",
        "kl": "KL from the prior",
        "label_kl": "KL of the class from 1/C",
        "label_nll": "Cross-entropy of the known labels",
    }
    beside = frozenset({"label_nll"})
    columns = ("loss", "nll", "kl", "label_kl", "label_nll", "val_loss")
    can = ConditionalVAE.can
    examples = ({"labels": ("a", "b", "c")},)

    few_labels: int | None
    label_weight: float

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 20,
        *,
        labels: Sequence[str],
        rng: np.random.Generator,
        **options: Any,
    ) -> None:
        super().__init__(n_pixels, hidden, latent, labels=labels, rng=rng, **options)
        C = len(self.labels)
        if self.label_weight < 0 or (self.few_labels is not None and self.few_labels < C):
            raise OptionError(
                f"label_weight={self.label_weight} and few_labels={self.few_labels} were given for "
                f"{C} classes; the weight is 0 or more, and each class has at least one label."
            )
        self.reparameterize, self.kl = Reparameterize(**self.where), KL(**self.where)
        self.cache: tuple | None = None

    def _make_encoder(self, rng: np.random.Generator) -> Any:
        made = super()._make_encoder(rng)
        self.classifier = self.halves.encoder(self.data_shape, len(self.labels), rng)
        return made

    def layers(self) -> dict[str, Layer]:
        """Encoder, decoder, likelihood and classifier."""
        return {**super().layers(), "classifier": self.classifier}

    def draw_rows(self, rng: np.random.Generator, n: Whole) -> np.ndarray:
        """Draw host rows (n, n_pixels + C), for a check; every other one is without a label."""
        rows = super().draw_rows(rng, n)
        rows[1::2, self.n_pixels :] = 0
        return rows

    def learned_from(self, rows: np.ndarray | Pixels, seed: Whole) -> np.ndarray | Pixels:
        """Training rows (N, n_pixels + C) with the labels that are kept; the seed chooses them.

        Raises
        ------
        OptionError
            If more are to be kept than there are.
        """
        if self.few_labels is None:
            return rows
        numbers = (rows.bytes if isinstance(rows, Pixels) else rows).copy()
        given, C = numbers[:, self.n_pixels :], len(self.labels)
        order = np.random.default_rng([seed, self.few_labels]).permutation(len(given))
        for c in range(C):
            share = self.few_labels // C + (c < self.few_labels % C)
            own = order[given[order, c] > 0]
            if len(own) < share:
                raise OptionError(
                    f"few_labels={self.few_labels} was given, but class {self.labels[c]!r} has "
                    f"{len(own)} labels and {share} were to be kept; keep fewer (--few-labels)."
                )
            given[own[share:]] = 0
        return Pixels(numbers, rows.divisor) if isinstance(rows, Pixels) else numbers

    def log_classes(self, data: Array) -> Array:
        """Return ln q(y | x) (B, C) for data (B, n_data)."""
        logits = self.classifier.forward(data)
        shifted = logits - logits.max(axis=1, keepdims=True)
        return shifted - self.backend.xp.log(self.backend.xp.exp(shifted).sum(axis=1)[:, None])

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Any:
        """Compute the loss and its terms for rows x (B, N) and noise (B, Z) from `draw_noise`."""
        xp, B, C = self.backend.xp, len(x), len(self.labels)
        data, y = x[:, : self.n_data], x[:, self.n_data :]
        known = y.sum(axis=1)
        log_pi = self.log_classes(data)
        pi, unknown = xp.exp(log_pi), 1 - known
        w = y + unknown[:, None] * pi
        # Every example with every class, (B C, ...); the noise is the same for all of an example.
        eye = (xp.arange(C)[:, None] == xp.arange(C)).astype(x.dtype)
        every = xp.ascontiguousarray(xp.broadcast_to(eye, (B, C, C))).reshape(B * C, C)
        many = data.repeat(C, axis=0)
        self.decoder.given(every)
        mu, logvar = self.encoder.forward(xp.concatenate([many, every], axis=1))
        z = self.reparameterize.forward(mu, logvar, noise.repeat(C, axis=0))
        nll = self.likelihood.forward(self.decoder.forward(z), many)
        kl = self.kl.forward(mu, logvar)
        L = nll.reshape(B, C) + float(beta) * kl.sum(axis=1).reshape(B, C) + math.log(C)  # (1)
        negentropy = unknown * (pi * log_pi).sum(axis=1)
        cross_entropy = -(y * log_pi).sum(axis=1)
        loss = ((w * L).sum(axis=1) + negentropy + self.label_weight * cross_entropy).mean()  # (3)
        self.cache = (w, L, log_pi, pi, y, unknown, float(beta))
        mean_nll = (w * nll.reshape(B, C)).sum(axis=1)
        mean_kl = (w[:, :, None] * kl.reshape(B, C, -1)).sum(axis=1)
        label = negentropy + math.log(C)
        bound = -mean_nll - mean_kl.sum(axis=1) - label  # (1), (2)
        parts = {"nll": mean_nll, "kl": mean_kl, "label_kl": label, "label_nll": cross_entropy}
        return Losses(loss=loss, bound=bound, **parts)

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        if self.cache is None:
            raise StateError(f"{self.title} was asked to go back before `forward`; call it first.")
        w, L, log_pi, pi, y, unknown, beta = self.cache
        B = len(w)
        share = (w / B).reshape(-1)
        # Branch 1, weighted by w: through the sample, the decoder and the likelihood.
        dz = self.decoder.backward(self.likelihood.backward(share))
        dmu, dlogvar = self.reparameterize.backward(dz)
        # Branch 2: through the KL; then the sum.
        kl_shape = (len(share), self.latent)
        dkl = self.backend.xp.ascontiguousarray(
            self.backend.xp.broadcast_to(beta * share[:, None], kl_shape)
        )
        dmu_kl, dlogvar_kl = self.kl.backward(dkl)
        self.encoder.backward_params(dmu + dmu_kl, dlogvar + dlogvar_kl)
        # Branch 3: through w, to the classifier.
        G = L + log_pi
        unlabelled = pi * (G - (pi * G).sum(axis=1)[:, None])
        known = (1 - unknown)[:, None]
        da = unknown[:, None] * unlabelled + self.label_weight * (known * pi - y)  # (4)
        self.classifier.backward_params(da / B)

    def forget(self) -> None:
        """Let `backward` refuse until the next `forward`."""
        super().forget()
        self.cache = None

    def also(self, x: np.ndarray | Pixels) -> dict[str, float]:
        """Share of labelled host rows x (N, n_pixels + C) whose likeliest class is their label."""
        y = x[:][:, self.n_pixels :]
        found = by_rows(
            self.backend,
            lambda rows: self.log_classes(self.prepare(rows)[:, : self.n_data]).argmax(axis=1),
            x,
        )
        labelled = y.sum(axis=1) > 0
        if not labelled.any():
            return {}
        return {"share of classes right": float((found == y.argmax(axis=1))[labelled].mean())}

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say what the losses of a run are; see `Declared.meaning`."""
        if note:
            return f"nats per example; {note}"
        text = "bounds -ln p(x, y), or -ln p(x) of an example without a label"
        return f"nats per example; {'val loss' if tested else 'loss without the labels'} {text}"
