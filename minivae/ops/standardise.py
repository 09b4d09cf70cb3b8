r"""Standardise: each channel by a mean and a variance that are given, then to its own size.

Shapes: $x$, $y$ (..., C), mean $\mu$, variance $v$, gain $g$ and bias $b$ (C,). A row is an example
of a dense layer, (B, C), or a pixel of an image, (B, H, W, C). For each row $n$ and channel $c$,
with $\epsilon$ = `eps` for a channel that does not vary,

$$ r_c = 1 / \sqrt{v_c + \epsilon}, \quad h_{nc} = (x_{nc} - \mu_c) \, r_c \tag{1} $$
$$ y_{nc} = g_c h_{nc} + b_c \tag{2} $$

This is batch norm in evaluation, where mean and variance are what training has carried on. An entry
acts on its own $y$ alone, gain and bias on their channel of every row:

$$ db_c = \sum_n dy_{nc}, \quad dg_c = \sum_n dy_{nc} h_{nc} \tag{3} $$
$$ dh_{nc} = g_c \, dy_{nc}, \quad dx_{nc} = r_c \, dh_{nc} \tag{4} $$

In training mean and variance are those of $x$ itself, and send gradients back to it, of which
`batch_norm.py` tells.

Source: Ioffe and Szegedy (2015), algorithm 2.
"""

import numpy as np

from ..engine import (
    COSTLY,
    Array,
    Case,
    Elementwise,
    Reduction,
    array_module,
    door,
    empty,
    in_parts,
    kernel,
    loop,
    same_dtype,
    sum_in_parts,
    together,
)
from ..engine.kinds import Positive
from ..errors import ShapeError


@door
def forward(
    x: Array, gain: Array, bias: Array, mean: Array, var: Array, eps: Positive
) -> tuple[Array, tuple]:
    """Standardise x (..., C) by moments mean, var (C,), with gain and bias (C,)."""
    h = (x - mean) * one_by_root(var, eps)  # (1)
    return gain * h + bias, (x, mean, var, gain, eps)  # (2)


@door
def backward(
    dy: Array, x: Array, mean: Array, var: Array, gain: Array, eps: Positive
) -> tuple[Array, Array, Array]:
    """Gradients from dy (..., C) and moments mean, var (C,): dx (..., C), dgain, dbias (C,)."""
    r = one_by_root(var, eps)
    h = (x - mean) * r
    rows = tuple(range(x.ndim - 1))
    dgain, dbias = (dy * h).sum(axis=rows), dy.sum(axis=rows)  # (3)
    return gain * dy * r, dgain, dbias  # (4)


def one_by_root(var: Array, eps: Positive) -> Array:
    """Return r, one by the standard deviation."""
    return 1 / array_module(var).sqrt(var + eps)  # (1)


# The kernels: each result is one pass, and so are both sums, in float64: a channel of images has
# some ten thousand numbers. Those backward are batch norm's too, which subtracts what comes back
# through the moments: `share` is then 1/N, and 0 here.
# Forward and backward at 128 x 14 x 14 x 32, float32, one thread, reference / kernel: 27.


@loop
def _standardise(x, y, mean, factor, bias):  # noqa: ANN001, ANN202
    for n in range(x.shape[0]):
        row, out = x[n], y[n]
        for c in range(row.size):
            out[c] = (row[c] - mean[c]) * factor[c] + bias[c]  # (2)


@loop
def _sums(dy, x, total, mean, r):  # noqa: ANN001, ANN202
    dgain, dbias = total[0, 0], total[0, 1]
    for c in range(dbias.size):
        dgain[c] = dbias[c] = 0
    for n in range(dy.shape[0]):
        upstream, row = dy[n], x[n]
        for c in range(row.size):
            dgain[c] += upstream[c] * ((row[c] - mean[c]) * r[c])  # (3)
            dbias[c] += upstream[c]


@loop
def _back(dy, x, dx, mean, factor, dh_mean, dv):  # noqa: ANN001, ANN202
    for n in range(dy.shape[0]):
        upstream, row, out = dy[n], x[n], dx[n]
        for c in range(row.size):
            # (4), where the last two are 0
            out[c] = factor[c] * (upstream[c] - dh_mean[c] - (row[c] - mean[c]) * dv[c])


def in_rows(x: Array, **channels: Array) -> Array:
    """Return x in rows, (N, C).

    Raises
    ------
    ShapeError, DtypeError
        If there are not as many channels everywhere.
    """
    for name, array in channels.items():
        if array.shape != x.shape[-1:]:
            raise ShapeError(
                f"{name} has shape {array.shape}, but x has shape {x.shape}; give one number for "
                "each channel, the last axis of x."
            )
    same_dtype(x=x, **channels)
    (x,) = together(x=x)
    return x.reshape(-1, x.shape[-1])


@kernel("numba", of=forward)
def forward_numba(
    x: Array, gain: Array, bias: Array, mean: Array, var: Array, eps: Positive
) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    rows = in_rows(x, gain=gain, bias=bias, mean=mean, var=var)
    y, factor = empty(x.shape, x.dtype), gain * one_by_root(var, eps)
    in_parts(_standardise, (rows, y.reshape(rows.shape)), mean, factor, bias, least=COSTLY)
    return y, (x, mean, var, gain, eps)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    gain: Array,
    eps: Positive,
    dgain: Array | None = None,
    dbias: Array | None = None,
    share: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dgain and dbias are where to write."""
    dy, x = together(dy=dy, x=x)
    rows, r = in_rows(x, gain=gain), one_by_root(var, eps)
    upstream, total = dy.reshape(rows.shape), np.empty((2, gain.size))
    sum_in_parts(_sums, (upstream, rows), total, mean, r, least=COSTLY)
    dgain = empty(gain.shape, x.dtype) if dgain is None else dgain
    dbias = empty(gain.shape, x.dtype) if dbias is None else dbias
    dgain[...], dbias[...] = total
    dx = empty(x.shape, x.dtype)
    dv, dh_mean = (total * share).astype(x.dtype)
    numbers = (mean, gain * r, dh_mean, dv * r)
    in_parts(_back, (upstream, rows, dx.reshape(rows.shape)), *numbers, least=COSTLY)
    return dx, dgain, dbias


# On the GPU: one launch, and backward two sums and a launch.

_STANDARDISE = Elementwise(
    "standardise",
    "T x, T gain, T bias, T mean, T var, T eps",
    "T y",
    "y = gain * ((x - mean) / sqrt(var + eps)) + bias;  // (1), (2)",
)
_DGAIN = Reduction(
    "standardise_dgain",
    "T dy, T x, T mean, T var, T eps",
    "T dgain",
    "dy * ((x - mean) / sqrt(var + eps))",  # (3)
    "dgain = a",
)
_BACK = Elementwise(
    "standardise_backward",
    "T dy, T x, T mean, T var, T gain, T dgain, T dbias, T eps, T share",
    "T dx",
    """
    T r = T(1) / sqrt(var + eps);
    T h = (x - mean) * r;
    dx = gain * r * (dy - share * (dbias + h * dgain));  // (4), where share is 0
    """,
)


@kernel("cuda", of=forward)
def forward_cuda(
    x: Array, gain: Array, bias: Array, mean: Array, var: Array, eps: Positive
) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    return _STANDARDISE(x, gain, bias, mean, var, eps), (x, mean, var, gain, eps)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array,
    x: Array,
    mean: Array,
    var: Array,
    gain: Array,
    eps: Positive,
    dgain: Array | None = None,
    dbias: Array | None = None,
    share: float = 0.0,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dgain and dbias are where to write."""
    upstream, rows = (array.reshape(-1, array.shape[-1]) for array in (dy, x))
    dgain = _DGAIN(upstream, rows, mean, var, eps, axis=0, out=dgain)
    dbias = upstream.sum(axis=0, out=dbias)  # (3)
    return _BACK(dy, x, mean, var, gain, dgain, dbias, eps, share), dgain, dbias


def _positive(arguments: dict, rng: np.random.Generator) -> dict:
    return {**arguments, "var": arguments["var"] ** 2 + 0.1}


CASES = [
    Case(
        "standardise",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C"), "gain": ("C",), "bias": ("C",)},
        fixed={"mean": ("C",), "var": ("C",)},
        options={"eps": 1e-3},
        prepare=_positive,
        output=("B", "H", "W", "C"),
        layer=None,  # batch norm's, outside of a step of training
        sizes={"H": 5, "W": 7},
    ),
]
