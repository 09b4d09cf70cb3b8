"""TODO docstring."""

from ...engine.backend import Array, array_module
from ...engine.cpu.loop import loop


def relu_forward(x: Array) -> tuple[Array, tuple]:
    """ReLU of x, any shape."""
    xp = array_module(x)
    return xp.maximum(x, 0), (x,)  # (1)


def relu_backward(dy: Array, x: Array) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * (x > 0)  # (2)


@loop
def _relu(x):  # noqa: ANN001, ANN202
    zero = type(x)(0)
    return zero if x <= zero else x  # (1), and NaN stays NaN


@loop
def _relu_slope(y):  # noqa: ANN001, ANN202
    zero = type(y)(0)
    return type(y)(1) if y > zero else zero  # (2): y > 0 where x > 0
