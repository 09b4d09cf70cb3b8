"""Right code: activations, with their kinks and where they saturate."""

# Students unpack more than they use.

import math

import numpy as np

from .corpus import normal, right


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
