# ruff: noqa: ANN001, ANN201
"""KL divergence of the encoder's Gaussian from the standard normal prior, in nats.

Shapes: mu, logvar and kl (B, Z). logvar is the logarithm of the variance, sigma**2 = exp(logvar).

    kl = (mu**2 + exp(logvar) - 1 - logvar) / 2, for each latent dimension

The forward pass is given. Your task is the backward pass: dkl (B, Z) is the gradient of some loss
with respect to kl; compute dmu and dlogvar (B, Z).

A way to test what you find: the KL is smallest, 0, where the encoder's Gaussian is the prior.
"""

import numpy as np


def kl_forward(mu, logvar):
    """Compute kl (B, Z) in nats, and what the backward pass needs."""
    kl = 0.5 * (mu**2 + np.expm1(logvar) - logvar)  # expm1(a) = exp(a) - 1, exact for small a
    cache = (mu, logvar)
    return kl, cache


def kl_backward(dkl, cache):
    """Compute the gradients of mu and logvar from dkl (B, Z)."""
    mu, logvar = cache
    dmu = dlogvar = None
    # solution:
    dmu = dkl * mu
    dlogvar = dkl * 0.5 * np.expm1(logvar)
    # end
    return {"dmu": dmu, "dlogvar": dlogvar}
