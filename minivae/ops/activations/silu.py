r"""SiLU, also called swish: $f(x) = x \, \sigma(x)$ with the sigmoid $\sigma$, entry by entry.

$$ y = x \, \sigma(x) \tag{1} $$

The product rule, with $\sigma' = \sigma (1 - \sigma)$ from `sigmoid.py`:

$$ dx = dy \left( \sigma(x) + x \, \sigma(x) (1 - \sigma(x)) \right) \tag{2} $$

Source: Hendrycks and Gimpel (2016); Elfwing, Uchibe and Doya (2017).
"""

from ...engine import Array, door, loop
from ...engine.cpu.elementary import sigmoid
from .base import activation, case_of
from .sigmoid import sigmoid_forward


@door
def silu_forward(x: Array) -> tuple[Array, tuple]:
    """SiLU (swish) of x, any shape."""
    s, _ = sigmoid_forward(x)
    return x * s, (x, s)  # (1)


@door
def silu_backward(dy: Array, x: Array, s: Array) -> Array:
    """Gradient dx, in the shape of dy; s is the sigmoid of x."""
    return dy * (s + x * s * (1 - s))  # (2)


@loop
def silu(x):  # noqa: ANN001, ANN201
    """Return f of one number."""
    return x * sigmoid(x)  # (1)


@loop
def silu_slope(x):  # noqa: ANN001, ANN201
    """Return f' from the input."""
    s = sigmoid(x)
    return s + x * s * (type(x)(1) - s)  # (2)


SILU = activation(
    "silu",
    forward=silu_forward,
    backward=silu_backward,
    scalar=silu,
    slope=silu_slope,
    cuda="""
    T e = exp(a > T(0) ? -a : a);
    T s = (a > T(0) ? T(1) : e) / (T(1) + e);
    y = a * s;  // (1)
    kept = s + a * s * (T(1) - s);  // (2)
    """,
    js="x * sigmoid(x)",
)

CASES = [case_of(SILU)]
