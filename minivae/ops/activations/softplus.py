"""TODO docstring."""

from ...engine.backend import Array, array_module
from ...engine.cpu.elementary import exp_minus, log1p
from ...engine.cpu.loop import loop
from .relu import _relu
from .sigmoid import sigmoid_forward


def softplus_forward(x: Array) -> tuple[Array, tuple]:
    """Softplus of x, any shape."""
    xp = array_module(x)
    positive = x.real > 0
    y = xp.where(positive, x, 0) + xp.log1p(xp.exp(xp.where(positive, -x, x)))  # (8)
    return y, (x,)


def softplus_backward(dy: Array, x: Array) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * sigmoid_forward(x)[0]  # (9)


@loop
def _softplus(x):  # noqa: ANN001, ANN202
    return _relu(x) + log1p(exp_minus(x))  # (8)
