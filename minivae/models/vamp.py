r"""VAE with a VampPrior: the prior is a mixture of posteriors (Tomczak and Welling 2018).

    pseudo-inputs u_1 ... u_K --+                 +-- mu_k, v_k of K posteriors: the prior
                                +-- the encoder --+
    x (B, D) -------------------+                 +-- mu, logvar --> z --decoder--> likelihood

The prior that makes the mean ELBO of a data set highest is the mean of its posteriors. That has a
term for each datum; the VampPrior has K, the posteriors of K made-up data, which are learned:

$$ p(z) = \frac1K \sum_k q(z \mid u_k) $$

It has as many bumps as one wants where the codes lie, and none where no code lies. If the
pseudo-inputs are the data themselves, the mean KL is the mutual information of data and code, and
that is at most the logarithm of their number.

The KL has no closed form; it is that of the one sample (`ops/sampled_kl.py`), with the log-density
of the mixture (`ops/log_mixture.py`).

**One encoder, twice.** Data and pseudo-inputs are rows of one batch, so the gradients of both uses
of the encoder's weights are added by its own sums over the batch, and a batch norm treats both
alike. Of the gradient of the rows, those of the pseudo-inputs go on to what is learned of them:
numbers $a$, from which a sigmoid makes pixels in (0, 1), or that are the pseudo-inputs where data
may be any numbers. (Where pixels are *clamped* to [0, 1] instead, those outside are never moved
again.)

**Samples** come from this prior: a pseudo-input is drawn, then a code from its posterior. From
N(0, I), which this model never knew, they would be drawn where the decoder has not been.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Count
from ..engine.layer import Layer
from ..engine.params import Params
from ..errors import OptionError, ShapeError
from ..ops import Activation, LogMixture, Reparameterize, SampledKL, fork
from .declare import Losses
from .gaussian_encoder import GaussianEncoder
from .registry import Option
from .vae import VAE

MOST = 10_000
"""Pseudo-inputs that a step can encode beside its data."""


class PseudoInputs(Layer):
    """K made-up data (K, D), as the numbers `a` that they are made of."""

    def __init__(self, drawn: np.ndarray, **how: Any) -> None:
        super().__init__({"a": drawn.shape}, **how)
        self.params["a"][...] = self.backend.asarray(drawn, self.params.dtype)

    def forward(self) -> Array:
        """Return a (K, D)."""
        self.cache = ()
        return self.params["a"]

    def backward(self, da: Array) -> None:
        """Overwrite the gradient of `a` with da (K, D)."""
        self.saved()
        self.params.set_grads(a=da)

    def __repr__(self) -> str:
        return "PseudoInputs({}, {})".format(*self.params.shapes["a"])


class VampEncoder(Layer):
    """A Gaussian encoder, and the pseudo-inputs that it encodes beside the data."""

    def __init__(
        self, gaussian: GaussianEncoder, pseudo: PseudoInputs, squash: str, **how: Any
    ) -> None:
        super().__init__(**how)
        self.gaussian, self.pseudo = gaussian, pseudo
        self.squash = Activation(squash, **how) if squash else None
        self.params = Params.join({"gaussian": gaussian.params, "pseudo": pseudo.params})

    def forward(self, x: Array) -> tuple[Array, Array]:
        """Return mu and logvar (B, Z) of x (B, D)."""
        return self.gaussian.forward(x)

    def pseudo_inputs(self) -> Array:
        """Return the pseudo-inputs (K, D)."""
        a = self.pseudo.forward()
        return a if self.squash is None else self.squash.forward(a)

    def with_prior(self, x: Array) -> tuple[Array, Array]:
        """Return mu and logvar (B + K, Z) of x (B, D) and, after them, of the pseudo-inputs."""
        width = self.pseudo.params["a"].shape[1]
        if x.shape[1] != width:
            raise ShapeError(
                f"x of shape {x.shape} was given, but a datum of this model has {width} numbers."
            )
        return self.gaussian.forward(self.backend.xp.concatenate([x, self.pseudo_inputs()]))

    def backward_params(self, dmu: Array, dlogvar: Array) -> None:
        """Overwrite the gradients, given those of what `with_prior` gave, (B + K, Z)."""
        drows = self.gaussian.backward(dmu, dlogvar)
        du = drows[len(drows) - len(self.pseudo.params["a"]) :]
        self.pseudo.backward(du if self.squash is None else self.squash.backward(du))


class VampVAE(VAE):
    """VAE whose prior is the mixture of the posteriors of learned pseudo-inputs.

    Parameters
    ----------
    n_pixels, hidden, latent, rng, logvar_range
        As for `VAE`; of a posterior that is a part of the prior, logvar had better be bounded.
    pseudo_inputs : int
        K.
    **options
        As for `VAE`, without free bits and samples.
    """

    kind = "vamp"
    title = "a VAE with a VampPrior"
    options: ClassVar = {
        "logvar_range": VAE.options["logvar_range"],
        "pseudo_inputs": Option(int, 100, "components of the prior, each learned", metavar="K"),
    }
    refused: ClassVar = {
        "free_bits": "the KL from a mixture is one number for all dimensions together",
        "samples": "a VAE with a VampPrior maximises the ELBO",
    }
    terms: ClassVar = {"nll": "Reconstruction (nll)", "kl": "KL from the prior, sampled"}
    samples_are = "Samples from the learned prior"
    examples = ({"pseudo_inputs": 4},)

    samples = None
    free_bits = 0.0

    encoder: Any
    pseudo_inputs: int

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
        self.reparameterize = Reparameterize(**self.where)
        self.log_prior, self.kl = LogMixture(**self.where), SampledKL(**self.where)
        self.call = self.decoder.call
        self.cache: tuple | None = None

    def _make_encoder(self, rng: np.random.Generator) -> Any:
        if not 1 <= self.pseudo_inputs <= MOST:
            raise OptionError(
                f"pseudo_inputs={self.pseudo_inputs} was given, but a step encodes all of them "
                f"beside its data; choose 1 to {MOST:,}, some hundreds at most for thousands of "
                "examples."
            )
        if self.n_data != self.n_pixels:
            raise OptionError(
                f"the {self.likelihood.name} likelihood takes {self.n_data // self.n_pixels} "
                "numbers for each value, but a pseudo-input has one; choose another likelihood."
            )
        gaussian = super()._make_encoder(rng)
        squash = "" if self.likelihood.real else "sigmoid"
        drawn = rng.standard_normal((self.pseudo_inputs, self.n_data)) - (1 if squash else 0)
        return VampEncoder(gaussian, PseudoInputs(drawn, **self.where), squash, **self.where)

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Any:
        """Compute the loss and its terms for x (B, n_data) and noise (B, Z) from `draw_noise`."""
        B = len(x)
        if self.encoder.params.carried.size:
            self.params.training.others.refuse(
                "the pseudo-inputs of a VampPrior go through a batch norm beside the data, so each "
                "process would count them again; choose another norm, or one process."
            )
        mu, logvar = self.encoder.with_prior(x)
        z = self.reparameterize.forward(mu[:B], logvar[:B], noise)
        nll = self.likelihood.forward(self.decoder.forward(z), x)
        log_p = self.log_prior.forward(z, mu[B:], logvar[B:])
        kl = self.kl.forward(log_p, logvar[:B], noise)
        # A sampled KL may be negative, so no free bits are taken off it, nor is it held at 0.
        loss, self.cache = nll.mean() + float(beta) * kl.mean(), (float(beta),)
        return Losses(loss=loss, nll=nll, kl=kl, bound=-nll - kl)

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        out, *_ = self.likelihood.saved()
        (beta,), xp = self.cache or (), self.backend.xp
        dnll = xp.full(len(out), 1 / len(out), out.dtype)
        dlog_p, dlogvar_entropy = self.kl.backward(beta * dnll)
        dz_prior, dmu_prior, dlogvar_prior = self.log_prior.backward(dlog_p)
        dz_decoder = self.decoder.backward(self.likelihood.backward(dnll))
        # z feeds the decoder and the prior, so its gradient is the sum.
        dz = self.call(fork.backward_two, dz_decoder, dz_prior)
        dmu, dlogvar_sample = self.reparameterize.backward(dz)
        # logvar feeds the sample and the entropy: a sum again.
        dlogvar = self.call(fork.backward_two, dlogvar_sample, dlogvar_entropy)
        self.encoder.backward_params(
            xp.concatenate([dmu, dmu_prior]), xp.concatenate([dlogvar, dlogvar_prior])
        )

    def elbo(self, x: Array, noise: Array) -> Array:
        """Lower bound on ln p(x) for x (B, n_data), by the one sample that noise (B, Z) makes."""
        return self.forward(x, noise).bound

    def log_weights(self, x: Array, eps: Array) -> Array:
        """Log-weights (B, K) of importance sampling for x (B, n_data) and noise eps (B, K, Z)."""
        self.forget()
        (B, K, Z), rows = eps.shape, len(x)
        mu, logvar = self.encoder.with_prior(x)
        z = self.reparameterize.forward(mu[:rows, None], logvar[:rows, None], eps)
        z = z.reshape(B * K, Z)
        log_p = self.log_prior.forward(z, mu[rows:], logvar[rows:])
        spread = logvar[:rows].repeat(K, axis=0)
        kl = self.kl.forward(log_p, spread, eps.reshape(B * K, Z)).reshape(B, K)
        out = self.decoder.forward(z)
        nll = self.likelihood.forward(out.reshape(B, K, out.shape[1]), x[:, None])
        self.forget()
        return -nll - kl

    def draw_latents(self, n: Count, rng: np.random.Generator, temperature: float = 1.0) -> Array:
        """Draw n codes (n, Z) from the prior: of a drawn pseudo-input each, from its posterior.

        Within each component they are `temperature` times as wide.
        """
        mu, logvar = self.encoder.gaussian.forward(self.encoder.pseudo_inputs())
        which = self.backend.asarray(rng.integers(len(mu), size=n))
        eps = self.normal(rng, (n, self.latent)) * float(temperature)
        return self.reparameterize.forward(mu[which], logvar[which], eps)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, {self.pseudo_inputs} pseudo-inputs)"
