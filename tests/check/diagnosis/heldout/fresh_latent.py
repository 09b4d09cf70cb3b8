"""Fresh entries: sampling, KL, free bits, ELBO, importance-weighted bound, Gumbel; all wrong."""

import numpy as np

from .fresh_corpus import draw, sigmoid, wrong

CLOCK = np.random.default_rng(5)


def sample(centre, lnvar, noise):
    """A latent code for every place of a (N, places, Z) posterior."""
    return centre + noise * np.exp(lnvar / 2), {"lnvar": lnvar, "noise": noise}


SAMPLE = draw(centre=(3, 2, 4), lnvar=(3, 2, 4), noise=(3, 2, 4))


@wrong("noise_missing", sample, SAMPLE, wrt="centre lnvar")
def sample_no_noise(gz, c):
    return gz, gz * np.exp(c["lnvar"] / 2) / 2


@wrong("variance_for_std", sample, SAMPLE, wrt="centre lnvar")
def sample_variance(gz, c):
    return gz, 0.5 * gz * c["noise"] * np.exp(c["lnvar"])


@wrong("factor sigma_head", sample, SAMPLE, wrt="centre lnvar")
def sample_whole(gz, c):
    return gz, gz * c["noise"] * np.exp(0.5 * c["lnvar"])


@wrong("sigma_head derivative_missing", sample, SAMPLE, wrt="centre lnvar")
def sample_width_head(gz, c):
    return gz, gz * c["noise"]


@wrong("noise_gradient", sample, SAMPLE, wrt="centre lnvar")
def sample_noise_into_centre(gz, c):
    return gz * c["noise"], 0.5 * gz * c["noise"] * np.exp(0.5 * c["lnvar"])


@wrong("zero", sample, SAMPLE, wrt="centre lnvar")
def sample_nothing_for_width(gz, c):
    return gz, np.zeros_like(gz)


def sample_inside(centre, lnvar):
    noise = CLOCK.standard_normal(centre.shape)
    return centre + np.sqrt(np.exp(lnvar)) * noise, (lnvar,)


@wrong("noise_redrawn", sample_inside, draw(centre=(5, 3), lnvar=(5, 3)))
def sample_inside_again(gz, c):
    (lnvar,) = c
    return gz, 0.5 * np.exp(0.5 * lnvar) * CLOCK.standard_normal(gz.shape) * gz


@wrong("noise_redrawn", sample, SAMPLE, wrt="centre lnvar")
def sample_noise_not_kept(gz, c):
    other = np.random.default_rng(11).standard_normal(gz.shape)
    return {"centre": gz, "lnvar": gz * other * 0.5 * np.exp(0.5 * c["lnvar"])}


def sample_softplus(centre, raw, noise):
    width = np.logaddexp(0, raw) + 1e-4
    return centre + width * noise, (raw, noise)


@wrong(
    "derivative_missing sigma_head",
    sample_softplus,
    draw(centre=(4, 3), raw=(4, 3), noise=(4, 3)),
    wrt="centre raw",
)
def sample_softplus_skipped(gz, c):
    return {"dcentre": gz, "draw": gz * c[1]}


def sample_clamped(centre, lnvar, noise):
    bounded = np.clip(lnvar, -1.0, 1.0)
    return centre + np.exp(0.5 * bounded) * noise, (lnvar, bounded, noise)


@wrong("logvar_clamp", sample_clamped, draw(centre=(4, 5), lnvar=(4, 5), noise=(4, 5)),
       wrt="centre lnvar")  # fmt: skip
def sample_clamp_ignored(gz, c):
    _, bounded, noise = c
    return gz, 0.5 * np.exp(0.5 * bounded) * noise * gz


# --- KL


def kl(loc, lnvar):
    return 0.5 * np.sum(loc**2 + np.exp(lnvar) - 1 - lnvar) / loc.shape[0]


KL = draw(loc=(5, 3), lnvar=(5, 3))


@wrong("sign", kl, KL)
def kl_width_reversed(loc, lnvar):
    return loc / len(loc), 0.5 * (1 - np.exp(lnvar)) / len(loc)


@wrong("minus_one", kl, KL)
def kl_no_one(loc, lnvar):
    return {"loc": loc / len(loc), "lnvar": np.exp(lnvar) / (2 * len(loc))}


@wrong("factor", kl, KL)
def kl_width_doubled(loc, lnvar):
    return {"loc": loc / len(loc), "lnvar": np.expm1(lnvar) / len(loc)}


@wrong("batch", kl, KL)
def kl_batch_twice(loc, lnvar):
    n2 = float(len(loc)) ** 2
    return [loc / n2, np.expm1(lnvar) / 2 / n2]


@wrong("dims", kl, KL)
def kl_mean_of_latents(loc, lnvar):
    return loc / loc.size, 0.5 * np.expm1(lnvar) / loc.size


@wrong("sigma_head", kl, KL)
def kl_log_width(loc, lnvar):
    return loc / len(loc), np.expm1(2 * lnvar) / len(loc)


@wrong("variance_for_std", kl, KL)
def kl_std_in_place_of_variance(loc, lnvar):
    return loc / len(loc), 0.5 * np.expm1(0.5 * lnvar) / len(loc)


def kl_to_prior(m, lv, prior_m, prior_lv):
    """Posterior against a learned prior, shared by the batch."""
    gap = m - prior_m
    inner = prior_lv - lv - 1 + (np.exp(lv) + gap**2) * np.exp(-prior_lv)
    return inner.sum(1).mean() / 2, (gap, lv, prior_lv)


PRIOR = draw(m=(4, 3), lv=(4, 3), prior_m=(3,), prior_lv=(3,))


@wrong("kl_reversed", kl_to_prior, PRIOR, wrt="m lv")
def kl_to_prior_reversed(c):
    gap, lv, prior_lv = c
    n = len(gap)
    dlv = 0.5 * (1 - (np.exp(prior_lv) + gap**2) * np.exp(-lv)) / n
    return gap * np.exp(-lv) / n, dlv


@wrong("zero", kl_to_prior, PRIOR)
def kl_to_prior_detached(c):
    gap, lv, prior_lv = c
    n = len(gap)
    dm = gap * np.exp(-prior_lv) / n
    dlv = 0.5 * np.expm1(lv - prior_lv) / n
    return {"m": dm, "lv": dlv, "prior_m": np.zeros(3), "prior_lv": np.zeros(3)}


@wrong("missing_term", kl_to_prior, PRIOR)
def kl_to_prior_without_gap(c):
    gap, lv, prior_lv = c
    n = len(gap)
    dm = gap * np.exp(-prior_lv) / n
    dlv = 0.5 * np.expm1(lv - prior_lv) / n
    dprior_lv = 0.5 * (1 - np.exp(lv - prior_lv)).sum(0) / n
    return {"m": dm, "lv": dlv, "prior_m": -dm.sum(0), "prior_lv": dprior_lv}


def free_bits(loc, lnvar, floor):
    each = 0.5 * (loc**2 + np.exp(lnvar) - lnvar - 1).mean(0)
    return np.maximum(each, floor).sum(), (loc, lnvar, each > floor)


BITS = draw({"floor": 0.55}, loc=(3, 8), lnvar=(3, 8))


@wrong("wrong_mask logvar_clamp derivative_missing", free_bits, BITS)
def free_bits_gate_open(c):
    loc, lnvar, _ = c
    return loc / len(loc), np.expm1(lnvar) / 2 / len(loc)


@wrong("wrong_mask", free_bits, BITS)
def free_bits_gate_inverted(c):
    loc, lnvar, over = c
    return loc * ~over / len(loc), np.expm1(lnvar) * ~over / 2 / len(loc)


# --- ELBO: a linear decoder with squared error, beta in front of the KL


def elbo(loc, lnvar, mix, noise, data, beta):
    z = loc + np.exp(lnvar / 2) * noise
    miss = z @ mix - data
    n = len(data)
    rate = 0.5 * (loc**2 + np.exp(lnvar) - lnvar - 1).sum() / n
    return 0.5 * np.sum(miss**2) / n + beta * rate, (loc, lnvar, mix, noise, z, miss, beta, n)


ELBO = draw({"beta": 1.8}, loc=(4, 2), lnvar=(4, 2), mix=(2, 5), noise=(4, 2), data=(4, 5))


def elbo_parts(c):
    loc, lnvar, mix, noise, z, miss, _beta, n = c
    dz = miss @ mix.T / n
    from_z = dz, 0.5 * dz * noise * np.exp(lnvar / 2)
    from_kl = loc / n, 0.5 * np.expm1(lnvar) / n
    return from_z, from_kl, z.T @ miss / n


def elbo_entry(keys):
    return wrong(keys, elbo, ELBO, wrt="loc lnvar mix")


@elbo_entry("beta")
def elbo_beta_forgotten(c):
    (a, b), (k, l), dmix = elbo_parts(c)
    return a + k, b + l, dmix


@elbo_entry("beta")
def elbo_beta_on_everything(c):
    (a, b), (k, l), dmix = elbo_parts(c)
    beta = c[6]
    return beta * (a + k), beta * (b + l), dmix


@elbo_entry("kl_missing")
def elbo_width_without_kl(c):
    (a, b), (k, _), dmix = elbo_parts(c)
    return a + c[6] * k, b, dmix


@elbo_entry("overwritten_branch missing_term")
def elbo_kl_over_sample(c):
    (a, b), (k, l), dmix = elbo_parts(c)
    dloc, dlnvar = a, b
    dloc, dlnvar = c[6] * k, c[6] * l
    return dloc, dlnvar, dmix


@elbo_entry("kl_twice")
def elbo_rate_added_again(c):
    (a, b), (k, l), dmix = elbo_parts(c)
    return a + 2 * c[6] * k, b + 2 * c[6] * l, dmix


@elbo_entry("minus_one")
def elbo_no_minus_one(c):
    (a, b), (k, _), dmix = elbo_parts(c)
    return a + c[6] * k, b + c[6] * 0.5 * np.exp(c[1]) / c[7], dmix


@elbo_entry("sign")
def elbo_rate_descends(c):
    (a, b), (k, l), dmix = elbo_parts(c)
    return a - c[6] * k, b - c[6] * l, dmix


@elbo_entry("noise_missing")
def elbo_noise_left_out(c):
    (a, _), (k, l), dmix = elbo_parts(c)
    return a + c[6] * k, 0.5 * a * np.exp(c[1] / 2) + c[6] * l, dmix


# --- importance-weighted bound, samples on the first axis, Bernoulli decoder


def bound(loc, lnvar, mix, noise, bits):
    std = np.exp(0.5 * lnvar)
    z = loc + std * noise
    logits = z @ mix
    log_px = (bits * logits - np.logaddexp(0, logits)).sum(-1)
    log_w = log_px + 0.5 * (noise**2 + lnvar - z**2).sum(-1)
    top = log_w.max(0)
    value = top + np.log(np.exp(log_w - top).mean(0))
    return -value.mean(), (std, noise, z, mix, bits - sigmoid(logits), log_w)


def bound_at(rng):
    return {
        "loc": rng.standard_normal((3, 2)),
        "lnvar": rng.standard_normal((3, 2)) - 0.4,
        "mix": 1.5 * rng.standard_normal((2, 6)),
        "noise": rng.standard_normal((4, 3, 2)),
        "bits": rng.integers(0, 2, (3, 6)) * 1.0,
    }


def bound_grads(c, axis=0, sign=1, entropy=0.5, uniform=False):
    std, noise, z, mix, diff, log_w = c
    w = np.exp(sign * log_w - (sign * log_w).max(axis, keepdims=True))
    w /= w.sum(axis, keepdims=True)
    if uniform:
        w = np.full_like(w, 1 / len(w))
    w = w[..., None] / log_w.shape[1]
    dz = w * (z - diff @ mix.T)
    return {
        "loc": dz.sum(0),
        "lnvar": (0.5 * std * noise * dz - entropy * w).sum(0),
        "mix": -np.einsum("kbz,kbd->zd", z * w, diff),
    }


def bound_entry(keys):
    return wrong(keys, bound, bound_at, wrt="loc lnvar mix")


@bound_entry("weights")
def bound_equal_weights(c):
    return bound_grads(c, uniform=True)


@bound_entry("weights")
def bound_weights_of_the_loss(c):
    return bound_grads(c, sign=-1)


@bound_entry("entropy_missing missing_term")
def bound_entropy_forgotten(c):
    return bound_grads(c, entropy=0)


@bound_entry("wrong_axis weights")
def bound_weights_over_batch(c):
    return bound_grads(c, axis=1)


# --- Gumbel-softmax


def relax(scores, g, heat):
    t = (scores + g) / heat
    e = np.exp(t - t.max(-1, keepdims=True))
    y = e / e.sum(-1, keepdims=True)
    return y, (y, heat, scores)


def relax_at(rng):
    u = rng.uniform(0.05, 0.95, (3, 2, 4))
    return {"scores": rng.standard_normal((3, 2, 4)), "g": -np.log(-np.log(u)), "heat": 0.7}


@wrong("factor", relax, relax_at, wrt="scores")
def relax_heat_forgotten(dy, c):
    y = c[0]
    return {"scores": y * (dy - np.sum(dy * y, -1, keepdims=True))}


@wrong("wrong_axis", relax, relax_at, wrt="scores")
def relax_over_groups(dy, c):
    y, heat, _ = c
    return {"scores": y * (dy - np.sum(dy * y, 1, keepdims=True)) / heat}


@wrong("noise_redrawn noise_missing", relax, relax_at, wrt="scores")
def relax_with_other_noise(dy, c):
    _, heat, scores = c
    u = np.random.default_rng(8).uniform(0.05, 0.95, scores.shape)
    y = relax(scores, -np.log(-np.log(u)), heat)[0]
    return {"scores": y * (dy - np.sum(dy * y, -1, keepdims=True)) / heat}
