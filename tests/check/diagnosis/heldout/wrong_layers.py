"""Normalisation, dropout and clamps, with one mistake each."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def batchnorm_forward(x, gamma, beta):
    mean, var = x.mean(axis=0), ((x - x.mean(axis=0)) ** 2).mean(axis=0)
    xhat = (x - mean) / np.sqrt(var + 1e-5)
    return gamma * xhat + beta, (x, xhat, gamma, var)


BN = normal(x=(6, 4), gamma=(4,), beta=(4,))


def bn_dict(inp, scale, shift):
    mu = inp.mean(0)
    centred = inp - mu
    inv = 1 / np.sqrt(np.mean(centred**2, 0) + 1e-3)
    return centred * inv * scale + shift, {"c": centred, "inv": inv, "scale": scale}


BN_DICT = normal(inp=(5, 3), scale=(3,), shift=(3,))


def _bn(dout, cache):
    x, xhat, gamma, var = cache
    dxhat = dout * gamma
    dx = dxhat - dxhat.mean(0) - xhat * (dxhat * xhat).mean(0)
    return dx / np.sqrt(var + 1e-5), (dout * xhat).sum(0), dout.sum(0)


@wrong("constant_stats", batchnorm_forward, BN)
def statistics_held_constant(dout, cache):
    x, xhat, gamma, var = cache
    dx = dout * gamma / np.sqrt(var + 1e-5)
    return dx, np.sum(dout * xhat, axis=0), np.sum(dout, axis=0)


@wrong("constant_stats missing_term", batchnorm_forward, BN)
def variance_held_constant(dout, cache):
    x, xhat, gamma, var = cache
    d = dout * gamma
    return (d - d.mean(0)) / np.sqrt(var + 1e-5), (dout * xhat).sum(0), dout.sum(0)


@wrong("constant_stats missing_term", bn_dict, BN_DICT)
def mean_held_constant(dout, c):
    xhat = c["c"] * c["inv"]
    d = dout * c["scale"]
    return {
        "inp": c["inv"] * (d - xhat * np.mean(d * xhat, axis=0)),
        "scale": (dout * xhat).sum(0),
        "shift": dout.sum(0),
    }


@wrong("no_sum", bn_dict, BN_DICT)
def shift_not_summed(dout, c):
    xhat = c["c"] * c["inv"]
    d = dout * c["scale"]
    dinp = c["inv"] * (d - d.mean(0) - xhat * (d * xhat).mean(0))
    return dinp, (dout * xhat).sum(0), dout


@wrong("mean_for_sum batch", batchnorm_forward, BN)
def scale_averaged(dout, cache):
    dx, dgamma, dbeta = _bn(dout, cache)
    return dx, (dout * cache[1]).mean(axis=0), dbeta


@wrong("at_output wrong_axis missing_term", batchnorm_forward, BN)
def scale_from_the_raw_input(dout, cache):
    dx, _, dbeta = _bn(dout, cache)
    return dx, (dout * cache[0]).sum(0), dbeta


@wrong("missing_term derivative_missing", batchnorm_forward, BN)
def scale_forgotten_on_the_way_back(dout, cache):
    x, xhat, gamma, var = cache
    _, dgamma, dbeta = _bn(dout, cache)
    dx = (dout - dout.mean(0) - xhat * (dout * xhat).mean(0)) / np.sqrt(var + 1e-5)
    return dx, dgamma, dbeta


@wrong("variance_for_std", batchnorm_forward, BN)
def divided_by_the_variance(dout, cache):
    x, xhat, gamma, var = cache
    dx, dgamma, dbeta = _bn(dout, cache)
    d = dout * gamma
    dx = (d - d.mean(0) - xhat * (d * xhat).mean(0)) / (var + 1e-5)
    return dx, dgamma, dbeta


@wrong("wrong_axis", batchnorm_forward, BN)
def statistics_over_features(dout, cache):
    x, xhat, gamma, var = cache
    _, dgamma, dbeta = _bn(dout, cache)
    d = dout * gamma
    dx = d - d.mean(1, keepdims=True) - xhat * (d * xhat).mean(1, keepdims=True)
    return dx / np.sqrt(var + 1e-5), dgamma, dbeta


def layernorm(x, g, b):
    m = x.mean(-1, keepdims=True)
    v = ((x - m) ** 2).mean(-1, keepdims=True)
    xhat = (x - m) / np.sqrt(v + 1e-5)
    return xhat * g + b, (xhat, g, np.sqrt(v + 1e-5))


LN = normal(x=(3, 5), g=(5,), b=(5,))


def _ln(dout, cache):
    xhat, g, std = cache
    d = dout * g
    dx = d - d.mean(-1, keepdims=True) - xhat * (d * xhat).mean(-1, keepdims=True)
    return dx / std, (dout * xhat).sum(0), dout.sum(0)


@wrong("constant_stats", layernorm, LN)
def rows_statistics_held_constant(dout, cache):
    xhat, g, std = cache
    return dout * g / std, (dout * xhat).sum(0), dout.sum(0)


@wrong("wrong_axis", layernorm, LN)
def columns_for_rows(dout, cache):
    xhat, g, std = cache
    d = dout * g
    dx = (d - d.mean(0) - xhat * (d * xhat).mean(0)) / std
    return dx, (dout * xhat).sum(0), dout.sum(0)


@wrong("constant_stats missing_term", layernorm, LN)
def rows_variance_held_constant(dout, cache):
    xhat, g, std = cache
    d = dout * g
    return (d - d.mean(-1, keepdims=True)) / std, (dout * xhat).sum(0), dout.sum(0)


@wrong("no_sum", layernorm, LN)
def gain_not_summed(dout, cache):
    dx, _, db = _ln(dout, cache)
    return dx, dout * cache[0], db


@wrong("sign", layernorm, normal(x=(4, 6), g=(6,), b=(6,)))
def norm_upside_down(dout, cache):
    dx, dg, db = _ln(dout, cache)
    return -dx, dg, db


def dropout_forward(x, mask, keep):
    return x * mask / keep, (mask, keep)


def dropped(rng):
    return {
        "x": rng.standard_normal((6, 5)),
        "mask": (rng.random((6, 5)) < 0.6).astype(float),
        "keep": 0.6,
    }


@wrong("noise_redrawn wrong_mask", dropout_forward, dropped)
def mask_drawn_again(dout, cache):
    mask, keep = cache
    mask = np.random.rand(*dout.shape) < keep  # noqa: NPY002
    return dout * mask / keep


@wrong("factor", dropout_forward, dropped)
def scale_of_dropout_forgotten(dout, cache):
    mask, keep = cache
    return dout * mask


@wrong("factor", dropout_forward, dropped)
def scale_of_dropout_twice(dout, cache):
    mask, keep = cache
    return dout * mask / keep**2


@wrong("wrong_mask derivative_missing", dropout_forward, dropped)
def mask_forgotten(dout, cache):
    mask, keep = cache
    return dout / keep


@wrong("wrong_mask", dropout_forward, dropped)
def dropped_ones_kept(dout, cache):
    mask, keep = cache
    return dout * (1 - mask) / keep


def clamp(logvar, low, high):
    return np.clip(logvar, low, high), (logvar, low, high)


def clamped(rng):
    v = 3 * rng.standard_normal((7, 4))
    return {"logvar": np.where(np.abs(np.abs(v) - 2) < 0.1, 0.3, v), "low": -2.0, "high": 2.0}


@wrong("logvar_clamp", clamp, clamped)
def clamp_lets_everything_through(dout, cache):
    return dout.copy()


@wrong("logvar_clamp wrong_mask", clamp, clamped)
def clamp_open_outside(dout, cache):
    lv, low, high = cache
    return dout * ((lv < low) | (lv > high))


@wrong("logvar_clamp", clamp, clamped)
def clamp_forgets_the_lower_end(dout, cache):
    lv, low, high = cache
    return dout * (lv < high)


def clamped_sample(mu, logvar, eps):
    lv = np.clip(logvar, -1.0, 1.0)
    return mu + np.exp(lv / 2) * eps, (logvar, lv, eps)


def clamped_sample_point(rng):
    lv = 2 * rng.standard_normal((5, 3))
    return {
        "mu": rng.standard_normal((5, 3)),
        "logvar": np.where(np.abs(np.abs(lv) - 1) < 0.1, 0.2, lv),
        "eps": rng.standard_normal((5, 3)),
    }


@wrong("logvar_clamp", clamped_sample, clamped_sample_point)
def sample_passes_the_closed_clamp(dz, cache):
    logvar, lv, eps = cache
    return dz, 0.5 * dz * eps * np.exp(lv / 2)
