"""Two mistakes at once; naming either of them counts."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong
from .wrong_activations import SMOOTH, logistic, sigmoid_forward, swish, tanh_forward
from .wrong_bounds import IWAE, LOGW, _iwae_grads, _iwae_parts, iwae, log_mean_exp
from .wrong_classes import cross_entropy, labelled, softmax
from .wrong_elbo import _branches, beta_point, elbo_point, neg_elbo
from .wrong_latent import HEADS, LATENT, kl_mean, reparam_forward
from .wrong_layers import BN, LN, batchnorm_forward, dropout_forward, dropped, layernorm
from .wrong_linear import POINT, SQUARE, TWO_LAYER, affine_forward, two_layer
from .wrong_losses import bce_loss, gaussian_learned, pixels

TWICE = {"kind": "double"}


@wrong("no_sum sign", affine_forward, POINT, **TWICE)
def bias_not_summed_and_input_negative(dout, cache):
    x, w, b = cache
    return -dout @ w.T, x.T @ dout, dout


@wrong("transpose batch mean_for_sum", affine_forward, SQUARE, **TWICE)
def untransposed_and_averaged(dout, cache):
    x, w, b = cache
    return dout @ w, x.T @ dout / len(x), dout.sum(0)


@wrong("transpose factor", affine_forward, SQUARE, **TWICE)
def untransposed_and_doubled_at_once(dout, cache):
    x, w, b = cache
    return 2 * dout @ w, x.T @ dout, dout.sum(0)


@wrong("derivative_missing wrong_mask mean_for_sum", two_layer, TWO_LAYER, **TWICE)
def no_mask_and_bias_averaged(dy, cache):
    x, W1, W2, a, h = cache
    dh = dy @ W2.T
    return dh @ W1.T, x.T @ dh, dh.sum(0), h.T @ dy, dy.mean(0)


@wrong("sign derivative_twice", sigmoid_forward, SMOOTH, **TWICE)
def sigmoid_negative_and_twice(dout, cache):
    _, s = cache
    return -dout * (s * (1 - s)) ** 2


@wrong("factor at_output", tanh_forward, SMOOTH, **TWICE)
def tanh_doubled_and_at_output(dout, c):
    return 2 * dout * (1 - np.tanh(c["output"]) ** 2)


@wrong("missing_term sign", swish, SMOOTH, **TWICE)
def swish_half_and_negative(dout, cache):
    x, s = cache
    return -dout * s


@wrong("sign batch", bce_loss, pixels(5, 7), wrt="logits", **TWICE)
def pixels_negative_and_not_averaged(logits, x):
    return x - logistic(logits)


@wrong("derivative_twice batch", bce_loss, pixels(6, 5), wrt="logits", **TWICE)
def pixels_squashed_and_not_averaged(logits, x):
    p = logistic(logits)
    return (p - x) * p * (1 - p)


@wrong("wrong_axis batch", cross_entropy, labelled, wrt="scores", **TWICE)
def classes_along_the_batch_and_not_averaged(scores, y):
    d = softmax(scores, axis=0)
    d[np.arange(len(y)), y] -= 1
    return d


GAUSS = normal(mean=(4, 5), logvar=(4, 5), x=(4, 5))


@wrong("variance_for_std factor sigma_head", gaussian_learned, GAUSS, **TWICE)
def deviation_and_no_half(dnll, cache):
    mean, lv, x = cache
    up = dnll[:, None]
    return up * (mean - x) * np.exp(-lv / 2), up * (1 - (x - mean) ** 2 * np.exp(-lv))


@wrong("factor sign sigma_head", reparam_forward, LATENT, **TWICE)
def sample_no_half_and_negative(dz, cache):
    mu, logvar, eps, std = cache
    return dz, -dz * eps * std


@wrong("noise_missing factor", reparam_forward, LATENT, **TWICE)
def sample_no_noise_no_half(dz, cache):
    return dz, dz * cache[3]


@wrong("noise_redrawn zero", reparam_forward, LATENT, **TWICE)
def sample_other_noise_and_no_mean(dz, cache):
    mu, logvar, eps, std = cache
    fresh = np.random.randn(*eps.shape)  # noqa: NPY002
    return np.zeros_like(dz), 0.5 * dz * fresh * std


@wrong("minus_one batch", kl_mean, HEADS, **TWICE)
def kl_dropped_one_and_not_averaged(mu, logvar):
    return mu, 0.5 * np.exp(logvar)


@wrong("sign batch", kl_mean, HEADS, **TWICE)
def kl_negative_and_not_averaged(mu, logvar):
    return -mu, -0.5 * (np.exp(logvar) - 1)


@wrong("factor sign", kl_mean, HEADS, **TWICE)
def kl_mean_doubled_and_variance_negative(mu, logvar):
    return 2 * mu / len(mu), -0.5 * (np.exp(logvar) - 1) / len(mu)


@wrong("weights sign", log_mean_exp, LOGW, **TWICE)
def uniform_and_negative(dout, logw):
    return -np.ones_like(logw) * dout[:, None] / logw.shape[1]


@wrong("entropy_missing factor batch", iwae, IWAE, wrt="mu logvar", **TWICE)
def no_entropy_no_half(mu, logvar, eps, x, A):
    s, z, r, _, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(p, s, r @ A.T - z, entropy=0, slope=1)


@wrong("weights entropy_missing", iwae, IWAE, wrt="mu logvar", **TWICE)
def uniform_and_no_entropy(mu, logvar, eps, x, A):
    s, z, r, _, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(np.ones_like(p) / p.shape[1], s, r @ A.T - z, entropy=0)


@wrong("beta noise_missing", neg_elbo, beta_point, wrt="mu logvar", **TWICE)
def no_beta_no_noise(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, _, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (0.5 * np.exp(logvar / 2) * dz + klv) / B


@wrong("minus_one factor", neg_elbo, elbo_point, wrt="mu logvar", **TWICE)
def no_one_no_half(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, _ = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (2 * dlv + 0.5 * np.exp(logvar)) / B


@wrong("kl_missing batch", neg_elbo, elbo_point, wrt="mu logvar", **TWICE)
def no_kl_not_averaged(mu, logvar, eps, x, W, beta):
    _, dz, dlv, _, _ = _branches(mu, logvar, eps, x, W)
    return dz, dlv


@wrong("constant_stats no_sum", batchnorm_forward, BN, **TWICE)
def norm_constant_and_shift_not_summed(dout, cache):
    x, xhat, gamma, var = cache
    return dout * gamma / np.sqrt(var + 1e-5), (dout * xhat).sum(0), dout


@wrong("constant_stats mean_for_sum", layernorm, LN, **TWICE)
def rows_constant_and_gain_averaged(dout, cache):
    xhat, g, std = cache
    return dout * g / std, (dout * xhat).mean(0), dout.sum(0)


@wrong("wrong_mask factor", dropout_forward, dropped, **TWICE)
def dropped_ones_kept_and_not_scaled(dout, cache):
    return dout * (1 - cache[0])
