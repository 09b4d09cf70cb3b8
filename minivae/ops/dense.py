r"""Dense layer: a linear layer and an activation in one operation, $y = f(x W + b)$.

Shapes: $x$ (B, I), $W$ (I, O), $b$ (O,), $y$ (B, O). The derivations are those of `linear.py` and
of the activation's file; what is new is only that they are chained:

$$ a = x W + b \tag{1} $$
$$ y = f(a) \tag{2} $$

and backward in the opposite order: $da$ is what the activation sends back, and it takes the place
of $dy$ in the linear layer.

$$ da = dy \cdot f'(a) \tag{3} $$
$$ dx = da \, W^\top, \quad dW = x^\top da, \quad db_o = \sum_n da_{no} \tag{4} $$

Why an operation of its own: apart from the products, every pass over (B, O) numbers costs about as
long as reading them from memory. Adding the bias and applying $f$ can share one pass, and so can
(3) and the sum in (4).
"""

import functools
from typing import Any

import numpy as np

from ..engine import (
    CHEAP,
    COSTLY,
    SIZES,
    Array,
    Backend,
    Case,
    Elementwise,
    Loop,
    door,
    empty,
    get_backend,
    in_parts,
    kernel,
    loop,
    sum_in_parts,
    together,
)
from ..engine.cpu.sparse import Entries
from . import linear
from .activations import ACTIVATIONS
from .activations.base import f, find, slope
from .linear import Linear, gradient_of_W, product, turned_product


@door
def forward(x: Array, W: Array, b: Array, activation: str) -> tuple[Array, tuple]:
    """Compute `y = f(x W + b)`: x (B, I), W (I, O), b (O,) -> y (B, O)."""
    a, _ = linear.forward(x, W, b)  # (1)
    y, saved = find(activation).forward(a)  # (2)
    return y, (x, W, activation, *saved)


@door
def backward(
    dy: Array, x: Array, W: Array, activation: str, *saved: Any
) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, O): dx (B, I), dW (I, O), db (O,)."""
    da = find(activation).backward(dy, *saved)  # (3)
    return linear.backward(da, x, W)  # (4)


@door
def backward_params(
    dy: Array, x: Array, W: Array, activation: str, *saved: Any
) -> tuple[Array, Array]:
    """Gradients dW (I, O), db (O,) from dy (B, O), where nobody asks for that of x (B, I)."""
    da = find(activation).backward(dy, *saved)  # (3)
    return linear.backward_params(da, x, W)  # (4)


# The kernels: f and its slope are those of the activation's file. Nearly all of it is products.
# Both at 128 x 784 -> 400, float32, one thread, reference / kernel: 1.02 for relu, 1.03 for tanh.


@loop
def _bias_and_f(a, b):  # noqa: ANN001, ANN202
    for n in range(a.shape[0]):
        row = a[n]
        for o in range(row.size):
            row[o] = f(row[o] + b[o])  # (1), (2): y takes the place of a


@loop
def _bias_and_both(a, y, b, *options):  # noqa: ANN001, ANN002, ANN202
    for n in range(a.shape[0]):
        row, out = a[n], y[n]
        for o in range(row.size):
            biased = row[o] + b[o]  # (1)
            out[o] = f(biased, *options)  # (2)
            row[o] = slope(biased, *options)  # f'(a) takes the place of a


@loop
def _slope_and_sum(dy, kept, da, db):  # noqa: ANN001, ANN202
    total = db[0]
    for o in range(total.size):
        total[o] = 0
    for n in range(dy.shape[0]):
        upstream, k, row = dy[n], kept[n], da[n]
        for o in range(row.size):
            row[o] = upstream[o] * slope(k[o])  # (3)
            total[o] += row[o]  # (4)


@functools.cache
def _loops(activation: str) -> tuple[Loop, Loop]:
    """The loops of one activation, there and back."""
    forms = ACTIVATIONS[activation]
    if forms.from_output:
        return _bias_and_f.using(f=forms.scalar), _slope_and_sum.using(slope=forms.slope)
    return _bias_and_both.using(f=forms.scalar, slope=forms.slope), _slope_and_sum


@kernel("numba", of=forward)
def forward_numba(x: Array, W: Array, b: Array, activation: str) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps y, or f'(a) where that does not follow from y."""
    a, entries = product(x, W, b)
    forms, (there, _) = ACTIVATIONS[activation], _loops(activation)
    least = CHEAP if forms.cheap else COSTLY
    if forms.from_output:
        in_parts(there, (a,), b, least=least)
        return a, (x, W, activation, a, entries)
    y = empty(a.shape, a.dtype)
    numbers = (a.dtype.type(option) for option in forms.values())
    in_parts(there, (a, y), b, *numbers, least=least)
    return y, (x, W, activation, a, entries)


def _through_f(
    dy: Array, activation: str, kept: Array, W: Array, db: Array | None
) -> tuple[Array, Array]:
    """Return da and db."""
    dy, kept = together(dy=dy, kept=kept)
    da = empty(dy.shape, dy.dtype)
    db = empty(W.shape[1:], dy.dtype) if db is None else db
    _, back = _loops(activation)
    sum_in_parts(back, (dy, kept, da), db)
    return da, db


@kernel("numba", of=backward_params)
def backward_params_numba(
    dy: Array,
    x: Array,
    W: Array,
    activation: str,
    kept: Array,
    entries: Entries | None = None,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array]:
    """Kernel of `backward_params`; dW and db are where to write."""
    da, db = _through_f(dy, activation, kept, W, db)
    return gradient_of_W(da, x, W, entries, dW), db  # (4)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array,
    x: Array,
    W: Array,
    activation: str,
    kept: Array,
    entries: Entries | None = None,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db are where to write."""
    da, db = _through_f(dy, activation, kept, W, db)
    dW = gradient_of_W(da, x, W, entries, dW)  # (4)
    return turned_product(da, W), dW, db  # (4)


# On the GPU: after the product, the bias and the activation share one launch.


@functools.cache
def _bias_and_f_cuda(activation: str) -> Elementwise:
    """The kernel of one activation."""
    forms = ACTIVATIONS[activation]
    inputs = f"T product, T b{forms.cuda_inputs}"
    body = f"T a = product + b;\n{forms.cuda}"  # (1), (2)
    return Elementwise(f"dense_{activation}", inputs, forms.cuda_outputs, body)


for _name in ACTIVATIONS:
    _bias_and_f_cuda(_name)  # listed, so that it can be compiled without a GPU


@kernel("cuda", of=forward)
def forward_cuda(x: Array, W: Array, b: Array, activation: str) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps y, or f'(a) where that does not follow from y."""
    forms = ACTIVATIONS[activation]
    made = _bias_and_f_cuda(activation)(x @ W, b, *forms.values())
    y, kept = (made, made) if forms.from_output else made
    return y, (x, W, activation, kept)


def _through_f_cuda(dy: Array, activation: str, kept: Array) -> Array:
    """Return da."""
    return get_backend("cuda").call(ACTIVATIONS[activation].backward, dy, kept)


@kernel("cuda", of=backward_params)
def backward_params_cuda(
    dy: Array, x: Array, W: Array, activation: str, kept: Array, **out: Array
) -> tuple[Array, Array]:
    """Kernel of `backward_params`; dW and db in `out` are where to write."""
    da = _through_f_cuda(dy, activation, kept)  # (3)
    return linear.backward_params_cuda(da, x, W, **out)  # (4)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, x: Array, W: Array, activation: str, kept: Array, **out: Array
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db in `out` are where to write."""
    da = _through_f_cuda(dy, activation, kept)  # (3)
    return linear.backward_cuda(da, x, W, **out)  # (4)


class Dense(Linear):
    """Linear layer followed by an activation, with the parameters of `Linear`.

    Parameters
    ----------
    n_in, n_out : int
        Widths of input and output.
    activation : str
        One of `ACTIVATIONS`.
    rng : numpy.random.Generator
        Draws the initial `W`; `b` starts at zero.
    init : str
        How `W` is drawn: one of `INITIALISERS` of `minivae.engine.init`.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    same_calls = True

    def __init__(
        self,
        n_in: int,
        n_out: int,
        activation: str,
        *,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        find(activation)  # refuses a name that there is not
        super().__init__(n_in, n_out, rng=rng, init=init, dtype=dtype, backend=backend)
        self.activation = activation

    def forward(self, x: Array) -> Array:
        """Compute `y = f(x W + b)` for x (B, n_in)."""
        self.expect("x", x, ("B", self.n_in))
        W, b = self.params["W"], self.params["b"]
        y, self.cache = self.call(forward, x, W, b, activation=self.activation)
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `W` and `b`; return dx (B, n_in)."""
        dx, dW, db = self.call(backward, *self.upstream(dy), out=self.grads())
        self.params.set_grads(W=dW, b=db)
        return dx

    def backward_params(self, dy: Array) -> None:
        """Overwrite the gradients of `W` and `b`; the input is data and gets none."""
        dW, db = self.call(backward_params, *self.upstream(dy), out=self.grads())
        self.params.set_grads(W=dW, b=db)

    def __repr__(self) -> str:
        return f"Dense({self.n_in}, {self.n_out}, {self.activation!r})"


def _case_of(activation: str) -> Case:
    return Case(
        f"dense_{activation}",
        forward,
        backward,
        vary={"x": ("B", "I"), "W": ("I", "O"), "b": ("O",)},
        options={"activation": activation},
        analytic=ACTIVATIONS[activation].analytic,
        output=("B", "O"),
        layer=lambda **how: Dense(
            SIZES["I"], SIZES["O"], activation, rng=np.random.default_rng(1), **how
        ),
    )


CASES = [_case_of(activation) for activation in ACTIVATIONS]
