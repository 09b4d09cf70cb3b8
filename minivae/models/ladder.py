r"""Ladder VAE: several layers of latents, each with a prior from the one above it (Sønderby 2016).

    x --> h_1 --> h_2 --> ... h_L           upwards: what each layer has seen of the datum
           |       |           |
           v       v           v
    x <-- z_1 <-- z_2 <-- ... z_L           downwards: each layer's prior, given the one above

The top one, $z_L$, has the prior N(0, I). Every other one has a Gaussian prior that a small network
makes of the layer above, $p(z_i \mid z_{i+1})$. The posterior of a layer is the merge of this
prior and of what comes from below, each as far as it is sure (`ops/merge.py`): where the datum says
nothing about a layer, its posterior *is* the prior, and costs nothing.

$$ -\text{elbo} = \text{nll} + \sum_{i < L} KL\big( q(z_i \mid z_{i+1}, x) \,\|\,
   p(z_i \mid z_{i+1}) \big) + KL\big( q(z_L \mid x) \,\|\, N(0, I) \big) $$

Each KL is one between two Gaussians and has a closed form, given the sample of the layer above.
Their weight and the free bits are those of a VAE: free bits are taken off a dimension's own KL,
*before* it is weighted. With one layer this is a VAE, to the last bit.

**Backwards** the prior of a layer gets what its KL *and* its merge send back, and hands the sum to
the sample above, which is used nowhere else: the layer's own KL knows its mean and variance alone.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Count, Whole
from ..engine.layer import Layer
from ..errors import OptionError
from ..ops import KL, KLBetween, Merge, Reparameterize, fork
from ..ops.likelihoods.base import LN_2PI
from ..ops.negative_elbo import negative_elbo_backward
from .declare import Losses
from .ladder_encoder import LadderEncoder, Priors
from .mlp import check_widths
from .objectives import weighed
from .registry import Option
from .vae import VAE

MOST = 5
"""Layers of latents."""


class LadderVAE(VAE):
    """VAE with one to five layers of latents.

    Parameters
    ----------
    n_pixels, hidden, rng, logvar_range, free_bits
        As for `VAE`.
    latent : int
        Latent dimensions of the bottom layer, which is decoded.
    above : sequence of int
        Latent dimensions of the layers above it, from the bottom up; () makes a VAE.
    rung : int
        Width of the one hidden layer between two layers of latents, upwards and downwards.
    **options
        As for `VAE`, without samples.
    """

    kind = "ladder"
    title = "a ladder VAE"
    options: ClassVar = {
        "logvar_range": VAE.options["logvar_range"],
        "free_bits": VAE.options["free_bits"],
        "above": Option(
            int, (10,), "latent dimensions of the layers above the first, upwards", many=True
        ),
        "rung": Option(int, 64, "width of what leads from one layer of latents to the next"),
    }
    refused: ClassVar = {"samples": "a ladder VAE maximises the ELBO"}
    terms: ClassVar = {
        **VAE.terms,
        **{f"kl_{i}": f"KL of layer {i}, from the bottom" for i in range(1, MOST + 1)},
    }
    beside = frozenset(f"kl_{i}" for i in range(1, MOST + 1))
    columns: ClassVar[tuple[str, ...]] = ("loss", "nll", "kl", "val_loss")
    samples_are = "Samples from the top of the ladder"
    codes_are = "Means of the bottom layer"
    examples = (
        {"above": (3,), "rung": 4},
        {"above": (3, 2), "rung": 4, "free_bits": 0.05},
        {"above": ()},
    )

    samples = None

    encoder: Any
    priors: Priors | None
    free_bits: float
    above: tuple[int, ...]
    rung: int

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
        layers = range(1, len(self.latents) + 1)
        own = {"nll", "kl", *(f"kl_{i}" for i in layers)}
        self.terms = {n: t for n, t in type(self).terms.items() if n in own}  # type: ignore[misc]
        if len(self.latents) > 1:
            kls = tuple(f"kl_{i}" for i in layers)
            self.columns = ("loss", "nll", "kl", *kls, "val_loss")  # type: ignore[misc]
        self.samplers = [Reparameterize(**self.where) for _ in layers]
        self.merges = [Merge(**self.where) for _ in self.above]
        self.kls: list[Any] = [KLBetween(**self.where) for _ in self.above]
        self.kls.append(KL(**self.where))
        self.call = self.decoder.call
        self.cache: tuple | None = None

    def _make_encoder(self, rng: np.random.Generator) -> Any:
        if len(self.above) >= MOST:
            raise OptionError(
                f"above={self.above} was given, but a ladder has {MOST} layers at most, the first "
                "among them; give fewer."
            )
        self.latents = (self.latent, *check_widths(self.above, "above"))
        (rung,) = check_widths([self.rung], "rung")
        trunk, width = self.halves.trunk(self.data_shape, self.n_given, rng)
        how: dict[str, Any] = {"logvar_range": self.logvar_range, "rng": rng, **self.where}
        widths = [width, *(rung for _ in self.above)]
        activation = self.activation or "relu"
        encoder = LadderEncoder(trunk, widths, self.latents, activation, **how)
        self.priors = Priors(self.latents, rung, activation, **how) if self.above else None
        return encoder

    def layers(self) -> dict[str, Layer]:
        """Whatever has parameters: the priors too."""
        priors: dict[str, Layer] = {} if self.priors is None else {"priors": self.priors}
        return {**super().layers(), **priors}

    def draw_noise(self, rng: np.random.Generator, batch: Whole) -> Array:
        """Draw eps of one step (B, Z), the layers' side by side from the bottom up."""
        return self.normal(rng, (batch, sum(self.latents)))

    def draw_importance_noise(
        self, rng: np.random.Generator, batch: Whole, samples: Whole
    ) -> Array:
        """Draw what `log_weights` takes: (B, K, Z), the layers' side by side."""
        return self.normal(rng, (batch, samples, sum(self.latents)))

    def _columns(self, layer: int) -> slice:
        """Columns of a layer in what all of them have side by side."""
        start = sum(self.latents[:layer])
        return slice(start, start + self.latents[layer])

    def _down(
        self, seen: Sequence[tuple[Array, Array]], eps: Array
    ) -> list[tuple[Array, tuple[Array, Array], tuple[Array, ...]]]:
        """Sample z, posterior and prior of every layer, from the bottom up.

        seen has mu and logvar (B, Z_i) of each; eps is (B, Z). The top's prior is ().
        """
        top = len(self.latents) - 1
        found: list[Any] = [None] * (top + 1)
        z: Any = None
        for i in range(top, -1, -1):
            prior: tuple[Array, ...] = ()
            posterior = seen[i]
            if i < top and self.priors is not None:
                prior = self.priors.nets[i].forward(z)
                posterior = self.merges[i].forward(*seen[i], *prior)
            z = self.samplers[i].forward(*posterior, eps[:, self._columns(i)])
            found[i] = (z, posterior, prior)
        return found

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Any:
        """Compute the loss and its terms for x (B, n_data) and eps (B, Z) from `draw_noise`."""
        layers = self._down(self.encoder.forward(x), noise)
        nll = self.likelihood.forward(self.decoder.forward(layers[0][0]), x)
        kls = [kl.forward(*layer[1], *layer[2]) for kl, layer in zip(self.kls, layers, strict=True)]
        kl = kls[0] if len(kls) == 1 else self.backend.xp.concatenate(kls, axis=1)
        # Free bits are taken off the KL as it is, and the weight comes after.
        others = self.params.training.others
        loss, self.cache = weighed(self.call, others, nll, kl, float(beta), self.free_bits)
        total = kl.sum(axis=1)
        each = {f"kl_{i}": layer.sum(axis=1) for i, layer in enumerate(kls, 1)}
        return Losses(loss=loss, nll=nll, kl=total, bound=-nll - total, **each)

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        self.likelihood.saved()
        dnll, dkl = self.call(negative_elbo_backward, 1.0, *(self.cache or ()))
        dz = self.decoder.backward(self.likelihood.backward(dnll))
        gradients = []
        for i, kl in enumerate(self.kls):
            dmu_sample, dlogvar_sample = self.samplers[i].backward(dz)
            dmu_kl, dlogvar_kl, *dprior_kl = kl.backward(
                self.backend.xp.ascontiguousarray(dkl[:, self._columns(i)])
            )
            # mu and logvar feed the sample and the KL, so their gradients are the sums.
            dmu = self.call(fork.backward_two, dmu_sample, dmu_kl)
            dlogvar = self.call(fork.backward_two, dlogvar_sample, dlogvar_kl)
            if not dprior_kl or self.priors is None:
                gradients.append((dmu, dlogvar))
                break
            dmu, dlogvar, *dprior_merge = self.merges[i].backward(dmu, dlogvar)
            gradients.append((dmu, dlogvar))
            # The prior feeds the KL and the merge: sums again.
            dprior = [
                self.call(fork.backward_two, one, other)
                for one, other in zip(dprior_kl, dprior_merge, strict=True)
            ]
            dz = self.priors.nets[i].backward(*dprior)
        self.encoder.backward_params(gradients)

    def encode(self, x: Array) -> tuple[Array, Array]:
        """Return mu and logvar (B, Z_1) of the bottom layer, given the means of those above."""
        self.forget()
        eps = self.backend.xp.zeros((len(x), sum(self.latents)), self.params.dtype)
        posterior = self._down(self.encoder.forward(x), eps)[0][1]
        return posterior

    def log_weights(self, x: Array, eps: Array) -> Array:
        """Log-weights (B, K) of importance sampling for x (B, n_data) and noise eps (B, K, Z)."""
        xp, (B, K, _) = self.backend.xp, eps.shape
        eps = eps.reshape(B * K, eps.shape[2])
        seen = [
            (mu.repeat(K, axis=0), logvar.repeat(K, axis=0))
            for mu, logvar in self.encoder.forward(x)
        ]
        ratio: Any = 0
        layers = self._down(seen, eps)
        for i, (z, (_, logvar), prior) in enumerate(layers):
            log_q = -0.5 * (eps[:, self._columns(i)] ** 2 + logvar + LN_2PI).sum(axis=1)
            mu_p, logvar_p = prior or (xp.zeros_like(z), xp.zeros_like(z))
            square = (z - mu_p) ** 2 * xp.exp(-logvar_p)
            ratio = ratio - 0.5 * (square + logvar_p + LN_2PI).sum(axis=1) - log_q
        out = self.decoder.forward(layers[0][0])
        nll = self.likelihood.forward(out.reshape(B, K, out.shape[1]), x[:, None])
        self.forget()
        return ratio.reshape(B, K) - nll

    def draw_latents(self, n: Count, rng: np.random.Generator, temperature: float = 1.0) -> Array:
        """Draw z (n, Z_1) down the ladder, each layer from its prior, `temperature` as wide."""
        nets = [] if self.priors is None else self.priors.nets
        z = self.normal(rng, (n, self.latents[-1])) * float(temperature)
        for i in reversed(range(len(nets))):
            mu, logvar = nets[i].forward(z)
            eps = self.normal(rng, (n, self.latents[i])) * float(temperature)
            z = self.samplers[i].forward(mu, logvar, eps)
        return z

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, latents {'-'.join(map(str, self.latents))} upwards)"
