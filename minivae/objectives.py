r"""What a VAE maximises, and where the gradients of its branches meet and are added.

**The evidence lower bound**, per example, in nats (Kingma and Welling 2014, equation 3):

$$ \text{elbo}_n = -\text{nll}_n - \sum_j KL_{nj} \;\le\; \ln p(x_n) $$

The loss is its negative mean over the batch, with the KL weighted by $\beta$ (Higgins et al. 2017):

$$ \overline{KL}_j = \frac1B \sum_n KL_{nj} \tag{1} $$
$$ L = \frac1B \sum_n \text{nll}_n + \beta \sum_j \max(\overline{KL}_j, \lambda) \tag{2} $$

$\lambda$ are the free bits (Kingma et al. 2016, equation 16, in nats and with each latent dimension
a group): a dimension that costs less than $\lambda$ is not pressed further. $\lambda = 0$ changes
nothing, since a KL is never below 0. Sums run over dimensions and the only mean is over the batch;
a mean over 784 pixels instead would be a $\beta$ of 784.

Each nll enters (2) with the factor 1/B, each KL with $\beta / B$ where the maximum lets it through:

$$ d\text{nll}_n = \frac{dL}{B} \tag{3} $$
$$ dKL_{nj} = \frac{dL \, \beta}{B} \, [\overline{KL}_j > \lambda] \tag{4} $$

**The importance-weighted bound** with K samples (Burda et al. 2016, equation 8) is
$\ln \frac1K \sum_k e^{w_{nk}}$, with the log-weights $w$ of `ops/log_weights.py`; the loss is its
negative mean over the batch. With K = 1 it is the ELBO with a sampled KL.

In both, $\mu$ and logvar act along two branches, and what comes back along them is **added**. That
happens below, in the two `backward` methods, in the open.
"""

from dataclasses import dataclass
from typing import Any

from .backend import Array, array_module, kernel
from .case import Case, away_from
from .cuda import Elementwise, Reduction
from .errors import OptionError, ShapeError, StateError
from .layer import Layer
from .loop import loop, same_dtype, together
from .ops import KL, Likelihood, LogMeanExp, Reparameterize, kl, log_weights
from .workspace import empty


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


def negative_elbo_forward(
    nll: Array, kl: Array, beta: float = 1.0, free_bits: float = 0.0
) -> tuple[Array, tuple]:
    """Loss () in nats from nll (B,) and kl (B, Z)."""
    xp = array_module(nll, kl)
    kl_mean = kl.mean(axis=0)  # (1)
    loss = nll.mean() + beta * xp.maximum(kl_mean, free_bits).sum()  # (2)
    return loss, (kl, kl_mean, beta, free_bits)


def negative_elbo_backward(
    dloss: float, kl: Array, kl_mean: Array, beta: float, free_bits: float
) -> tuple[Array, Array]:
    """Gradients dnll (B,), dkl (B, Z) from dloss, a number."""
    xp = array_module(kl)
    B = kl.shape[0]
    dnll = xp.full(B, dloss / B, kl.dtype)  # (3)
    counts = xp.broadcast_to(kl_mean > free_bits, kl.shape)
    dkl = (dloss * beta / B) * counts.astype(kl.dtype)  # (4)
    return dnll, dkl


# The kernels: the sums over the batch as one loop, the gradients as another.
# Forward and backward at 128 x 20, float32, reference / kernel: 2.6.


@loop
def _sums(nll, kl, beta, free_bits, kl_mean, loss):  # noqa: ANN001, ANN202
    per_example = nll.dtype.type(1) / nll.dtype.type(nll.size)
    total = nll.dtype.type(0)
    for j in range(kl_mean.size):
        kl_mean[j] = 0
    for n in range(nll.size):
        total += nll[n]
        row = kl[n]
        for j in range(row.size):
            kl_mean[j] += row[j]
    weighted = nll.dtype.type(0)
    for j in range(kl_mean.size):
        kl_mean[j] *= per_example  # (1)
        weighted += free_bits if kl_mean[j] <= free_bits else kl_mean[j]
    loss[0] = total * per_example + beta * weighted  # (2)


@loop
def _shares(kl_mean, share, weighted_share, free_bits, dnll, dkl):  # noqa: ANN001, ANN202
    nothing = dnll.dtype.type(0)
    for n in range(dnll.size):
        dnll[n] = share  # (3)
        row = dkl[n]
        for j in range(row.size):
            row[j] = weighted_share if kl_mean[j] > free_bits else nothing  # (4)


@kernel("numba", of=negative_elbo_forward)
def negative_elbo_forward_numba(
    nll: Array, kl: Array, beta: float = 1.0, free_bits: float = 0.0
) -> tuple[Array, tuple]:
    """Kernel of `negative_elbo_forward`."""
    if nll.ndim != 1 or kl.ndim != 2 or len(nll) != len(kl):
        raise ShapeError(
            f"nll has shape {nll.shape} and kl {kl.shape}; give (B,) and (B, Z), nats."
        )
    same_dtype(nll=nll, kl=kl)
    (nll,), (kl,) = together(nll=nll), together(kl=kl)
    number = nll.dtype.type
    kl_mean, loss = empty(kl.shape[1:], kl.dtype), empty((1,), kl.dtype)
    _sums(nll, kl, number(beta), number(free_bits), kl_mean, loss)
    return loss.reshape(()), (kl, kl_mean, beta, free_bits)


@kernel("numba", of=negative_elbo_backward)
def negative_elbo_backward_numba(
    dloss: float, kl: Array, kl_mean: Array, beta: float, free_bits: float
) -> tuple[Array, Array]:
    """Kernel of `negative_elbo_backward`."""
    B, number = kl.shape[0], kl.dtype.type
    dnll, dkl = empty((B,), kl.dtype), empty(kl.shape, kl.dtype)
    shares = number(dloss / B), number(dloss * beta / B)
    _shares(kl_mean, *shares, number(free_bits), dnll, dkl)
    return dnll, dkl


# On the GPU: two launches forward and one backward. All of (2) is one sum over (B, Z), in which
# each nll is shared out to Z entries, and each mean to B.

_LOSS_CUDA = Reduction(
    "negative_elbo",
    "T nll, T kl_mean, T batch, T entries, T beta, T free_bits",
    "T loss",
    "nll / entries + beta * (kl_mean <= free_bits ? free_bits : kl_mean) / batch",
    "loss = a",
)

_SHARES_CUDA = Elementwise(
    "negative_elbo_backward",
    "T kl_mean, T share, T weighted_share, T free_bits",
    "T dnll, T dkl",
    """
    dnll = share;  // (3)
    dkl = kl_mean > free_bits ? weighted_share : T(0);  // (4)
    """,
)


@kernel("cuda", of=negative_elbo_forward)
def negative_elbo_forward_cuda(
    nll: Array, kl: Array, beta: float = 1.0, free_bits: float = 0.0
) -> tuple[Array, tuple]:
    """Kernel of `negative_elbo_forward`."""
    kl_mean = kl.mean(axis=0)  # (1)
    B, Z = kl.shape
    loss = _LOSS_CUDA(nll[:, None], kl_mean, B, B * Z, beta, free_bits)  # (2)
    return loss, (kl, kl_mean, beta, free_bits)


@kernel("cuda", of=negative_elbo_backward)
def negative_elbo_backward_cuda(
    dloss: float, kl: Array, kl_mean: Array, beta: float, free_bits: float
) -> tuple[Array, Array]:
    """Kernel of `negative_elbo_backward`."""
    per_entry = array_module(kl).broadcast_to(kl_mean, kl.shape)
    share = dloss / kl.shape[0]
    dnll, dkl = _SHARES_CUDA(per_entry, share, share * beta, free_bits)
    return dnll[:, 0], dkl  # every column of dnll is the same


def _saved(objective: "ELBO | ImportanceWeighted") -> tuple:
    """Return what the last forward pass has left for the backward pass."""
    if objective.cache is None:
        raise StateError(
            f"{type(objective).__name__}.backward was called before forward; "
            "call forward first, so that there is something to go back through."
        )
    return objective.cache


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

    def __init__(self, decoder: Layer, likelihood: Likelihood, free_bits: float = 0.0) -> None:
        if not free_bits >= 0:
            raise OptionError(f"free_bits={free_bits} was given, but it must be 0 or more nats.")
        options = {"dtype": decoder.params.dtype, "backend": decoder.backend}
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
        loss, self.cache = self.call(negative_elbo_forward, nll, kl, float(beta), self.free_bits)
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
        return dmu_sample + dmu_kl, dlogvar_sample + dlogvar_kl


class ImportanceWeighted:
    """Negative importance-weighted bound with K samples, with its backward pass.

    Parameters
    ----------
    decoder : Layer
        From z (B K, Z) to what the likelihood takes.
    likelihood : Likelihood
        From the decoder's output and x to nll.
    """

    def __init__(self, decoder: Layer, likelihood: Likelihood) -> None:
        options = {"dtype": decoder.params.dtype, "backend": decoder.backend}
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
        return Terms(-bound.mean(), nll.mean(axis=1), kl_terms, bound)

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
        dz = dz_decoder.reshape(B, K, Z) + dz_prior
        dmu, dlogvar = self.reparameterize.backward(dz)
        # mu and logvar feed K samples, and logvar the entropy term: sums again.
        return dmu.sum(axis=1), dlogvar.sum(axis=1) + dlogvar_entropy


@dataclass(frozen=True)
class BetaSchedule:
    r"""How $\beta$ grows from 0 while training (KL warm-up).

    Attributes
    ----------
    beta : float
        Where it ends, or stays.
    kind : {"constant", "linear", "cyclical"}
        "linear" rises over `period` steps and stays (Sønderby et al. 2016); "cyclical" starts
        again every `period` steps, rising during the first half of each (Fu et al. 2019).
    period : int
        Steps.
    """

    beta: float = 1.0
    kind: str = "constant"
    period: int = 1

    def __post_init__(self) -> None:
        if self.kind not in ("constant", "linear", "cyclical"):
            raise OptionError(
                f"schedule {self.kind!r} was given; choose constant, linear or cyclical."
            )
        if not (self.beta >= 0 and self.period >= 1):
            raise OptionError(
                f"beta={self.beta} and period={self.period} were given; beta must be 0 or more, "
                "and the period at least one step."
            )

    def __call__(self, step: int) -> float:
        """Beta at a step, counted from 0."""
        if self.kind == "constant":
            return self.beta
        if self.kind == "linear":
            return self.beta * min(1.0, step / self.period)
        return self.beta * min(1.0, 2 * (step % self.period) / self.period)


def _positive_kl(arguments: dict, rng: Any) -> dict:
    kl = away_from(0.3, margin=0.2)({"kl": abs(arguments["kl"])}, rng)["kl"]
    kl[:, 0] *= 0.1  # the mean of this dimension is below the free bits, that of the others above
    kl[:, 1:] += 0.5
    return {**arguments, "kl": kl}


CASES = [
    Case(
        "negative_elbo",
        negative_elbo_forward,
        negative_elbo_backward,
        vary={"nll": ("B",), "kl": ("B", "Z")},
        options={"beta": 1.7, "free_bits": 0.3},
        prepare=_positive_kl,
        analytic=False,
    ),
]
