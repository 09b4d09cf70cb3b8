# ruff: noqa: ANN001, ANN201
"""SiLU, a smooth activation: y = x s(x), with the sigmoid s(x) = 1 / (1 + exp(-x)).

Shapes: x and y (B, I); every entry for itself.

The forward pass is given. Your task is the backward pass: dy (B, I) is the gradient of some loss
with respect to y; compute dx (B, I).

A way to find it: y is a product of two functions of x, and the derivative of the sigmoid can be
written with the sigmoid alone.
"""

import numpy as np


def silu_forward(x):
    """Compute y (B, I), and what the backward pass needs."""
    s = 0.5 * (1 + np.tanh(0.5 * x))  # the sigmoid, in a form that does not overflow
    y = x * s
    cache = (x, s)
    return y, cache


def silu_backward(dy, cache):
    """Compute the gradient of x from dy (B, I)."""
    x, s = cache
    dx = None
    # solution:
    # Product rule: the derivative of x is 1, that of s is s (1 - s).
    dx = dy * (s + x * s * (1 - s))
    # end
    return {"dx": dx}
