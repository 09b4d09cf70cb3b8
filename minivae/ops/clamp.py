r"""Clamp: $y = \min(\max(x, a), b)$, with the true gradient, which is zero outside.

Shapes: $x$ and $y$ alike. Used on `logvar`, whose exponential would overflow when the head runs
away.

$$ y = \min(\max(x, a), b) \tag{1} $$

Inside the range $y = x$; outside $y$ is constant, so nothing comes back from there. At the ends
themselves, where the slope jumps, we take 0:

$$ dx = dy \, [a < x < b] \tag{2} $$

Whatever is computed from `logvar` afterwards must use $y$, in the sample and in the KL alike; else
(2) would not be the gradient of what is computed.
"""

from ..backend import Array, Backend, array_module, kernel
from ..case import Case, away_from
from ..cuda import Elementwise
from ..errors import OptionError
from ..layer import Layer


def forward(x: Array, low: float, high: float) -> tuple[Array, tuple]:
    """Clamp x, any shape, to [low, high]."""
    xp = array_module(x)
    return xp.minimum(xp.maximum(x, low), high), (x, low, high)  # (1)


def backward(dy: Array, x: Array, low: float, high: float) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * ((low < x) & (x < high))  # (2)


# On the GPU: one launch in each direction, instead of two and four.

_CLAMP_CUDA = Elementwise(
    "clamp",
    "T x, T low, T high",
    "T y",
    "y = x < low ? low : (x > high ? high : x);  // (1)",
)

_BACKWARD_CUDA = Elementwise(
    "clamp_backward",
    "T dy, T x, T low, T high",
    "T dx",
    "dx = dy * (low < x && x < high ? T(1) : T(0));  // (2)",
)


@kernel("cuda", of=forward)
def forward_cuda(x: Array, low: float, high: float) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    return _CLAMP_CUDA(x, low, high), (x, low, high)


kernel("cuda", of=backward)(_BACKWARD_CUDA)


class Clamp(Layer):
    """Layer that clamps every entry to [low, high].

    Parameters
    ----------
    low, high : float
        Ends of the range.
    dtype : {"float32", "float64"}
        dtype of inputs and outputs.
    backend : str or Backend
        Where the layer computes.
    """

    def __init__(
        self,
        low: float,
        high: float,
        *,
        dtype: str = "float32",
        backend: str | Backend = "auto",
    ) -> None:
        if not low < high:
            raise OptionError(
                f"a range from {low} to {high} was given; its low end must be below its high end."
            )
        super().__init__(dtype=dtype, backend=backend)
        self.low, self.high = float(low), float(high)

    def forward(self, x: Array) -> Array:
        """Clamp x, any shape."""
        self.expect("x", x, ("...",) * getattr(x, "ndim", 1))
        y, self.cache = self.call(forward, x, self.low, self.high)
        return y

    def backward(self, dy: Array) -> Array:
        """Return dx, zero where x was outside the range."""
        cache = self.saved()
        self.expect("dy", dy, cache[0].shape)
        return self.call(backward, dy, *cache)

    def __repr__(self) -> str:
        return f"Clamp({self.low}, {self.high})"


CASES = [
    Case(
        "clamp",
        forward,
        backward,
        vary={"x": ("B", "D")},
        options={"low": -0.8, "high": 0.5},
        prepare=away_from(-0.8, 0.5),
        analytic=False,
    ),
]
