"""Log-sum-exp and the importance-weighted bound, with one mistake each."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def logsumexp(w):
    """Over the last axis."""
    m = np.max(w.real, axis=-1, keepdims=True)
    e = np.exp(w - m)
    s = e.sum(-1, keepdims=True)
    return (m + np.log(s))[..., 0], (w, e, e / s)


def log_mean_exp(logw):
    K = logw.shape[1]
    return np.log(np.exp(logw).sum(axis=1) / K), logw


W = normal(w=(4, 6))
LOGW = normal(logw=(3, 5))


@wrong("weights", logsumexp, W)
def uniform_weights(dout, cache):
    w, _, _ = cache
    K = w.shape[-1]
    return np.repeat(dout[:, None], K, axis=1) / K


@wrong("weights sign", log_mean_exp, LOGW)
def weights_of_the_losses(dout, logw):
    e = np.exp(-logw)
    return dout[:, None] * e / e.sum(axis=1, keepdims=True)


@wrong("wrong_axis", logsumexp, W)
def weights_normalised_over_the_batch(dout, cache):
    _, e, _ = cache
    return dout[:, None] * e / e.sum(axis=0)


@wrong("sign", log_mean_exp, LOGW)
def bound_pushed_down(dout, logw):
    p = np.exp(logw) / np.exp(logw).sum(1)[:, None]
    return -dout[:, None] * p


@wrong("dims", log_mean_exp, LOGW)
def weights_over_k_again(dout, logw):
    p = np.exp(logw)
    p /= p.sum(axis=1, keepdims=True)
    return dout[:, None] * p / logw.shape[1]


@wrong("no_upstream", logsumexp, W)
def weights_alone(dout, cache):
    return cache[2]


@wrong("derivative_twice weights", logsumexp, W)
def softmax_of_the_softmax(dout, cache):
    _, _, p = cache
    return dout[:, None] * p * (1 - p)


def iwae(mu, logvar, eps, x, A):
    """-ln 1/K sum_k w_k, mean over the batch; noise eps (B, K, Z), linear Gaussian decoder A."""
    z = mu[:, None] + np.exp(0.5 * logvar)[:, None] * eps
    log_lik = -0.5 * np.sum((x[:, None] - z @ A) ** 2, -1)
    log_prior = -0.5 * np.sum(z**2, -1)
    log_q = -0.5 * np.sum(eps**2 + logvar[:, None], -1)
    lw = log_lik + log_prior - log_q
    return -np.mean(np.log(np.mean(np.exp(lw), axis=1)))


IWAE = normal(mu=(3, 2), logvar=(3, 2), eps=(3, 4, 2), x=(3, 5), A=(2, 5))


def _iwae_parts(mu, logvar, eps, x, A):
    s = np.exp(0.5 * logvar)[:, None] * eps
    z = mu[:, None] + s
    r = x[:, None] - z @ A
    lw = -0.5 * (r**2).sum(-1) - 0.5 * (z**2).sum(-1)
    lw += 0.5 * (eps**2).sum(-1) + 0.5 * logvar.sum(-1)[:, None]
    p = np.exp(lw - lw.max(1, keepdims=True))
    p /= p.sum(1, keepdims=True)
    return s, z, r, lw, p


def _iwae_grads(p, s, dz, *, entropy=0.5, slope=0.5):
    B = len(p)
    dmu = -(p[..., None] * dz).sum(1) / B
    dlogvar = -(p[..., None] * (slope * s * dz + entropy)).sum(1) / B
    return dmu, dlogvar


@wrong("weights", iwae, IWAE, wrt="mu logvar")
def mean_of_the_logs(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(np.full_like(p, 1 / p.shape[1]), s, r @ A.T - z)


@wrong("weights", iwae, IWAE, wrt="mu logvar")
def softmax_of_the_loss(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    q = np.exp(-lw)
    q = q / q.sum(1)[:, None]
    return _iwae_grads(q, s, r @ A.T - z)


@wrong("entropy_missing missing_term", iwae, IWAE, wrt="mu logvar")
def entropy_dropped(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(p, s, r @ A.T - z, entropy=0)


@wrong("factor", iwae, IWAE, wrt="mu logvar")
def iwae_half_forgotten(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(p, s, r @ A.T - z, slope=1)


@wrong("missing_term kl_missing", iwae, IWAE, wrt="mu logvar")
def prior_dropped(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(p, s, r @ A.T)


@wrong("batch", iwae, IWAE, wrt="mu logvar")
def iwae_not_averaged(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    dmu, dlogvar = _iwae_grads(p, s, r @ A.T - z)
    return dmu * len(x), dlogvar * len(x)


@wrong("sign", iwae, IWAE, wrt="mu logvar")
def climbs_for_descends(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    dmu, dlogvar = _iwae_grads(p, s, r @ A.T - z)
    return -dmu, -dlogvar


@wrong("weights", iwae, IWAE, wrt="mu logvar")
def weights_differentiated(mu, logvar, eps, x, A):
    """Gradient of sum_k p_k lw_k with the weights not held constant."""
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    through = p * (1 + lw - (p * lw).sum(1, keepdims=True))
    return _iwae_grads(through, s, r @ A.T - z)


@wrong("noise_missing", iwae, IWAE, wrt="mu logvar")
def iwae_noise_left_out(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(p, np.exp(logvar / 2)[:, None] * np.ones_like(eps), r @ A.T - z)


@wrong("dims", iwae, IWAE, wrt="mu logvar")
def iwae_averaged_over_samples_again(mu, logvar, eps, x, A):
    s, z, r, lw, p = _iwae_parts(mu, logvar, eps, x, A)
    return _iwae_grads(p / p.shape[1], s, r @ A.T - z)


def log_weight(nll, z, log_var, e):
    """log p(x|z) + log p(z) - log q(z|x) up to constants: (B, K)."""
    prior = -0.5 * (z**2).sum(axis=2)
    q = -0.5 * (e**2).sum(axis=2) - 0.5 * log_var.sum(axis=1)[:, None]
    return prior - nll - q, (z, log_var)


LW = normal(nll=(4, 3), z=(4, 3, 2), log_var=(4, 2), e=(4, 3, 2))


@wrong("entropy_missing zero", log_weight, LW, wrt="nll z log_var")
def no_entropy_for_the_variance(dw, cache):
    z, log_var = cache
    return -dw, -dw[..., None] * z, np.zeros_like(log_var)


@wrong("sign", log_weight, LW, wrt="nll z log_var")
def likelihood_with_the_wrong_sign(dw, cache):
    z, log_var = cache
    return dw, -dw[..., None] * z, 0.5 * dw.sum(1)[:, None] * np.ones_like(log_var)


@wrong("no_upstream", log_weight, LW, wrt="nll z log_var")
def prior_without_upstream(dw, cache):
    z, log_var = cache
    return -dw, -z, 0.5 * dw.sum(1, keepdims=True) * np.ones_like(log_var)
