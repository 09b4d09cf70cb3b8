# ruff: noqa: ANN001, ANN201
"""Linear layer: y = x W + b.

Shapes: x (B, I), W (I, O), b (O,), y (B, O). B examples in a batch, I inputs, O outputs.

    y[n, o] = sum over i of x[n, i] W[i, o], plus b[o]

The forward pass is given. Your task is the backward pass: dy (B, O) is the gradient of some loss
with respect to y; compute dx, dW and db, each in the shape of its array.

A way to find them: ask in which entries of y a number occurs, and with what factor; then add up
what comes back from all of them. The loss may or may not be a mean over the batch; if it is, its
1/B is already in dy.
"""

import numpy as np


def linear_forward(x, W, b):
    """Compute y (B, O), and what the backward pass needs."""
    y = x @ W + b
    cache = (x, W)
    return y, cache


def linear_backward(dy, cache):
    """Compute the gradients of x, W and b from dy (B, O)."""
    x, W = cache
    dx = dW = db = None
    # solution:
    # x[n, i] occurs in y[n, o] for every o, with the factor W[i, o].
    dx = dy @ W.T
    # W[i, o] occurs in y[n, o] for every example n, with the factor x[n, i].
    dW = x.T @ dy
    # b[o] occurs in y[n, o] for every example n, with the factor 1.
    db = np.sum(dy, axis=0)
    # end
    return {"dx": dx, "dW": dW, "db": db}
