r"""GELU, the exact one: $f(x) = x \, \Phi(x)$, entry by entry.

$\Phi$ is the distribution function of the standard normal, and $\varphi = \Phi'$ its density:

$$ \Phi(x) = \tfrac12 \left(1 + \operatorname{erf}(x / \sqrt 2)\right) \tag{1} $$
$$ y = x \, \Phi(x) \tag{2} $$

The product rule:

$$ dx = dy \left( \Phi(x) + x \, \varphi(x) \right), \quad
   \varphi(x) = e^{-x^2/2} / \sqrt{2 \pi} \tag{3} $$

Source: Hendrycks and Gimpel (2016).
"""

import math

from ...engine import Array, Real, array_module, door, erf, loop
from ...engine.cpu.elementary import exp
from .base import activation, case_of


@door
def gelu_forward(x: Real) -> tuple[Array, tuple]:
    """Exact GELU of x, any shape."""
    Phi = 0.5 * (1 + erf(x / math.sqrt(2)))  # (1)
    return x * Phi, (x, Phi)  # (2)


@door
def gelu_backward(dy: Array, x: Array, Phi: Array) -> Array:
    """Gradient dx, in the shape of dy; Phi is the normal distribution function at x."""
    xp = array_module(dy, x)
    phi = xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * (Phi + x * phi)  # (3)


@loop
def _Phi(x):  # noqa: ANN001, ANN202
    return type(x)(0.5) * (type(x)(1) + math.erf(x * type(x)(math.sqrt(0.5))))  # (1)


@loop
def gelu(x):  # noqa: ANN001, ANN201
    """Return f of one number."""
    return x * _Phi(x)  # (2)


@loop
def gelu_slope(x):  # noqa: ANN001, ANN201
    """Return f' from the input."""
    density = exp(type(x)(-0.5) * x * x) * type(x)(1 / math.sqrt(2 * math.pi))
    return _Phi(x) + x * density  # (3)


GELU = activation(
    "gelu",
    forward=gelu_forward,
    backward=gelu_backward,
    scalar=gelu,
    slope=gelu_slope,
    cuda="""
    T Phi = T(0.5) * (T(1) + erf(a * T(0.7071067811865476)));  // (1)
    y = a * Phi;  // (2)
    kept = Phi + a * exp(T(-0.5) * a * a) * T(0.3989422804014327);  // (3)
    """,
    js="x * 0.5 * (1 + erf(x / Math.SQRT2))",
    analytic=False,
)

CASES = [case_of(GELU)]
