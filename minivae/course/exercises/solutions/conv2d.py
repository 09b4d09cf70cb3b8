# ruff: noqa: ANN001, ANN201
"""Convolution of images: the same weights at each place of a window.

Shapes: images x (B, H, W, C), weights W (3, 3, C, O), bias b (O,), y (B, h, w, O). The window moves
in steps of STRIDE = 2 and always lies inside of the image, so h = (H - 3) // 2 + 1, and w likewise.

    y[n, u, v, o] = b[o] + sum over i, j, c of  x[n, 2 u + i, 2 v + j, c] W[i, j, c, o]

The forward pass is given: for each pixel (i, j) of the window, `seen` is what lies there at all
places at once, and what it gives is a matrix product. Your task is the backward pass: dy
(B, h, w, O) is the gradient of some loss with respect to y; compute dx (B, H, W, C),
dW (3, 3, C, O) and db (O,).

A way to find them: go through the pixels of the window again. What `seen` and W[i, j] get is what a
linear layer's input and weights get; a weight acts at every place of every image, and a pixel of x
is seen by several windows, so both are sums.
"""

import numpy as np

STRIDE = 2


def at_all_places(x, i, j, h, w):
    """Pixels that lie at (i, j) of the window at its places: a view (B, h, w, C) of x."""
    return x[:, i : i + STRIDE * h - 1 : STRIDE, j : j + STRIDE * w - 1 : STRIDE]


def conv2d_forward(x, W, b):
    """Compute y (B, h, w, O), and what the backward pass needs."""
    kh, kw = W.shape[:2]
    h, w = ((n - k) // STRIDE + 1 for n, k in ((x.shape[1], kh), (x.shape[2], kw)))
    y = np.zeros((len(x), h, w, len(b)), x.dtype) + b
    for i in range(kh):
        for j in range(kw):
            seen = at_all_places(x, i, j, h, w)
            y += seen @ W[i, j]
    cache = (x, W)
    return y, cache


def conv2d_backward(dy, cache):
    """Compute the gradients of x, W and b from dy (B, h, w, O)."""
    x, W = cache
    dx = dW = db = None
    # solution:
    dx, dW = np.zeros_like(x), np.zeros_like(W)
    db = np.sum(dy, axis=(0, 1, 2))
    for i, j in np.ndindex(W.shape[:2]):
        patch = at_all_places(x, i, j, *dy.shape[1:3])
        # A weight acts at all places of all images.
        dW[i, j] = np.tensordot(patch, dy, axes=([0, 1, 2], [0, 1, 2]))
        # Windows overlap, so a pixel collects from each that sees it; the view writes to dx.
        dpatch = at_all_places(dx, i, j, *dy.shape[1:3])
        dpatch += dy @ W[i, j].T
    # end
    return {"dx": dx, "dW": dW, "db": db}
