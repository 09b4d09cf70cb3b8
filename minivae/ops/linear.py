r"""Linear layer: $y = x W + b$.

Shapes: $x$ (B, I), $W$ (I, O), $b$ (O,), $y$ (B, O). In components, for example $n$,

$$ y_{no} = \sum_i x_{ni} W_{io} + b_o \tag{1} $$

Let $L$ be the loss and $dy_{no} = \partial L / \partial y_{no}$. Each gradient follows by asking in
which outputs a number occurs, and adding up what comes back from them.

$x_{ni}$ occurs in the outputs of its own example, with the factor $W_{io}$:

$$ dx_{ni} = \sum_o dy_{no} W_{io} \quad\Rightarrow\quad dx = dy \, W^\top \tag{2} $$

$W_{io}$ occurs in the output $o$ of every example, with the factor $x_{ni}$:

$$ dW_{io} = \sum_n x_{ni} \, dy_{no} \quad\Rightarrow\quad dW = x^\top dy \tag{3} $$

$b_o$ occurs in the output $o$ of every example, with the factor 1:

$$ db_o = \sum_n dy_{no} \tag{4} $$

The sums over the batch in (3) and (4) carry no 1/B: if the loss is a mean over the batch, the 1/B
is already in $dy$.

Source: Rumelhart, Hinton and Williams (1986), equations 4 to 7, in matrix form.
"""

import numpy as np

from ..engine import (
    INITIALISERS,
    SIZES,
    Array,
    Backend,
    Case,
    Layer,
    array_module,
    door,
    empty,
    in_parts,
    kernel,
    loop,
    matmul,
    same_dtype,
    sum_in_parts,
    together,
)
from ..engine.cpu import sparse
from ..engine.cpu.sparse import Entries
from ..errors import OptionError, ShapeError


@door
def forward(x: Array, W: Array, b: Array) -> tuple[Array, tuple]:
    """Compute `y = x W + b`: x (B, I), W (I, O), b (O,) -> y (B, O)."""
    return x @ W + b, (x, W)  # (1)


@door
def backward(dy: Array, x: Array, W: Array) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, O): dx (B, I), dW (I, O), db (O,)."""
    dx = dy @ W.T  # (2)
    dW = x.T @ dy  # (3)
    db = dy.sum(axis=0)  # (4)
    return dx, dW, db


@door
def backward_params(dy: Array, x: Array, W: Array) -> tuple[Array, Array]:
    """Gradients dW (I, O), db (O,) from dy (B, O), where nobody asks for that of x (B, I)."""
    return x.T @ dy, dy.sum(axis=0)  # (3), (4)


# The kernels: the products go where their results belong, and the sums over the batch are loops.
# Alone at 128 x 784 -> 400, float32, they tie with the reference (1.0), nearly all being products;
# in a layer they spare the copy of dW into `grad`, and in a step every allocation. Of an x that is
# mostly zeros they multiply the entries alone: 1.7 to 2 times as fast (`engine/cpu/sparse.py`).


def product(x: Array, W: Array, b: Array) -> tuple[Array, Entries | None]:
    """Matrix product x W (B, O), for b to be added, and the entries of x if few are not 0.

    Raises
    ------
    ShapeError, DtypeError
        If the three do not fit together.
    """
    y = _place(x, W)
    if b.shape != W.shape[1:] or b.dtype != x.dtype:
        raise ShapeError(
            f"b is {b.dtype} of shape {b.shape}, but with x {x.dtype} and W of shape {W.shape} it "
            f"must be {x.dtype} of shape {W.shape[1:]}; give one number for each output."
        )
    return y, sparse.multiply(x, W, y)


def gradient_of_W(
    dy: Array, x: Array, W: Array, entries: Entries | None, dW: Array | None
) -> Array:
    """Matrix product x' dy, by the entries of x if `product` has found them few; into any dW."""
    dW = empty(W.shape, dy.dtype) if dW is None else dW
    return sparse.multiply_turned(x, entries, dy, dW)


def turned_product(dy: Array, W: Array) -> Array:
    """Matrix product dy W' into memory of this step.

    Raises
    ------
    ShapeError, DtypeError
        If the two do not fit together.
    """
    return matmul(dy, W.T, out=_place(dy, W.T))


def _place(x: Array, W: Array) -> Array:
    """Memory of this step for a product x W."""
    dtype = x.dtype
    if x.ndim != 2 or W.ndim != 2 or x.shape[1] != W.shape[0]:
        raise ShapeError(
            f"arrays of shapes {x.shape} and {W.shape} have no matrix product; "
            "give (B, I) and (I, O)."
        )
    if W.dtype != dtype or dtype.char not in "fd":
        same_dtype(x=x, W=W)
    return empty((x.shape[0], W.shape[1]), dtype)


@loop
def add_bias(y, b):  # noqa: ANN001, ANN201
    """Add b (O,) to every row of y (N, O)."""
    for n in range(y.shape[0]):
        row = y[n]
        for o in range(row.size):
            row[o] += b[o]  # (1)


@loop
def sum_rows(dy, db):  # noqa: ANN001, ANN201
    """Write the sum over the rows of dy (N, O) to db (1, O)."""
    total = db[0]
    for o in range(total.size):
        total[o] = 0
    for n in range(dy.shape[0]):
        row = dy[n]
        for o in range(row.size):
            total[o] += row[o]  # (4)


@kernel("numba", of=forward)
def forward_numba(x: Array, W: Array, b: Array) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    y, entries = product(x, W, b)  # (1)
    in_parts(add_bias, (y,), b)
    return y, (x, W, entries)


@kernel("numba", of=backward_params)
def backward_params_numba(
    dy: Array,
    x: Array,
    W: Array,
    entries: Entries | None = None,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array]:
    """Kernel of `backward_params`; dW and db are where to write."""
    if dy.shape != (x.shape[0], W.shape[1]):
        raise ShapeError(
            f"dy has shape {dy.shape}, but {(x.shape[0], W.shape[1])} is expected; "
            "it is the gradient of this layer's output."
        )
    (dy,) = together(dy=dy)
    dW = gradient_of_W(dy, x, W, entries, dW)  # (3)
    db = empty(W.shape[1:], dy.dtype) if db is None else db
    sum_in_parts(sum_rows, (dy,), db)
    return dW, db


@kernel("numba", of=backward)
def backward_numba(
    dy: Array,
    x: Array,
    W: Array,
    entries: Entries | None = None,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db are where to write."""
    dW, db = backward_params_numba(dy, x, W, entries, dW, db)
    return turned_product(dy, W), dW, db  # (2)


# On the GPU the products are cuBLAS's; what is won is that they write where the gradients belong.


@kernel("cuda", of=backward_params)
def backward_params_cuda(
    dy: Array, x: Array, W: Array, dW: Array | None = None, db: Array | None = None
) -> tuple[Array, Array]:
    """Kernel of `backward_params`; dW and db are where to write."""
    xp = array_module(dy, x, W)
    dW = xp.matmul(x.T, dy, out=dW)  # (3)
    return dW, dy.sum(axis=0, out=db)  # (4)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, x: Array, W: Array, dW: Array | None = None, db: Array | None = None
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db are where to write."""
    dW, db = backward_params_cuda(dy, x, W, dW, db)
    return dy @ W.T, dW, db  # (2)


class Linear(Layer):
    """Linear layer with its parameters `W` (n_in, n_out) and `b` (n_out,).

    Parameters
    ----------
    n_in, n_out : int
        Widths of input and output.
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
        *,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if min(n_in, n_out) < 1:
            raise OptionError(
                f"Linear({n_in}, {n_out}) was asked for, but both widths must be at least 1."
            )
        if init not in INITIALISERS:
            raise OptionError(f"init={init!r} was given; choose one of: {', '.join(INITIALISERS)}.")
        super().__init__({"W": (n_in, n_out), "b": (n_out,)}, dtype=dtype, backend=backend)
        self.n_in, self.n_out = n_in, n_out
        weights = INITIALISERS[init](rng, n_in, n_out)
        self.params["W"][...] = self.backend.asarray(weights, self.params.dtype)

    def forward(self, x: Array) -> Array:
        """Compute `y = x W + b` for x (B, n_in)."""
        self.expect("x", x, ("B", self.n_in))
        y, self.cache = self.call(forward, x, self.params["W"], self.params["b"])
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

    def upstream(self, dy: Array) -> tuple:
        """Check dy (B, n_out); return it with what the forward pass has kept."""
        cache = self.saved()
        self.expect("dy", dy, (cache[0].shape[0], self.n_out))
        return dy, *cache

    def grads(self) -> dict[str, Array]:
        """Where the gradients of `W` and `b` belong."""
        return {"dW": self.params.grad_of("W"), "db": self.params.grad_of("b")}

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, n_in) to (B, n_out)."""
        return (*shape[:-1], self.n_out)

    def __repr__(self) -> str:
        return f"Linear({self.n_in}, {self.n_out})"


CASES = [
    Case(
        "linear",
        forward,
        backward,
        vary={"x": ("B", "I"), "W": ("I", "O"), "b": ("O",)},
        output=("B", "O"),
        layer=lambda **how: Linear(SIZES["I"], SIZES["O"], rng=np.random.default_rng(1), **how),
    ),
]
