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
    get_backend,
    kernel,
    same_dtype,
)
from ..errors import OptionError, ShapeError
from . import linear, patches
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


# The kernels: on each backend, those of the two operations that it is made of. On a GPU that is one
# launch for the patches, one for the product and one for the bias, and no library of convolutions;
# backward two products, a sum, and one launch for (4).
# Forward and backward at 128 x 14 x 14 x 32, kernel 4, stride 2, 64 channels, float32, one thread,
# reference / kernel: 1.5.


def check_channels(x: Array, W: Array, b: Array) -> None:
    """Compare the channels of the three, and their dtypes.

    Raises
    ------
    ShapeError, DtypeError
        If they do not fit together.
    """
    if x.ndim != 4 or W.ndim != 4 or x.shape[3] != W.shape[2] or b.shape != W.shape[3:]:
        raise ShapeError(
            f"images of shape {x.shape}, weights of shape {W.shape} and a bias of shape {b.shape} "
            "do not fit together; give (B, H, W, C), (kh, kw, C, O) and (O,)."
        )
    same_dtype(x=x, W=W, b=b)


def flat(out: dict[str, Array]) -> dict[str, Array]:
    """Where to write dW and db, dW as a matrix; nothing if nothing is given."""
    return {
        name: array.reshape(-1, array.shape[-1]) if name == "dW" else array
        for name, array in out.items()
    }


def _make_kernels(name: str) -> None:
    """Register the kernels of one backend."""

    @kernel(name, of=forward)
    def forward_there(
        x: Array, W: Array, b: Array, stride: Pair, padding: Sides
    ) -> tuple[Array, tuple]:
        check_channels(x, W, b)
        call, W2 = get_backend(name).call, as_matrix(W)
        P, where = call(patches.forward, x, W.shape[:2], stride, padding)  # (1)
        y, _ = call(linear.forward, P.reshape(-1, len(W2)), W2, b)  # (2)
        return y.reshape(*P.shape[:3], len(b)), (P, W, *where)

    @kernel(name, of=backward)
    def backward_there(
        dy: Array, P: Array, W: Array, size: Pair, stride: Pair, padding: Sides, **out: Array
    ) -> tuple[Array, Array, Array]:
        call, W2, rows = get_backend(name).call, as_matrix(W), dy.reshape(-1, W.shape[3])
        seen = P.reshape(-1, len(W2))
        dP, dW, db = call(linear.backward, rows, seen, W2, out=flat(out))  # (3)
        dx = call(patches.backward, dP.reshape(P.shape), size, stride, padding)  # (4)
        return dx, out.get("dW", dW.reshape(W.shape)), db

    @kernel(name, of=backward_params)
    def backward_params_there(
        dy: Array, P: Array, W: Array, size: Pair, stride: Pair, padding: Sides, **out: Array
    ) -> tuple[Array, Array]:
        call, W2, rows = get_backend(name).call, as_matrix(W), dy.reshape(-1, W.shape[3])
        seen = P.reshape(-1, len(W2))
        dW, db = call(linear.backward_params, rows, seen, W2, out=flat(out))  # (3)
        return out.get("dW", dW.reshape(W.shape)), db


for _name in ("numba", "cuda"):
    _make_kernels(_name)


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
        self.expect("dy", dy, (*cache[0].shape[:3], self.c_out))
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
