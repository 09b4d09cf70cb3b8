r"""What a VAE maximises, and where the gradients of its branches meet and are added.

**The negative ELBO** is `ops/negative_elbo.py`, made of each example's nll and each latent
dimension's KL.

**The importance-weighted bound** with K samples (Burda et al. 2016, equation 8) is
$\ln \frac1K \sum_k e^{w_{nk}}$, with the log-weights $w$ of `ops/log_weights.py`; the loss is its
negative mean over the batch. With K = 1 it is the ELBO with a sampled KL.

In both, $\mu$ and logvar act along two branches, and what comes back along them is **added**, as
`ops/fork.py` derives. That happens below, in the two `backward` methods, in the open.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..engine.backend import Array, array_module, kernel
from ..engine.company import Company
from ..engine.cpu.loop import loop
from ..engine.cpu.workspace import empty
from ..engine.door import door
from ..engine.layer import Layer
from ..errors import OptionError, ShapeError, StateError
from ..ops import KL, Likelihood, LogMeanExp, Reparameterize, fork, kl, log_weights
from ..ops.negative_elbo import negative_elbo_backward, negative_elbo_forward


@dataclass(frozen=True)
class Terms:
    """What one forward pass of an objective gives; arrays on the model's backend.

    Attributes
    ----------
    loss : array, ()
        What is minimised: batch mean, with `beta` and free bits.
    nll : array, (B,)
        Negative log-likelihood (reconstruction term), nats. With K samples, their mean.
    kl : array, (B, Z)
        KL from the prior, for each latent dimension, nats.
    tighter : array, (B,), optional
        A bound that is not the sum of nll and kl.
    """

    loss: Array
    nll: Array
    kl: Array
    tighter: Array | None = None

    @property
    def bound(self) -> Array:
        """Lower bound on ln p(x) (B,), nats: without `beta` and free bits."""
        return -self.nll - self.kl.sum(axis=1) if self.tighter is None else self.tighter

    def copy(self) -> "Terms":
        """Return the same numbers in arrays of their own."""
        tighter = None if self.tighter is None else self.tighter.copy()
        return Terms(self.loss.copy(), self.nll.copy(), self.kl.copy(), tighter)


def _saved(objective: "ELBO | ImportanceWeighted") -> tuple:
    """Return what the last forward pass has left for the backward pass."""
    if objective.cache is None:
        raise StateError(
            f"{type(objective).__name__}.backward was called before forward; "
            "call forward first, so that there is something to go back through."
        )
    return objective.cache


def weighed(
    call: Callable, others: Company, nll: Array, kl: Array, beta: float, free_bits: float
) -> tuple[Array, tuple]:
    """Loss () of nll (B,) and kl (B, Z), and what its backward pass takes.

    Free bits look at the mean KL of the whole minibatch, also of the rows that others have.
    """
    loss, cache = call(negative_elbo_forward, nll, kl, beta, free_bits)
    if not (others.several and free_bits):
        return loss, cache
    kl_mean = others.rows(kl, "a mean KL that free bits are taken off").mean(axis=0)
    counted = array_module(kl).maximum(kl_mean, free_bits)
    return nll.mean() + beta * counted.sum(), (kl, kl_mean, beta, free_bits)


@door
class ELBO:
    """Negative ELBO of a Gaussian encoder and any decoder, with its backward pass.

    Parameters
    ----------
    decoder : Layer
        From z (B, Z) to what the likelihood takes.
    likelihood : Likelihood
        From the decoder's output and x to nll (B,).
    free_bits : float
        Nats for each latent dimension that cost nothing.
    """

    same_calls = True

    def __init__(self, decoder: Layer, likelihood: Likelihood, free_bits: float = 0.0) -> None:
        if not free_bits >= 0:
            raise OptionError(f"free_bits={free_bits} was given, but it must be 0 or more nats.")
        options: dict[str, Any] = {"dtype": decoder.params.dtype, "backend": decoder.backend}
        self.reparameterize, self.kl = Reparameterize(**options), KL(**options)
        self.decoder, self.likelihood, self.free_bits = decoder, likelihood, free_bits
        self.call = decoder.call
        self.cache: tuple | None = None

    def forward(self, x: Array, mu: Array, logvar: Array, eps: Array, beta: float = 1.0) -> Terms:
        """Terms for x (B, D), mu and logvar (B, Z), standard normal noise eps (B, Z)."""
        z = self.reparameterize.forward(mu, logvar, eps)
        nll = self.likelihood.forward(self.decoder.forward(z), x)
        kl = self.kl.forward(mu, logvar)
        # A plain float takes the arrays' dtype; a numpy.float64 would make float32 arrays float64.
        others = self.decoder.params.training.others
        loss, self.cache = weighed(self.call, others, nll, kl, float(beta), self.free_bits)
        return Terms(loss, nll, kl)

    def backward(self) -> tuple[Array, Array]:
        """Overwrite the decoder's gradients; return dmu, dlogvar (B, Z)."""
        dnll, dkl = self.call(negative_elbo_backward, 1.0, *_saved(self))
        # Branch 1: through the sample, the decoder and the likelihood.
        dz = self.decoder.backward(self.likelihood.backward(dnll))
        dmu_sample, dlogvar_sample = self.reparameterize.backward(dz)
        # Branch 2: through the KL.
        dmu_kl, dlogvar_kl = self.kl.backward(dkl)
        # mu and logvar feed both branches, so their gradients are the sums.
        dmu = self.call(fork.backward_two, dmu_sample, dmu_kl)
        dlogvar = self.call(fork.backward_two, dlogvar_sample, dlogvar_kl)
        return dmu, dlogvar


def _means(bound: Array, nll: Array) -> tuple[Array, Array]:
    """Loss () from bounds (B,), and the mean (B,) of the samples' nll (B, K)."""
    return -bound.mean(), nll.mean(axis=1)


@loop
def _two_means(bound, nll, loss, nll_mean):  # noqa: ANN001, ANN202
    total = bound.dtype.type(0)
    for n in range(nll.shape[0]):
        total += bound[n]
        of_example = bound.dtype.type(0)
        for k in range(nll.shape[1]):
            of_example += nll[n, k]
        nll_mean[n] = of_example / bound.dtype.type(nll.shape[1])
    loss[0] = -total / bound.dtype.type(bound.size)


@kernel("numba", of=_means)
def _means_numba(bound: Array, nll: Array) -> tuple[Array, Array]:
    """Kernel of `_means`; both come from layers, which have looked at them."""
    loss, nll_mean = empty((1,), bound.dtype), empty(bound.shape, bound.dtype)
    _two_means(bound, nll, loss, nll_mean)
    return loss.reshape(()), nll_mean


@door
class ImportanceWeighted:
    """Negative importance-weighted bound with K samples, with its backward pass.

    Parameters
    ----------
    decoder : Layer
        From z (B K, Z) to what the likelihood takes.
    likelihood : Likelihood
        From the decoder's output and x to nll.
    """

    same_calls = True

    def __init__(self, decoder: Layer, likelihood: Likelihood) -> None:
        options: dict[str, Any] = {"dtype": decoder.params.dtype, "backend": decoder.backend}
        self.reparameterize = Reparameterize(**options)
        self.logmeanexp = LogMeanExp(**options)
        self.decoder, self.likelihood = decoder, likelihood
        self.call = decoder.call
        self.cache: tuple | None = None

    def log_weights(self, x: Array, mu: Array, logvar: Array, eps: Array) -> tuple[Array, Array]:
        """Log-weights and nll (B, K) for x (B, D), mu and logvar (B, Z), eps (B, K, Z)."""
        if eps.ndim != 3 or eps.shape[::2] != mu.shape:
            B, Z = mu.shape
            raise ShapeError(f"eps has shape {eps.shape}, but ({B}, K, {Z}) is expected.")
        B, K, Z = eps.shape
        # Each head and each datum serves K samples: (B, 1, ...) beside (B, K, ...).
        z = self.reparameterize.forward(mu[:, None], logvar[:, None], eps)
        # To the decoder the samples of all examples are rows: (B K, Z).
        out = self.decoder.forward(z.reshape(B * K, Z))
        nll = self.likelihood.forward(out.reshape(B, K, out.shape[1]), x[:, None])
        w, self.cache = self.call(log_weights.forward, nll, z, logvar, eps)
        return w, nll

    def forward(self, x: Array, mu: Array, logvar: Array, eps: Array, beta: float = 1.0) -> Terms:
        """Terms for x (B, D), mu and logvar (B, Z), noise eps (B, K, Z); beta must be 1."""
        if beta != 1:
            raise OptionError(f"beta={beta} was given, but the importance-weighted bound has none.")
        w, nll = self.log_weights(x, mu, logvar, eps)
        bound = self.logmeanexp.forward(w)
        kl_terms, _ = self.call(kl.forward, mu, logvar)
        loss, nll_mean = self.call(_means, bound, nll)
        return Terms(loss, nll_mean, kl_terms, bound)

    def backward(self) -> tuple[Array, Array]:
        """Overwrite the decoder's gradients; return dmu, dlogvar (B, Z)."""
        (z,) = _saved(self)
        B, K, Z = z.shape
        dbound = array_module(z).full(B, -1 / B, z.dtype)
        dw = self.logmeanexp.backward(dbound)
        dnll, dz_prior, dlogvar_entropy = self.call(log_weights.backward, dw, z)
        dout = self.likelihood.backward(dnll)
        dz_decoder = self.decoder.backward(dout.reshape(B * K, dout.shape[2]))
        # z feeds the decoder and the prior, so its gradient is the sum.
        dz = self.call(fork.backward_two, dz_decoder.reshape(B, K, Z), dz_prior)
        dmu_each, dlogvar_each = self.reparameterize.backward(dz)
        # mu and logvar feed K samples, and logvar the entropy term: sums again.
        dmu = self.call(fork.backward, dmu_each)
        dlogvar_samples = self.call(fork.backward, dlogvar_each)
        dlogvar = self.call(fork.backward_two, dlogvar_samples, dlogvar_entropy)
        return dmu, dlogvar
