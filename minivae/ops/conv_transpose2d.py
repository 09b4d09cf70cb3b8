r"""Transposed convolution: a convolution's way back to its input, as a forward pass.

Shapes: images $x$ (B, h, w, C), weights $W$ (kh, kw, O, C), bias $b$ (O,), result $y$ (B, H, W, O).
Where a convolution sums over what a window sees, this one lays a window of kh x kw pixels around
each pixel of $x$ and adds up where the windows overlap. With strides $s, s'$ and padding $t$, $l$,
which is cut off here,

$$ y_{nrqo} = \sum_{u, i: \; us + i - t = r} \;\; \sum_{v, j: \; vs' + j - l = q} \;\;
   \sum_c x_{nuvc} \, W_{ijoc} + b_o $$

In two steps. A linear layer makes of each pixel a patch of $K$ = kh kw O numbers, with $W$ as a
matrix (K, C) in the order in which it lies in memory; and patches are added up in an image, as the
backward pass of `patches.py` does:

$$ P_{nuv} = x_{nuv} W^\top \tag{1} $$
$$ y = \text{patches}^\top(P) + b \tag{2} $$

(1) is the product with which a convolution of the weights $W$ finds $dP$ from $dy$, and (2) is what
then gives $dx$. So $y$ without its bias is that convolution's $dx$, where $x$ stands for its $dy$:

$$ \langle \text{conv}(g; W), x \rangle = \langle g, \text{conv}^\top(x; W) \rangle
   \quad \text{for all } g, x $$

**Backwards**, the transpose of a transpose is the convolution itself. The bias acts on every pixel;
patches of $dy$ are the gradients of (2), and from there it goes back through the product (1):

$$ db = \sum_{n, r, q} dy_{nrq}, \quad dP = \text{patches}(dy) \tag{3} $$
$$ dx_{nuv} = dP_{nuv} W, \quad dW = \sum_{n, u, v} dP_{nuv}^\top x_{nuv} \tag{4} $$

**Chequerboards.** Where the stride does not divide the kernel, neighbouring pixels of $y$ are sums
over different numbers of windows, and the image starts with a pattern of that period. A kernel of
4 and a stride of 2 have no such pattern inside of the image.

Source: Zeiler et al. (2010), section 2; Dumoulin and Visin (2016), chapter 4; Odena, Dumoulin and
Olah (2016) for the pattern.
"""

from typing import Any

import numpy as np

from ..engine import (
    SIZES,
    Array,
    Backend,
    Case,
    array_module,
    door,
    empty,
    kernel,
    sum_in_parts,
    together,
)
from ..errors import OptionError
from . import linear, patches
from .conv2d import Conv2d, as_matrix
from .scratch import check_channels, check_upstream, lay_patches, multiply_patches
from .windows import Pair, Sides, Zeros, pixels, times, whole


@door
def forward(
    x: Array, W: Array, b: Array, stride: Pair, padding: Sides, extra: Zeros
) -> tuple[Array, tuple]:
    """Convolve, transposed: x (B, h, w, C), W (kh, kw, O, C), b (O,) -> y (B, H, W, O).

    `extra` is the output padding: rows and columns that no window of a convolution would see.
    """
    size = pixels(x.shape[1:3], W.shape[:2], stride, padding, extra)
    P = x.reshape(-1, x.shape[3]) @ as_matrix(W).T  # (1)
    P = P.reshape(*x.shape[:3], *W.shape[:3])
    return patches.backward(P, size, stride, padding) + b, (x, W, stride, padding)  # (2)


@door
def backward(
    dy: Array, x: Array, W: Array, stride: Pair, padding: Sides
) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, H, W, O): dx (B, h, w, C), dW (kh, kw, O, C), db (O,)."""
    dP, _ = patches.forward(dy, W.shape[:2], stride, padding)  # (3)
    W2, rows = as_matrix(W), x.reshape(-1, x.shape[3])
    dP = dP.reshape(-1, len(W2))
    dx, dW = dP @ W2, dP.T @ rows  # (4)
    return dx.reshape(x.shape), dW.reshape(W.shape), dy.sum(axis=(0, 1, 2))  # (3)


# The kernels: a few images at a time (`scratch.py`), and each pixel begins with the bias.
# Forward and backward at 128 x 7 x 7 x 64, kernel 4, stride 2, 32 channels, float32, one thread,
# reference / kernel: 1.6.


@kernel("numba", of=forward)
def forward_numba(
    x: Array, W: Array, b: Array, stride: Pair, padding: Sides, extra: Zeros
) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    check_channels(x, W, b, (3, 2))
    (x,) = together(x=x)
    size = pixels(x.shape[1:3], W.shape[:2], stride, padding, extra)
    y = empty((len(x), *size, len(b)), x.dtype)
    lay_patches(x, W, y, np.tile(b, size[1]), stride, padding)  # (1), (2)
    return y, (x, W, stride, padding)


@kernel("numba", of=backward)
def backward_numba(
    dy: Array,
    x: Array,
    W: Array,
    stride: Pair,
    padding: Sides,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db are where to write."""
    (dy,) = together(dy=dy)
    check_upstream(dy, dy, x, W, stride, padding)
    dW = empty(W.shape, dy.dtype) if dW is None else dW
    db = empty(W.shape[2:3], dy.dtype) if db is None else db
    dx = empty(x.shape, dy.dtype)
    multiply_patches(dy, W, x.shape[1:3], stride, padding, y=dx, dy=x, dW=dW)  # (3), (4)
    sum_in_parts(linear.sum_rows, (dy.reshape(-1, dy.shape[3]),), db)  # (3)
    return dx, dW, db


# On the GPU: a product and a launch; backward a launch, two products and a sum.


@kernel("cuda", of=forward)
def forward_cuda(
    x: Array, W: Array, b: Array, stride: Pair, padding: Sides, extra: Zeros
) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    check_channels(x, W, b, (3, 2))
    size = pixels(x.shape[1:3], W.shape[:2], stride, padding, extra)
    P = x.reshape(-1, x.shape[3]) @ as_matrix(W).T  # (1)
    P = P.reshape(*x.shape[:3], *W.shape[:3])
    return patches.backward_cuda(P, size, stride, padding, b), (x, W, stride, padding)  # (2)


@kernel("cuda", of=backward)
def backward_cuda(
    dy: Array,
    x: Array,
    W: Array,
    stride: Pair,
    padding: Sides,
    dW: Array | None = None,
    db: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Kernel of `backward`; dW and db are where to write."""
    xp = array_module(dy, x, W)
    dP, _ = patches.forward_cuda(dy, W.shape[:2], stride, padding)  # (3)
    W2, rows = as_matrix(W), x.reshape(-1, x.shape[3])
    P2 = dP.reshape(-1, len(W2))
    dW = xp.empty(W.shape, W.dtype) if dW is None else dW
    xp.matmul(P2.T, rows, out=as_matrix(dW))  # (4)
    return (P2 @ W2).reshape(x.shape), dW, dy.sum(axis=(0, 1, 2), out=db)  # (3), (4)


class ConvTranspose2d(Conv2d):
    """Transposed convolution of (B, h, w, c_in), with `W` (kh, kw, c_out, c_in) and `b` (c_out,).

    Parameters
    ----------
    c_in, c_out : int
        Channels of input and output.
    kernel : int or (int, int)
        Height and width of the window that is laid around each pixel.
    stride : int or (int, int)
        Steps from one window to the next, down and across.
    padding : int, (int, int), ((int, int), (int, int)), "valid" or "same"
        What is cut off on the sides. "same" gives an image of stride times the size, and "valid"
        cuts nothing off.
    output_padding : int or (int, int)
        Rows and columns to add at the bottom and on the right, fewer than a stride: a convolution
        of these strides would come to the same size without them too.
    bias, rng, init, dtype, backend
        As `Conv2d`.
    """

    def __init__(
        self,
        c_in: int,
        c_out: int,
        kernel: int | Pair,
        *,
        stride: int | Pair = 1,
        padding: Any = "valid",
        output_padding: int | Zeros = 0,
        bias: bool = True,
        rng: np.random.Generator,
        init: str = "glorot",
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        how: dict[str, Any] = {"bias": bias, "rng": rng, "init": init}
        how |= {"dtype": dtype, "backend": backend}
        super().__init__(c_in, c_out, kernel, stride=stride, padding=padding, **how)
        self.extra = whole("output_padding", output_padding, 0)
        if self.padding == "same" and any(self.extra):
            raise OptionError(
                f"output_padding={output_padding!r} was given with padding='same', whose output is "
                "stride times the input already; leave one of them out."
            )
        if self.extra[0] >= self.stride[0] or self.extra[1] >= self.stride[1]:
            raise OptionError(
                f"output_padding={output_padding!r} was given, but it is less than the stride, "
                f"{times(self.stride)}; a window more would cover the rest."
            )

    def shape_of_weights(self) -> tuple[int, ...]:
        """(kh, kw, c_out, c_in)."""
        return (*self.kernel, self.c_out, self.c_in)

    def placed(self, windows: Pair) -> dict[str, Any]:
        """Options of `forward` for so many windows."""
        (down, across), (kh, kw) = self.stride, self.kernel
        size = (windows[0] * down, windows[1] * across)
        extra = self.extra
        if self.padding == "same":  # windows smaller than their steps leave rows without any
            extra = (max(down - kh, 0), max(across - kw, 0))
        return {"stride": self.stride, "padding": self.sides(size), "extra": extra}

    def forward(self, x: Array) -> Array:
        """Convolve, transposed: x (B, h, w, c_in) -> y (B, H, W, c_out)."""
        self.expect("x", x, ("B", "h", "w", self.c_in))
        y, self.cache = self.call(forward, x, self.params["W"], self.b, **self.placed(x.shape[1:3]))
        return y

    def backward(self, dy: Array) -> Array:
        """Overwrite the gradients of `W` and `b`; return dx (B, h, w, c_in)."""
        cache = self.saved()
        self.expect("dy", dy, self.output_shape(cache[0].shape))
        dx, *grads = self.call(backward, dy, *cache, out=self.grads())
        self.set_grads(*grads)
        return dx

    def backward_params(self, dy: Array) -> None:
        """Overwrite the gradients of `W` and `b`; what dx takes besides is one product."""
        self.backward(dy)

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """From a shape (B, h, w, c_in) to (B, H, W, c_out)."""
        windows = (shape[1], shape[2])
        size = pixels(windows, self.kernel, **self.placed(windows))
        return (shape[0], *size, self.c_out)


CASES = [
    Case(
        "conv_transpose2d",
        forward,
        backward,
        vary={"x": ("B", "h", "w", "C"), "W": ("kh", "kw", "O", "C"), "b": ("O",)},
        # The last row of these images is seen by no window.
        options={"stride": patches.STRIDE, "padding": patches.PADDING, "extra": (1, 0)},
        output=("B", "H", "W", "O"),
        layer=lambda **how: ConvTranspose2d(
            SIZES["C"],
            SIZES["O"],
            (5, 6),
            stride=patches.STRIDE,
            padding=patches.PADDING,
            output_padding=(1, 0),
            rng=np.random.default_rng(1),
            **how,
        ),
        sizes=patches.SIZES_OF_IMAGES,
    ),
]
