"""Right code: normalisation, convolution, pooling, dropout."""

# Students unpack more than they use.

import numpy as np

from .corpus import normal, right


def batchnorm(x, gamma, beta, eps=1e-5):
    mean = x.mean(axis=0)
    var = np.mean((x - mean) ** 2, axis=0)
    inv = 1 / np.sqrt(var + eps)
    xhat = (x - mean) * inv
    return gamma * xhat + beta, (xhat, inv, gamma)


def _batchnorm_backward(dout, cache):
    xhat, inv, gamma = cache
    N = len(dout)
    dxhat = dout * gamma
    dx = inv / N * (N * dxhat - dxhat.sum(0) - xhat * (dxhat * xhat).sum(0))
    return dx, (dout * xhat).sum(0), dout.sum(0)


@right(batchnorm, normal(x=(6, 3), gamma=(3,), beta=(3,)))
def batchnorm_compact(dout, cache):
    return _batchnorm_backward(dout, cache)


@right(batchnorm, normal(x=(2, 4), gamma=(4,), beta=(4,)))
def batchnorm_batch_of_two(dout, cache):
    return _batchnorm_backward(dout, cache)


@right(batchnorm, normal(x=(1, 4), gamma=(4,), beta=(4,)))
def batchnorm_batch_of_one(dout, cache):
    return _batchnorm_backward(dout, cache)


@right(batchnorm, normal(x=(9, 5), gamma=(5,), beta=(5,)), dtype="float32")
def batchnorm_float32(dout, cache):
    return _batchnorm_backward(dout, cache)


@right(batchnorm, normal(x=(5, 4), gamma=(4,), beta=(4,)))
def batchnorm_step_by_step(dout, cache):
    xhat, inv, gamma = cache
    N, _ = dout.shape
    dbeta, dgamma = dout.sum(axis=0), np.sum(dout * xhat, axis=0)
    dxhat = dout * gamma
    centred = xhat / inv
    dinv = np.sum(dxhat * centred, axis=0)
    dvar = -0.5 * dinv * inv**3
    dcentred = dxhat * inv + 2 / N * centred * dvar
    return dcentred - dcentred.mean(axis=0), dgamma, dbeta


def bias_before_norm(x, w, b, gamma, beta):
    """The bias is subtracted again with the mean: its gradient is zero on paper."""
    out, cache = batchnorm(x @ w + b, gamma, beta)
    return out, (x, w, cache)


BIASED = normal(x=(5, 3), w=(3, 4), b=(4,), gamma=(4,), beta=(4,))


@right(bias_before_norm, BIASED)
def norm_cancels_the_bias(dout, cache):
    x, w, norm = cache
    da, dgamma, dbeta = _batchnorm_backward(dout, norm)
    return da @ w.T, x.T @ da, da.sum(0), dgamma, dbeta


@right(bias_before_norm, BIASED, dtype="float32")
def norm_cancels_the_bias_float32(dout, cache):
    x, w, norm = cache
    da, dgamma, dbeta = _batchnorm_backward(dout, norm)
    return da @ w.T, x.T @ da, da.sum(0), dgamma, dbeta


def layernorm(x, g, b):
    centred = x - x.mean(-1, keepdims=True)
    std = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6)
    return g * centred / std + b, (centred / std, std, g)


def _layernorm_backward(dy, cache):
    xhat, std, g = cache
    d = dy * g
    dx = (d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True)) / std
    axes = tuple(range(dy.ndim - 1))
    return dx, (dy * xhat).sum(axes), dy.sum(axes)


@right(layernorm, normal(x=(3, 7), g=(7,), b=(7,)))
def layernorm_rows(dy, cache):
    return _layernorm_backward(dy, cache)


@right(layernorm, normal(x=(2, 3, 4), g=(4,), b=(4,)), dtype="float32")
def layernorm_three_axes(dy, cache):
    return _layernorm_backward(dy, cache)


@right(
    layernorm,
    lambda rng: {
        "x": 1e4 * rng.standard_normal((3, 5)),
        "g": rng.standard_normal(5),
        "b": rng.standard_normal(5),
    },
)
def layernorm_large(dy, cache):
    return _layernorm_backward(dy, cache)


def convolution(x, w, b):
    """Through columns: x (B, H, W, C), w (k, k, C, F), padded by one."""
    k = w.shape[0]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(1, 2))
    return np.einsum("bijchw,hwcf->bijf", windows, w) + b, (x, w, windows)


@right(convolution, normal(x=(2, 4, 3, 2), w=(3, 3, 2, 2), b=(2,)))
def convolution_padded(dout, cache):
    x, w, windows = cache
    dw = np.einsum("bijchw,bijf->hwcf", windows, dout)
    dpadded = np.zeros((len(x), x.shape[1] + 2, x.shape[2] + 2, x.shape[3]), dout.dtype)
    for i in range(dout.shape[1]):
        for j in range(dout.shape[2]):
            dpadded[:, i : i + 3, j : j + 3] += np.einsum("bf,hwcf->bhwc", dout[:, i, j], w)
    return dpadded[:, 1:-1, 1:-1], dw, dout.sum((0, 1, 2))


def max_pool(x):
    B, H, W = x.shape
    blocks = x.reshape(B, H // 2, 2, W // 2, 2)
    out = blocks.max(axis=(2, 4))
    return out, blocks == out[:, :, None, :, None]


@right(max_pool, normal(x=(2, 4, 6)))
def max_pool_mask(dout, mask):
    B, H, _, W, _ = mask.shape
    return (mask * dout[:, :, None, :, None]).reshape(B, 2 * H, 2 * W)


def upsample(x):
    return x.repeat(2, 1).repeat(2, 2), None


@right(upsample, normal(x=(2, 3, 2)))
def upsample_summed(dout, cache):
    return dout[:, ::2, ::2] + dout[:, 1::2, ::2] + dout[:, ::2, 1::2] + dout[:, 1::2, 1::2]


def dropout(x, mask, keep):
    return np.where(mask, x / keep, 0), (mask, keep)


def boolean_mask(rng):
    return {"x": rng.standard_normal((5, 6)), "mask": rng.random((5, 6)) < 0.7, "keep": 0.7}


@right(dropout, boolean_mask)
def dropout_boolean_mask(dout, cache):
    mask, keep = cache
    return dout * mask / keep


@right(dropout, boolean_mask, dtype="float32")
def dropout_float32(dout, cache):
    mask, keep = cache
    return np.where(mask, dout / keep, 0).astype(dout.dtype)


def seeded_dropout(x):
    """Draws its mask itself, but always the same one."""
    mask = np.random.default_rng(3).random(x.shape) < 0.5
    return 2 * x * mask, mask


@right(seeded_dropout, normal(x=(6, 4)))
def dropout_of_a_fixed_seed(dout, mask):
    return dout * mask * 2
