r"""A relaxed draw of a category: the softmax of logits and Gumbel noise, at a temperature.

Shapes: logits $a$, noise $g$ and the relaxed draws $y$ (B, Z, K), of Z variables with K categories
each, $\pi_k = e^{a_k} / \sum_j e^{a_j}$. If $u$ is uniform on (0, 1), $g = -\ln(-\ln u)$ has the
Gumbel distribution, $P(g \le t) = e^{-e^{-t}}$, and the largest of the $a_k + g_k$ is a draw from
$\pi$: that of $k$ is the largest with probability

$$ \int p(g_k) \prod_{j \ne k} e^{-e^{-(g_k + a_k - a_j)}} \, dg_k
   = \int_0^\infty e^{-v / \pi_k} \, dv = \pi_k, \quad v = e^{-g_k}, $$

for all factors together are $e^{-v (1 + \sum_{j \ne k} e^{a_j - a_k})}$. But "which is the largest"
has no slope. A softmax of temperature $\tau$ has one, and becomes it for $\tau \to 0$:

$$ u_{nzk} = (a_{nzk} + g_{nzk}) / \tau \tag{1} $$
$$ y_{nzk} = e^{u_{nzk}} / \sum_j e^{u_{nzj}} \tag{2} $$

The largest of the y is the largest of the u at any temperature, so the category that a relaxed draw
leans to has the right probabilities whatever $\tau$ is; how far it leans, $\tau$ decides.

**Backwards.** In (2) $u_k$ acts on its own $y_k$ with $\partial y_k / \partial u_k = y_k - y_k^2$
and on every other with $\partial y_j / \partial u_k = -y_j y_k$; together

$$ da_{nzk} = \frac{y_{nzk}}{\tau} \Big( dy_{nzk} - \sum_j dy_{nzj} y_{nzj} \Big) \tag{3} $$

The slope grows as $1 / \tau$, and its variance with it: a small temperature is unbiased and noisy,
a large one calm and about another function. So the layer lets it fall, step by step:

$$ \tau_t = \max(\tau_{\min}, \; \tau_0 \, e^{-r t}) \tag{4} $$

Source: Jang, Gu and Poole (2017), equation 2 and section 2; Maddison, Mnih and Teh (2017).
"""

import math
from typing import Any

import numpy as np

from ..engine import (
    Array,
    Case,
    Elementwise,
    Layer,
    Real,
    Reduction,
    array_module,
    door,
    empty,
    kernel,
    loop,
    together,
)
from ..engine.cpu.elementary import exp
from ..errors import OptionError


@door
def forward(logits: Array, gumbel: Real, tau: float | Real) -> tuple[Array, tuple]:
    """Relaxed draws y (B, Z, K) from logits and gumbel (B, Z, K), the noise, at temperature tau.

    The temperature is a number, or an array of one, tau (1,), which a device need not read.
    """
    xp = array_module(logits, gumbel)
    u = (logits + gumbel) / tau  # (1)
    e = xp.exp(u - u.real.max(axis=-1, keepdims=True))
    y = e / e.sum(axis=-1, keepdims=True)  # (2)
    return y, (y, tau)


@door
def backward(dy: Array, y: Array, tau: float | Real) -> Array:
    """Gradient dlogits (B, Z, K) from dy, y (B, Z, K) and the temperature, perhaps tau (1,)."""
    return y / tau * (dy - (dy * y).sum(axis=-1, keepdims=True))  # (3)


# The kernels: a variable's categories are gone over while they are near.
# Forward and backward at 128 x 30 x 10, float32, reference / kernel: 2.3.


@loop
def _draw(logits, gumbel, tau, y):  # noqa: ANN001, ANN202
    for i in range(y.shape[0]):
        a, g, out = logits[i], gumbel[i], y[i]
        largest = a[0] + g[0]
        for k in range(a.size):
            out[k] = a[k] + g[k]
            largest = out[k] if out[k] > largest else largest
        total = y.dtype.type(0)
        for k in range(a.size):
            out[k] = exp((out[k] - largest) / tau)  # (1)
            total += out[k]
        for k in range(a.size):
            out[k] /= total  # (2)


@loop
def _back(dy, y, tau, da):  # noqa: ANN001, ANN202
    for i in range(y.shape[0]):
        d, p, out = dy[i], y[i], da[i]
        inner = y.dtype.type(0)
        for k in range(p.size):
            inner += d[k] * p[k]
        for k in range(p.size):
            out[k] = p[k] / tau * (d[k] - inner)  # (3)


@kernel("numba", of=forward)
def forward_numba(logits: Array, gumbel: Array, tau: Any) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    logits, gumbel = together(logits=logits, gumbel=gumbel)
    y, rows = empty(logits.shape, logits.dtype), (-1, logits.shape[-1])
    number = logits.dtype.type(np.ravel(tau)[0])
    if logits.size:
        _draw(logits.reshape(rows), gumbel.reshape(rows), number, y.reshape(rows))
    return y, (y, tau)


@kernel("numba", of=backward)
def backward_numba(dy: Array, y: Array, tau: Any) -> Array:
    """Kernel of `backward`."""
    dy, y = together(dy=dy, y=y)
    da, rows = empty(y.shape, y.dtype), (-1, y.shape[-1])
    if y.size:
        number = y.dtype.type(np.ravel(tau)[0])
        _back(dy.reshape(rows), y.reshape(rows), number, da.reshape(rows))
    return da


# On the GPU: five launches, and two.

_LOGITS_CUDA = Elementwise(
    "gumbel_softmax_logits", "T a, T gumbel, T tau", "T u", "u = (a + gumbel) / tau;  // (1)"
)
_EXP_CUDA = Elementwise("gumbel_softmax_exp", "T u, T largest", "T e", "e = exp(u - largest);")
_SHARE_CUDA = Elementwise("gumbel_softmax_share", "T e, T total", "T y", "y = e / total;  // (2)")
_INNER_CUDA = Reduction("gumbel_softmax_inner", "T dy, T y", "T inner", "dy * y", "inner = a")
_BACK_CUDA = Elementwise(
    "gumbel_softmax_backward",
    "T dy, T y, T inner, T tau",
    "T da",
    "da = y / tau * (dy - inner);  // (3)",
)


@kernel("cuda", of=forward)
def forward_cuda(logits: Array, gumbel: Array, tau: Any) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    u = _LOGITS_CUDA(logits, gumbel, tau)
    e = _EXP_CUDA(u, u.max(axis=-1, keepdims=True))
    y = _SHARE_CUDA(e, e.sum(axis=-1, keepdims=True))
    return y, (y, tau)


@kernel("cuda", of=backward)
def backward_cuda(dy: Array, y: Array, tau: Any) -> Array:
    """Kernel of `backward`."""
    return _BACK_CUDA(dy, y, _INNER_CUDA(dy, y, axis=-1, keepdims=True), tau)


class GumbelSoftmax(Layer):
    """Layer that draws relaxed categories, at a temperature that falls with the steps of training.

    The step is carried on (`engine/params.py`): a run that is resumed goes on at its temperature.

    Parameters
    ----------
    tau, tau_min : float
        Where the temperature begins and ends; above 0.
    rate : float
        How fast it falls, 1 / steps; 0 leaves it where it is.
    dtype, backend
        As for every layer.
    """

    def __init__(
        self, tau: float = 1.0, tau_min: float = 0.5, rate: float = 0.0, **where: Any
    ) -> None:
        if not 0 < tau_min <= tau < math.inf or not 0 <= rate < math.inf:
            raise OptionError(
                f"tau={tau}, tau_min={tau_min} and a rate of {rate} were given; a temperature is "
                "above 0, tau_min is at most tau, and the rate is 0 or more."
            )
        super().__init__(carried={"step": (1,)}, **where)
        self.tau, self.tau_min, self.rate = tau, tau_min, rate

    @property
    def temperature(self) -> Array:
        """The temperature of now (1,), on the layer's backend."""
        step = self.params.carried_of("step")
        xp = self.backend.xp
        return xp.maximum(self.tau * xp.exp(-self.rate * step), self.tau_min)  # (4)

    def forward(self, logits: Array, gumbel: Array) -> Array:
        """Relaxed draws (B, Z, K) from logits and Gumbel noise (B, Z, K)."""
        self.expect("logits", logits, ("B", "Z", "K"))
        self.expect("gumbel", gumbel, logits.shape)
        y, self.cache = self.call(forward, logits, gumbel, self.temperature)
        if self.params.training:
            self.params.carried_of("step")[...] += 1
        return y

    def backward(self, dy: Array) -> Array:
        """Return dlogits (B, Z, K)."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape)
        return self.call(backward, dy, *cache)

    def __repr__(self) -> str:
        return f"GumbelSoftmax({self.tau:g} to {self.tau_min:g})"


CASES = [
    Case(
        "gumbel_softmax",
        forward,
        backward,
        vary={"logits": ("B", "Z", "K")},
        fixed={"gumbel": ("B", "Z", "K")},
        options={"tau": 0.7},
        output=("B", "Z", "K"),
        layer=lambda **how: GumbelSoftmax(0.7, 0.7, **how),
    ),
]
