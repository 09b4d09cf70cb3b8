"""TODO docstring."""

from ...engine.backend import Array
from ...engine.cpu.elementary import sigmoid
from ...engine.cpu.loop import loop
from .sigmoid import sigmoid_forward


def silu_forward(x: Array) -> tuple[Array, tuple]:
    """SiLU (swish) of x, any shape."""
    s, _ = sigmoid_forward(x)
    return x * s, (x, s)  # (10)


def silu_backward(dy: Array, x: Array, s: Array) -> Array:
    """Gradient dx, in the shape of dy; s is the sigmoid of x."""
    return dy * (s + x * s * (1 - s))  # (11)


@loop
def _silu(x):  # noqa: ANN001, ANN202
    return x * sigmoid(x)  # (10)


@loop
def _silu_slope(x):  # noqa: ANN001, ANN202
    s = sigmoid(x)
    return s + x * s * (type(x)(1) - s)  # (11)
