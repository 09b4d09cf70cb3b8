"""Right code: linear layers, activations, norms, convolutions, in many styles and shapes."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import math

import numpy as np

from .corpus import normal, right


def affine(x, w, b):
    return x @ w + b, (x, w, b)


@right(affine, normal(x=(4, 6), w=(6, 3), b=(3,)))
def linear_tuple(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


@right(affine, normal(x=(1, 5), w=(5, 2), b=(2,)))
def linear_batch_of_one(dout, cache):
    x, w, b = cache
    return {"dx": dout.dot(w.T), "dw": np.outer(x[0], dout[0]), "db": dout[0]}


@right(affine, normal(x=(4, 4), w=(4, 4), b=(4,)))
def linear_square(dout, cache):
    x, w, _ = cache
    return np.dot(dout, w.transpose()), np.dot(x.transpose(), dout), np.sum(dout, axis=0)


@right(affine, normal(x=(1, 1), w=(1, 1), b=(1,)))
def linear_of_numbers(dout, cache):
    x, w, _ = cache
    return dout * w, dout * x, dout[0]


@right(affine, normal(x=(5, 3), w=(3, 2), b=(2,)), dtype="float32")
def linear_float32_loops(dout, cache):
    x, w, b = cache
    dx, dw, db = np.zeros_like(x), np.zeros_like(w), np.zeros_like(b)
    for n in range(x.shape[0]):
        for i in range(x.shape[1]):
            for o in range(w.shape[1]):
                dx[n, i] += dout[n, o] * w[i, o]
                dw[i, o] += dout[n, o] * x[n, i]
    for row in dout:
        db += row
    return dx, dw, db


@right(affine, normal(x=(6, 2), w=(2, 7), b=(7,)))
def linear_upper_case_dict(dout, cache):
    x, w, _ = cache
    return {"grad_b": np.einsum("no->o", dout), "grad_w": x.T @ dout, "grad_x": dout @ w.T}


def affine_volume(x, w, b):
    """Any number of axes in front: (B, T, D)."""
    return np.tensordot(x, w, axes=1) + b, {"x": x, "w": w}


@right(affine_volume, normal(x=(2, 3, 4), w=(4, 5), b=(5,)))
def linear_three_axes(g, c):
    flat_x, flat_g = c["x"].reshape(-1, 4), g.reshape(-1, 5)
    return g @ c["w"].T, flat_x.T @ flat_g, flat_g.sum(0)


@right(affine_volume, normal(x=(5,), w=(5, 3), b=(3,)))
def linear_one_vector(g, c):
    return c["w"] @ g, np.outer(c["x"], g), g.copy()


def rows_first(inp, weight, bias):
    return inp @ weight.T + bias, (inp, weight)


@right(rows_first, normal(inp=(3, 4), weight=(5, 4), bias=(5,)))
def linear_out_in(grad, cache):
    inp, weight = cache
    return [grad @ weight, grad.T @ inp, grad.sum(0)]


@right(rows_first, normal(inp=(4, 3), weight=(3, 3), bias=(3,)), dtype="float32")
def linear_out_in_square(grad, cache):
    inp, weight = cache
    return grad @ weight, grad.T @ inp, grad.sum(0)


def only_out(x, w):
    return x @ w


@right(only_out, normal(x=(4, 3), w=(3, 5)))
def linear_takes_the_arguments_again(dout, x, w):
    return dout @ w.T, x.T @ dout


@right(only_out, normal(x=(2, 6), w=(6, 2)))
def linear_upstream_last(x, w, dout):
    return dout @ w.T, x.T @ dout


def scaled(factor):
    def at(rng):
        shapes = {"x": (4, 5), "w": (5, 3), "b": (3,)}
        return {n: factor * rng.standard_normal(s) for n, s in shapes.items()}

    return at


@right(affine, scaled(1e-6))
def linear_tiny(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


@right(affine, scaled(1e4))
def linear_large(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


@right(affine, scaled(1e4), dtype="float32")
def linear_large_float32(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(0)


class Dense:
    """Keeps its input, and counts its calls."""

    def __init__(self, w):
        self.w, self.calls = w, 0

    def forward(self, x):
        self.calls += 1
        self.x = x
        return x @ self.w

    def backward(self, dout):
        self.calls += 1
        self.dw = self.x.T @ dout
        return dout @ self.w.T


def dense_object(x, w):
    layer = Dense(w)
    return layer.forward(x), layer


@right(dense_object, normal(x=(3, 4), w=(4, 2)))
def linear_from_an_object(dout, layer):
    dx = layer.backward(dout)
    return dx, layer.dw


def relu(x):
    return np.maximum(0, x), x


@right(relu, normal(x=(6, 7)))
def relu_mask_product(dout, x):
    return dout * (x > 0)


@right(relu, normal(x=(19,)), dtype="float32")
def relu_in_place_on_a_copy(dout, x):
    dx = dout.copy()
    dx[x <= 0] = 0
    return dx


def whole_numbers(rng):
    """Some entries are exactly at the kink."""
    return {"x": rng.permutation(np.arange(-8.0, 12.0)).reshape(4, 5)}


@right(relu, whole_numbers)
def relu_some_zeros(dout, x):
    return np.where(x > 0, dout, 0)


@right(relu, whole_numbers)
def relu_some_zeros_other_convention(dout, x):
    return np.where(x >= 0, dout, 0)


@right(relu, lambda rng: {"x": -np.abs(rng.standard_normal((3, 4))) - 0.1})
def relu_all_dead(dout, x):
    return dout * (x > 0)


@right(relu, lambda rng: {"x": 1e-6 * rng.standard_normal((3, 5))})
def relu_tiny(dout, x):
    return dout * (x > 0)


@right(relu, lambda rng: {"x": 1e4 * rng.standard_normal((3, 5))})
def relu_large(dout, x):
    return (x > 0).astype(dout.dtype) * dout


@right(relu, lambda rng: {"x": np.zeros((3, 4))}, kind="undecidable")
def relu_all_zeros(dout, x):
    return dout * (x > 0)


def leaky(x, slope=0.2):
    return np.where(x > 0, x, slope * x), (x, slope)


@right(leaky, normal(x=(2, 3, 4)))
def leaky_where(dout, cache):
    x, slope = cache
    return dout * np.where(x > 0, 1.0, slope)


@right(leaky, lambda rng: {"x": rng.standard_normal((4, 3)), "slope": 0.05})
def leaky_own_slope(dout, cache):
    x, slope = cache
    dx = np.ones_like(x)
    dx[x < 0] = slope
    return dx * dout


def absolute(x):
    return np.abs(x), np.sign(x)


@right(absolute, normal(x=(5, 4)))
def absolute_sign(dout, sign):
    return dout * sign


@right(absolute, whole_numbers)
def absolute_one_zero(dout, sign):
    return dout * sign


def tanh(x):
    t = np.tanh(x)
    return t, t


@right(tanh, normal(x=(4, 4)))
def tanh_output(dout, t):
    return dout * (1 - t * t)


@right(tanh, lambda rng: {"x": 30 * np.sign(rng.standard_normal((3, 4)))})
def tanh_saturated(dout, t):
    return dout * (1 - t**2)


@right(tanh, lambda rng: {"x": 1e-6 * rng.standard_normal((3, 4))}, dtype="float32")
def tanh_tiny(dout, t):
    return dout * (1 - t**2)


def sigmoid(x):
    s = 1 / (1 + np.exp(-x))
    return s, s


@right(sigmoid, normal(x=(7,)))
def sigmoid_output(dout, s):
    return dout * s * (1 - s)


@right(sigmoid, lambda rng: {"x": 20 * rng.standard_normal((4, 5))})
def sigmoid_mostly_saturated(dout, s):
    return dout * s * (1 - s)


def split_sigmoid(x):
    """Stable on both sides, with masks."""
    out = np.empty_like(x)
    positive = x >= 0
    out[positive] = 1 / (1 + np.exp(-x[positive]))
    e = np.exp(x[~positive])
    out[~positive] = e / (1 + e)
    return out, out


@right(split_sigmoid, lambda rng: {"x": 300 * rng.standard_normal((4, 6))})
def sigmoid_very_large(dout, s):
    grad = s.copy()
    grad *= 1 - s
    grad *= dout
    return grad


@right(split_sigmoid, normal(x=(3, 8)), dtype="float32")
def sigmoid_split_float32(dout, s):
    return dout * (s - s**2)


def softplus(x):
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), x


@right(softplus, normal(x=(5, 5)))
def softplus_sigmoid(dout, x):
    return dout / (1 + np.exp(-x))


@right(softplus, lambda rng: {"x": 50 * rng.standard_normal((4, 3))})
def softplus_large(dout, x):
    e = np.exp(-np.abs(x))
    return dout * np.where(x > 0, 1 / (1 + e), e / (1 + e))


def silu(x):
    s = 1 / (1 + np.exp(-x))
    return x * s, (x, s)


@right(silu, normal(x=(2, 3, 5)))
def silu_expanded(dout, cache):
    x, s = cache
    return dout * (s + x * s - x * s**2)


def gelu(x):
    cdf = 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    return x * cdf, (x, cdf)


@right(gelu, normal(x=(4, 5)))
def gelu_exact(dout, cache):
    x, cdf = cache
    return dout * (cdf + x * np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi))


def gelu_tanh(x):
    t = np.tanh(0.7978845608028654 * (x + 0.044715 * x**3))
    return 0.5 * x * (1 + t), (x, t)


@right(gelu_tanh, normal(x=(4, 5)))
def gelu_approximated_on_both_sides(dout, cache):
    x, t = cache
    inner = 0.7978845608028654 * (1 + 3 * 0.044715 * x**2)
    return dout * 0.5 * (1 + t + x * (1 - t**2) * inner)


def elu(x):
    return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1), x


@right(elu, normal(x=(6, 3)))
def elu_smooth_kink(dout, x):
    return dout * np.where(x > 0, 1, np.exp(np.minimum(x, 0)))


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
