"""TODO docstring."""

from ...engine.backend import Array, array_module
from ...engine.cpu.loop import loop


def sigmoid_forward(x: Array) -> tuple[Array, tuple]:
    """Sigmoid of x, any shape."""
    xp = array_module(x)
    positive = x.real > 0
    e = xp.exp(xp.where(positive, -x, x))  # e^(-|x|), at most 1
    y = xp.where(positive, 1, e) / (1 + e)  # (6)
    return y, (y,)


def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient dx, in the shape of dy; from the output y."""
    return dy * y * (1 - y)  # (7)


@loop
def _sigmoid_slope(y):  # noqa: ANN001, ANN202
    return y * (type(y)(1) - y)  # (7)
