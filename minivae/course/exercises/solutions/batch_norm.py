# ruff: noqa: ANN001, ANN201
"""Batch norm as in training: each feature gets mean 0 and variance 1 over the batch.

Shapes: x, xhat and y (B, D), gamma and beta (D,), mean and variance (D,).

    mean = average of x over the batch
    var  = average of (x - mean)**2 over the batch
    xhat = (x - mean) / sqrt(var + EPSILON)
    y    = gamma xhat + beta

The forward pass is given. Your task is the backward pass: dy (B, D) is the gradient of some loss
with respect to y; compute dx (B, D), dgamma and dbeta (D,).

A way to find dx: x[n, d] acts on y along three paths, directly, through the mean, and through the
variance. Their parts add up. A test: with all three, dx sums to 0 over the batch.
"""

import numpy as np

EPSILON = 1e-5


def batch_norm_forward(x, gamma, beta):
    """Compute y (B, D), and what the backward pass needs."""
    centred = x - np.mean(x, axis=0)
    root = np.sqrt(np.mean(centred**2, axis=0) + EPSILON)
    xhat = centred / root
    y = gamma * xhat + beta
    cache = (xhat, root, gamma)
    return y, cache


def batch_norm_backward(dy, cache):
    """Compute the gradients of x, gamma and beta from dy (B, D)."""
    xhat, root, gamma = cache
    dx = dgamma = dbeta = None
    # solution:
    dbeta = np.sum(dy, axis=0)
    dgamma = np.sum(dy * xhat, axis=0)
    dxhat = dy * gamma
    # Through the mean, every x of the batch moves every xhat: minus the average of dxhat. Through
    # the variance, along xhat itself: minus xhat times the average of dxhat xhat.
    through_mean = np.mean(dxhat, axis=0)
    through_variance = xhat * np.mean(dxhat * xhat, axis=0)
    dx = (dxhat - through_mean - through_variance) / root
    # end
    return {"dx": dx, "dgamma": dgamma, "dbeta": dbeta}
