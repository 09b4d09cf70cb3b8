r"""Likelihood of sequences: at each step one of V symbols, and nothing behind the end.

Shapes: logits $a$ and data $x$ (B, T, V), nll (B,); or, with K samples of each example, $a$
(B, K, T, V), $x$ (B, 1, T, V), nll (B, K). A step of $x$ is one-hot, and **a padded step is a row
of zeros**, so that the mask, 1 or 0, need not be carried beside the data:

$$ m_{nt} = \sum_v x_{ntv} \tag{1} $$

The probability of a sequence is the product of those of its steps, each given what was before it,
by whatever gave the logits. So the nll is a **sum** over the steps, those behind the end left out:

$$ \ln p_{ntv} = (a_{ntv} - \max_j a_{ntj}) - \ln \sum_j e^{a_{ntj} - \max_j a_{ntj}} \tag{2} $$
$$ \text{nll}_n = -\sum_{tv} x_{ntv} \ln p_{ntv} \tag{3} $$

A mean over the steps would be another objective: it would weigh the KL by the length. And the
symbol that ends a sequence is scored as any other: without it, the probabilities of all sequences
would not sum to 1.

**Backwards**, as for `categorical.py`, where $\sum_v x_v = 1$ took the softmax's Jacobian away.
Here it is $m$: what stands behind the end gets exactly no gradient.

$$ da_{ntv} = d\text{nll}_n \left( m_{nt} \, p_{ntv} - x_{ntv} \right) \tag{4} $$

Source: Graves (2013), section 2.
"""

import math
from typing import ClassVar

import numpy as np

from ...engine import (
    Array,
    Case,
    Elementwise,
    Real,
    Reduction,
    array_module,
    door,
    empty,
    kernel,
    loop,
)
from ...engine.cpu.elementary import exp
from ...engine.kinds import Rows
from ...errors import DataError, ShapeError
from .base import rows, scaled_rows
from .categorical import Categorical, _side_by_side


@door
def forward(logits: Array, x: Real) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of x (B, T, V) under logits (B, T, V).

    With K samples, logits (B, K, T, V) and x (B, 1, T, V), it is (B, K).
    """
    xp = array_module(logits, x)
    m = x.sum(axis=-1, keepdims=True)  # (1)
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    e = xp.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    logp = shifted - xp.log(total)  # (2)
    nll = -(x * logp).sum(axis=(-2, -1))  # (3)
    return nll, (m * e / total, x)


@door
def backward(dnll: Array, mp: Array, x: Array) -> Array:
    """Gradient dlogits (B, T, V) from dnll (B,), mp and x (B, T, V); mp is the masked softmax.

    With K samples: from dnll (B, K), mp (B, K, T, V) and x (B, 1, T, V).
    """
    return dnll[..., None, None] * (mp - x)  # (4)


# The kernels: the forward one computes (1) to (3) and the bracket of (4) in one pass, and passes
# over what is padded. Forward and backward at 128 x 12 x 27, float32, reference / kernel: 2.


@loop
def _loss(logits, x, nll, residual):  # noqa: ANN001, ANN202
    B, K, T, V = logits.shape
    zero = logits.dtype.type(0)
    for n in range(B):
        for k in range(K):
            loss = zero
            for t in range(T):
                a, hot, r = logits[n, k, t], x[n, t], residual[n, k, t]
                m, largest = zero, a[0]
                for v in range(V):
                    m += hot[v]  # (1)
                    largest = a[v] if a[v] > largest else largest
                if m == zero:
                    for v in range(V):
                        r[v] = zero
                    continue
                total = zero
                for v in range(V):
                    r[v] = exp(a[v] - largest)
                    total += r[v]
                log_total = math.log(total)
                for v in range(V):
                    loss -= hot[v] * (a[v] - largest - log_total)  # (2), (3)
                    r[v] = m * r[v] / total - hot[v]  # (4), without dnll
            nll[n, k] = loss


@kernel("numba", of=forward)
def forward_numba(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps the bracket of (4)."""
    *lead, T, V = logits.shape
    if x.shape[-2:] != (T, V):
        raise ShapeError(f"x has shape {x.shape}, but logits {logits.shape}; give it (B, T, V).")
    flat, data = rows(logits.reshape(*lead, T * V), x.reshape(*x.shape[:-2], T * V))
    B, K, _ = flat.shape
    nll, residual = empty(tuple(lead), x.dtype), empty(logits.shape, x.dtype)
    shape = (B, K, T, V)
    _loss(flat.reshape(shape), data.reshape(B, T, V), nll.reshape(B, K), residual.reshape(shape))
    return nll, (residual,)


@kernel("numba", of=backward)
def backward_numba(dnll: Array, residual: Array) -> Array:
    """Kernel of `backward`."""
    *lead, T, V = residual.shape
    return scaled_rows(dnll, residual.reshape(*lead, T * V)).reshape(residual.shape)  # (4)


# On the GPU: the largest logit, the normaliser and the mask are sums of their own over the symbols;
# then a launch for the loss, and one backward.

_NORMALISER_CUDA = Reduction(
    "tokens_normaliser", "T logit, T largest", "T total", "exp(logit - largest)", "total = a"
)

_LOSS_CUDA = Reduction(
    "tokens",
    "T logit, T largest, T total, T x",
    "T nll",
    "x * (logit - largest - log(total))",  # (2)
    "nll = -a",  # (3)
)

_BACKWARD_CUDA = Elementwise(
    "tokens_backward",
    "T dnll, T logit, T largest, T total, T m, T x",
    "T dlogit",
    "dlogit = dnll * (m * exp(logit - largest) / total - x);  // (4)",
)


@kernel("cuda", of=forward)
def forward_cuda(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps the parts of the softmax, and the mask."""
    last = logits.ndim - 1
    largest = logits.max(axis=last, keepdims=True)
    total = _NORMALISER_CUDA(logits, largest, axis=last, keepdims=True)
    m = x.sum(axis=last, keepdims=True)  # (1)
    nll = _LOSS_CUDA(logits, largest, total, x, axis=(last - 1, last))
    return nll, (logits, largest, total, m, x)


@kernel("cuda", of=backward)
def backward_cuda(
    dnll: Array, logits: Array, largest: Array, total: Array, m: Array, x: Array
) -> Array:
    """Kernel of `backward`."""
    return _BACKWARD_CUDA(dnll[..., None, None], logits, largest, total, m, x)


class Tokens(Categorical):
    """Likelihood of sequences of symbols, numbered from 1; 0 is what stands behind the end.

    The model takes each step as a one-hot vector, or as zeros: data (B, T V), logits (B, T V).

    Parameters
    ----------
    levels : int
        Number of symbols V, padding not counted.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    name = "tokens"
    options: ClassVar = {"levels": (int, 4, "grey levels of the categorical likelihood")}
    symbols = True
    js_encode = "x"
    js_mean = ""

    def note(self, x: Rows) -> str:
        """Check that the data are numbers of symbols; their nats bound a likelihood."""
        _require_symbols(x[:], self.levels)
        return ""

    def encode_data(self, x: np.ndarray | Array) -> np.ndarray:
        """Turn symbols (N, T), whole numbers from 0 to V, into one-hot rows (N, T V); 0 into 0."""
        if isinstance(x, np.ndarray):  # on a device nobody waits to hear of it
            _require_symbols(x, self.levels)
        xp = array_module(x)
        hot = (x[..., None] == xp.arange(1, self.levels + 1)).astype(x.dtype)
        return hot.reshape(len(x), self.data_width(x.shape[1]))

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of x (B, T V) under the logits `out` (B, T V)."""
        self.expect_data(out, x)
        nll, self.cache = self.call(forward, self._by_level(out), self._by_level(x))
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of the logits (B, T V)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-2])
        dlogits = self.call(backward, dnll, *cache)
        *lead, T, V = dlogits.shape
        return dlogits.reshape(*lead, T * V)

    def mean(self, out: Array) -> Array:
        """Likeliest symbols (B, T): between symbols there is no mean."""
        return (self._by_level(out).argmax(axis=-1) + 1).astype(out.dtype)

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw symbols (B, T), each step by itself."""
        return (self._drawn(out, rng) + 1).astype(out.dtype)

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Logits (T V) that prefer no symbol: a mean of numbers says nothing of symbols."""
        return np.zeros(self.output_width(len(mean)))


def _require_symbols(x: np.ndarray, levels: int) -> None:
    """Raise `DataError` unless all of x is a whole number from 0 to `levels`."""
    wrong = ~((x >= 0) & (x <= levels) & (np.floor(x) == x))
    if wrong.any():
        raise DataError(
            f"the data hold {x[wrong][0]:.4g}, but the tokens likelihood takes numbers of symbols, "
            f"whole numbers from 0 (nothing, behind the end) to {levels}; load sequences, such as "
            "the names."
        )


def _with_ends(arguments: dict, rng: np.random.Generator) -> dict:
    """One-hot steps, and zeros behind an end that is another one in each sequence."""
    x = arguments["x"]
    hot = x == x.max(axis=-1, keepdims=True)
    lengths = rng.integers(1, max(2, x.shape[1]), size=(len(x), 1, 1))
    return {**arguments, "x": hot & (np.arange(x.shape[1])[:, None] < lengths)}


CASES = [
    Case(
        "tokens",
        forward,
        backward,
        vary={"logits": ("B", "T", "V")},
        fixed={"x": ("B", "T", "V")},
        prepare=_with_ends,
        output=("B",),
        layer=lambda **how: Tokens(5, **how),
        pack=_side_by_side,
        sizes={"T": 11, "V": 5},
    ),
]
