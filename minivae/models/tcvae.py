r"""beta-TC-VAE: only what ties the dimensions of the code together is made dear (Chen et al. 2018).

    x --encoder--> mu, logvar --> z --decoder--> likelihood
                         |        |
                         +--------+--> density of the code over the data: TC

The mean KL over the data falls into three parts: how much a code tells about its datum (mutual
information), how far the dimensions of the code hang together (total correlation), and how far
each of them by itself is from the prior:

$$ E[KL] = I(x; z) + KL\Big( q(z) \,\Big\|\, \prod_d q(z_d) \Big)
   + \sum_d KL(q(z_d) \| p(z_d)) $$

A beta-VAE weights all of them, and pays for independent dimensions with what the code tells. Here
the second alone has another weight than the rest, $\tau$ = `tc`:

$$ \text{loss} = \frac1B \sum_n \Big( \text{nll}_n
   + \beta \Big( \sum_j KL_{nj} + (\tau - 1) \, TC_n \Big) \Big), \qquad
   TC_n = \ln q(z_n) - \sum_d \ln q(z_{nd}) \tag{1} $$

With $\tau = 1$ this is a VAE, to the last bit. The KL is the closed form, so of the three parts
none but the one that is weighted has to be estimated. That is done from the minibatch, with the
weights of `ops/code_density.py`; the estimate is part of the KL already, so it is recorded beside
it, and the bound is that of a VAE. It has the bias of a logarithm of a mean: how much, says
`minivae compare disentangle`, beside the full sum over all of the data.

**Backwards.** $\mu$ and logvar now act along three branches: through the sample, the KL, and as
posteriors of the mixture; and $z$ along two.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..engine.backend import Array
from ..engine.kinds import Count
from ..errors import OptionError
from ..ops import KL, CodeDensity, Reparameterize, fork
from ..ops.code_density import stratified_log_weights
from ..ops.negative_elbo import negative_elbo_backward, negative_elbo_forward
from .declare import Losses
from .registry import Option
from .vae import VAE


class TCVAE(VAE):
    """VAE in whose loss the total correlation of the code has a weight of its own.

    Parameters
    ----------
    n_pixels, hidden, latent, rng, logvar_range
        As for `VAE`.
    tc : float
        Weight of the total correlation; 1 makes a VAE.
    population : int, optional
        Number of training data N; as many as there are in a minibatch if it is not given.
    **options
        As for `VAE`, without free bits and samples.
    """

    kind = "tcvae"
    title = "a beta-TC-VAE"
    options: ClassVar = {
        "logvar_range": VAE.options["logvar_range"],
        "tc": Option(float, 6.0, "weight of the code's total correlation; 1 makes a VAE"),
        "population": Option(int, None, "number of training data", flag=False),
    }
    refused: ClassVar = {
        "free_bits": "in a beta-TC-VAE a part of the KL has a weight instead",
        "samples": "a beta-TC-VAE maximises the ELBO with a weight",
    }
    terms: ClassVar = {**VAE.terms, "total_correlation": "Total correlation, estimated"}
    beside = frozenset({"total_correlation"})
    columns = ("loss", "nll", "kl", "total_correlation", "val_loss")
    examples = ({"population": 20}, {"tc": 0.3})

    samples = None
    free_bits = 0.0

    tc: float
    population: int | None

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
        if not 0 <= self.tc <= 1e6:
            raise OptionError(
                f"tc={self.tc} was given, but the weight of the total correlation is at least 0; "
                "1 makes a VAE, and 6 is usual."
            )
        if self.population is not None and self.population < 1:
            raise OptionError(
                f"population={self.population} was given, but it is the number of training data; "
                "give at least 1, or leave it out."
            )
        self.reparameterize, self.kl = Reparameterize(**self.where), KL(**self.where)
        self.density = CodeDensity(**self.where)
        self.call = self.decoder.call
        self.cache: tuple | None = None
        self._weights: dict[int, Array] = {}

    def log_weights_of(self, batch: int) -> Array:
        """Log-weights (B, B) of a minibatch, made once for each size."""
        if batch not in self._weights:
            n_data = max(batch, self.population or batch)
            weights = stratified_log_weights(batch, n_data)
            if len(self._weights) > 3:
                self._weights.clear()
            self._weights[batch] = self.backend.asarray(weights, self.params.dtype)
        return self._weights[batch]

    def forward(self, x: Array, noise: Array, beta: float = 1.0) -> Any:
        """Compute the loss and its terms for x (B, n_data) and eps (B, Z) from `draw_noise`."""
        mu, logvar = self.encoder.forward(x)
        z = self.reparameterize.forward(mu, logvar, noise)
        nll = self.likelihood.forward(self.decoder.forward(z), x)
        kl = self.kl.forward(mu, logvar)
        # Every process computes the density of the whole minibatch, and keeps what its rows have.
        others = self.params.training.others
        whole = [others.rows(code, "an estimate from the minibatch") for code in (z, mu, logvar)]
        y = others.own(self.density.forward(*whole, self.log_weights_of(len(whole[0]))))
        total_correlation = y[:, 0] - y[:, 1]
        loss, cache = self.call(negative_elbo_forward, nll, kl, float(beta), self.free_bits)
        weight = float(beta) * (self.tc - 1)
        self.cache = (weight, cache)
        return Losses(
            loss=loss + weight * total_correlation.mean() if weight else loss,  # (1)
            nll=nll,
            kl=kl,
            total_correlation=total_correlation,
            bound=-nll - kl.sum(axis=1),
        )

    def backward(self) -> None:
        """Overwrite `params.grad` with the gradient of the last forward pass's loss."""
        out, *_ = self.likelihood.saved()
        weight, cache = self.cache or (0.0, ())
        dnll, dkl = self.call(negative_elbo_backward, 1.0, *cache)
        dz = self.decoder.backward(self.likelihood.backward(dnll))
        dmu, dlogvar = self.kl.backward(dkl)
        if weight:
            others, B = self.params.training.others, len(self.density.saved()[0])
            share = self.backend.xp.full(B, weight / len(out), out.dtype)
            dy = self.backend.xp.stack([share, -share], axis=1)
            dz_density, *through_density = map(others.own, self.density.backward(dy))
            # z feeds the decoder and the density, mu and logvar the density as posteriors: sums.
            dz = self.call(fork.backward_two, dz, dz_density)
            dmu, dlogvar = (
                self.call(fork.backward_two, one, other)
                for one, other in zip((dmu, dlogvar), through_density, strict=True)
            )
        dmu_sample, dlogvar_sample = self.reparameterize.backward(dz)
        self.encoder.backward_params(
            self.call(fork.backward_two, dmu_sample, dmu),
            self.call(fork.backward_two, dlogvar_sample, dlogvar),
        )

    def meaning(self, *, note: str = "", weighted: bool = False, tested: bool = True) -> str:
        """Say what the losses of a run are; see `Declared.meaning`."""
        return super().meaning(note=note, weighted=weighted or self.tc != 1, tested=tested)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, total correlation x {self.tc:g})"
