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

from ..engine import Array, Case, Elementwise, Layer, Reduction, array_module, door, kernel


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


# On the GPU: four launches forward instead of eight; on the CPU, NumPy is as fast as a loop.

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
