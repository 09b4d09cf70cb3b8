# ruff: noqa: ANN001, ANN201
"""Transposed convolution: a window of weights is laid on a larger image for each pixel of x.

Shapes: images x (B, h, w, C), weights W (3, 3, O, C), bias b (O,), y (B, H, W, O). The windows lie
in steps of STRIDE = 2, so H = 2 (h - 1) + 3, and the width likewise. Where windows overlap, what
they lay there is added up:

    y[n, r, q, o] = b[o] + sum over all u, v, i, j with 2 u + i = r and 2 v + j = q, and over c, of
                    x[n, u, v, c] W[i, j, o, c]

The forward pass is given: for each pixel (i, j) of the window, `laid` are the pixels of y on which
it lies at all places at once. Your task is the backward pass: dy (B, H, W, O) is the gradient of
some loss with respect to y; compute dx (B, h, w, C), dW (3, 3, O, C) and db (O,).

A way to find them: each pixel of x was multiplied by W[i, j] and added to `laid`, so the gradient
comes back from there. A test: dx is what conv2d gives for the image dy with the same weights and no
bias. That is why the one is called the transpose of the other.
"""

import numpy as np

STRIDE = 2


def at_all_places(y, i, j, h, w):
    """Pixels that lie at (i, j) of the window at its places: a view (B, h, w, O) of y."""
    return y[:, i : i + STRIDE * h - 1 : STRIDE, j : j + STRIDE * w - 1 : STRIDE]


def conv_transpose2d_forward(x, W, b):
    """Compute y (B, H, W, O), and what the backward pass needs."""
    (kh, kw), (h, w) = W.shape[:2], x.shape[1:3]
    size = (STRIDE * (h - 1) + kh, STRIDE * (w - 1) + kw)
    y = np.zeros((len(x), *size, len(b)), x.dtype) + b
    for i in range(kh):
        for j in range(kw):
            laid = at_all_places(y, i, j, h, w)
            laid += x @ W[i, j].T
    cache = (x, W)
    return y, cache


def conv_transpose2d_backward(dy, cache):
    """Compute the gradients of x, W and b from dy (B, H, W, O)."""
    x, W = cache
    dx = dW = db = None
    # solution:
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    db = np.sum(dy, axis=(0, 1, 2))
    for i, j in np.ndindex(W.shape[:2]):
        upstream = at_all_places(dy, i, j, *x.shape[1:3])
        # A pixel of x was laid on as many pixels as the window has.
        dx += upstream @ W[i, j]
        # A weight was laid at all places of all images.
        dW[i, j] = np.tensordot(upstream, x, axes=([0, 1, 2], [0, 1, 2]))
    # end
    return {"dx": dx, "dW": dW, "db": db}
