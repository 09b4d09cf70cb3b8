r"""Convolution of sequences: the convolution of images that are one pixel high.

Shapes: sequences $x$ (B, T, C), weights $W$ (k, C, O), bias $b$ (O,), result $y$ (B, t, O). With
stride $s$ and padding $l$ on the left, and 0 for what lies outside of the sequence,

$$ y_{nuo} = \sum_{j, c} x_{n, \; us + j - l, \; c} \, W_{jco} + b_o \tag{1} $$

It is the convolution of `conv2d.py` with H = 1 and a kernel of height 1, and its gradients are that
one's:

$$ (dx, dW, db) = (dx, dW, db) \text{ of the image's convolution, without the axes of length 1}
   \tag{2} $$

With a padding of $(k - 1, 0)$ it sees only what came before, and is called causal.

Source: Waibel et al. (1989), section 2, where it is a time-delay network.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import SIZES, Array, Backend, Case, door, get_backend, kernel
from ..engine.kinds import Count
from ..errors import ShapeError
from . import conv2d
from .conv2d import Conv2d
from .windows import Zeros, whole


@door
def forward(x: Array, W: Array, b: Array, stride: Count, padding: Zeros) -> tuple[Array, tuple]:
    """Convolve: x (B, T, C), W (k, C, O), b (O,) -> y (B, t, O); padding is (left, right)."""
    return _there(conv2d.forward, x, W, b, stride, padding)


@door
def backward(dy: Array, *cache: Any) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, t, O): dx (B, T, C), dW (k, C, O), db (O,)."""
    dx, dW, db = conv2d.backward(dy[:, None], *cache)
    return dx[:, 0], dW[0], db  # (2)


@door
def backward_params(dy: Array, *cache: Any) -> tuple[Array, Array]:
    """Gradients dW, db alone from dy (B, t, O), where x is data and nobody asks for dx."""
    dW, db = conv2d.backward_params(dy[:, None], *cache)
    return dW[0], db  # (2)


def _there(
    of_images: Callable, x: Array, W: Array, b: Array, stride: Count, padding: Zeros
) -> tuple[Array, tuple]:
    y, cache = of_images(x[:, None], W[None], b, (1, stride), ((0, 0), padding))  # (1)
    return y[:, 0], cache


# The kernels: those of the convolution of images.


def _make_kernels(name: str) -> None:
    """Register the kernels of one backend."""

    def of_images(reference: Callable) -> Callable:
        return lambda *arrays: get_backend(name).call(reference, *arrays)

    def back(reference: Callable, dy: Array, cache: tuple, out: dict[str, Array]) -> list[Array]:
        given = {n: array[None] if n == "dW" else array for n, array in out.items()}
        *dx, dW, db = get_backend(name).call(reference, dy[:, None], *cache, out=given)
        return [*(array[:, 0] for array in dx), out.get("dW", dW[0]), db]

    @kernel(name, of=forward)
    def forward_there(
        x: Array, W: Array, b: Array, stride: Count, padding: Zeros
    ) -> tuple[Array, tuple]:
        if x.ndim != 3 or W.ndim != 3 or x.shape[2] != W.shape[1] or b.shape != W.shape[2:]:
            raise ShapeError(
                f"sequences of shape {x.shape}, weights of shape {W.shape} and a bias of shape "
                f"{b.shape} do not fit together; give (B, T, C), (k, C, O) and (O,)."
            )
        return _there(of_images(conv2d.forward), x, W, b, stride, padding)

    @kernel(name, of=backward)
    def backward_there(dy: Array, *cache: Any, **out: Array) -> tuple[Array, ...]:
        return tuple(back(conv2d.backward, dy, cache, out))

    @kernel(name, of=backward_params)
    def backward_params_there(dy: Array, *cache: Any, **out: Array) -> tuple[Array, ...]:
        return tuple(back(conv2d.backward_params, dy, cache, out))


for _name in ("numba", "cuda"):
    _make_kernels(_name)


class Conv1d(Conv2d):
    """Convolution of sequences (B, T, c_in), with `W` (k, c_in, c_out) and `b` (c_out,).

    Parameters
    ----------
    c_in, c_out : int
        Channels of input and output.
    kernel : int
        Length of the window.
    stride : int
        Steps in which it moves.
    padding : int, (int, int), "valid" or "same"
        Zeros at both ends, or at each; (kernel - 1, 0) makes it causal.
    rng, init, dtype, backend
        As `Conv2d`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int,
        *,
        stride: int = 1,
        padding: Any = "valid",
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        ends = padding if isinstance(padding, str) else ((0, 0), whole("padding", padding, 0))
        how: dict[str, Any] = {"rng": rng, "init": init, "dtype": dtype, "backend": backend}
        super().__init__(c_in, c_out, (1, kernel), stride=(1, stride), padding=ends, **how)

    def shape_of_weights(self) -> tuple[int, ...]:
        """(k, c_in, c_out)."""
        return (self.kernel[1], self.c_in, self.c_out)

    def forward(self, x: Array) -> Array:
        """Convolve x (B, T, c_in) -> y (B, t, c_out)."""
        self.expect("x", x, ("B", "T", self.c_in))
        W, b, (_, ends) = self.params["W"], self.params["b"], self.sides((1, x.shape[1]))
        y, self.cache = self.call(forward, x, W, b, stride=self.stride[1], padding=ends)
        self.made = y.shape
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `W` and `b`; return dx (B, T, c_in)."""
        dx, dW, db = self.call(backward, *self.upstream(dy), out=self.grads())
        self.params.set_grads(W=dW, b=db)
        return dx

    def backward_params(self, dy: Array) -> None:
        """Overwrite the gradients of `W` and `b`; the input is data and gets none."""
        dW, db = self.call(backward_params, *self.upstream(dy), out=self.grads())
        self.params.set_grads(W=dW, b=db)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, T, c_in) to (B, t, c_out)."""
        B, _, t, c_out = super().output_shape((shape[0], 1, *shape[1:]))
        return (B, t, c_out)


CASES = [
    Case(
        "conv1d",
        forward,
        backward,
        vary={"x": ("B", "T", "C"), "W": ("k", "C", "O"), "b": ("O",)},
        options={"stride": 2, "padding": (3, 1)},
        output=("B", "t", "O"),
        layer=lambda **how: Conv1d(
            SIZES["C"],
            SIZES["O"],
            5,
            stride=2,
            padding=(3, 1),
            rng=np.random.default_rng(1),
            **how,
        ),
        sizes={"T": 20, "k": 5, "t": 10},
    ),
]
