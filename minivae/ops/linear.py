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

from ..backend import Array, Backend
from ..case import Case
from ..errors import OptionError
from ..init import INITIALISERS
from ..layer import Layer


def forward(x: Array, W: Array, b: Array) -> tuple[Array, tuple]:
    """Compute `y = x W + b`: x (B, I), W (I, O), b (O,) -> y (B, O)."""
    return x @ W + b, (x, W)  # (1)


def backward(dy: Array, x: Array, W: Array) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, O): dx (B, I), dW (I, O), db (O,)."""
    dx = dy @ W.T  # (2)
    dW = x.T @ dy  # (3)
    db = dy.sum(axis=0)  # (4)
    return dx, dW, db


class Linear(Layer):
    """Linear layer with its parameters `W` (n_in, n_out) and `b` (n_out,).

    Parameters
    ----------
    n_in, n_out : int
        Widths of input and output.
    rng : numpy.random.Generator
        Draws the initial `W`; `b` starts at zero.
    init : {"glorot", "he", "zeros"}
        How `W` is drawn, see `minivae.init`.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        n_in: int,
        n_out: int,
        *,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "numpy",
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
        cache = self.saved()
        self.expect("dy", dy, (cache[0].shape[0], self.n_out))
        dx, dW, db = self.call(backward, dy, *cache)
        self.params.set_grads(W=dW, b=db)
        return dx

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """(B, n_in) -> (B, n_out)."""
        return (*shape[:-1], self.n_out)

    def __repr__(self) -> str:
        return f"Linear({self.n_in}, {self.n_out})"


CASES = [
    Case("linear", forward, backward, vary={"x": ("B", "I"), "W": ("I", "O"), "b": ("O",)}),
]
