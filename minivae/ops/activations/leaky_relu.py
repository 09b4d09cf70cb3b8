"""TODO docstring."""

from ...engine.backend import Array, array_module
from ...engine.cpu.loop import loop


def leaky_relu_forward(x: Array, slope: float = 0.01) -> tuple[Array, tuple]:
    """Leaky ReLU of x, any shape; `slope` is that of the left side."""
    xp = array_module(x)
    return xp.where(x > 0, x, slope * x), (x, slope)  # (3)


def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """Gradient dx, in the shape of dy."""
    xp = array_module(dy, x)
    return xp.where(x > 0, dy, slope * dy)  # (4)


@loop
def _leaky_relu(x, slope):  # noqa: ANN001, ANN202
    return x if x > type(x)(0) else slope * x  # (3)


@loop
def _leaky_relu_slope(x, slope):  # noqa: ANN001, ANN202
    return type(x)(1) if x > type(x)(0) else slope  # (4)
