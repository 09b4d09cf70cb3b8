r"""ReLU: $f(x) = \max(x, 0)$, entry by entry.

What is negative becomes 0, the rest passes:

$$ y = \max(x, 0) \tag{1} $$

The slope is 0 on the left and 1 on the right; at the kink itself, $x = 0$, we take 0:

$$ dx = dy \, [x > 0] \tag{2} $$

Source: Nair and Hinton (2010); Glorot, Bordes and Bengio (2011).
"""

from ...engine import Array, Real, array_module, away_from, door, loop
from .base import activation, case_of


@door
def relu_forward(x: Real) -> tuple[Array, tuple]:
    """ReLU of x, any shape."""
    xp = array_module(x)
    return xp.maximum(x, 0), (x,)  # (1)


@door
def relu_backward(dy: Array, x: Array) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * (x > 0)  # (2)


@loop
def relu(x):  # noqa: ANN001, ANN201
    """Return f of one number."""
    zero = type(x)(0)
    return zero if x <= zero else x  # (1), and NaN stays NaN


@loop
def relu_slope(y):  # noqa: ANN001, ANN201
    """Return f' from the output: y > 0 where x > 0."""
    zero = type(y)(0)
    return type(y)(1) if y > zero else zero  # (2)


RELU = activation(
    "relu",
    forward=relu_forward,
    backward=relu_backward,
    scalar=relu,
    slope=relu_slope,
    from_output=True,
    cuda="y = a <= T(0) ? T(0) : a;  // (1)",
    cuda_slope="y > T(0) ? T(1) : T(0)",  # (2)
    js="Math.max(x, 0)",
    cheap=True,
    analytic=False,
)

CASES = [case_of(RELU, prepare=away_from(0))]
