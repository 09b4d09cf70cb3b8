r"""Convolution of images: the same weights at each place of a window.

Shapes: images $x$ (B, H, W, C), weights $W$ (kh, kw, C, O), bias $b$ (O,), result $y$ (B, h, w, O).
With strides $s, s'$, padding $t$ above and $l$ to the left (`windows.py` counts h and w), and 0 for
what lies outside of the image,

$$ y_{nuvo} = \sum_{i, j, c} x_{n, \; us + i - t, \; vs' + j - l, \; c} \, W_{ijco} + b_o $$

(The field calls this a convolution; in mathematics the kernel would be turned round.)

What is summed over is the patch $P_{nuv}$ that the window sees at the place $(u, v)$, a run of
$K$ = kh kw C numbers (`patches.py`). Laid in a row, with $W$ as a matrix (K, O) in the order in
which it lies in memory, each place is a row of a linear layer (`linear.py`):

$$ P = \text{patches}(x) \tag{1} $$
$$ y_{nuv} = P_{nuv} W + b \tag{2} $$

**Backwards**, in the opposite order. Linear, over all places of all images as its rows:

$$ dP_{nuv} = dy_{nuv} W^\top, \quad dW = \sum_{n, u, v} P_{nuv}^\top dy_{nuv},
   \quad db = \sum_{n, u, v} dy_{nuv} \tag{3} $$

In that sum is what makes a convolution one: a weight acts at every place. And patches, which give
each pixel the sum over the windows that see it:

$$ dx = \text{patches}^\top(dP) \tag{4} $$

The first half of (3) and (4) together lead from small images to large ones. As a forward pass they
are the transposed convolution (`conv_transpose2d.py`).

Source: LeCun et al. (1989), section 3; as a matrix product, Chellapilla, Puri and Simard (2006).
"""

from typing import Any

import numpy as np

from ..engine import (
    INITIALISERS,
    SIZES,
    Array,
    Backend,
    Case,
    Layer,
    door,
    empty,
    in_parts,
    kernel,
    sum_in_parts,
    together,
)
from ..errors import OptionError
from . import linear, patches
from .scratch import check_channels, check_upstream, lay_patches, multiply_patches
from .windows import Pair, Sides, check_padding, count, sides_for, times, whole


@door
def forward(x: Array, W: Array, b: Array, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Convolve: x (B, H, W, C), W (kh, kw, C, O), b (O,) -> y (B, h, w, O)."""
    P, where = patches.forward(x, W.shape[:2], stride, padding)  # (1)
    W2 = as_matrix(W)
    y, _ = linear.forward(P.reshape(-1, len(W2)), W2, b)  # (2)
    return y.reshape(*P.shape[:3], len(b)), (P, W, *where)


@door
def backward(
    dy: Array, P: Array, W: Array, size: Pair, stride: Pair, padding: Sides
) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, h, w, O): dx (B, H, W, C), dW (kh, kw, C, O), db (O,).

    P (B, h, w, kh, kw, C) are the patches of x.
    """
    W2, rows = as_matrix(W), dy.reshape(-1, W.shape[3])
    dP, dW, db = linear.backward(rows, P.reshape(-1, len(W2)), W2)  # (3)
    dx = patches.backward(dP.reshape(P.shape), size, stride, padding)  # (4)
    return dx, dW.reshape(W.shape), db


@door
def backward_params(
    dy: Array, P: Array, W: Array, size: Pair, stride: Pair, padding: Sides
) -> tuple[Array, Array]:
    """Gradients dW (kh, kw, C, O), db (O,) alone from dy (B, h, w, O), where x is data.

    P (B, h, w, kh, kw, C) are the patches of x.
    """
    W2, rows = as_matrix(W), dy.reshape(-1, W.shape[3])
    dW, db = linear.backward_params(rows, P.reshape(-1, len(W2)), W2)  # (3)
    return dW.reshape(W.shape), db


def as_matrix(W: Array) -> Array:
    """Weights (kh, kw, C, O) as a matrix, (K, O)."""
    return W.reshape(-1, W.shape[3])


# The kernels: a few images at a time (`scratch.py`), so the forward pass keeps x and not P.
# Forward and backward at 128 x 14 x 14 x 32, kernel 4, stride 2, 64 channels, float32, one thread,
# reference / kernel: 1.6.


@kernel("numba", of=forward)
def forward_numba(
    x: Array, W: Array, b: Array, stride: Pair, padding: Sides
) -> tuple[Array, tuple]:
    """Kernel of `forward`; it keeps x."""
    check_channels(x, W, b, (2, 3))
    (x,) = together(x=x)
    places = count(x.shape[1:3], W.shape[:2], stride, padding)
    y = empty((len(x), *places, len(b)), x.dtype)
    multiply_patches(x, W, places, stride, padding, y=y)  # (1), (2)
    in_parts(linear.add_bias, (y.reshape(-1, len(b)),), b)
    return y, (x, W, stride, padding)


@kernel("numba", of=backward_params)
def backward_params_numba(
    dy: Array,
    x: Array,
    W: Array,
    stride: Pair,
    padding: Sides,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array]:
    """Kernel of `backward_params`; dW and db are where to write."""
    (dy,) = together(dy=dy)
    check_upstream(dy, x, dy, W, stride, padding)
    dW = empty(W.shape, dy.dtype) if dW is None else dW
    db = empty(W.shape[3:], dy.dtype) if db is None else db
    multiply_patches(x, W, dy.shape[1:3], stride, padding, dy=dy, dW=dW)  # (3)
    sum_in_parts(linear.sum_rows, (dy.reshape(-1, len(db)),), db)  # (3)
    return dW, db


@kernel("numba", of=backward)
def backward_numba(
    dy: Array, x: Array, W: Array, stride: Pair, padding: Sides, **out: Array
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db in `out` are where to write."""
    (dy,) = together(dy=dy)
    dW, db = backward_params_numba(dy, x, W, stride, padding, **out)
    dx, nothing = empty(x.shape, dy.dtype), np.zeros(x.shape[2] * x.shape[3], dy.dtype)
    lay_patches(dy, W, dx, nothing, stride, padding)  # (3), (4)
    return dx, dW, db


# On the GPU: one launch for the patches, one for the product and one for the bias, and no library
# of convolutions; backward two products, a sum, and one launch for (4).


@kernel("cuda", of=forward)
def forward_cuda(x: Array, W: Array, b: Array, stride: Pair, padding: Sides) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    check_channels(x, W, b, (2, 3))
    P, where = patches.forward_cuda(x, W.shape[:2], stride, padding)  # (1)
    W2 = as_matrix(W)
    y, _ = linear.forward(P.reshape(-1, len(W2)), W2, b)  # (2)
    return y.reshape(*P.shape[:3], len(b)), (P, W, *where)


@kernel("cuda", of=backward_params)
def backward_params_cuda(
    dy: Array, P: Array, W: Array, *where: Any, **out: Array
) -> tuple[Array, Array]:
    """Kernel of `backward_params`; dW and db in `out` are where to write."""
    W2, rows = as_matrix(W), dy.reshape(-1, W.shape[3])
    to = {n: as_matrix(array) if n == "dW" else array for n, array in out.items()}
    dW, db = linear.backward_params_cuda(rows, P.reshape(-1, len(W2)), W2, **to)  # (3)
    return out.get("dW", dW.reshape(W.shape)), db


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array, P: Array, W: Array, *where: Any, **out: Array
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db in `out` are where to write."""
    dW, db = backward_params_cuda(dy, P, W, **out)  # (3)
    dP = (dy.reshape(-1, W.shape[3]) @ as_matrix(W).T).reshape(P.shape)  # (3)
    return patches.backward_cuda(dP, *where), dW, db  # (4)


class Conv2d(Layer):
    """Convolution of images (B, H, W, c_in), with `W` (kh, kw, c_in, c_out) and `b` (c_out,).

    Parameters
    ----------
    c_in, c_out : int
        Channels of input and output.
    kernel : int or (int, int)
        Height and width of the window, in pixels.
    stride : int or (int, int)
        Steps in which it moves, down and across.
    padding : int, (int, int), ((int, int), (int, int)), "valid" or "same"
        Zeros around the image: on all sides; above and below, and left and right; or on each. As
        many as an output of ceil(size / stride) needs are "same", and none are "valid".
    bias : bool
        Whether there is `b`. Before a batch norm, which takes the mean away, it would do nothing.
    rng : numpy.random.Generator
        Draws the initial `W`; `b` starts at zero.
    init : str
        How `W` is drawn: one of `INITIALISERS` of `minivae.engine.init`.
    dtype : {"float32", "float64"}
        dtype of parameters, inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: Any = "valid",
        bias: bool = True,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if min(c_in, c_out) < 1:
            raise OptionError(
                f"{type(self).__name__}({c_in}, {c_out}) was asked for, but an image has at least "
                "1 channel before and after it."
            )
        if init not in INITIALISERS:
            raise OptionError(f"init={init!r} was given; choose one of: {', '.join(INITIALISERS)}.")
        self.c_in, self.c_out = c_in, c_out
        self.made: tuple[int, ...] = ()
        self.kernel, self.stride = whole("kernel", kernel, 1), whole("stride", stride, 1)
        self.padding = check_padding(padding)
        shape = self.shape_of_weights()
        shapes = {"W": shape, "b": (c_out,)} if bias else {"W": shape}
        super().__init__(shapes, dtype=dtype, backend=backend)
        zeros = self.backend.xp.zeros(c_out, self.params.dtype)
        self.none = {} if bias else {"b": zeros}
        seen = self.kernel[0] * self.kernel[1]
        weights = INITIALISERS[init](rng, seen * c_in, seen * c_out, shape)
        self.params["W"][...] = self.backend.asarray(weights, self.params.dtype)

    def shape_of_weights(self) -> tuple[int, ...]:
        """(kh, kw, c_in, c_out)."""
        return (*self.kernel, self.c_in, self.c_out)

    def sides(self, size: Pair) -> Sides:
        """Zeros around an image of that height and width."""
        return sides_for(self.padding, size, self.kernel, self.stride)

    def forward(self, x: Array) -> Array:
        """Convolve x (B, H, W, c_in) -> y (B, h, w, c_out)."""
        self.expect("x", x, ("B", "H", "W", self.c_in))
        W, b, sides = self.params["W"], self.b, self.sides(x.shape[1:3])
        y, self.cache = self.call(forward, x, W, b, stride=self.stride, padding=sides)
        self.made = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `W` and `b`; return dx (B, H, W, c_in)."""
        dx, *grads = self.call(backward, *self.upstream(dy), out=self.grads())
        self.set_grads(*grads)
        return dx

    def backward_params(self, dy: Array) -> None:
        """Overwrite the gradients of `W` and `b`; the input is data and gets none."""
        self.set_grads(*self.call(backward_params, *self.upstream(dy), out=self.grads()))

    def upstream(self, dy: Array) -> tuple:
        """Check dy (B, h, w, c_out); return it with what the forward pass has kept."""
        cache = self.saved()
        self.expect("dy", dy, self.made)
        return dy, *cache

    def grads(self) -> dict[str, Array]:
        """Where the gradients of `W` and `b` belong."""
        return {f"d{name}": self.params.grad_of(name) for name in self.params}

    def set_grads(self, dW: Array, db: Array) -> None:
        """Overwrite the gradients of `W` and, if there is one, `b`."""
        self.params.set_grads(**({"W": dW} if self.none else {"W": dW, "b": db}))

    @property
    def b(self) -> Array:
        """The bias, or zeros where there is none."""
        return self.none["b"] if self.none else self.params["b"]

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, H, W, c_in) to (B, h, w, c_out)."""
        size = (shape[1], shape[2])
        return (shape[0], *count(size, self.kernel, self.stride, self.sides(size)), self.c_out)

    def __repr__(self) -> str:
        padding = self.padding if isinstance(self.padding, str) else list(map(list, self.padding))
        return (
            f"{type(self).__name__}({self.c_in}, {self.c_out}, kernel {times(self.kernel)}, "
            f"stride {times(self.stride)}, padding {padding})"
        )


CASES = [
    Case(
        "conv2d",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C"), "W": ("kh", "kw", "C", "O"), "b": ("O",)},
        options={"stride": patches.STRIDE, "padding": patches.PADDING},
        output=("B", "h", "w", "O"),
        layer=lambda **how: Conv2d(
            SIZES["C"],
            SIZES["O"],
            (5, 6),
            stride=patches.STRIDE,
            padding=patches.PADDING,
            rng=np.random.default_rng(1),
            **how,
        ),
        sizes=patches.SIZES_OF_IMAGES,
    ),
]
