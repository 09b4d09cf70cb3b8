r"""VAE of sequences: words and melodies, a symbol at each step (Bowman et al. 2016).

    x (B, T) --one-hot--> encoder --> mu, logvar --> z --decoder--> logits (B, T, V) --> likelihood
                                                         |
                           the symbols before (`gru`) ---+

It is the VAE of `vae.py` with the likelihood of `ops/likelihoods/tokens.py`, and one of three
decoders (`sequence_decoder.py`): `mlp` and `conv` say all steps at once, `gru` one after the other.

**The collapse.** With a decoder that is told the symbols before each, the ELBO has a solution that
leaves the code alone: the decoder becomes a language model, the posterior becomes the prior, and
the KL is 0. To use the code pays only once the decoder can read it, and it can read it only once it
is used. Three ways out, which may be joined:

- let the KL count for less in the beginning (`--schedule linear`), so that the code is used before
  it costs;
- let it cost nothing up to a number of nats (`--free-bits`);
- **word dropout**: hide from each step the symbol before it, with probability $p$. Hidden symbols
  are those of the padding, 0. What is not heard must come from the code:

$$ k'_{nt} = k_{nt} \, [e_{nt} > \Phi^{-1}(p)], \quad e_{nt} \sim N(0, 1) \tag{1} $$

In an evaluation nothing is hidden, unless $p = 1$: then the decoder never hears a symbol, and all
that it says comes from the code.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any, ClassVar

import numpy as np

from ..data.alphabet import END, PADDING, check_alphabet, closed
from ..engine.backend import Array, Indices
from ..engine.kinds import Count, Whole
from ..engine.layer import Layer
from ..errors import OptionError
from .declare import expect_draws
from .mlp import mlp
from .objectives import Terms
from .registry import Option
from .sequence_decoder import RecurrentDecoder, before, chosen, convolutional
from .vae import VAE

DECODERS = ("gru", "conv", "mlp")
"""What may decode: step after step, or all at once by convolutions or dense layers."""


class SequenceVAE(VAE):
    """VAE of sequences of symbols.

    Parameters
    ----------
    n_pixels : int
        T, steps of a sequence.
    hidden, latent, rng, **options
        As for `VAE`; the likelihood is that of symbols.
    alphabet : sequence of str
        The symbols; the first is the padding. See `minivae.data.alphabet`.
    decoder_kind : {"gru", "conv", "mlp"}
        What decodes.
    states : int
        Numbers of the GRU's state, or channels of the convolutions.
    embedding : int
        Numbers that stand for a symbol before the GRU.
    word_dropout : float
        Probability that a step is not told the symbol before it, (1).
    """

    kind = "sequence"
    title = "a sequence VAE"
    sequential = True
    options: ClassVar = {
        **VAE.options,
        "alphabet": Option(str, (), "of the sequences", many=True, flag=False),
        "decoder_kind": Option(str, "gru", "what decodes a sequence", choices=DECODERS),
        "states": Option(int, 128, "numbers of the GRU's state, or channels of the convolutions"),
        "embedding": Option(int, 32, "numbers that stand for a symbol before the GRU"),
        "word_dropout": Option(
            float,
            0.0,
            "probability that a step of the GRU is not told the symbol before",
            metavar="P",
        ),
    }
    refused: ClassVar = {
        **VAE.refused,
        "likelihood": "a sequence has a symbol at each step, and no pixels",
        "bias_from_data": "a sequence has no mean",
        "binarize": "a sequence has symbols, and no pixels",
    }
    defaults: ClassVar = {"lr": 2e-3, "epochs": 40, "likelihood": "tokens"}
    samples_are = "Sequences from the prior"
    examples: ClassVar[tuple[dict[str, Any], ...]] = (
        {"alphabet": (PADDING, "a", "b", END), "states": 3, "embedding": 2},
        {"word_dropout": 0.3},
        {"decoder_kind": "conv"},
        {"decoder_kind": "mlp", "samples": 2},
    )

    alphabet: tuple[str, ...]
    decoder_kind: str
    states: int
    embedding: int
    word_dropout: float

    def __init__(
        self,
        n_pixels: int | Sequence[Count],
        hidden: Sequence[Count] | None = None,
        latent: int = 20,
        *,
        alphabet: Sequence[str] = (),
        likelihood: str = "tokens",
        likelihood_options: dict[str, Any] | None = None,
        rng: np.random.Generator,
        **options: Any,
    ) -> None:
        check_alphabet(self.title, alphabet, 0, max(1, len(alphabet) - 1))
        symbols = {"levels": len(alphabet) - 1}
        if likelihood != "tokens" or (likelihood_options or symbols) != symbols:
            raise OptionError(
                f"likelihood={likelihood!r} with likelihood_options={likelihood_options} was given,"
                f" but a sequence VAE has that of its {symbols['levels']} symbols; leave them out."
            )
        options |= {"alphabet": alphabet, "likelihood": "tokens", "likelihood_options": symbols}
        super().__init__(n_pixels, hidden, latent, rng=rng, **options)

    @property
    def recurrent(self) -> bool:
        """Whether its decoder is told the symbols before each step."""
        return isinstance(self.decoder, RecurrentDecoder)

    @property
    def deaf(self) -> bool:
        """Whether its decoder is told of no symbol, in training or else."""
        return self.word_dropout == 1

    def _make_decoder(self, rng: np.random.Generator) -> Layer:
        least = min(self.states, self.embedding)
        if not 0 <= self.word_dropout <= 1 or least < 1 or self.decoder_kind not in DECODERS:
            raise OptionError(
                f"decoder_kind={self.decoder_kind!r}, states={self.states}, embedding="
                f"{self.embedding} and word_dropout={self.word_dropout} were given; the kind is one"
                f" of {', '.join(DECODERS)}, the sizes are at least 1, and the last is in [0, 1]."
            )
        if self.word_dropout and self.decoder_kind != "gru":
            raise OptionError(
                f"word_dropout={self.word_dropout} was given, but a decoder of the kind "
                f"{self.decoder_kind!r} is told no symbols; leave it out, or choose 'gru'."
            )
        if self.halves.own["decoder"] is not None:
            return super()._make_decoder(rng)
        how: dict[str, Any] = {"rng": rng, **self.where}
        sizes = (self.latent, self.n_pixels, len(self.alphabet) - 1)
        if self.decoder_kind == "gru":
            return RecurrentDecoder(*sizes, embedding=self.embedding, states=self.states, **how)
        how["activation"] = self.activation or "relu"
        if self.decoder_kind == "conv":
            return convolutional(*sizes, channels=self.states, **how)
        return mlp((self.latent, *reversed(self.hidden), sizes[1] * sizes[2]), **how)

    def draw_rows(self, rng: np.random.Generator, n: Whole) -> np.ndarray:
        """Draw host rows (n, n_pixels) of symbols, as `prepare` takes them, for a check."""
        rows = rng.integers(1, len(self.alphabet), size=(n, self.n_pixels))
        return closed(rows, self.alphabet).astype("float64")

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array:
        """Draw eps, and with word dropout the e of (1) behind it: (B, Z + T), or (B, K, Z + T)."""
        middle = () if self.samples is None else (self.samples,)
        hides = self.n_pixels if 0 < self.word_dropout < 1 else 0
        return self.normal(rng, (batch, *middle, self.latent + hides))

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Terms:
        """Compute the loss and its terms for x (B, n_data) and the noise from `draw_noise`."""
        eps, e = noise[..., : self.latent], noise[..., self.latent :]
        hide = self.params.training and e.shape[-1]
        self._tell(x, e.reshape(len(x), -1)[:, : self.n_pixels] if hide else None)
        return super().forward(x, self.backend.xp.ascontiguousarray(eps), beta)

    def log_weights(self, x: Array, eps: Array) -> Array:
        """Log-weights (B, K) of importance sampling for x (B, n_data) and noise eps (B, K, Z)."""
        self._tell(x, None)
        return super().log_weights(x, eps)

    def _tell(self, x: Array, e: Array | None) -> None:
        """Tell a recurrent decoder the symbols before each step of x (B, n_data), but for (1)."""
        if not self.recurrent:
            return
        hot = x.reshape(len(x), self.n_pixels, -1)
        k = (hot.argmax(axis=-1) + 1) * (hot.sum(axis=-1) > 0)
        if self.deaf:
            k = k * 0
        keep = None if e is None else e > NormalDist().inv_cdf(self.word_dropout)  # (1)
        self.decoder.given(before(k, keep))

    def logits(self, z: Array, u: Array | None = None) -> Array:
        """Logits (B, T, V) for z (B, Z), V without padding; u (B, T) draws what a GRU hears."""
        self.forget()
        if self.recurrent:
            return self.decoder.generate(z, u, self.deaf)
        return self.decoder.forward(z).reshape(len(z), self.n_pixels, -1)

    def decode(self, z: Array) -> Array:
        """Logits (B, T, V) of the symbols in the alphabet, for z (B, Z); padding has -inf.

        A GRU hears the likeliest symbol of each step before.
        """
        logits, xp = self.logits(z), self.backend.xp
        nothing = xp.full((*logits.shape[:2], 1), -np.inf, logits.dtype)
        return xp.concatenate([nothing, logits], axis=2)

    def symbols(self, z: Array, u: Array | None = None) -> Indices:
        """Symbols (B, T) for z (B, Z): the likeliest of each step, or drawn by u (B, T)."""
        logits, xp = self.logits(z, u), self.backend.xp
        flat = logits.reshape(-1, logits.shape[2])
        k = chosen(xp, flat, None if u is None else u.reshape(-1)).reshape(logits.shape[:2])
        return closed(k, self.alphabet)

    def reconstruct(self, x: Array) -> Indices:
        """Likeliest symbols (B, T) decoded from the posterior mean of x (B, n_data)."""
        mu, _ = self.encode(x)
        return self.symbols(mu)

    def sample(
        self,
        n: Count,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        draw: bool = False,
    ) -> Indices:
        """Decode n draws from the prior to symbols (n, T); with `draw` each symbol is drawn too."""
        expect_draws(n, temperature)
        z = self.draw_latents(n, rng, temperature)
        u = self.likelihood.uniform(rng, (n, self.n_pixels)) if draw else None
        return self.symbols(z, u)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.decoder_kind}, {len(self.alphabet) - 1} symbols)"
