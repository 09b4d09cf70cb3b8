"""TODO docstring."""

from ...engine.backend import Array, array_module
from ...engine.cpu.loop import loop


def tanh_forward(x: Array) -> tuple[Array, tuple]:
    """Hyperbolic tangent of x, any shape."""
    xp = array_module(x)
    y = xp.tanh(x)
    return y, (y,)


def tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient dx, in the shape of dy; from the output y."""
    return dy * (1 - y * y)  # (5)


@loop
def _tanh_slope(y):  # noqa: ANN001, ANN202
    return type(y)(1) - y * y  # (5)
