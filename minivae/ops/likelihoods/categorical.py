r"""Categorical likelihood from logits: the softmax cross-entropy, in nats.

Shapes: logits $a$ and one-hot data $x$ (B, D, L), for D variables with L levels each; nll (B,); or,
with K samples of each example, $a$ (B, K, D, L), $x$ (B, 1, D, L), nll (B, K). The level $l$ has
the probability $p_l = e^{a_l} / \sum_j e^{a_j}$, so $-\ln p_l = \ln \sum_j e^{a_j} - a_l$. With the
largest logit $m = \max_l a_l$ taken out, so that no exponential overflows,

$$ \ln p_{ndl} = (a_{ndl} - m_{nd}) - \ln \sum_j e^{a_{ndj} - m_{nd}} \tag{1} $$
$$ \text{nll}_n = -\sum_{dl} x_{ndl} \ln p_{ndl} \tag{2} $$

In (1), $a_l$ occurs in its own $\ln p_l$ with the factor 1, and in the normaliser of *every* $\ln
p_j$ of the same variable with the factor $-p_l$. As $\sum_j x_j = 1$ (one level is the true one),

$$ da_{ndl} = d\text{nll}_n \left( p_{ndl} - x_{ndl} \right) \tag{3} $$

The softmax's Jacobian has cancelled, as the sigmoid's derivative does for the Bernoulli, which is
this with L = 2 and one of the two logits held at 0.

Source: Bridle (1990).
"""

import math
from typing import ClassVar

import numpy as np

from ...engine import (
    SIZES,
    Array,
    Backend,
    Case,
    Elementwise,
    Real,
    Reduction,
    array_module,
    door,
    empty,
    kernel,
    logit,
    loop,
)
from ...engine.cpu.elementary import exp
from ...engine.kinds import Rows
from ...errors import OptionError, ShapeError
from .base import Likelihood, require_unit_interval, rows, scaled_rows


@door
def forward(logits: Array, x: Real) -> tuple[Array, tuple]:
    """Negative log-likelihood (B,) in nats of one-hot x (B, D, L) under logits (B, D, L).

    With K samples, logits (B, K, D, L) and x (B, 1, D, L), it is (B, K).
    """
    xp = array_module(logits, x)
    shifted = logits - logits.real.max(axis=-1, keepdims=True)
    e = xp.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    logp = shifted - xp.log(total)  # (1)
    nll = -(x * logp).sum(axis=(-2, -1))  # (2)
    return nll, (e / total, x)


@door
def backward(dnll: Array, p: Array, x: Array) -> Array:
    """Gradient dlogits (B, D, L) from dnll (B,), p and x (B, D, L); p is the softmax of the logits.

    With K samples: from dnll (B, K), p (B, K, D, L) and x (B, 1, D, L).
    """
    return dnll[..., None, None] * (p - x)  # (3)


# The kernels: the forward one computes (1), (2) and the bracket of (3) in one pass.
# Forward and backward at 128 x 784 x 4, float32, reference / kernel: 3.6.


@loop
def _loss(logits, x, nll, residual):  # noqa: ANN001, ANN202
    B, K, D, L = logits.shape
    for n in range(B):
        for k in range(K):
            total = logits.dtype.type(0)
            for d in range(D):
                a, t, r = logits[n, k, d], x[n, d], residual[n, k, d]
                m = a[0]
                for level in range(L):
                    m = a[level] if a[level] > m else m
                normaliser = logits.dtype.type(0)
                for level in range(L):
                    r[level] = exp(a[level] - m)
                    normaliser += r[level]
                log_normaliser = math.log(normaliser)
                for level in range(L):
                    total -= t[level] * (a[level] - m - log_normaliser)  # (1), (2)
                    r[level] = r[level] / normaliser - t[level]  # (3), without dnll
            nll[n, k] = total


@kernel("numba", of=forward)
def forward_numba(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps the bracket of (3)."""
    *lead, D, L = logits.shape
    if x.shape[-2:] != (D, L):
        raise ShapeError(f"x has shape {x.shape}, but logits {logits.shape}; give it (B, D, L).")
    flat, data = rows(logits.reshape(*lead, D * L), x.reshape(*x.shape[:-2], D * L))
    B, K, _ = flat.shape
    nll, residual = empty(tuple(lead), x.dtype), empty(logits.shape, x.dtype)
    shape = (B, K, D, L)
    _loss(flat.reshape(shape), data.reshape(B, D, L), nll.reshape(B, K), residual.reshape(shape))
    return nll, (residual,)


@kernel("numba", of=backward)
def backward_numba(dnll: Array, residual: Array) -> Array:
    """Kernel of `backward`."""
    *lead, D, L = residual.shape
    return scaled_rows(dnll, residual.reshape(*lead, D * L)).reshape(residual.shape)  # (3)


# On the GPU: three launches forward, for the largest logit and the normaliser are sums of their own
# over the levels, and one backward.

_NORMALISER_CUDA = Reduction(
    "categorical_normaliser", "T logit, T m", "T total", "exp(logit - m)", "total = a"
)

_LOSS_CUDA = Reduction(
    "categorical",
    "T logit, T m, T total, T x",
    "T nll",
    "x * (logit - m - log(total))",  # (1)
    "nll = -a",  # (2)
)

_BACKWARD_CUDA = Elementwise(
    "categorical_backward",
    "T dnll, T logit, T m, T total, T x",
    "T dlogit",
    "dlogit = dnll * (exp(logit - m) / total - x);  // (3)",
)


@kernel("cuda", of=forward)
def forward_cuda(logits: Array, x: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps the parts of the softmax."""
    last = logits.ndim - 1
    m = logits.max(axis=last, keepdims=True)
    total = _NORMALISER_CUDA(logits, m, axis=last, keepdims=True)
    return _LOSS_CUDA(logits, m, total, x, axis=(last - 1, last)), (logits, m, total, x)


@kernel("cuda", of=backward)
def backward_cuda(dnll: Array, logits: Array, m: Array, total: Array, x: Array) -> Array:
    """Kernel of `backward`."""
    return _BACKWARD_CUDA(dnll[..., None, None], logits, m, total, x)


class Categorical(Likelihood):
    """Likelihood of grey values cut into `levels` classes; the decoder gives their logits.

    The model takes each value as a one-hot vector: data (B, D L), decoder output (B, D L).

    Parameters
    ----------
    levels : int
        Number of classes L a value is cut into.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    name = "categorical"
    options: ClassVar = {"levels": (int, 4, "grey levels of the categorical likelihood")}
    js_encode = """Float64Array.from({ length: x.length * levels }, (_, i) => {
      const level = Math.floor(Math.fround(Math.fround(x[Math.floor(i / levels)]) * levels));
      return Math.min(Math.max(level, 0), levels - 1) === i % levels ? 1 : 0;
    })"""
    js_mean = """Float64Array.from({ length: out.length / levels }, (_, i) => {
      const own = out.subarray(i * levels, (i + 1) * levels);
      const largest = Math.max(...own);
      const e = own.map((logit) => Math.exp(logit - largest));
      const grey = e.map((weight, level) => (weight * level) / (levels - 1));
      return grey.reduce((a, b) => a + b) / e.reduce((a, b) => a + b);
    })"""

    def __init__(
        self, levels: int = 4, *, dtype: str = "float32", backend: str | Backend = "auto"
    ) -> None:
        if levels < 2:
            raise OptionError(f"levels={levels} was given, but there must be at least 2.")
        super().__init__(dtype=dtype, backend=backend)
        self.levels = int(levels)

    def data_width(self, n_pixels: int) -> int:
        """L numbers for each value."""
        return n_pixels * self.levels

    def output_width(self, n_pixels: int) -> int:
        """L numbers for each value."""
        return n_pixels * self.levels

    def note(self, x: Rows) -> str:
        """Check that the data lie in [0, 1]."""
        require_unit_interval(x, self.name)
        return f"grey values cut into {self.levels} levels: nats of the levels, not of the pixels"

    def encode_data(self, x: np.ndarray | Array) -> np.ndarray:
        """Cut values in [0, 1] (N, D) into levels, one-hot (N, D L)."""
        if isinstance(x, np.ndarray):  # on a device nobody waits to hear of it
            require_unit_interval(x, self.name)
        xp = array_module(x)
        level = xp.minimum((x * self.levels).astype(int), self.levels - 1)
        one_hot = (level[..., None] == xp.arange(self.levels)).astype(x.dtype)
        return one_hot.reshape(len(x), self.data_width(x.shape[1]))

    def forward(self, out: Array, x: Array) -> Array:
        """Return nll (B,) in nats of one-hot x (B, D L) under the logits `out` (B, D L)."""
        self.expect_data(out, x)
        nll, self.cache = self.call(forward, self._by_level(out), self._by_level(x))
        return nll

    def backward(self, dnll: Array) -> Array:
        """Return the gradient of the logits (B, D L)."""
        cache = self.saved()
        self.expect("dnll", dnll, cache[0].shape[:-2])
        dlogits = self.call(backward, dnll, *cache)
        *lead, D, L = dlogits.shape
        return dlogits.reshape(*lead, D * L)

    def bias_for(self, mean: np.ndarray) -> np.ndarray:
        """Logits (D L) of a binomial distribution of the levels with this mean (D,)."""
        level = np.arange(self.levels)
        choose = [math.log(math.comb(self.levels - 1, k)) for k in level]
        return (logit(mean)[:, None] * level + choose).reshape(-1)

    def mean(self, out: Array) -> Array:
        """Mean grey value (B, D) in [0, 1]: level l stands for l / (L - 1)."""
        return self._probabilities(out) @ self._grey(out)

    def perfect(self, out: Array, x: Array) -> Array:
        """Logits that are sure of the level that is the true one."""
        return 80 * x

    def draw(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw grey values (B, D): the level where the summed probabilities pass a uniform draw."""
        return self._grey(out)[self._drawn(out, rng)]

    def _drawn(self, out: Array, rng: np.random.Generator) -> Array:
        """Draw levels (B, D), whole numbers from 0."""
        reached = self._probabilities(out).cumsum(axis=-1)
        u = self.uniform(rng, reached.shape[:2])
        return (reached[:, :, :-1] < u[:, :, None]).sum(axis=-1)

    def _by_level(self, flat: Array) -> Array:
        *lead, width = flat.shape
        if width % self.levels:
            raise ShapeError(
                f"an array of width {width} was given, but {self.levels} levels for each value "
                "make a multiple of that number; one-hot data come from `encode_data`."
            )
        return flat.reshape(*lead, width // self.levels, self.levels)

    def _probabilities(self, out: Array) -> Array:
        _, (p, _) = forward(self._by_level(out), self._by_level(out))
        return p

    def _grey(self, out: Array) -> Array:
        return self.backend.asarray(np.linspace(0, 1, self.levels), out.dtype)


def _one_hot(arguments: dict, rng: np.random.Generator) -> dict:
    x = arguments["x"]
    return {**arguments, "x": x == x.max(axis=-1, keepdims=True)}


def _side_by_side(arrays: dict) -> dict:
    """One-hot vectors and logits (B, D, L) as the layer takes them, (B, D L)."""
    return {name: x.reshape(len(x), math.prod(x.shape[1:])) for name, x in arrays.items()}


CASES = [
    Case(
        "categorical",
        forward,
        backward,
        vary={"logits": ("B", "D", "L")},
        fixed={"x": ("B", "D", "L")},
        prepare=_one_hot,
        output=("B",),
        layer=lambda **how: Categorical(SIZES["L"], **how),
        pack=_side_by_side,
    ),
]
