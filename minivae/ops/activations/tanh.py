r"""Hyperbolic tangent: $f(x) = \tanh x$, entry by entry.

$$ y = \tanh x = \frac{\sinh x}{\cosh x} \tag{1} $$

As $\sinh' = \cosh$ and $\cosh' = \sinh$, the quotient rule gives $f' = (\cosh^2 x - \sinh^2 x) /
\cosh^2 x = 1 - y^2$: the slope follows from the output.

$$ dx = dy \, (1 - y^2) \tag{2} $$
"""

from ...engine import Array, array_module, door, loop
from ...engine.cpu import elementary
from .base import activation, case_of


@door
def tanh_forward(x: Array) -> tuple[Array, tuple]:
    """Hyperbolic tangent of x, any shape."""
    xp = array_module(x)
    y = xp.tanh(x)  # (1)
    return y, (y,)


@door
def tanh_backward(dy: Array, y: Array) -> Array:
    """Gradient dx, in the shape of dy; from the output y."""
    return dy * (1 - y * y)  # (2)


@loop
def tanh_slope(y):  # noqa: ANN001, ANN201
    """Return f' from the output."""
    return type(y)(1) - y * y  # (2)


TANH = activation(
    "tanh",
    forward=tanh_forward,
    backward=tanh_backward,
    scalar=elementary.tanh,
    slope=tanh_slope,
    from_output=True,
    cuda="y = tanh(a);  // (1)",
    cuda_slope="T(1) - y * y",  # (2)
    js="Math.tanh(x)",
)

CASES = [case_of(TANH)]
