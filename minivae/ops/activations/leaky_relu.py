r"""Leaky ReLU: a ReLU that lets a small part of negative numbers through, entry by entry.

With the slope $s$ = `slope` on the left side:

$$ y = x \text{ if } x > 0 \text{ else } s x \tag{1} $$

Each side is a straight line, whose slope is that of the whole function there; at the kink,
$x = 0$, we take that of the left side:

$$ dx = dy \text{ if } x > 0 \text{ else } s \, dy \tag{2} $$

An entry that is negative for every example still gets a gradient, so it can come back. Source:
Maas, Hannun and Ng (2013).
"""

from ...engine import Array, Real, array_module, away_from, door, loop
from .base import activation, case_of


@door
def leaky_relu_forward(x: Real, slope: float = 0.01) -> tuple[Array, tuple]:
    """Leaky ReLU of x, any shape; `slope` is that of the left side."""
    xp = array_module(x)
    return xp.where(x > 0, x, slope * x), (x, slope)  # (1)


@door
def leaky_relu_backward(dy: Array, x: Array, slope: float) -> Array:
    """Gradient dx, in the shape of dy."""
    xp = array_module(dy, x)
    return xp.where(x > 0, dy, slope * dy)  # (2)


@loop
def leaky_relu(x, slope):  # noqa: ANN001, ANN201
    """Return f of one number."""
    return x if x > type(x)(0) else slope * x  # (1)


@loop
def leaky_relu_slope(x, slope):  # noqa: ANN001, ANN201
    """Return f' from the input."""
    return type(x)(1) if x > type(x)(0) else slope  # (2)


LEAKY_RELU = activation(
    "leaky_relu",
    forward=leaky_relu_forward,
    backward=leaky_relu_backward,
    scalar=leaky_relu,
    slope=leaky_relu_slope,
    cuda="""
    y = a > T(0) ? a : slope * a;  // (1)
    kept = a > T(0) ? T(1) : slope;  // (2)
    """,
    js="x > 0 ? x : slope * x",
    options={"slope": 0.01},
    cheap=True,
    analytic=False,
)

CASES = [case_of(LEAKY_RELU, options={"slope": 0.2}, prepare=away_from(0))]
