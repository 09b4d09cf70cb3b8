r"""Dropout, inverted: switch entries off at random and scale up those that stay.

Shapes: $x$, $m$, $y$ alike. The mask $m$ holds 1 where an entry is kept, with probability $p$ =
`keep`, and 0 elsewhere; it is drawn outside and handed in.

$$ y = x \, m / p \tag{1} $$

Dividing by $p$ makes $E[y] = x$, so that nothing has to be scaled in evaluation, when dropout does
nothing. With the mask held fixed, (1) is a product with a constant:

$$ dx = dy \, m / p \tag{2} $$

The same mask in both directions: an entry that did not take part gets no gradient.

Source: Srivastava et al. (2014), section 10 (the inverted form).
"""

import numpy as np

from ..engine import (
    Array,
    Backend,
    Case,
    Elementwise,
    Layer,
    Real,
    door,
    empty,
    kernel,
    loop,
    together,
)
from ..engine.kinds import Part
from ..errors import OptionError


@door
def forward(x: Array, mask: Real, keep: Part) -> tuple[Array, tuple]:
    """Drop entries of x, any shape, where mask is 0."""
    return x * mask / keep, (mask, keep)  # (1)


@door
def backward(dy: Array, mask: Array, keep: Part) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * mask / keep  # (2)


# The kernels: one pass instead of two.
# Forward and backward at 128 x 784, float32, reference / kernel: 1.3.


@loop
def _mask(x, mask, scale, y):  # noqa: ANN001, ANN202
    for i in range(x.size):
        y[i] = x[i] * mask[i] * scale  # (1), (2)


@kernel("numba", of=forward)
def forward_numba(x: Array, mask: Array, keep: Part) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    x, mask = together(x=x, mask=mask)
    y = empty(x.shape, x.dtype)
    _mask(x.reshape(-1), mask.reshape(-1), x.dtype.type(1 / keep), y.reshape(-1))
    return y, (mask, keep)


@kernel("numba", of=backward)
def backward_numba(dy: Array, mask: Array, keep: Part) -> Array:
    """Kernel of `backward`: the same product."""
    return forward_numba(dy, mask, keep)[0]


# On the GPU: one launch in each direction.

_MASK_CUDA = Elementwise(
    "dropout", "T x, T mask, T keep", "T y", "y = x * mask / keep;  // (1), (2)"
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, mask: Array, keep: Part) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    return _MASK_CUDA(x, mask, keep), (mask, keep)


kernel("cuda", of=backward)(_MASK_CUDA)


class Dropout(Layer):
    """Layer that keeps each entry with probability `keep`; without a mask it does nothing.

    Parameters
    ----------
    keep : float
        Probability to keep an entry, in (0, 1].
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    needs_noise = True

    def __init__(
        self, keep: Part, *, dtype: str = "float32", backend: str | Backend = "auto"
    ) -> None:
        if not 0 < keep <= 1:
            raise OptionError(f"keep={keep} was given, but it is a probability in (0, 1].")
        super().__init__(dtype=dtype, backend=backend)
        self.keep = float(keep)

    def draw_noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        """Draw a mask of zeros and ones on the host."""
        mask = rng.random(shape, dtype=np.float32) < self.keep
        return self.backend.asarray(mask, self.params.dtype)

    def forward(self, x: Array, mask: Array | None = None) -> Array:
        """Drop entries of x where mask is 0; without a mask (evaluation) return x."""
        self.expect("x", x, ("...",) * getattr(x, "ndim", 1))
        if mask is None:
            self.cache = ()
            return x
        self.expect("mask", mask, x.shape)
        y, self.cache = self.call(forward, x, mask, self.keep)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx, through the mask of the last forward pass."""
        cache = self.saved()
        if not cache:
            return dy
        self.expect("dy", dy, cache[0].shape)
        return self.call(backward, dy, *cache)

    def __repr__(self) -> str:
        return f"Dropout(keep={self.keep})"


def _zeros_and_ones(arguments: dict, rng: np.random.Generator) -> dict:
    return {**arguments, "mask": arguments["mask"] > 0}


CASES = [
    Case(
        "dropout",
        forward,
        backward,
        vary={"x": ("B", "D")},
        fixed={"mask": ("B", "D")},
        options={"keep": 0.7},
        prepare=_zeros_and_ones,
        output=("B", "D"),
        layer=lambda **how: Dropout(0.7, **how),
    ),
]
