# ruff: noqa: ANN001, ANN201
"""The importance-weighted bound with K samples, with a linear decoder.

    z[n, k] = mu[n] + exp(logvar[n] / 2) eps[n, k]          K samples for each example n
    logits  = z W + b
    nll     = sum over the pixels of ln(1 + exp(logits)) - x logits
    w       = -nll + sum over the latent dimensions of (logvar + eps**2 - z**2) / 2
    bound   = ln(average over the K samples of exp(w))
    loss    = minus the average over the batch of bound, in nats

w is the logarithm of p(x, z) / q(z | x); the constants ln(2 pi) of prior and encoder cancel.

Shapes: x (B, D) with values from 0 to 1, noise eps and samples z (B, K, Z), mu and logvar (B, Z),
W (Z, D), b (D,), logits (B, K, D), nll and w (B, K), bound (B,). The loss is one number.

The forward pass is given. Your task is the backward pass: dloss is a number, the gradient with
respect to the loss (usually 1); compute dmu and dlogvar (B, Z), dW (Z, D) and db (D,).

A way to find them: the derivative of ln(average of exp(w)) with respect to w is a softmax. Then go
back through w: logvar acts in it twice, through z and in the open.
"""

import numpy as np


def iwae_forward(x, eps, mu, logvar, W, b):
    """Compute the loss in nats, a number, and what the backward pass needs."""
    sigma = np.exp(0.5 * logvar)
    z = mu[:, None] + sigma[:, None] * eps
    logits = z @ W + b
    nll = np.sum(np.logaddexp(0, logits) - x[:, None] * logits, axis=2)
    w = -nll + 0.5 * np.sum(logvar[:, None] + eps**2 - z**2, axis=2)
    bound = np.logaddexp.reduce(w, axis=1) - np.log(w.shape[1])
    loss = -np.mean(bound)
    cache = (x, eps, sigma, z, logits, w, W)
    return loss, cache


def iwae_backward(dloss, cache):
    """Compute the gradients of mu, logvar, W and b from dloss, a number."""
    x, eps, sigma, z, logits, w, W = cache
    dmu = dlogvar = dW = db = None
    # solution:
    # The derivative of a log-sum-exp is a softmax: good samples count more.
    share = np.exp(w - np.max(w, axis=1, keepdims=True))
    share = share / np.sum(share, axis=1, keepdims=True)
    dw = -dloss / len(x) * share
    # w holds -nll.
    dlogits = -dw[:, :, None] * (0.5 * (1 + np.tanh(0.5 * logits)) - x[:, None])
    dW = np.sum(np.swapaxes(z, 1, 2) @ dlogits, axis=0)
    db = np.sum(dlogits, axis=(0, 1))
    # z feeds the decoder and the prior.
    dz = dlogits @ W.T - dw[:, :, None] * z
    # mu and logvar feed all K samples; logvar also stands in w itself, the entropy term.
    dmu = np.sum(dz, axis=1)
    through_z = np.sum(dz * eps, axis=1) * 0.5 * sigma
    dlogvar = through_z + 0.5 * np.sum(dw, axis=1)[:, None]
    # end
    return {"dmu": dmu, "dlogvar": dlogvar, "dW": dW, "db": db}
