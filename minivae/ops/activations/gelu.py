"""TODO docstring."""

import math

from ...engine.backend import Array, array_module, erf
from ...engine.cpu.elementary import exp
from ...engine.cpu.loop import loop


def gelu_forward(x: Array) -> tuple[Array, tuple]:
    """Exact GELU of x, any shape."""
    Phi = 0.5 * (1 + erf(x / math.sqrt(2)))  # (12)
    return x * Phi, (x, Phi)  # (13)


def gelu_backward(dy: Array, x: Array, Phi: Array) -> Array:
    """Gradient dx, in the shape of dy; Phi is the normal distribution function at x."""
    xp = array_module(dy, x)
    phi = xp.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return dy * (Phi + x * phi)  # (14)


@loop
def _Phi(x):  # noqa: ANN001, ANN202
    return type(x)(0.5) * (type(x)(1) + math.erf(x * type(x)(math.sqrt(0.5))))  # (12)


@loop
def _gelu(x):  # noqa: ANN001, ANN202
    return x * _Phi(x)  # (13)


@loop
def _gelu_slope(x):  # noqa: ANN001, ANN202
    density = exp(type(x)(-0.5) * x * x) * type(x)(1 / math.sqrt(2 * math.pi))
    return _Phi(x) + x * density  # (14)
