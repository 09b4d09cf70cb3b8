# ruff: noqa: ANN001, ANN201
"""A whole VAE: the gradients of all its weights, from its loss.

The encoder turns x into a Gaussian, the decoder turns a sample z of it into logits of the pixels:

    h1 = tanh(x W1 + b1)        mu = h1 Wm + bm        logvar = h1 Wv + bv
    z  = mu + exp(logvar / 2) eps
    h2 = tanh(z W2 + b2)        logits = h2 W3 + b3

    loss = average over the batch of  nll + kl,  in nats, with
    nll  = sum over the pixels of ln(1 + exp(logits)) - x logits
    kl   = sum over the latent dimensions of (mu**2 + exp(logvar) - 1 - logvar) / 2

Shapes: x (B, D) with values from 0 to 1, noise eps (B, Z), hidden layers h1 (B, H) and h2 (B, G),
mu, logvar and z (B, Z), logits (B, D). W1 (D, H), Wm and Wv (H, Z), W2 (Z, G), W3 (G, D); each b as
wide as the output of its W. The loss is one number.

The forward pass is given. Your task is the backward pass: dloss is a number, the gradient with
respect to the loss (usually 1); compute the gradients of the ten weights and biases.

A way to find them: go back through the lines of the forward pass, from the last to the first. You
have met all the pieces, in linear, bce, kl and reparameterize. Where a value goes two ways (mu goes
into z and into the kl, and so does logvar; h1 goes into mu and into logvar), what comes back is
added. The noise in the backward pass is the eps that made z.
"""

import numpy as np


def vae_forward(x, eps, W1, b1, Wm, bm, Wv, bv, W2, b2, W3, b3):
    """Compute the loss in nats, a number, and what the backward pass needs."""
    h1 = np.tanh(x @ W1 + b1)
    mu, logvar = h1 @ Wm + bm, h1 @ Wv + bv
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * eps
    h2 = np.tanh(z @ W2 + b2)
    logits = h2 @ W3 + b3
    nll = np.sum(np.logaddexp(0, logits) - x * logits, axis=1)
    kl = 0.5 * np.sum(mu**2 + np.expm1(logvar) - logvar, axis=1)
    loss = np.mean(nll + kl)
    cache = (x, eps, h1, mu, logvar, sigma, z, h2, logits, Wm, Wv, W2, W3)
    return loss, cache


def vae_backward(dloss, cache):
    """Compute the gradients of all weights and biases from dloss, a number."""
    x, eps, h1, mu, logvar, sigma, z, h2, logits, Wm, Wv, W2, W3 = cache
    dW1 = db1 = dWm = dbm = dWv = dbv = dW2 = db2 = dW3 = db3 = None
    # solution:
    # The average over the batch: the only place of 1/B.
    each = dloss / len(x)
    # The reconstruction term and the decoder.
    dlogits = each * (0.5 * (1 + np.tanh(0.5 * logits)) - x)
    dW3, db3 = h2.T @ dlogits, np.sum(dlogits, axis=0)
    dh2 = (dlogits @ W3.T) * (1 - h2**2)
    dW2, db2 = z.T @ dh2, np.sum(dh2, axis=0)
    dz = dh2 @ W2.T
    # mu and logvar: what comes through the sample, plus what comes through the KL.
    dmu = dz + each * mu
    dlogvar = dz * eps * 0.5 * sigma + each * 0.5 * np.expm1(logvar)
    dWm, dbm = h1.T @ dmu, np.sum(dmu, axis=0)
    dWv, dbv = h1.T @ dlogvar, np.sum(dlogvar, axis=0)
    # The encoder's hidden layer feeds both heads.
    dh1 = (dmu @ Wm.T + dlogvar @ Wv.T) * (1 - h1**2)
    dW1, db1 = x.T @ dh1, np.sum(dh1, axis=0)
    # end
    return {
        "dW1": dW1,
        "db1": db1,
        "dWm": dWm,
        "dbm": dbm,
        "dWv": dWv,
        "dbv": dbv,
        "dW2": dW2,
        "db2": db2,
        "dW3": dW3,
        "db3": db3,
    }
