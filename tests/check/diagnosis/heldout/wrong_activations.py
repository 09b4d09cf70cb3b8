"""The seven activations, each with mistakes of its own."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import math

import numpy as np

from .corpus import normal, wrong

erf = np.vectorize(math.erf, otypes=[float])


def away_from_zero(*shape):
    """An input `x` of which no entry is near a kink at 0."""

    def at(rng):
        x = rng.standard_normal(shape)
        return {"x": x + 0.2 * np.sign(x)}

    return at


KINK = away_from_zero(6, 5)
FLAT = away_from_zero(17)
SMOOTH = normal(x=(5, 4))
VOLUME = normal(x=(2, 3, 4))


def logistic(t):
    return 1.0 / (1.0 + np.exp(-t))


def relu(x):
    out = np.maximum(x, 0)
    return out, x


def leaky(x, alpha=0.1):
    return np.where(x > 0, x, alpha * x), (x, alpha)


def tanh_forward(x):
    t = np.tanh(x)
    return t, {"input": x, "output": t}


def sigmoid_forward(x):
    s = logistic(x)
    return s, (x, s)


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0), x


def swish(x):
    s = logistic(x)
    return x * s, (x, s)


def gelu(x):
    return 0.5 * x * (1 + erf(x / math.sqrt(2))), x


def gelu_tanh(x):
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + np.tanh(inner)), x


@wrong("wrong_mask", relu, KINK)
def relu_mask_from_upstream(dout, x):
    dx = np.array(dout)
    dx[dout <= 0] = 0
    return dx


@wrong("derivative_missing wrong_mask", relu, FLAT)
def relu_passes_everything(dout, x):
    return dout.copy()


@wrong("no_upstream", relu, KINK)
def relu_without_upstream(dout, x):
    return (x > 0).astype(dout.dtype)


@wrong("wrong_mask", relu, FLAT)
def relu_the_other_half(dout, x):
    return np.where(x < 0, dout, 0)


@wrong("approximation missing_term some_entries", leaky, KINK)
def leaky_as_plain_relu(dout, cache):
    x, _ = cache
    return dout * (x > 0)


@wrong("derivative_missing", leaky, FLAT)
def leaky_slope_forgotten(dout, cache):
    x, _ = cache
    return dout * np.ones_like(x)


@wrong("wrong_mask", leaky, KINK)
def leaky_mask_from_upstream(dout, cache):
    _, alpha = cache
    return np.where(dout > 0, dout, alpha * dout)


@wrong("wrong_mask", leaky, KINK)
def leaky_sides_exchanged(dout, cache):
    x, alpha = cache
    dx = dout.copy()
    dx[x > 0] *= alpha
    return dx


@wrong("at_output", tanh_forward, SMOOTH)
def tanh_squares_the_input(dout, c):
    return dout * (1 - c["input"] ** 2)


@wrong("at_output", tanh_forward, VOLUME)
def tanh_of_tanh(dout, c):
    return dout * (1 - np.tanh(c["output"]) ** 2)


@wrong("derivative_twice", tanh_forward, SMOOTH)
def tanh_slope_squared(dout, c):
    slope = 1 - c["output"] ** 2
    dout = dout * slope
    return slope * dout


@wrong("derivative_missing", tanh_forward, SMOOTH)
def tanh_passes_everything(dout, c):
    return dout * 1.0


@wrong("sign", tanh_forward, VOLUME)
def tanh_squared_minus_one(dout, c):
    return dout * (c["output"] ** 2 - 1)


@wrong("at_output", sigmoid_forward, SMOOTH)
def sigmoid_of_sigmoid(dout, cache):
    _, s = cache
    return dout * logistic(s) * (1 - logistic(s))


@wrong("at_output", sigmoid_forward, VOLUME)
def sigmoid_formula_on_the_input(dout, cache):
    x, _ = cache
    return dout * x * (1 - x)


@wrong("derivative_twice", sigmoid_forward, SMOOTH)
def sigmoid_slope_squared(dout, cache):
    _, s = cache
    return dout * np.square(s - s**2)


@wrong("derivative_missing", sigmoid_forward, VOLUME)
def sigmoid_passes_everything(dout, cache):
    return dout


@wrong("sign", sigmoid_forward, SMOOTH)
def sigmoid_minus_the_slope(dout, cache):
    _, s = cache
    return s * (s - 1) * dout


@wrong("missing_term derivative_missing", sigmoid_forward, normal(x=(11,)))
def sigmoid_only_its_value(dout, cache):
    _, s = cache
    return dout * s


@wrong("no_upstream", sigmoid_forward, SMOOTH, dtype="float32")
def sigmoid_slope_alone(dout, cache):
    _, s = cache
    return s * (1 - s)


@wrong("at_output", softplus, SMOOTH)
def softplus_at_its_output(dout, x):
    y = np.log(1 + np.exp(x))
    return dout / (1 + np.exp(-y))


@wrong("derivative_twice approximation", softplus, VOLUME)
def softplus_slope_of_a_sigmoid(dout, x):
    s = logistic(x)
    return dout * s * (1 - s)


@wrong("derivative_missing", softplus, SMOOTH)
def softplus_passes_everything(dout, x):
    return 1 * dout


@wrong("approximation", softplus, normal(x=(13,)))
def softplus_as_relu(dout, x):
    return dout * (x > 0)


@wrong("missing_term", swish, SMOOTH)
def swish_gate_only(dout, cache):
    x, s = cache
    return dout * s


@wrong("missing_term", swish, VOLUME)
def swish_without_the_gate(dout, cache):
    x, s = cache
    return dout * x * s * (1 - s)


@wrong("at_output", swish, SMOOTH)
def swish_at_its_output(dout, cache):
    x, s = cache
    y = x * s
    g = logistic(y)
    return dout * (g + y * g * (1 - g))


@wrong("missing_term", gelu, SMOOTH)
def gelu_without_the_density(dout, x):
    return dout * 0.5 * (1 + erf(x / math.sqrt(2)))


@wrong("approximation", gelu, VOLUME)
def gelu_with_tanh_derivative(dout, x):
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dout * (0.5 * (1 + t) + 0.5 * x * (1 - t**2) * c * (1 + 3 * 0.044715 * x**2))


@wrong("approximation", gelu, SMOOTH)
def gelu_with_sigmoid_derivative(dout, x):
    s = logistic(1.702 * x)
    return dout * (s + 1.702 * x * s * (1 - s))


@wrong("at_output", gelu, SMOOTH)
def gelu_at_its_output(dout, x):
    y = 0.5 * x * (1 + erf(x / math.sqrt(2)))
    cdf = 0.5 * (1 + erf(y / math.sqrt(2)))
    return dout * (cdf + y * np.exp(-(y**2) / 2) / math.sqrt(2 * math.pi))


@wrong("approximation", gelu_tanh, SMOOTH)
def tanh_gelu_with_exact_derivative(dout, x):
    density = np.exp(-0.5 * x * x) / np.sqrt(2 * np.pi)
    return dout * (0.5 + 0.5 * erf(x / np.sqrt(2)) + x * density)


@wrong("missing_term", gelu_tanh, SMOOTH)
def tanh_gelu_without_the_inner_slope(dout, x):
    c = math.sqrt(2 / math.pi)
    t = np.tanh(c * (x + 0.044715 * x**3))
    return dout * 0.5 * (1 + t)
