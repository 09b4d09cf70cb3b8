# ruff: noqa: ANN001, ANN201
"""Binary cross-entropy from logits, in nats: the reconstruction term of a VAE with binary pixels.

Shapes: logits (B, D), x (B, D) with values from 0 to 1, nll (B,), one number for each example.

With p = 1 / (1 + exp(-logits)), the probability that a pixel is 1,

    nll[n] = -(sum over d of x[n, d] ln p[n, d] + (1 - x[n, d]) ln(1 - p[n, d]))
           = sum over d of ln(1 + exp(logits[n, d])) - x[n, d] logits[n, d]

The second line is what the code computes: it has no logarithm of zero.

The forward pass is given. Your task is the backward pass: dnll (B,) is the gradient of some loss
with respect to nll; compute dlogits (B, D). x is data and needs no gradient.

A way to find it: differentiate the second line, not the first. The result is short.
"""

import numpy as np


def bce_forward(logits, x):
    """Compute nll (B,) in nats, and what the backward pass needs."""
    nll = np.sum(np.logaddexp(0, logits) - x * logits, axis=1)
    cache = (logits, x)
    return nll, cache


def bce_backward(dnll, cache):
    """Compute the gradient of the logits from dnll (B,)."""
    logits, x = cache
    dlogits = None
    # solution:
    # The derivative of ln(1 + exp(a)) is the sigmoid of a.
    p = 0.5 * (1 + np.tanh(0.5 * logits))
    # nll[n] is a sum over the pixels of example n, so each of them gets all of dnll[n].
    dlogits = dnll[:, None] * (p - x)
    # end
    return {"dlogits": dlogits}
