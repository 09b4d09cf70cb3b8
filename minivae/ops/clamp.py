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

from ..engine import (
    Array,
    Backend,
    Case,
    Elementwise,
    Layer,
    Real,
    array_module,
    away_from,
    door,
    empty,
    kernel,
    loop,
    same_dtype,
)
from ..errors import OptionError, ShapeError


@door
def forward(x: Real, low: float, high: float) -> tuple[Array, tuple]:
    """Clamp x, any shape, to [low, high]."""
    xp = array_module(x)
    return xp.minimum(xp.maximum(x, low), high), (x, low, high)  # (1)


@door
def backward(dy: Array, x: Array, low: float, high: float) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * ((low < x) & (x < high))  # (2)


# The kernels, for x (B, D) whose rows may lie apart: logvar is the right half of the two heads.
# Forward and backward at 128 x 20, float32, reference / kernel: 1.4.


@loop
def _clamp(x, low, high, y):  # noqa: ANN001, ANN202
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            v = x[n, j]
            y[n, j] = low if v < low else (high if v > high else v)  # (1), and NaN stays NaN


@loop
def _pass_inside(dy, x, low, high, dx):  # noqa: ANN001, ANN202
    for n in range(x.shape[0]):
        for j in range(x.shape[1]):
            inside = low < x[n, j] and x[n, j] < high
            dx[n, j] = dy[n, j] * (x.dtype.type(1) if inside else x.dtype.type(0))  # (2)


@kernel("numba", of=forward)
def forward_numba(x: Array, low: float, high: float) -> tuple[Array, tuple]:
    """Kernel of `forward`."""
    if x.ndim != 2:
        return forward(x, low, high)
    same_dtype(x=x)
    y = empty(x.shape, x.dtype)
    _clamp(x, x.dtype.type(low), x.dtype.type(high), y)
    return y, (x, low, high)


@kernel("numba", of=backward)
def backward_numba(dy: Array, x: Array, low: float, high: float) -> Array:
    """Kernel of `backward`."""
    if x.ndim != 2:
        return backward(dy, x, low, high)
    if dy.shape != x.shape:
        raise ShapeError(f"dy has shape {dy.shape}, but {x.shape} is expected; as x has.")
    same_dtype(dy=dy, x=x)
    dx = empty(x.shape, x.dtype)
    _pass_inside(dy, x, x.dtype.type(low), x.dtype.type(high), dx)
    return dx


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

    same_calls = True

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
        output=("B", "D"),
        layer=lambda **how: Clamp(-0.8, 0.5, **how),
    ),
]
