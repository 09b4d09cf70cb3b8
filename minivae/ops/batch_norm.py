r"""Batch norm: each channel is brought to mean 0 and variance 1 over the batch, then to its own.

Shapes: $x$, $y$ (..., C), gain $g$ and bias $b$ (C,). A row is an example of a dense layer, (B, C),
or a pixel of an image, (B, H, W, C); there are $N$ rows. In a step of training, for each channel
$c$ over all rows $n$, with $\epsilon$ = `eps` for a channel that does not vary:

$$ \mu_c = \frac1N \sum_n x_{nc} \tag{1} $$
$$ v_c = \frac1N \sum_n (x_{nc} - \mu_c)^2, \quad r_c = 1 / \sqrt{v_c + \epsilon} \tag{2} $$
$$ h_{nc} = (x_{nc} - \mu_c) \, r_c, \quad y_{nc} = g_c h_{nc} + b_c \tag{3} $$

**Backwards.** The last step is one of each entry:

$$ db_c = \sum_n dy_{nc}, \quad dg_c = \sum_n dy_{nc} h_{nc}, \quad dh_{nc} = g_c \, dy_{nc}
   \tag{4} $$

But $x_{nc}$ acts along three branches: on its own $h_{nc}$, and through $\mu_c$ and $v_c$ on that
of every row, which couples the examples of a batch. For one channel, without its index:

- on its own: $dh_n \, r$;
- through $\mu$, of which each $h_k$ has $-r$: $d\mu = -r \sum_k dh_k$ (through $v$ it does not act,
  as the deviations from the mean add up to 0), and $\partial \mu / \partial x_n = 1/N$;
- through $v$: $\partial h_k / \partial v = (x_k - \mu) \cdot (-\tfrac12) r^3 = -\tfrac12 h_k r^2$,
  so that $dv = -\tfrac12 r^2 \sum_k dh_k h_k$, and
  $\partial v / \partial x_n = \tfrac2N (x_n - \mu) = \tfrac2N h_n / r$.

The three add up to

$$ dx_n = r \Big( dh_n - \frac1N \sum_k dh_k - h_n \cdot \frac1N \sum_k dh_k h_k \Big) \tag{5} $$

The sum of $dx$ over the rows is 0: to move all rows alike changes nothing. With $N = 1$, $h$ is 0
whatever $x$ is, so such a batch is refused.

**In evaluation** an example must not depend on those beside it. There $\mu$ and $v$ are numbers
that training has carried on, and nothing goes back through them (`standardise.py`, which computes
(3) and what does not come through the moments here too).

A step moves them by a share $\rho$ = `momentum` towards those of its batch; $v$ towards that of the
population that the batch was drawn from:

$$ \mu \leftarrow \mu + \rho \, (\mu_{batch} - \mu), \quad
   v \leftarrow v + \rho \, \Big( \frac{N}{N - 1} v_{batch} - v \Big) \tag{6} $$

Where several processes share a batch, the sums of (1), (2) and those over the rows in (5) run over
the rows of all of them (`engine/company.py`).

Source: Ioffe and Szegedy (2015), algorithms 1 and 2.
"""

from typing import Any

import numpy as np

from ..engine import (
    COSTLY,
    SIZES,
    Array,
    Backend,
    Case,
    Layer,
    Reduction,
    door,
    kernel,
    loop,
    sum_in_parts,
)
from ..engine.kinds import Positive, Share
from ..errors import OptionError, ShapeError
from . import standardise
from .standardise import in_rows, one_by_root


@door
def forward(x: Array, gain: Array, bias: Array, eps: Positive) -> tuple[Array, tuple]:
    """Normalise x (..., C) by the moments of all its rows, with gain and bias (C,)."""
    rows = x.reshape(-1, x.shape[-1])
    mean = rows.sum(axis=0) / _count(x)  # (1)
    deviation = rows - mean
    var = (deviation * deviation).sum(axis=0) / _count(x)  # (2)
    return standardise.forward(x, gain, bias, mean, var, eps)  # (3)


@door
def backward(
    dy: Array, x: Array, mean: Array, var: Array, gain: Array, eps: Positive
) -> tuple[Array, Array, Array]:
    """Gradients from dy (..., C) and moments mean, var (C,): dx (..., C), dgain, dbias (C,)."""
    own, dgain, dbias = standardise.backward(dy, x, mean, var, gain, eps)  # (4), own: dh r
    r = one_by_root(var, eps)
    h = (x - mean) * r
    through_mean, through_var = gain * dbias / _count(x), h * (gain * dgain / _count(x))
    return own - r * (through_mean + through_var), dgain, dbias  # (5)


def _count(x: Array) -> int:
    """N; 1 for no row at all, whose sums are 0."""
    return max(x.size // x.shape[-1], 1)


# The kernels: each of the two sums is one pass, in float64; the rest is `standardise.py`'s.
# Forward and backward at 128 x 14 x 14 x 32, float32, one thread, reference / kernel: 18.


@loop
def _sums(x, total):  # noqa: ANN001, ANN202
    mine = total[0]
    for c in range(mine.size):
        mine[c] = 0
    for n in range(x.shape[0]):
        row = x[n]
        for c in range(mine.size):
            mine[c] += row[c]  # (1)


@loop
def _squares(x, total, mean):  # noqa: ANN001, ANN202
    mine = total[0]
    for c in range(mine.size):
        mine[c] = 0
    for n in range(x.shape[0]):
        row = x[n]
        for c in range(mine.size):
            deviation = row[c] - mean[c]
            mine[c] += deviation * deviation  # (2)


@kernel("numba", of=forward)
def forward_numba(x: Array, gain: Array, bias: Array, eps: Positive) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    rows, total = in_rows(x, gain=gain, bias=bias), np.empty(gain.shape)
    sum_in_parts(_sums, (rows,), total, least=COSTLY)
    mean = (total / _count(x)).astype(x.dtype)
    sum_in_parts(_squares, (rows,), total, mean, least=COSTLY)
    var = (total / _count(x)).astype(x.dtype)
    return standardise.forward_numba(x, gain, bias, mean, var, eps)  # (3)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array, x: Array, *others: Any, dgain: Array | None = None, dbias: Array | None = None
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dgain and dbias are where to write."""
    return standardise.backward_numba(dy, x, *others, dgain, dbias, 1 / _count(x))


# On the GPU: two sums and a launch, and the same again backward.

_VARIANCE = Reduction(
    "batch_norm_variance",
    "T x, T mean, T share",
    "T v",
    "(x - mean) * (x - mean) * share",  # (2)
    "v = a",
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, gain: Array, bias: Array, eps: Positive) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    rows, share = x.reshape(-1, x.shape[-1]), 1 / _count(x)
    mean = rows.sum(axis=0) * share  # (1)
    var = _VARIANCE(rows, mean, share, axis=0)
    return standardise.forward_cuda(x, gain, bias, mean, var, eps)  # (3)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, x: Array, *others: Any, dgain: Array | None = None, dbias: Array | None = None
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dgain and dbias are where to write."""
    return standardise.backward_cuda(dy, x, *others, dgain, dbias, 1 / _count(x))


class BatchNorm(Layer):
    """Batch norm of (B, C) or images (B, H, W, C), with `gain` and `bias` (C,).

    In a step of training it takes the moments of the batch, and carries on `mean` and `var` (C,);
    else it takes these. The gain starts at 1, the bias at 0.

    Parameters
    ----------
    channels : int
        C.
    momentum : float
        Share of the way that a step moves `mean` and `var` towards those of its batch, in (0, 1].
    eps : float
        What is added to the variance.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        channels: int,
        *,
        momentum: Share = 0.1,
        eps: Positive = 1e-5,
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if channels < 1 or not 0 < momentum <= 1 or not eps > 0:
            raise OptionError(
                f"BatchNorm({channels}, momentum={momentum}, eps={eps}) was asked for, but it "
                "takes at least 1 channel, a momentum in (0, 1] and an eps above 0."
            )
        super().__init__(
            {"gain": (channels,), "bias": (channels,)},
            carried={"mean": (channels,), "var": (channels,)},
            dtype=dtype,
            backend=backend,
        )
        self.params["gain"][...] = 1
        self.params.carried_of("var")[...] = 1
        self.channels, self.momentum, self.eps = channels, float(momentum), float(eps)

    def forward(self, x: Array) -> Array:
        """Normalise x (..., C), by the moments of the batch in training, else by those kept."""
        self.expect("x", x, ("...",) * (getattr(x, "ndim", 1) - 1) + (self.channels,))
        gain, bias = self.params["gain"], self.params["bias"]
        kept = mean, var = self.params.carried_of("mean"), self.params.carried_of("var")
        self.in_training = bool(self.params.training)
        if not self.in_training:
            y, self.cache = self.call(standardise.forward, x, gain, bias, *kept, self.eps)
            return y
        others = self.params.training.others
        N = others.count(x.size // self.channels)
        if N == 1:
            raise ShapeError(
                f"x has shape {x.shape}, one number for each channel, of which a batch norm in "
                "training makes 0 whatever it is; give batches of two examples or more."
            )
        if others.several:
            moments = self._moments(x, N)
            y, self.cache = self.call(standardise.forward, x, gain, bias, *moments, self.eps)  # (3)
        else:
            y, self.cache = self.call(forward, x, gain, bias, self.eps)
        if N:
            batch_mean, batch_var = self.cache[1:3]
            mean += self.momentum * (batch_mean - mean)  # (6)
            var += self.momentum * (N / (N - 1) * batch_var - var)  # (6)
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `gain` and `bias`; return dx in the shape of x."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape)
        out = {"dgain": self.params.grad_of("gain"), "dbias": self.params.grad_of("bias")}
        several = self.params.training.others.several
        pair = backward if self.in_training and not several else standardise.backward
        dx, dgain, dbias = self.call(pair, dy, *cache, out=out)
        self.params.set_grads(gain=dgain, bias=dbias)
        return self._through_moments(dx, dgain, dbias) if self.in_training and several else dx

    def _moments(self, x: Array, N: int) -> tuple[Array, Array]:
        """Mean and variance (C,) of x (..., C) over the N rows of all processes."""
        others, rows = self.params.training.others, x.reshape(-1, self.channels)
        mean = (others.total(rows.sum(axis=0), "a batch norm") / N).astype(x.dtype)  # (1)
        square = (rows - mean) ** 2
        var = others.total(square.sum(axis=0), "a batch norm") / N  # (2)
        return mean, var.astype(x.dtype)

    def _through_moments(self, own: Array, dgain: Array, dbias: Array) -> Array:
        """Return dx (..., C): `own`, dh r, and what comes back through the moments of all rows."""
        x, mean, var, gain, eps = self.saved()
        others = self.params.training.others
        N, r = others.count(x.size // self.channels), one_by_root(var, eps)
        both = self.backend.xp.concatenate([dgain, dbias])
        both = others.gradient(both, "a batch norm").astype(x.dtype)
        dgain, dbias = both[: self.channels], both[self.channels :]
        h = (x - mean) * r
        return own - r * (gain * dbias / N + h * (gain * dgain / N))  # (5)

    def __repr__(self) -> str:
        return f"BatchNorm({self.channels}, momentum={self.momentum:g}, eps={self.eps:g})"


CASES = [
    Case(
        "batch_norm",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C"), "gain": ("C",), "bias": ("C",)},
        options={"eps": 1e-3},
        output=("B", "H", "W", "C"),
        layer=lambda **how: BatchNorm(SIZES["C"], eps=1e-3, **how),
        sizes={"H": 5, "W": 7},
    ),
]
