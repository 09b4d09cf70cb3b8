"""Losses, KLs and the sampling step."""

import numpy as np

from .blind_corpus import logistic, right, some, wrong

NOISE = np.random.default_rng(5)


def mse(pred, target):
    return np.mean((pred - target) ** 2)


MSE = some(pred=(4, 5), target=(4, 5))


@wrong("factor", mse, MSE, wrt="pred")
def mse_without_two(pred, target):
    return (pred - target) / pred.size


@wrong("dims factor", mse, MSE, wrt="pred")
def mse_over_batch_only(pred, target):
    return 2 * (pred - target) / len(pred)


@wrong("sign", mse, MSE, wrt="pred")
def mse_target_minus_pred(pred, target):
    return 2 * (target - pred) / pred.size


@right(mse, MSE, wrt="pred")
def mse_right(pred, target):
    return 2.0 / pred.size * (pred - target)


PIXELS = some({"x": lambda rng: rng.random((5, 6))}, a=(5, 6))


def bce_logits(a, x):
    return (np.logaddexp(0, a) - a * x).sum() / len(a)


@right(bce_logits, PIXELS, wrt="a")
def bce_logits_right(a, x):
    return (logistic(a) - x) / len(a)


@wrong("derivative_twice", bce_logits, PIXELS, wrt="a")
def bce_logits_sigmoid_twice(a, x):
    p = logistic(a)
    return (p - x) * p * (1 - p) / len(a)


@wrong("batch", bce_logits, PIXELS, wrt="a")
def bce_logits_no_batch(a, x):
    return logistic(a) - x


@wrong("sign", bce_logits, PIXELS, wrt="a")
def bce_logits_sign(a, x):
    return (x - logistic(a)) / a.shape[0]


@wrong("dims factor", bce_logits, PIXELS, wrt="a")
def bce_logits_mean_over_pixels(a, x):
    return (logistic(a) - x) / a.size


@wrong("derivative_missing at_output missing_term", bce_logits, PIXELS, wrt="a")
def bce_logits_not_squashed(a, x):
    return (a - x) / len(a)


PROBS = some({"p": lambda r: 0.1 + 0.8 * r.random((4, 6)), "x": lambda r: r.random((4, 6))})


def bce(p, x):
    eps = 1e-2
    return -np.mean(np.sum(x * np.log(p + eps) + (1 - x) * np.log(1 - p + eps), axis=1))


@wrong("loss_constant", bce, PROBS, wrt="p")
def bce_eps_forgotten(p, x):
    return (p - x) / (p * (1 - p)) / len(p)


def bce_plain(p, x):
    return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum() / len(p)


@wrong("derivative_missing", bce_plain, PROBS, wrt="p")
def bce_as_if_logits(p, x):
    return (p - x) / len(p)


def gauss_nll(m, lv, x):
    return 0.5 * np.sum(lv + (x - m) ** 2 * np.exp(-lv)) / len(x)


NLL = some(m=(4, 3), lv=(4, 3), x=(4, 3))


@right(gauss_nll, NLL, wrt="m lv")
def gauss_nll_right(m, lv, x):
    r = (m - x) * np.exp(-lv) / len(x)
    return r, 0.5 * (1 / len(x) - r * (m - x))


@wrong("missing_term minus_one", gauss_nll, NLL, wrt="m lv")
def gauss_nll_no_one(m, lv, x):
    r = (m - x) * np.exp(-lv) / len(x)
    return r, -0.5 * r * (m - x)


@wrong("factor", gauss_nll, NLL, wrt="m lv")
def gauss_nll_half_forgotten(m, lv, x):
    r = (m - x) * np.exp(-lv) / len(x)
    return r, 1 / len(x) - r * (m - x)


@wrong("variance_for_std", gauss_nll, NLL, wrt="m lv")
def gauss_nll_by_std(m, lv, x):
    B = len(x)
    return {
        "m": (m - x) / np.exp(0.5 * lv) / B,
        "lv": 0.5 * (1 - (x - m) ** 2 * np.exp(-lv)) / B,
    }


def xent(logits, labels):
    z = logits - logits.max(1, keepdims=True)
    logp = z - np.log(np.exp(z).sum(1, keepdims=True))
    return -logp[np.arange(len(labels)), labels].mean()


XENT = some({"labels": np.array([1, 0, 3, 2, 1])}, logits=(5, 4))


@wrong("batch", xent, XENT)
def xent_sum(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    p[range(5), labels] -= 1
    return p


@wrong("wrong_axis", xent, XENT)
def xent_softmax_over_batch(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(0, keepdims=True)
    p[range(5), labels] -= 1
    return p / 5


@wrong("missing_term", xent, XENT)
def xent_label_not_subtracted(logits, labels):
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return p / 5


def ridge(w, x, y):
    return 0.5 * np.mean((x @ w - y) ** 2) + 0.15 * np.sum(w**2)


@wrong("missing_term", ridge, some(w=(4,), x=(6, 4), y=(6,)), wrt="w")
def ridge_penalty_forgotten(w, x, y):
    return x.T @ (x @ w - y) / len(y)


def kl(mu, logvar):
    return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / mu.shape[0]


KL = some(mu=(5, 3), logvar=(5, 3))


@right(kl, KL)
def kl_right(mu, logvar):
    n = len(mu)
    return mu / n, -0.5 * (1 - np.exp(logvar)) / n


@wrong("minus_one", kl, KL)
def kl_only_exp(mu, logvar):
    n = len(mu)
    return mu / n, 0.5 * np.exp(logvar) / n


@wrong("factor", kl, KL)
def kl_half_lost(mu, logvar):
    n = len(mu)
    return mu / n, (np.exp(logvar) - 1) / n


@wrong("batch", kl, KL)
def kl_batch_lost(mu, logvar):
    return mu, 0.5 * (np.exp(logvar) - 1)


@wrong("sign", kl, KL)
def kl_logvar_sign(mu, logvar):
    n = len(mu)
    return mu / n, 0.5 * (1 - np.exp(logvar)) / n


@wrong("sigma_head", kl, KL)
def kl_as_sigma(mu, logvar):
    n = len(mu)
    s = np.exp(0.5 * logvar)
    return {"mu": mu / n, "logvar": (s - 1 / s) / n}


@wrong("variance_for_std", kl, KL)
def kl_std_for_var(mu, logvar):
    n = len(mu)
    return {"mu": mu / n, "logvar": 0.5 * (np.exp(logvar / 2) - 1) / n}


@wrong("dims factor", kl, some(mu=(3, 4), logvar=(3, 4)))
def kl_mean_over_everything(mu, logvar):
    return mu / mu.size, 0.5 * np.expm1(logvar) / mu.size


def kl_prior(mq, lq, mp, lp):
    return 0.5 * np.sum(lp - lq + (np.exp(lq) + (mq - mp) ** 2) / np.exp(lp) - 1) / len(mq)


KLP = some(mq=(4, 3), lq=(4, 3), mp=(3,), lp=(3,))


@wrong("sign", kl_prior, KLP)
def kl_prior_mean_sign(mq, lq, mp, lp):
    B = len(mq)
    d = (mq - mp) / np.exp(lp) / B
    dlp = 0.5 * (1 - (np.exp(lq) + (mq - mp) ** 2) / np.exp(lp)) / B
    return d, 0.5 * np.expm1(lq - lp) / B, d.sum(0), dlp.sum(0)


@wrong("missing_term", kl_prior, KLP)
def kl_prior_distance_forgotten(mq, lq, mp, lp):
    B = len(mq)
    d = (mq - mp) / np.exp(lp) / B
    dlp = 0.5 * (1 - np.exp(lq - lp)) / B
    return d, 0.5 * np.expm1(lq - lp) / B, -d.sum(0), dlp.sum(0)


def sample(mu, logvar, eps):
    std = np.exp(0.5 * logvar)
    return mu + std * eps, (std, eps)


Z = some(mu=(4, 3), logvar=(4, 3), eps=(4, 3))


@right(sample, Z, wrt="mu logvar")
def sample_right(dz, cache):
    std, eps = cache
    return dz, dz * eps * std / 2


@wrong("factor", sample, Z, wrt="mu logvar")
def sample_half_lost(dz, cache):
    std, eps = cache
    return dz, dz * eps * std


@wrong("variance_for_std", sample, Z, wrt="mu logvar")
def sample_variance(dz, cache):
    std, eps = cache
    return dz, 0.5 * dz * eps * std**2


@wrong("noise_missing", sample, Z, wrt="mu logvar")
def sample_noise_forgotten(dz, cache):
    std, _ = cache
    return dz, 0.5 * dz * std


@wrong("sigma_head", sample, Z, wrt="mu logvar")
def sample_as_sigma(dz, cache):
    _, eps = cache
    return dz, dz * eps


@wrong("noise_gradient noise_missing", sample, Z, wrt="mu logvar")
def sample_noise_in_mean(dz, cache):
    std, eps = cache
    return dz * eps, 0.5 * dz * eps * std


@wrong("no_upstream", sample, Z, wrt="mu logvar")
def sample_upstream_lost(dz, cache):
    std, eps = cache
    return dz, 0.5 * eps * std


def sample_inside(mu, logvar):
    eps = NOISE.standard_normal(mu.shape)
    return mu + np.exp(logvar / 2) * eps, logvar


@wrong("noise_redrawn", sample_inside, KL)
def sample_drawn_again(dz, logvar):
    eps = NOISE.standard_normal(dz.shape)
    return dz, 0.5 * np.exp(logvar / 2) * eps * dz


def sample_softplus(mu, rho, eps):
    return mu + np.logaddexp(0, rho) * eps, (rho, eps)


@wrong("derivative_missing", sample_softplus, some(mu=(3, 4), rho=(3, 4), eps=(3, 4)), wrt="mu rho")
def sample_softplus_forgotten(dz, cache):
    _, eps = cache
    return dz, dz * eps


def sample_clamped(mu, logvar, eps):
    lv = np.clip(logvar, -0.8, 0.8)
    return mu + np.exp(0.5 * lv) * eps, (logvar, lv, eps)


@wrong("logvar_clamp", sample_clamped, some(mu=(5, 4), logvar=(5, 4), eps=(5, 4)), wrt="mu logvar")
def sample_clamp_open(dz, cache):
    _, lv, eps = cache
    return dz, 0.5 * np.exp(0.5 * lv) * eps * dz
