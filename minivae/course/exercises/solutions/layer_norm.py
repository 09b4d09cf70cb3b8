# ruff: noqa: ANN001, ANN201
"""Layer norm: each example gets mean 0 and variance 1 over its features.

Shapes: x, xhat and y (B, D), gamma and beta (D,), mean and variance (B, 1).

    mean = average of x over the features
    var  = average of (x - mean)**2 over the features
    xhat = (x - mean) / sqrt(var + EPSILON)
    y    = gamma xhat + beta

The forward pass is given. Your task is the backward pass: dy (B, D) is the gradient of some loss
with respect to y; compute dx (B, D), dgamma and dbeta (D,).

A way to find dx: as in batch_norm, x[n, d] acts along three paths, but here on its own row. Mind
where gamma belongs: it differs from feature to feature, and so does what the averages are of. A
test: dx sums to 0 over the features, and an example's dx does not depend on the other examples.
"""

import numpy as np

EPSILON = 1e-5


def layer_norm_forward(x, gamma, beta):
    """Compute y (B, D), and what the backward pass needs."""
    centred = x - np.mean(x, axis=1, keepdims=True)
    root = np.sqrt(np.mean(centred**2, axis=1, keepdims=True) + EPSILON)
    xhat = centred / root
    y = gamma * xhat + beta
    cache = (xhat, root, gamma)
    return y, cache


def layer_norm_backward(dy, cache):
    """Compute the gradients of x, gamma and beta from dy (B, D)."""
    xhat, root, gamma = cache
    dx = dgamma = dbeta = None
    # solution:
    dbeta = np.sum(dy, axis=0)
    dgamma = np.sum(dy * xhat, axis=0)
    dxhat = dy * gamma
    # The averages are those of a row, of dxhat with gamma in it.
    row_mean = np.mean(dxhat, axis=1, keepdims=True)
    along_xhat = np.mean(dxhat * xhat, axis=1, keepdims=True)
    dx = (dxhat - row_mean - xhat * along_xhat) / root
    # end
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
