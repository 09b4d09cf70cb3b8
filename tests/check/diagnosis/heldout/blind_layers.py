"""Layers, activations, normalisations, and a few operations nobody could know."""

import math

import numpy as np

from .blind_corpus import logistic, right, some, wrong

RNG = np.random.default_rng(99)


def affine(x, w, b):
    return x @ w + b, (x, w)


AFFINE = some(x=(5, 4), w=(4, 3), b=(3,))
SQUARE = some(x=(6, 4), w=(4, 4), b=(4,))


@right(affine, AFFINE)
def affine_right(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.sum(axis=0)


@wrong("mean_for_sum batch", affine, AFFINE)
def affine_bias_mean(dy, cache):
    x, w = cache
    return dy @ w.T, x.T @ dy, dy.mean(axis=0)


@wrong("no_sum", affine, AFFINE)
def affine_bias_not_summed(dy, cache):
    x, w = cache
    return {"dx": dy @ w.T, "dw": x.T @ dy, "db": dy}


@wrong("transpose", affine, SQUARE)
def affine_untransposed(dy, cache):
    x, w = cache
    return dy @ w, x.T @ dy, dy.sum(0)


@wrong("transpose", affine, SQUARE)
def affine_weights_other_way(dy, cache):
    x, w = cache
    return dy @ w.T, dy.T @ x, dy.sum(0)


@wrong("batch mean_for_sum", affine, some(x=(7, 3), w=(3, 5), b=(5,)))
def affine_weights_over_batch(dy, cache):
    x, w = cache
    m = x.shape[0]
    return {"dx": dy @ w.T, "dw": x.T @ dy / m, "db": dy.sum(axis=0)}


@wrong("no_upstream", affine, AFFINE)
def affine_bias_ones(dy, cache):
    x, w = cache
    return {"dx": dy @ w.T, "dw": x.T @ dy, "db": np.full(3, float(len(x)))}


def columns(A, W, b):
    """Samples are the columns."""
    Z = W @ A + b
    return Z, (A, W)


@wrong("mean_for_sum batch", columns, some(A=(3, 6), W=(4, 3), b=(4, 1)))
def columns_bias_mean(dZ, cache):
    A, W = cache
    dW = dZ @ A.T
    db = np.mean(dZ, axis=1, keepdims=True)
    return W.T @ dZ, dW, db


@wrong("batch mean_for_sum", columns, some(A=(3, 6), W=(4, 3), b=(4, 1)))
def columns_divided_by_m(dZ, cache):
    A, W = cache
    m = A.shape[1]
    return W.T @ dZ, dZ @ A.T / m, np.sum(dZ, axis=1, keepdims=True) / m


def relu(x):
    return np.maximum(x, 0), x


@right(relu, some(x=(4, 6)))
def relu_right(dout, cache):
    d = dout.copy()
    d[cache <= 0] = 0
    return d


@wrong("wrong_mask", relu, some(x=(5, 6)))
def relu_mask_of_upstream(dout, cache):
    return dout * (dout > 0)


@wrong("derivative_missing wrong_mask", relu, some(x=(5, 6)))
def relu_passed_through(dout, cache):
    return dout


@wrong("no_upstream", relu, some(x=(5, 4)))
def relu_just_the_mask(dout, cache):
    return (cache > 0).astype(float)


def leaky(x, slope=0.2):
    return np.where(x > 0, x, slope * x), (x, slope)


@wrong("some_entries missing_term zero", leaky, some(x=(6, 5)))
def leaky_like_relu(dout, cache):
    x, _ = cache
    return np.where(x > 0, dout, 0.0)


def sig(x):
    s = logistic(x)
    return s, s


@right(sig, some(x=(3, 5)))
def sig_right(dout, s):
    return dout * s * (1 - s)


@wrong("at_output derivative_twice", sig, some(x=(3, 5)))
def sig_of_sig(dout, s):
    t = logistic(s)
    return dout * t * (1 - t)


@wrong("missing_term derivative_missing", sig, some(x=(7,)))
def sig_half_the_derivative(dout, s):
    return dout * (1 - s)


def tanh(x):
    t = np.tanh(x)
    return t, (x, t)


@wrong("at_output", tanh, some(x=(4, 4)))
def tanh_minus_input_squared(dout, cache):
    x, _ = cache
    return dout * (1 - x**2)


@wrong("derivative_twice", tanh, some(x=(4, 4)))
def tanh_twice(dout, cache):
    _, t = cache
    return dout * (1 - t**2) ** 2


def softplus(u):
    return np.logaddexp(0, u)


@wrong("at_output", softplus, some(u=(5, 3)))
def softplus_at_output(dout, u):
    return dout * logistic(softplus(u))


def swish(x):
    s = logistic(x)
    return x * s, (x, s)


@right(swish, some(x=(3, 4)))
def swish_right(dout, cache):
    x, s = cache
    return dout * (s + x * s * (1 - s))


@wrong("missing_term", swish, some(x=(3, 4)))
def swish_without_product_rule(dout, cache):
    x, s = cache
    return dout * (x * s * (1 - s))


def gelu(x):
    phi = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()])
    return x * phi.reshape(x.shape), x


@wrong("missing_term", gelu, some(x=(4, 3)))
def gelu_only_phi(dout, x):
    phi = np.array([0.5 * (1 + math.erf(v / math.sqrt(2))) for v in x.ravel()])
    return dout * phi.reshape(x.shape)


def elu(x):
    y = np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)
    return y, y


@wrong("at_output some_entries", elu, some(x=(6, 4)))
def elu_exp_of_output(dout, y):
    return dout * np.where(y > 0, 1, np.exp(y))


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    return p, p


@right(softmax, some(scores=(4, 5)))
def softmax_right(dp, p):
    return np.stack([(np.diag(q) - np.outer(q, q)) @ g for q, g in zip(p, dp, strict=True)])


@wrong("missing_term", softmax, some(scores=(4, 5)))
def softmax_diagonal_only(dp, p):
    return dp * p * (1 - p)


@wrong("wrong_axis", softmax, some(scores=(4, 5)))
def softmax_sum_over_rows(dp, p):
    return p * (dp - (dp * p).sum(axis=0, keepdims=True))


@wrong("sign", softmax, some(scores=(3, 4)))
def softmax_sign(dp, p):
    return p * ((dp * p).sum(1, keepdims=True) - dp)


def batchnorm(x, gamma, beta):
    mu, var = x.mean(0), x.var(0)
    inv = 1 / np.sqrt(var + 1e-5)
    xhat = (x - mu) * inv
    return gamma * xhat + beta, (xhat, inv, gamma)


BN = some(x=(7, 4), gamma=(4,), beta=(4,))


@right(batchnorm, BN)
def bn_right(dout, cache):
    xhat, inv, gamma = cache
    n = len(xhat)
    dh = dout * gamma
    dx = inv / n * (n * dh - dh.sum(0) - xhat * (dh * xhat).sum(0))
    return dx, (dout * xhat).sum(0), dout.sum(0)


@wrong("constant_stats", batchnorm, BN)
def bn_plain_scale(dout, cache):
    xhat, inv, gamma = cache
    return dout * gamma * inv, (dout * xhat).sum(0), dout.sum(0)


@wrong("constant_stats missing_term", batchnorm, BN)
def bn_variance_constant(dout, cache):
    xhat, inv, gamma = cache
    dh = dout * gamma
    return inv * (dh - dh.mean(0)), (dout * xhat).sum(0), dout.sum(0)


@wrong("swapped", batchnorm, BN)
def bn_gamma_for_beta(dout, cache):
    xhat, inv, gamma = cache
    dh = dout * gamma
    dx = inv * (dh - dh.mean(0) - xhat * (dh * xhat).mean(0))
    return dx, dout.sum(0), (dout * xhat).sum(0)


@wrong("derivative_missing missing_term", batchnorm, BN)
def bn_gamma_forgotten(dout, cache):
    xhat, inv, _ = cache
    dx = inv * (dout - dout.mean(0) - xhat * (dout * xhat).mean(0))
    return {"x": dx, "gamma": (dout * xhat).sum(0), "beta": dout.sum(0)}


def layernorm(x, g, b):
    m, v = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    s = np.sqrt(v + 1e-6)
    n = (x - m) / s
    return n * g + b, (n, s, g)


@right(layernorm, some(x=(3, 6), g=(6,), b=(6,)))
def ln_right(dy, cache):
    n, s, g = cache
    dn = dy * g
    means = dn.mean(-1, keepdims=True), (dn * n).mean(-1, keepdims=True)
    return (dn - means[0] - n * means[1]) / s, (dy * n).sum(0), dy.sum(0)


@wrong("wrong_axis", layernorm, some(x=(3, 6), g=(6,), b=(6,)))
def ln_means_over_batch(dy, cache):
    n, s, g = cache
    dn = dy * g
    return (dn - dn.mean(0) - n * (dn * n).mean(0)) / s, (dy * n).sum(0), dy.sum(0)


def dropout(x, seed=3, keep=0.6):
    mask = np.random.default_rng(seed).random(x.shape) < keep
    return x * mask / keep, (mask, keep)


@right(dropout, some(x=(5, 6)))
def dropout_right(dout, cache):
    mask, keep = cache
    return dout * mask / keep


@wrong("factor", dropout, some(x=(5, 6)))
def dropout_unscaled(dout, cache):
    mask, _ = cache
    return dout * mask


@wrong("derivative_missing wrong_mask noise_missing", dropout, some(x=(5, 6)))
def dropout_mask_forgotten(dout, cache):
    _, keep = cache
    return dout / keep


def dropout_drawn(x, keep=0.7):
    mask = RNG.random(x.shape) < keep
    return x * mask / keep, keep


@wrong("noise_redrawn", dropout_drawn, some(x=(6, 7)))
def dropout_new_mask(dout, keep):
    mask = RNG.random(dout.shape) < keep
    return dout * mask / keep


def unit_rows(v):
    r = np.linalg.norm(v, axis=1, keepdims=True)
    return v / r, (v, r)


@wrong("missing_term constant_stats", unit_rows, some(v=(4, 3)))
def unit_rows_norm_constant(dout, cache):
    return dout / cache[1]


def lookup(table, idx):
    return table[idx], (table.shape, idx)


@wrong("overlap", lookup, some({"idx": np.array([2, 0, 2, 4, 0, 2])}, table=(5, 3)))
def lookup_overwrites(dout, cache):
    shape, idx = cache
    grad = np.zeros(shape)
    grad[idx] = dout
    return grad


def repeat_twice(h):
    return np.repeat(h, 2, axis=1), h.shape


@wrong("factor dims mean_for_sum", repeat_twice, some(h=(3, 4)))
def repeat_averaged(dout, shape):
    return dout.reshape(*shape, 2).mean(-1)


def conv1d(x, k):
    n = len(k)
    windows = np.stack([x[:, i : i + n] for i in range(x.shape[1] - n + 1)], 1)
    return windows @ k, (x, k, windows)


@right(conv1d, some(x=(2, 7), k=(3,)))
def conv1d_right(dy, cache):
    x, k, windows = cache
    dx = np.zeros_like(x)
    for i in range(dy.shape[1]):
        dx[:, i : i + len(k)] += dy[:, i, None] * k
    return dx, np.einsum("bi,bin->n", dy, windows)


@wrong("overlap", conv1d, some(x=(2, 7), k=(3,)))
def conv1d_assigned(dy, cache):
    x, k, windows = cache
    dx = np.zeros_like(x)
    for i in range(dy.shape[1]):
        dx[:, i : i + len(k)] = dy[:, i, None] * k
    return dx, np.einsum("bi,bin->n", dy, windows)


def scores(q, k):
    return q @ k.T / np.sqrt(q.shape[1]), (q, k)


@wrong("factor dims", scores, some(q=(3, 5), k=(4, 5)))
def scores_unscaled(ds, cache):
    q, k = cache
    return ds @ k, ds.T @ q


def wobble(x, w):
    """x² sin(w x), as nobody needs it."""
    return x**2 * np.sin(w * x), (x, w)


@wrong("missing_term", wobble, some(x=(4, 3), w=(4, 3)))
def wobble_one_factor(dy, cache):
    x, w = cache
    return dy * 2 * x * np.sin(w * x), dy * x**3 * np.cos(w * x)


def bump(x, c):
    """exp(-(x - c)²), c the same for all rows."""
    y = np.exp(-((x - c) ** 2))
    return y, (x, c, y)


@right(bump, some(x=(5, 3), c=(3,)))
def bump_right(dy, cache):
    x, c, y = cache
    t = 2 * dy * y * (x - c)
    return -t, t.sum(0)


@wrong("sign", bump, some(x=(5, 3), c=(3,)))
def bump_sign(dy, cache):
    x, c, y = cache
    t = 2 * dy * y * (x - c)
    return -t, -t.sum(0)


@wrong("factor", bump, some(x=(5, 3), c=(3,)))
def bump_without_two(dy, cache):
    x, c, y = cache
    t = dy * y * (x - c)
    return -t, t.sum(0)


def running_sum(x):
    return np.cumsum(x, axis=1), None


@wrong("transpose permuted", running_sum, some(x=(3, 5)))
def running_sum_forward_again(dy, cache):
    return np.cumsum(dy, axis=1)


def quadratic(x, A):
    return np.einsum("bi,ij,bj->b", x, A, x), (x, A)


@wrong("missing_term", quadratic, some(x=(4, 3), A=(3, 3)))
def quadratic_one_side(dy, cache):
    x, A = cache
    return dy[:, None] * (x @ A.T), np.einsum("b,bi,bj->ij", dy, x, x)


def residual(x, w):
    a = x @ w
    return x + np.tanh(a), (x, w, a)


@wrong("missing_term overwritten_branch", residual, some(x=(5, 4), w=(4, 4)))
def residual_skip_lost(dy, cache):
    x, w, a = cache
    da = dy * (1 - np.tanh(a) ** 2)
    return da @ w.T, x.T @ da
