r"""The loss of a VAE from its terms: the negative ELBO, with a weight of the KL and free bits.

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
"""

from typing import Any

from ..engine import (
    Array,
    Case,
    Elementwise,
    Real,
    Reduction,
    array_module,
    away_from,
    door,
    empty,
    kernel,
    loop,
    same_dtype,
    together,
)
from ..engine.kinds import Weight
from ..errors import ShapeError


@door
def negative_elbo_forward(
    nll: Real, kl: Real, beta: Weight = 1.0, free_bits: Weight = 0.0
) -> tuple[Array, tuple]:
    """Loss () in nats from nll (B,) and kl (B, Z)."""
    xp = array_module(nll, kl)
    kl_mean = kl.mean(axis=0)  # (1)
    loss = nll.mean() + beta * xp.maximum(kl_mean, free_bits).sum()  # (2)
    return loss, (kl, kl_mean, beta, free_bits)


@door
def negative_elbo_backward(
    dloss: float | Array, kl: Array, kl_mean: Array, beta: Weight, free_bits: Weight
) -> tuple[Array, Array]:
    """Gradients dnll (B,), dkl (B, Z) from dloss (), a number; kl_mean (Z,) is the batch's."""
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
    nll: Array, kl: Array, beta: Weight = 1.0, free_bits: Weight = 0.0
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
    dloss: float, kl: Array, kl_mean: Array, beta: Weight, free_bits: Weight
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
    nll: Array, kl: Array, beta: Weight = 1.0, free_bits: Weight = 0.0
) -> tuple[Array, tuple]:
    """Kernel of `negative_elbo_forward`."""
    kl_mean = kl.mean(axis=0)  # (1)
    B, Z = kl.shape
    loss = _LOSS_CUDA(nll[:, None], kl_mean, B, B * Z, beta, free_bits)  # (2)
    return loss, (kl, kl_mean, beta, free_bits)


@kernel("cuda", of=negative_elbo_backward)
def negative_elbo_backward_cuda(
    dloss: float, kl: Array, kl_mean: Array, beta: Weight, free_bits: Weight
) -> tuple[Array, Array]:
    """Kernel of `negative_elbo_backward`."""
    per_entry = array_module(kl).broadcast_to(kl_mean, kl.shape)
    share = dloss / kl.shape[0]
    dnll, dkl = _SHARES_CUDA(per_entry, share, share * beta, free_bits)
    return dnll[:, 0], dkl  # every column of dnll is the same


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
        output=(),
        layer=None,  # an objective runs it by itself
    ),
]
