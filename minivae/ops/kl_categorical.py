r"""KL divergence of a categorical distribution from the uniform one, in nats, for each variable.

Shapes: logits $a$ (B, Z, K), of Z variables with K categories each, $\pi_k = e^{a_k} / \sum_j
e^{a_j}$; the KL is (B, Z). The uniform prior gives each category $1 / K$, so

$$ \ln \pi_{nzk} = (a_{nzk} - m_{nz}) - \ln \sum_j e^{a_{nzj} - m_{nz}},
   \quad m_{nz} = \max_j a_{nzj} \tag{1} $$
$$ KL_{nz} = \sum_k \pi_{nzk} \ln \frac{\pi_{nzk}}{1 / K}
           = \sum_k \pi_{nzk} \ln \pi_{nzk} + \ln K \tag{2} $$

It lies between 0, at equal logits, and $\ln K$, for a category that is certain: what one variable
can say at most. No epsilon is needed: (1) is finite wherever the logits are, and where $\pi_k$ is
rounded to 0 its logarithm is still a number, so the product is 0.

**Backwards.** (2) depends on $\pi_k$ with the slope $\ln \pi_k + 1$, and $\pi_j$ on $a_k$ with
$\partial \pi_j / \partial a_k = \pi_j ([j = k] - \pi_k)$. The 1 drops out, as the $\pi$ add up to
one:

$$ da_{nzk} = dKL_{nz} \, \pi_{nzk} \Big( \ln \pi_{nzk} - \sum_j \pi_{nzj} \ln \pi_{nzj} \Big)
   \tag{3} $$

Source: Jang, Gu and Poole (2017), whose objective has this KL; Maddison et al. (2017) take that of
the relaxed densities instead, which is another objective.
"""

import math

from ..engine import (
    Array,
    Case,
    Elementwise,
    Layer,
    Reduction,
    array_module,
    door,
    empty,
    kernel,
    loop,
    together,
)
from ..engine.cpu.elementary import exp


@door
def forward(logits: Array) -> tuple[Array, tuple]:
    """KL of softmax(logits) from the uniform distribution: (B, Z) nats for logits (B, Z, K)."""
    xp = array_module(logits)
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    e = xp.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    p, logp = e / total, shifted - xp.log(total)  # (1)
    negentropy = (p * logp).sum(axis=-1)
    return negentropy + math.log(logits.shape[-1]), (p, logp, negentropy)  # (2)


@door
def backward(dkl: Array, p: Array, logp: Array, negentropy: Array) -> Array:
    """Gradient dlogits (B, Z, K) from dkl, negentropy (B, Z) and p, logp (B, Z, K)."""
    return dkl[..., None] * p * (logp - negentropy[..., None])  # (3)


# The kernel of the forward function, in one pass; three products NumPy does as fast.
# Forward and backward at 128 x 30 x 10, float32, reference / kernel: 1.9.


@loop
def _kl(logits, p, logp, negentropy, kl):  # noqa: ANN001, ANN202
    log_k = logits.dtype.type(math.log(logits.shape[1]))
    for i in range(kl.size):
        a, probability, log_probability = logits[i], p[i], logp[i]
        largest = a[0]
        for k in range(a.size):
            largest = a[k] if a[k] > largest else largest
        total = logits.dtype.type(0)
        for k in range(a.size):
            probability[k] = exp(a[k] - largest)
            total += probability[k]
        log_total = math.log(total)
        inner = logits.dtype.type(0)
        for k in range(a.size):
            probability[k] /= total
            log_probability[k] = a[k] - largest - log_total  # (1)
            inner += probability[k] * log_probability[k]
        negentropy[i] = inner
        kl[i] = inner + log_k  # (2)


@kernel("numba", of=forward)
def forward_numba(logits: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    (logits,) = together(logits=logits)
    *lead, K = logits.shape
    p, logp = (empty(logits.shape, logits.dtype) for _ in range(2))
    negentropy, kl = (empty(tuple(lead), logits.dtype) for _ in range(2))
    if logits.size:
        rows = (logits.reshape(-1, K), p.reshape(-1, K), logp.reshape(-1, K))
        _kl(*rows, negentropy.reshape(-1), kl.reshape(-1))
    return kl, (p, logp, negentropy)


# On the GPU: five launches, and one.

_TOTAL_CUDA = Reduction(
    "kl_categorical_total", "T a, T largest", "T total", "exp(a - largest)", "total = a"
)
_LOGP_CUDA = Elementwise(
    "kl_categorical_logp",
    "T a, T largest, T total",
    "T p, T logp",
    """
    logp = a - largest - log(total);  // (1)
    p = exp(a - largest) / total;
    """,
)
_INNER_CUDA = Reduction(
    "kl_categorical_inner", "T p, T logp", "T negentropy", "p * logp", "negentropy = a"
)
_BACK_CUDA = Elementwise(
    "kl_categorical_backward",
    "T dkl, T p, T logp, T negentropy",
    "T da",
    "da = dkl * p * (logp - negentropy);  // (3)",
)


@kernel("cuda", of=forward)
def forward_cuda(logits: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    largest = logits.max(axis=-1, keepdims=True)
    p, logp = _LOGP_CUDA(logits, largest, _TOTAL_CUDA(logits, largest, axis=-1, keepdims=True))
    negentropy = _INNER_CUDA(p, logp, axis=-1)
    return negentropy + math.log(logits.shape[-1]), (p, logp, negentropy)  # (2)


@kernel("cuda", of=backward)
def backward_cuda(dkl: Array, p: Array, logp: Array, negentropy: Array) -> Array:
    """Kernel of `backward`."""
    return _BACK_CUDA(dkl[..., None], p, logp, negentropy[..., None])


class KLCategorical(Layer):
    """Layer for the KL of the encoder's categories from a uniform prior."""

    def forward(self, logits: Array) -> Array:
        """Return the KL in nats (B, Z) of logits (B, Z, K)."""
        self.expect("logits", logits, ("B", "Z", "K"))
        kl, self.cache = self.call(forward, logits)
        return kl

    def backward(self, dkl: Array) -> Array:
        """Return dlogits (B, Z, K)."""
        cache = self.saved()
        self.expect("dkl", dkl, cache[-1].shape)
        return self.call(backward, dkl, *cache)


CASES = [
    Case(
        "kl_categorical",
        forward,
        backward,
        vary={"logits": ("B", "Z", "K")},
        output=("B", "Z"),
        layer=KLCategorical,
    ),
]
