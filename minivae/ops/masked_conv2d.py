r"""Masked convolution: each place sees the places before it alone, row by row, as one reads.

Shapes: $x$ (B, H, W, C), weights $W$ (kh, kw, C, O) with kh and kw odd, bias $b$ (O,), $y$
(B, H, W, O): a convolution of stride 1 that keeps the size. A mask takes the weights away that
stand on what comes later. With the window's middle at row $r$ and column $q$,

$$ M_{ij} = \begin{cases} 1 & i < r \text{ or } (i = r \text{ and } j < q) \\
                          1 & (i, j) = (r, q), \text{ if not strict} \\
                          0 & \text{else} \end{cases} \tag{1} $$
$$ y = x * (W M) + b \tag{2} $$

The first layer on the data is *strict*: it does not see the place that it speaks of. What follows
may, for by then that place holds what was before it. Then the output at a place is a function of
the earlier ones alone, and a softmax of it is $p(k_p \mid k_1 \dots k_{p-1})$: their product is a
distribution over all grids, which adds up to 1.

**Backwards.** $M$ is a constant factor of the weights, so their gradient has it too, and all else
is the convolution's (`conv2d.py`) with the masked weights:

$$ dW = M \, d(W M) \tag{3} $$

Without (3) an optimizer would move weights that are not there, and the norm of the gradient would
count them.

Source: van den Oord, Kalchbrenner and Kavukcuoglu (2016), section 3.1 and figure 2.
"""

from typing import Any

import numpy as np

from ..engine import SIZES, Array, Case, array_module, door
from ..errors import OptionError
from . import conv2d
from .conv2d import Conv2d
from .windows import Pair, Sides


@door
def forward(x: Array, W: Array, b: Array, strict: bool) -> tuple[Array, tuple]:
    """Convolve: x (B, H, W, C), W (kh, kw, C, O), b (O,) -> y (B, H, W, O)."""
    kh, kw = W.shape[:2]
    M = array_module(W).asarray(mask((kh, kw), strict), str(W.real.dtype))  # (1)
    sides = ((kh // 2, kh // 2), (kw // 2, kw // 2))
    y, cache = conv2d.forward(x, W * M, b, (1, 1), sides)  # (2)
    return y, (M, *cache)


@door
def backward(
    dy: Array, M: Array, P: Array, WM: Array, size: Pair, stride: Pair, padding: Sides
) -> tuple[Array, Array, Array]:
    """Gradients from dy (B, H, W, O): dx (B, H, W, C), dW (kh, kw, C, O), db (O,).

    M (kh, kw, 1, 1) is the mask, P (B, H, W, kh, kw, C) are the patches of x, and WM (kh, kw, C, O)
    the masked weights.
    """
    dx, dWM, db = conv2d.backward(dy, P, WM, size, stride, padding)
    return dx, M * dWM, db  # (3)


def mask(kernel: Pair, strict: bool) -> np.ndarray:
    """Zeros and ones (kh, kw, 1, 1) of (1)."""
    i, j = np.indices(kernel)
    r, q = kernel[0] // 2, kernel[1] // 2
    earlier = (i < r) | ((i == r) & (j < q + (not strict)))
    return earlier.astype(float)[..., None, None]


class MaskedConv2d(Conv2d):
    """Masked convolution from c_in to c_out channels; it runs the convolution's kernels.

    Parameters
    ----------
    c_in, c_out : int
        Channels before and after it.
    kernel : int or (int, int)
        Height and width of the window, odd.
    strict : bool
        Whether the place itself is hidden too.
    rng, dtype, backend
        As for `Conv2d`.
    """

    def __init__(
        self, c_in: int, c_out: int, kernel: int | Pair, *, strict: bool, **how: Any
    ) -> None:
        super().__init__(c_in, c_out, kernel, padding="same", **how)
        if not all(n % 2 for n in self.kernel):
            raise OptionError(
                f"a masked convolution with a kernel of {self.kernel} was asked for, but its "
                "window has a middle; give odd numbers."
            )
        self.strict = strict
        self.mask = self.backend.asarray(mask(self.kernel, strict), self.params.dtype)
        self.params["W"][...] *= self.mask

    def forward(self, x: Array) -> Array:
        """Convolve x (B, H, W, c_in) -> y (B, H, W, c_out)."""
        self.expect("x", x, ("B", "H", "W", self.c_in))
        WM, sides = self.params["W"] * self.mask, self.sides(x.shape[1:3])
        y, self.cache = self.call(conv2d.forward, x, WM, self.b, stride=(1, 1), padding=sides)
        self.made = y.shape
        return y

    def set_grads(self, dW: Array, db: Array) -> None:
        """Overwrite the gradients of `W`, masked, and `b`."""
        super().set_grads(dW, db)
        self.params.grad_of("W")[...] *= self.mask  # (3)

    def __repr__(self) -> str:
        hidden = ", strict" if self.strict else ""
        return f"MaskedConv2d({self.c_in}, {self.c_out}, kernel {self.kernel}{hidden})"


CASES = [
    Case(
        "masked_conv2d",
        forward,
        backward,
        vary={"x": ("B", "H", "W", "C"), "W": ("kh", "kw", "C", "O"), "b": ("O",)},
        options={"strict": True},
        output=("B", "H", "W", "O"),
        layer=lambda **how: MaskedConv2d(
            SIZES["C"], SIZES["O"], (5, 9), strict=True, rng=np.random.default_rng(1), **how
        ),
        sizes={"H": 6, "W": 4, "kh": 5, "kw": 9},
    ),
]
