r"""Sigmoid, the logistic function: $f(x) = 1 / (1 + e^{-x})$, entry by entry.

Written for each sign of $x$, so that the exponential never overflows:

$$ y = \frac{1}{1 + e^{-x}} \text{ if } x > 0 \text{ else } \frac{e^{x}}{1 + e^{x}} \tag{1} $$

The derivative is $e^{-x} / (1 + e^{-x})^2$, a product of $1 / (1 + e^{-x}) = y$ and
$e^{-x} / (1 + e^{-x}) = 1 - y$: the slope follows from the output.

$$ dx = dy \, y (1 - y) \tag{2} $$
"""

from ...engine import Array, array_module, door, loop
from ...engine.cpu import elementary
from .base import activation, case_of


@door
def sigmoid_forward(x: Array) -> tuple[Array, tuple]:
    """Sigmoid of x, any shape."""
    xp = array_module(x)
    positive = x.real > 0
    e = xp.exp(xp.where(positive, -x, x))  # e^(-|x|), at most 1
    y = xp.where(positive, 1, e) / (1 + e)  # (1)
    return y, (y,)


@door
def sigmoid_backward(dy: Array, y: Array) -> Array:
    """Gradient dx, in the shape of dy; from the output y."""
    return dy * y * (1 - y)  # (2)


@loop
def sigmoid_slope(y):  # noqa: ANN001, ANN201
    """Return f' from the output."""
    return y * (type(y)(1) - y)  # (2)


SIGMOID = activation(
    "sigmoid",
    forward=sigmoid_forward,
    backward=sigmoid_backward,
    scalar=elementary.sigmoid,
    slope=sigmoid_slope,
    from_output=True,
    cuda="""
    T e = exp(a > T(0) ? -a : a);
    y = (a > T(0) ? T(1) : e) / (T(1) + e);  // (1)
    """,
    cuda_slope="y * (T(1) - y)",  # (2)
    js="sigmoid(x)",
)

CASES = [case_of(SIGMOID)]
