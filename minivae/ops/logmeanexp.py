r"""Log-mean-exp: $y_n = \ln \frac1K \sum_k e^{w_{nk}}$, over the last axis, without overflow.

Shapes: $w$ (B, K), $y$ (B,). Taking the largest $m_n = \max_k w_{nk}$ out of the sum leaves every
exponent at or below 0 (any $m$ gives the same $y$, so $m$ counts as a constant):

$$ y_n = m_n + \ln \frac1K \sum_k e^{w_{nk} - m_n} \tag{1} $$

The derivative of a logarithm of a sum is the share of each term in it, a softmax; 1/K cancels:

$$ \tilde w_{nk} = \frac{e^{w_{nk} - m_n}}{\sum_j e^{w_{nj} - m_n}} \tag{2} $$
$$ dw_{nk} = dy_n \, \tilde w_{nk} \tag{3} $$

In the importance-weighted bound $w$ are log-weights and $\tilde w$ the normalised weights
(Burda, Grosse and Salakhutdinov 2016, equations 8 and 14).
"""

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
    same_dtype,
    together,
)
from ..engine.cpu.elementary import exp, log
from ..errors import ShapeError


@door
def forward(w: Array) -> tuple[Array, tuple]:
    """Log of the mean of exp(w) over the last axis: w (B, K) -> y (B,)."""
    xp = array_module(w)
    m = w.real.max(axis=-1, keepdims=True)
    e = xp.exp(w - m)
    total = e.sum(axis=-1, keepdims=True)
    y = (m + xp.log(total / w.shape[-1]))[..., 0]  # (1)
    return y, (e / total,)  # (2)


@door
def backward(dy: Array, weights: Array) -> Array:
    """Gradient dw (B, K) from dy (B,); weights (B, K) are the softmax of w."""
    return dy[..., None] * weights  # (3)


# The kernels: a loop each, where NumPy makes eight calls for what are often 20 x 1 numbers.


@loop
def _log_mean_exp(w, y, weights):  # noqa: ANN001, ANN202
    for n in range(w.shape[0]):
        row, e = w[n], weights[n]
        m, total = row[0], w.dtype.type(0)
        for k in range(row.size):
            m = m if row[k] <= m else row[k]  # a NaN stays
        for k in range(row.size):
            e[k] = exp(row[k] - m)
            total += e[k]
        y[n] = m + log(total / w.dtype.type(row.size))  # (1)
        for k in range(row.size):
            e[k] /= total  # (2)


@loop
def _shares(dy, weights, dw):  # noqa: ANN001, ANN202
    for n in range(dy.size):
        row, out = weights[n], dw[n]
        for k in range(row.size):
            out[k] = dy[n] * row[k]  # (3)


@kernel("numba", of=forward)
def forward_numba(w: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    if w.ndim != 2 or not w.shape[1]:
        raise ShapeError(f"w has shape {w.shape}; give (B, K), with at least one sample.")
    (w,) = together(w=w)
    y, weights = empty(w.shape[:1], w.dtype), empty(w.shape, w.dtype)
    _log_mean_exp(w, y, weights)
    return y, (weights,)


@kernel("numba", of=backward)
def backward_numba(dy: Array, weights: Array) -> Array:
    """Kernel of `backward`."""
    if weights.ndim != 2 or dy.shape != weights.shape[:1]:
        raise ShapeError(f"dy has shape {dy.shape}, but {weights.shape[:1]} is expected; as y has.")
    same_dtype(dy=dy, weights=weights)
    dw = empty(weights.shape, weights.dtype)
    _shares(dy, weights, dw)
    return dw


# On the GPU: four launches forward instead of eight.

_TOTAL_CUDA = Reduction("exp_sum", "T w, T m", "T total", "exp(w - m)", "total = a")

_LOG_MEAN_CUDA = Elementwise(
    "logmeanexp", "T m, T total, T samples", "T y", "y = m + log(total / samples);  // (1)"
)

_WEIGHTS_CUDA = Elementwise(
    "normalised_weights",
    "T w, T m, T total",
    "T weight",
    "weight = exp(w - m) / total;  // (2)",
)


@kernel("cuda", of=forward)
def forward_cuda(w: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    last = w.ndim - 1
    m = w.max(axis=last, keepdims=True)
    total = _TOTAL_CUDA(w, m, axis=last, keepdims=True)
    y = _LOG_MEAN_CUDA(m[..., 0], total[..., 0], w.shape[-1])
    return y, (_WEIGHTS_CUDA(w, m, total),)


class LogMeanExp(Layer):
    """Layer for the log of the mean of exponentials over the last axis."""

    same_calls = True

    def forward(self, w: Array) -> Array:
        """Return y (B,) for w (B, K)."""
        self.expect("w", w, ("B", "K"))
        y, self.cache = self.call(forward, w)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dw (B, K)."""
        (weights,) = self.saved()
        self.expect("dy", dy, weights.shape[:1])
        return self.call(backward, dy, weights)


CASES = [
    Case(
        "logmeanexp",
        forward,
        backward,
        vary={"w": ("B", "K")},
        output=("B",),
        layer=LogMeanExp,
    ),
]
