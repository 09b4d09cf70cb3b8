"""Convolutions, pooling and upsampling on small images, with one mistake each."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def conv_forward(x, w, b, stride=1):
    """x (B, H, W, C), w (k, k, C, F), no padding."""
    k = w.shape[0]
    B, H, W, _ = x.shape
    ho, wo = (H - k) // stride + 1, (W - k) // stride + 1
    out = np.zeros((B, ho, wo, w.shape[3]), x.dtype)
    for i in range(ho):
        for j in range(wo):
            patch = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
            out[:, i, j] = np.tensordot(patch, w, 3) + b
    return out, (x, w, stride)


def conv_point(rng):
    shapes = {"x": (2, 3, 4, 2), "w": (2, 2, 2, 2), "b": (2,)}
    return {n: rng.standard_normal(s) for n, s in shapes.items()}


def strided_point(rng):
    shapes = {"x": (2, 5, 5, 1), "w": (3, 3, 1, 2), "b": (2,)}
    return {n: rng.standard_normal(s) for n, s in shapes.items()} | {"stride": 2}


def _windows(dout, k, stride):
    for i in range(dout.shape[1]):
        for j in range(dout.shape[2]):
            here = slice(i * stride, i * stride + k), slice(j * stride, j * stride + k)
            yield i, j, *here


def _conv_backward(dout, cache):
    x, w, stride = cache
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    for i, j, rows, cols in _windows(dout, w.shape[0], stride):
        dx[:, rows, cols] += np.tensordot(dout[:, i, j], w, (1, 3))
        dw += np.tensordot(x[:, rows, cols], dout[:, i, j], (0, 0))
    return dx, dw, dout.sum((0, 1, 2))


@wrong("overlap", conv_forward, conv_point)
def windows_overwritten(dout, cache):
    x, w, stride = cache
    _, dw, db = _conv_backward(dout, cache)
    dx = np.zeros_like(x)
    for i, j, rows, cols in _windows(dout, w.shape[0], stride):
        dx[:, rows, cols] = np.tensordot(dout[:, i, j], w, (1, 3))
    return dx, dw, db


@wrong("overlap", conv_forward, strided_point)
def strided_windows_overwritten(dout, cache):
    x, w, stride = cache
    _, dw, db = _conv_backward(dout, cache)
    dx = np.zeros_like(x)
    for i, j, rows, cols in _windows(dout, w.shape[0], stride):
        dx[:, rows, cols] = np.einsum("bf,hwcf->bhwc", dout[:, i, j], w)
    return {"x": dx, "w": dw, "b": db}


@wrong("no_sum", conv_forward, conv_point)
def bias_of_each_position(dout, cache):
    dx, dw, _ = _conv_backward(dout, cache)
    return dx, dw, dout.sum(axis=0)


@wrong("mean_for_sum", conv_forward, strided_point)
def bias_averaged_over_positions(dout, cache):
    dx, dw, _ = _conv_backward(dout, cache)
    return dx, dw, dout.mean(axis=(0, 1, 2))


@wrong("permuted transpose", conv_forward, conv_point)
def kernel_not_flipped(dout, cache):
    """As a full correlation of dout with the kernel as it is, instead of turned round."""
    x, w, _ = cache
    _, dw, db = _conv_backward(dout, cache)
    dx, _, _ = _conv_backward(dout, (x, w[::-1, ::-1], 1))
    return dx, dw, db


@wrong("transpose permuted", conv_forward, conv_point)
def channels_exchanged(dout, cache):
    x, w, stride = cache
    _, dw, db = _conv_backward(dout, cache)
    dx = np.zeros_like(x)
    for i, j, rows, cols in _windows(dout, w.shape[0], stride):
        dx[:, rows, cols] += np.einsum("bf,hwfc->bhwc", dout[:, i, j], w)
    return dx, dw, db


@wrong("overlap overwritten_branch no_sum", conv_forward, conv_point)
def kernel_of_the_last_position(dout, cache):
    x, w, stride = cache
    dx, _, db = _conv_backward(dout, cache)
    for i, j, rows, cols in _windows(dout, w.shape[0], stride):
        dw = np.tensordot(x[:, rows, cols], dout[:, i, j], (0, 0))
    return dx, dw, db


@wrong("batch mean_for_sum", conv_forward, conv_point)
def kernel_averaged_over_the_batch(dout, cache):
    dx, dw, db = _conv_backward(dout, cache)
    return dx, dw / len(dout), db


@wrong("some_entries", conv_forward, conv_point)
def last_column_of_windows_skipped(dout, cache):
    x, w, stride = cache
    _, dw, db = _conv_backward(dout, cache)
    cut = np.array(dout)
    cut[:, :, -1] = 0
    dx, _, _ = _conv_backward(cut, cache)
    return dx, dw, db


@wrong("permuted", conv_forward, normal(x=(2, 4, 4, 1), w=(3, 3, 1, 1), b=(1,)))
def rows_and_columns_exchanged(dout, cache):
    dx, dw, db = _conv_backward(dout, cache)
    return dx.transpose(0, 2, 1, 3), dw, db


def conv1d(signal, kernel):
    """Valid correlation of each row with one kernel."""
    n, k = signal.shape[1], len(kernel)
    out = np.stack([signal[:, t : t + k] @ kernel for t in range(n - k + 1)], axis=1)
    return out, {"signal": signal, "kernel": kernel}


SIGNAL = normal(signal=(3, 8), kernel=(3,))


@wrong("overlap", conv1d, SIGNAL)
def samples_overwritten(dy, c):
    ds, dk = np.zeros_like(c["signal"]), np.zeros_like(c["kernel"])
    k = len(dk)
    for t in range(dy.shape[1]):
        ds[:, t : t + k] = dy[:, t, None] * c["kernel"]
        dk += dy[:, t] @ c["signal"][:, t : t + k]
    return ds, dk


@wrong("permuted transpose", conv1d, SIGNAL)
def kernel_gradient_reversed(dy, c):
    ds, dk = np.zeros_like(c["signal"]), np.zeros_like(c["kernel"])
    k = len(dk)
    for t in range(dy.shape[1]):
        ds[:, t : t + k] += dy[:, t, None] * c["kernel"]
        dk += dy[:, t] @ c["signal"][:, t : t + k]
    return ds, dk[::-1].copy()


def upsample(x):
    """Nearest neighbour, twice as large."""
    return x.repeat(2, axis=1).repeat(2, axis=2), x.shape


IMAGE = normal(x=(2, 3, 4))


@wrong("mean_for_sum factor dims", upsample, IMAGE)
def squares_averaged(dout, shape):
    B, H, W = shape
    return dout.reshape(B, H, 2, W, 2).mean(axis=(2, 4))


@wrong("no_sum missing_term some_entries", upsample, IMAGE)
def one_corner_taken(dout, shape):
    return dout[:, ::2, ::2].copy()


def average_pool(x):
    B, H, W = x.shape
    return x.reshape(B, H // 2, 2, W // 2, 2).mean(axis=(2, 4)), None


@wrong("factor dims mean_for_sum", average_pool, normal(x=(2, 4, 6)))
def quarter_forgotten(dout, cache):
    return np.kron(dout, np.ones((1, 2, 2)))
