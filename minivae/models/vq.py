r"""VQ-VAE: codes from a codebook, and a prior over them (van den Oord et al. 2017).

    x --encoder--> z (B, P, D) --nearest--> k (B, P), e = E[k] --decoder--> likelihood of x
                                            k --masked convolutions--> p(k)

The encoder gives a vector for each of P places; each is replaced by the nearest code of a codebook
(`ops/codebook.py`), and the decoder sees the codes alone. On a network that keeps places, as
convolutions do, these are the places of its smallest image; else they are `slots` in a row.

**What stops where**, with $sg$ for *stop gradient*. The rounding has no slope, so the decoder's
gradient goes straight through it (`ops/straight_through.py`):

$$ y = z + sg(e - z) \tag{1} $$

It says nothing to the codebook. That learns by a loss of its own, which moves the codes to the
vectors, or by moving averages; and the encoder commits itself to the codes by a loss that moves the
vectors to them:

$$ C_n = \sum_p \|sg(z_{np}) - e_{np}\|^2, \quad
   Q_n = \sum_p \|z_{np} - sg(e_{np})\|^2 \tag{2} $$

$C_n$ and $Q_n$ are the same number with other gradients. **The prior** (`code_prior.py`) is trained
on the codes beside them, which are data to it. In all, per example,

$$ L = \frac1B \sum_n \left( -\ln p(x_n \mid y_n) - \ln p(k_n) + \beta \, Q_n
       + [\text{codebook by loss}] \, C_n \right) \tag{3} $$
$$ dz_{np} = dy_{np} + \frac{2 \beta}{B} (z_{np} - e_{np}), \quad
   de_{np} = \frac2B (e_{np} - z_{np}) \tag{4} $$

**A bound.** $p(x) = \sum_k p(k) \, p(x \mid k)$ is at least the one summand of the codes that the
encoder chooses, so $-\ln p(x) \le -\ln p(x \mid k) - \ln p(k)$. The second is the KL of a posterior
that is certain of $k$. It is $P \ln K$ under uniform codes, and less by as much as the prior has
learned; nothing but it makes samples possible.

All terms are sums over an example and means over the batch, so $\beta$ hangs on no batch size.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..data.batches import by_rows
from ..data.pixels import Pixels
from ..engine.backend import Array, Indices
from ..engine.kinds import Count, Whole
from ..engine.layer import Layer
from ..engine.noise import gumbel
from ..errors import OptionError, ShapeError
from ..ops import Codebook, StraightThrough, fork
from .base import Model, expect_examples
from .code_prior import CodePrior
from .declare import Losses
from .registry import Option

SLOTS = 16
"""Places of a network that keeps none."""


class VQVAE(Model):
    r"""Vector-quantised VAE.

    Parameters
    ----------
    n_pixels, hidden, rng, **options
        As for `VAE`.
    latent : int
        Numbers D of a code.
    codebook : int
        Codes K in it.
    codebook_by : {"averages", "loss"}
        How it learns.
    slots : int, optional
        Places P of a network that keeps none, 16 by default.
    decay, least : float
        As for `Codebook`.
    commitment : float
        $\beta$ of (3).
    prior_width, prior_layers : int
        Channels of the prior's convolutions, 0 for independent places; and how many there are.
    """

    kind = "vq"
    title = "a VQ-VAE"
    options: ClassVar = {
        "codebook": Option(int, 64, "codes in the codebook", metavar="K"),
        "codebook_by": Option(
            str, "averages", "what moves the codes", choices=("averages", "loss")
        ),
        "slots": Option(
            int, None, f"codes of an example on a network without places (default: {SLOTS})"
        ),
        "decay": Option(float, 0.99, "of the moving averages of codes and of their counts"),
        "least": Option(
            float, 0.05, "share of the mean count below which a code is re-seeded; 0: none is"
        ),
        "commitment": Option(float, 0.25, "weight of the distance from the codes"),
        "prior_width": Option(
            int, 64, "channels of the prior's convolutions; 0 makes the codes independent"
        ),
        "prior_layers": Option(int, 2, "how many of these; each sees one row of codes further up"),
    }
    refused: ClassVar = dict.fromkeys(
        ("beta", "schedule", "warmup"), "the codes of a VQ-VAE are not moved by their prior"
    )
    defaults: ClassVar = {"latent": 16}
    built: ClassVar = {"conv": {"hidden": ()}}
    terms: ClassVar = {
        "nll": "Reconstruction (nll)",
        "kl": "KL from the prior",
        "quantisation": "Squared distance to the codes",
    }
    beside = frozenset({"quantisation"})
    per_epoch: ClassVar = {"perplexity": "Perplexity of the codes", "reseeded": "Codes re-seeded"}
    columns = ("loss", "nll", "kl", "perplexity", "reseeded", "val_loss")
    can = frozenset({"reconstruct", "sample", "draw", "prior", "bound", "categories"})
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"codebook": 3, "prior_width": 2},
        {"codebook": 3, "prior_width": 0, "codebook_by": "loss"},
    )

    codebook: int
    codebook_by: str
    slots: int | None
    decay: float
    least: float
    commitment: float
    prior_width: int
    prior_layers: int

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 16,
        *,
        rng: np.random.Generator,
        **options: Any,
    ) -> None:
        super().__init__(n_pixels, hidden, latent, rng=rng, **options)
        self.call = self.backend.call
        self.begun = False

    def _make_encoder(self, rng: np.random.Generator) -> Layer:
        least, layers = min(self.commitment, self.prior_width), self.prior_layers
        if least < 0 or self.slots == 0 or layers < 1:
            raise OptionError(
                f"commitment={self.commitment}, prior_width={self.prior_width}, slots={self.slots}"
                f", prior_layers={layers}: none is below 0, and there is at least 1 layer and slot."
            )
        grid = self.halves.grid(self.data_shape)
        if grid and self.slots:
            raise OptionError(
                f"slots={self.slots} was given, but the network keeps {grid[0]} x {grid[1]} places "
                "of an image, and each gets a code; leave out --slots."
            )
        self.placed, self.grid = grid is not None, grid or (1, self.slots or SLOTS)
        self.places = self.grid[0] * self.grid[1]
        how: dict[str, Any] = {"rng": rng, **self.where}
        usage = {"decay": self.decay, "least": self.least}
        averaged = self.codebook_by == "averages"
        self.book = Codebook(self.codebook, self.latent, averaged=averaged, **usage, **how)
        self.prior = CodePrior(self.grid, self.codebook, self.prior_width, layers, **how)
        self.pass_through = StraightThrough(**self.where)
        n_out = self.latent if self.placed else self.places * self.latent
        return self.halves.encoder(self.data_shape, n_out, rng, placed=self.placed)

    def _make_decoder(self, rng: np.random.Generator) -> Layer:
        how: dict[str, Any] = {"kinds": self.likelihood.kinds, "placed": self.placed}
        n_out = self.likelihood.output_width(self.n_pixels)
        return self.halves.decoder(self.places * self.latent, self.shape, n_out, rng, **how)

    def layers(self) -> dict[str, Layer]:
        """Encoder, decoder and likelihood; codebook and prior, and what stops a gradient."""
        more = {"book": self.book, "prior": self.prior, "pass_through": self.pass_through}
        return {**super().layers(), **more}

    @property
    def levels(self) -> int:
        """Values that each number of a code has: K."""
        return self.codebook

    def vectors(self, x: Array) -> Array:
        """Vectors z (B, P, D) of x (B, n_data)."""
        return self.encoder.forward(x).reshape(len(x), self.places, self.latent)

    def codes(self, x: Array) -> Indices:
        """Numbers (B, P) of the codes of x (B, n_data), counted from 0."""
        self.forget()
        self.book.forward(self.vectors(x))
        return self.book.numbers

    def decode_codes(self, codes: Indices) -> Array:
        """Mean of the data (B, n_pixels) for codes (B, P)."""
        if codes.ndim != 2 or codes.shape[1] != self.places:
            raise ShapeError(
                f"codes of shape {codes.shape} were given, but an example has {self.places}; give "
                f"(B, {self.places})."
            )
        return self.decode(self.book.E[codes].reshape(len(codes), -1))

    def reconstruct(self, x: Array) -> Array:
        """Mean image (B, n_pixels) decoded from the codes of x (B, n_data)."""
        return self.decode_codes(self.codes(x))

    def draw_latents(self, n: Count, rng: np.random.Generator, temperature: float = 1.0) -> Array:
        """Draw codes from their prior, and return what the decoder takes of them, (n, P D).

        The temperature scales the noise of each draw; 0 takes the likeliest code everywhere.
        """
        noise = gumbel(rng, (n, self.places, self.codebook), self.params.dtype, self.backend)
        codes = self.prior.draw(noise, temperature)
        return self.book.E[codes].reshape(n, -1)

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array:
        """Draw what chooses vectors for dead codes: uniform numbers (K,)."""
        return self.backend.asarray(rng.random(self.codebook), self.params.dtype)

    def noise_of(self, noise: Array, rows: slice) -> Array:
        """Return all of the noise (K,): it is the codes', not the rows'."""
        return noise

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Losses:
        """Compute the loss and its terms for x (B, n_data); beta is not used."""
        z = self.vectors(x)
        e = self.book.forward(z)
        y = self.pass_through.forward(z, e - z)  # (1)
        nll = self.likelihood.forward(self.decoder.forward(y.reshape(len(x), -1)), x)
        kl = self.prior.nll(self.book.numbers)
        committed = z - self.params.stopped(self, e)
        followed = self.params.stopped(self.book, z) - e
        Q, C = ((d * d).sum(axis=(1, 2)) for d in (committed, followed))  # (2)
        loss = nll.mean() + kl.sum(axis=1).mean() + self.commitment * Q.mean()
        if not self.book.averaged:
            loss = loss + C.mean()  # (3)
        self.cache = (z, committed, followed, noise)
        bound = -nll - kl.sum(axis=1)
        return Losses(loss=loss, nll=nll, kl=kl, quantisation=Q, bound=bound)

    def backward(self) -> None:
        """Overwrite `params.grad`; in a step of training, carry the codebook on."""
        out, *_ = self.likelihood.saved()
        z, committed, followed, noise = self.cache
        xp, B = self.backend.xp, len(z)
        dnll = xp.full(B, 1 / B, out.dtype)
        # Branch 1: through the codes to the vectors, as if these had not been rounded.
        dy = self.decoder.backward(self.likelihood.backward(dnll)).reshape(z.shape)
        dz_decoder = self.pass_through.backward(dy)
        # Branch 2: the vectors commit themselves. The sum goes to the encoder.
        dz = self.call(fork.backward_two, dz_decoder, 2 * self.commitment / B * committed)  # (4)
        self.encoder.backward_params(dz.reshape(B, -1))
        # The codes follow the vectors; the prior, the codes.
        self.book.backward(-2 / B * followed)  # (4)
        self.prior.backward(xp.full((B, self.places), 1 / B, out.dtype))
        if self.params.training:
            self.book.carry(z, noise)

    def step(self, x: Array, noise: Array, beta: float = 1.0) -> Losses:
        """As `Model.step`; the first step of a run puts the codes on vectors of its batch."""
        expect_examples(x)
        if not self.begun and not self.book.started:
            self.book.start(self.vectors(x))
        self.begun = True
        return super().step(x, noise, beta)

    def of_epoch(self) -> dict[str, float]:
        """Perplexity of the codes of the epoch, and how many of them were re-seeded."""
        return self.book.of_epoch()

    def elbo(self, x: Array, noise: Array) -> Array:
        """Lower bound on ln p(x) (B,), in nats: of the code that the encoder chooses."""
        return self.forward(x, noise).bound

    def log_weights(self, x: Array, eps: Array) -> Array:
        """The bound of x (B, n_data) for each of the S samples of eps: all of the one code."""
        bound = self.forward(x, eps).bound
        self.forget()
        return self.backend.xp.broadcast_to(bound[:, None], eps.shape[:2])

    def also(self, x: np.ndarray | Pixels) -> dict[str, float]:
        """Say how x (N, n_data) use the codes, and what one costs under the prior and without."""
        codes = by_rows(self.backend, lambda rows: self.codes(self.prepare(rows)), x)
        return self.prior.costs(codes)

    def held_out_loss(self, numbers: dict[str, Any]) -> float:
        """Minus the bound."""
        return -numbers["bound"]

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say what the losses of a run are; see `Declared.meaning`."""
        if note:
            return f"nats per example; {note}"
        text = "is an upper bound on -ln p(x) (nll, and the codes under their prior)"
        if not tested:
            return f"nats per example; loss without the distance to the codes {text}"
        return f"nats per example; val loss {text}; loss has the distance to the codes in it"

    def __repr__(self) -> str:
        places = f"{self.grid[0]} x {self.grid[1]} places of {self.codebook} codes"
        return f"{super().__repr__()[:-1]}, {places})"
