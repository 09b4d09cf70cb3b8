"""The sample and the KL, with one mistake each."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def reparam_forward(mu, logvar, eps):
    std = np.exp(0.5 * logvar)
    return mu + std * eps, (mu, logvar, eps, std)


LATENT = normal(mu=(5, 3), logvar=(5, 3), eps=(5, 3))


def sample(m, lv, noise):
    """Noise in the cache as a dict, other names."""
    s = np.sqrt(np.exp(lv))
    return m + s * noise, {"noise": noise, "sigma": s}


OTHER = normal(m=(4, 4), lv=(4, 4), noise=(4, 4))


def sample_k(mu, logvar, eps):
    """K samples for each example: eps (K, B, Z)."""
    return mu[None] + np.exp(logvar / 2)[None] * eps, (logvar, eps)


MANY = normal(mu=(3, 2), logvar=(3, 2), eps=(5, 3, 2))


@wrong("factor", reparam_forward, LATENT)
def half_forgotten(dz, cache):
    mu, logvar, eps, std = cache
    return dz, dz * eps * std


@wrong("variance_for_std", sample, OTHER)
def variance_in_the_gradient(dz, c):
    return dz, dz * c["noise"] * 0.5 * c["sigma"] ** 2


@wrong("variance_for_std", reparam_forward, LATENT, dtype="float32")
def exponential_of_the_whole_logvar(dz, cache):
    _, logvar, eps, _ = cache
    dlogvar = 0.5 * np.exp(logvar) * eps * dz
    return {"mu": dz, "logvar": dlogvar}


@wrong("noise_missing", reparam_forward, LATENT)
def noise_left_out(dz, cache):
    std = cache[-1]
    return dz, 0.5 * std * dz


@wrong("noise_redrawn", reparam_forward, LATENT)
def noise_drawn_afresh(dz, cache):
    mu, logvar, eps, std = cache
    eps = np.random.randn(*mu.shape)  # noqa: NPY002
    return dz, dz * eps * std * 0.5


@wrong("noise_redrawn", sample, OTHER)
def noise_from_a_new_generator(dz, c):
    noise = np.random.default_rng().standard_normal(dz.shape)
    return dz, dz * noise * 0.5 * c["sigma"]


def sampler(mu, log_var):
    """Draws its own noise, as in the repositories that train all the same."""
    e = np.random.normal(size=mu.shape)  # noqa: NPY002
    return mu + e * np.exp(log_var * 0.5), (mu, log_var)


@wrong("noise_redrawn", sampler, normal(mu=(6, 2), log_var=(6, 2)))
def noise_drawn_here_and_there(dz, cache):
    mu, log_var = cache
    e = np.random.normal(size=mu.shape)  # noqa: NPY002
    return dz, dz * e * 0.5 * np.exp(log_var * 0.5)


@wrong("sigma_head derivative_missing", sample, OTHER)
def head_taken_for_sigma(dz, c):
    return {"dm": dz, "dlv": dz * c["noise"]}


@wrong("zero", reparam_forward, LATENT)
def sample_does_not_reach_the_variance(dz, cache):
    return dz, 0 * dz


@wrong("zero", sample, OTHER)
def sample_does_not_reach_the_mean(dz, c):
    dm = np.zeros_like(dz)
    return dm, 0.5 * dz * c["noise"] * c["sigma"]


@wrong("noise_gradient noise_missing", reparam_forward, LATENT)
def sent_into_the_noise(dz, cache):
    mu, logvar, eps, std = cache
    d_eps = dz * std
    return dz, d_eps


@wrong("swapped", sample, OTHER)
def heads_returned_in_the_wrong_order(dz, c):
    dmean = dz
    dlogvar = 0.5 * dz * c["noise"] * c["sigma"]
    return dlogvar, dmean


@wrong("sign", reparam_forward, LATENT)
def minus_for_the_variance(dz, cache):
    mu, logvar, eps, std = cache
    return dz, -0.5 * std * eps * dz


@wrong("no_upstream", reparam_forward, LATENT)
def slope_without_upstream(dz, cache):
    mu, logvar, eps, std = cache
    return dz, 0.5 * std * eps


@wrong("no_sum", sample_k, MANY)
def samples_not_summed(dz, cache):
    logvar, eps = cache
    return dz, 0.5 * dz * eps * np.exp(0.5 * logvar)


@wrong("dims mean_for_sum", sample_k, MANY)
def samples_averaged(dz, cache):
    logvar, eps = cache
    s = np.exp(0.5 * logvar)
    return dz.mean(axis=0), (0.5 * dz * eps * s).mean(axis=0)


@wrong("no_sum some_entries missing_term", sample_k, MANY)
def only_the_first_sample(dz, cache):
    logvar, eps = cache
    return dz.sum(0), 0.5 * dz[0] * eps[0] * np.exp(0.5 * logvar)


def kl_mean(mu, logvar):
    """Sum over latents, mean over the batch."""
    return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / mu.shape[0]


def kl_sum(m, lv):
    return 0.5 * np.sum(m**2 + np.exp(lv) - lv - 1)


def kl_per_dim(mu, logvar):
    return 0.5 * (mu * mu + np.exp(logvar) - 1 - logvar), (mu, logvar)


HEADS = normal(mu=(4, 3), logvar=(4, 3))
SHORT = normal(m=(6, 2), lv=(6, 2))


@wrong("sign", kl_mean, HEADS)
def kl_the_other_way(mu, logvar):
    B = len(mu)
    return -mu / B, 0.5 * (1 - np.exp(logvar)) / B


@wrong("sign", kl_sum, SHORT)
def kl_variance_the_other_way(m, lv):
    return m, (1 - np.exp(lv)) / 2


@wrong("factor sigma_head", kl_mean, HEADS)
def kl_half_forgotten(mu, logvar):
    return mu / len(mu), (np.exp(logvar) - 1) / len(mu)


@wrong("minus_one", kl_sum, SHORT)
def kl_minus_one_dropped(m, lv):
    return m, 0.5 * np.exp(lv)


@wrong("minus_one", kl_mean, HEADS)
def kl_minus_one_dropped_in_the_mean(mu, logvar):
    return {"mu": mu / mu.shape[0], "logvar": np.exp(logvar) / (2 * mu.shape[0])}


@wrong("batch", kl_mean, HEADS)
def kl_not_averaged(mu, logvar):
    return mu, 0.5 * (np.exp(logvar) - 1)


@wrong("dims", kl_mean, HEADS)
def kl_averaged_over_latents(mu, logvar):
    n = mu.size
    return mu / n, 0.5 * np.expm1(logvar) / n


@wrong("batch", kl_sum, SHORT)
def kl_averaged_where_it_is_a_sum(m, lv):
    return m / len(m), 0.5 * np.expm1(lv) / len(m)


@wrong("sigma_head", kl_sum, SHORT)
def kl_as_if_lv_were_sigma(m, lv):
    sigma = np.exp(0.5 * lv)
    return m, sigma - 1 / sigma


@wrong("sigma_head", kl_mean, HEADS)
def kl_as_if_logvar_were_log_sigma(mu, logvar):
    return mu / len(mu), (np.exp(2 * logvar) - 1) / len(mu)


@wrong("variance_for_std", kl_sum, SHORT)
def kl_with_the_deviation(m, lv):
    return m, 0.5 * (np.exp(0.5 * lv) - 1)


@wrong("factor", kl_mean, HEADS)
def kl_mean_twice(mu, logvar):
    return 2 * mu / len(mu), 0.5 * np.expm1(logvar) / len(mu)


@wrong("zero", kl_sum, SHORT)
def kl_without_a_gradient_for_the_variance(m, lv):
    return m, np.zeros_like(lv)


@wrong("no_upstream", kl_per_dim, HEADS)
def kl_upstream_forgotten(dkl, cache):
    mu, logvar = cache
    return mu.copy(), 0.5 * (np.exp(logvar) - 1)


@wrong("swapped", kl_per_dim, HEADS)
def kl_heads_exchanged(dkl, cache):
    mu, logvar = cache
    return dkl * 0.5 * (np.exp(logvar) - 1), dkl * mu


def kl_two(mq, lq, mp, lp):
    """KL of N(mq, e^lq) from N(mp, e^lp)."""
    d = mq - mp
    return 0.5 * (lp - lq + (np.exp(lq) + d**2) / np.exp(lp) - 1).sum(), (mq, lq, mp, lp)


TWO = normal(mq=(4, 2), lq=(4, 2), mp=(4, 2), lp=(4, 2))


def _between(cache):
    mq, lq, mp, lp = cache
    vq, vp = np.exp(lq), np.exp(lp)
    d = mq - mp
    return d, vq, vp, d / vp, 0.5 * (vq / vp - 1), -d / vp, 0.5 * (1 - (vq + d * d) / vp)


@wrong("kl_reversed", kl_two, TWO)
def two_gaussians_exchanged(dloss, cache):
    mq, lq, mp, lp = cache
    _, _, _, dmp, dlp, dmq, dlq = _between((mp, lp, mq, lq))
    return dmq, dlq, dmp, dlp


@wrong("zero", kl_two, TWO)
def learned_prior_not_learned(dloss, cache):
    _, _, _, dmq, dlq, dmp, dlp = _between(cache)
    return dmq, dlq, np.zeros_like(dmp), np.zeros_like(dlp)


@wrong("sign", kl_two, TWO)
def prior_mean_pushed_away(dloss, cache):
    _, _, _, dmq, dlq, dmp, dlp = _between(cache)
    return dmq, dlq, dmq, dlp


@wrong("variance_for_std", kl_two, TWO)
def prior_deviation_for_its_variance(dloss, cache):
    d, _, vp, _, dlq, _, dlp = _between(cache)
    return d / np.sqrt(vp), dlq, -d / np.sqrt(vp), dlp


@wrong("factor", kl_two, TWO)
def half_forgotten_between_two(dloss, cache):
    _, _, _, dmq, dlq, dmp, dlp = _between(cache)
    return dmq, 2 * dlq, dmp, dlp


@wrong("missing_term", kl_two, TWO)
def distance_forgotten_for_the_prior(dloss, cache):
    _, vq, vp, dmq, dlq, dmp, _ = _between(cache)
    return dmq, dlq, dmp, 0.5 * (1 - vq / vp)


@wrong("minus_one missing_term", kl_two, TWO)
def minus_one_dropped_between_two(dloss, cache):
    _, vq, vp, dmq, _, dmp, dlp = _between(cache)
    return dmq, 0.5 * vq / vp, dmp, dlp
