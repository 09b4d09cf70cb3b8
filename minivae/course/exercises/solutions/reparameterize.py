# ruff: noqa: ANN001, ANN201
"""Reparameterization: a sample z of N(mu, sigma**2) as a function of mu and logvar.

Shapes: mu, logvar, eps and z (B, Z). logvar is the logarithm of the variance, so the standard
deviation is sigma = exp(logvar / 2).

    z = mu + exp(logvar / 2) eps,  with eps drawn from N(0, 1)

The noise is an argument: it is drawn before, once, and is a constant for both passes.

The forward pass is given. Your task is the backward pass: dz (B, Z) is the gradient of some loss
with respect to z; compute dmu and dlogvar (B, Z). eps needs no gradient.

A way to get it wrong: the encoder gives logvar, not sigma and not the variance.
"""

import numpy as np


def reparameterize_forward(mu, logvar, eps):
    """Compute z (B, Z), and what the backward pass needs."""
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * eps
    cache = (sigma, eps)
    return z, cache


def reparameterize_backward(dz, cache):
    """Compute the gradients of mu and logvar from dz (B, Z)."""
    sigma, eps = cache
    dmu = dlogvar = None
    # solution:
    dmu = dz.copy()
    # dz/dlogvar = dz/dsigma dsigma/dlogvar = eps sigma / 2
    dlogvar = dz * eps * 0.5 * sigma
    # end
    return {"dmu": dmu, "dlogvar": dlogvar}
