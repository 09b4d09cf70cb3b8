r"""Softplus: $f(x) = \ln(1 + e^x)$, a smooth ReLU, entry by entry.

Taking $e^x$ out of the bracket when $x > 0$ keeps it from overflowing:

$$ y = \max(x, 0) + \ln(1 + e^{-|x|}) \tag{1} $$

By the chain rule $f' = e^x / (1 + e^x)$, which is the sigmoid $\sigma(x)$ of `sigmoid.py`:

$$ dx = dy \, \sigma(x) \tag{2} $$
"""

from ...engine import Array, array_module, door, loop
from ...engine.cpu.elementary import exp_minus, log1p, sigmoid
from .base import activation, case_of
from .relu import relu
from .sigmoid import sigmoid_forward


@door
def softplus_forward(x: Array) -> tuple[Array, tuple]:
    """Softplus of x, any shape."""
    xp = array_module(x)
    positive = x.real > 0
    y = xp.where(positive, x, 0) + xp.log1p(xp.exp(xp.where(positive, -x, x)))  # (1)
    return y, (x,)


@door
def softplus_backward(dy: Array, x: Array) -> Array:
    """Gradient dx, in the shape of dy."""
    return dy * sigmoid_forward(x)[0]  # (2)


@loop
def softplus(x):  # noqa: ANN001, ANN201
    """Return f of one number."""
    return relu(x) + log1p(exp_minus(x))  # (1)


SOFTPLUS = activation(
    "softplus",
    forward=softplus_forward,
    backward=softplus_backward,
    scalar=softplus,
    slope=sigmoid,
    cuda="""
    T e = exp(a > T(0) ? -a : a);
    y = (a <= T(0) ? T(0) : a) + log1p(e);  // (1)
    kept = (a > T(0) ? T(1) : e) / (T(1) + e);  // (2)
    """,
    js="Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))",
)

CASES = [case_of(SOFTPLUS)]
