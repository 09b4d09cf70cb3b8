"""The ELBO, whose gradients meet from two branches, with one mistake each."""

# Students unpack more than they use.

import numpy as np

from .corpus import wrong


def logistic(t):
    return 1 / (1 + np.exp(-t))


def neg_elbo(mu, logvar, eps, x, W, beta):
    """Linear decoder W, unit-variance Gaussian pixels; mean over the batch."""
    z = mu + np.exp(logvar / 2) * eps
    recon = 0.5 * np.sum((z @ W - x) ** 2)
    kl = 0.5 * np.sum(mu**2 + np.exp(logvar) - 1 - logvar)
    return (recon + beta * kl) / len(x)


def elbo_point(rng):
    shapes = {"mu": (4, 3), "logvar": (4, 3), "eps": (4, 3), "x": (4, 6), "W": (3, 6)}
    return {n: rng.standard_normal(s) for n, s in shapes.items()} | {"beta": 1.0}


def beta_point(rng):
    return elbo_point(rng) | {"beta": 3.5}


def _branches(mu, logvar, eps, x, W):
    """Through the sample: dz, dmu, dlogvar; through the KL: dmu, dlogvar. Not yet over B."""
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    dz = (z @ W - x) @ W.T
    return z, dz, 0.5 * std * eps * dz, mu, 0.5 * np.expm1(logvar)


HEADS = "mu logvar"


@wrong("kl_missing", neg_elbo, elbo_point, wrt=HEADS)
def reconstruction_alone(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, _, _ = _branches(mu, logvar, eps, x, W)
    return dz / B, dlv / B


@wrong("kl_missing", neg_elbo, beta_point, wrt=HEADS)
def kl_left_out_of_the_variance(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, _ = _branches(mu, logvar, eps, x, W)
    return (dz + beta * kmu) / B, dlv / B


@wrong("kl_twice beta", neg_elbo, elbo_point, wrt=HEADS)
def kl_added_twice(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    dmu, dlogvar = dz + kmu, dlv + klv
    dmu, dlogvar = dmu + kmu, dlogvar + klv
    return dmu / B, dlogvar / B


@wrong("beta", neg_elbo, beta_point, wrt=HEADS)
def beta_forgotten(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (dlv + klv) / B


@wrong("beta", neg_elbo, beta_point, wrt=HEADS)
def beta_on_everything(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return beta * (dz + kmu) / B, beta * (dlv + klv) / B


@wrong("beta", neg_elbo, beta_point, wrt=HEADS)
def beta_squared(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + beta**2 * kmu) / B, (dlv + beta**2 * klv) / B


@wrong("overwritten_branch missing_term", neg_elbo, elbo_point, wrt=HEADS)
def second_branch_overwrites(mu, logvar, eps, x, W, beta):
    B = len(mu)
    grads = {}
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    grads["mu"], grads["logvar"] = dz / B, dlv / B
    grads["mu"], grads["logvar"] = kmu / B, klv / B
    return grads


@wrong("overwritten_branch missing_term", neg_elbo, beta_point, wrt=HEADS)
def only_the_kl_reaches_the_variance(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, _, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + beta * kmu) / B, beta * klv / B


@wrong("minus_one", neg_elbo, elbo_point, wrt=HEADS)
def one_dropped(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, _ = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (dlv + 0.5 * np.exp(logvar)) / B


@wrong("noise_redrawn", neg_elbo, elbo_point, wrt=HEADS)
def other_noise_in_the_gradient(mu, logvar, eps, x, W, beta):
    B = len(mu)
    std = np.exp(0.5 * logvar)
    _, dz, _, kmu, klv = _branches(mu, logvar, eps, x, W)
    again = np.random.standard_normal(eps.shape)  # noqa: NPY002
    return (dz + kmu) / B, (0.5 * std * again * dz + klv) / B


@wrong("variance_for_std", neg_elbo, elbo_point, wrt=HEADS)
def variance_in_the_sample_branch(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, _, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (0.5 * np.exp(logvar) * eps * dz + klv) / B


@wrong("noise_missing", neg_elbo, elbo_point, wrt=HEADS)
def noise_left_out_of_the_sample_branch(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, _, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (0.5 * np.exp(logvar / 2) * dz + klv) / B


@wrong("factor", neg_elbo, elbo_point, wrt=HEADS)
def half_left_out_of_the_sample_branch(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + kmu) / B, (2 * dlv + klv) / B


@wrong("factor kl_twice", neg_elbo, beta_point, wrt=HEADS)
def half_left_out_of_the_kl(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, _ = _branches(mu, logvar, eps, x, W)
    return (dz + beta * kmu) / B, (dlv + beta * np.expm1(logvar)) / B


@wrong("sign", neg_elbo, elbo_point, wrt=HEADS)
def kl_subtracted(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz - kmu) / B, (dlv - klv) / B


@wrong("batch", neg_elbo, beta_point, wrt=HEADS)
def kl_not_averaged_over_the_batch(mu, logvar, eps, x, W, beta):
    B = len(mu)
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return dz / B + beta * kmu, dlv / B + beta * klv


@wrong("dims", neg_elbo, elbo_point, wrt=HEADS)
def kl_averaged_over_its_dimensions(mu, logvar, eps, x, W, beta):
    B, Z = mu.shape
    _, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return (dz + kmu / Z) / B, (dlv + klv / Z) / B


@wrong("batch", neg_elbo, elbo_point, wrt="mu logvar W")
def decoder_not_averaged(mu, logvar, eps, x, W, beta):
    B = len(mu)
    z, dz, dlv, kmu, klv = _branches(mu, logvar, eps, x, W)
    return {"mu": (dz + kmu) / B, "logvar": (dlv + klv) / B, "W": z.T @ (z @ W - x)}


def vae_loss(logits, x, mu, logvar):
    """Binary cross-entropy plus KL, as the loss function of a training loop takes them."""
    bce = np.log(1 + np.exp(logits)) - x * logits
    kl = -0.5 * (1 + logvar - mu**2 - np.exp(logvar))
    return (bce.sum() + kl.sum()) / x.shape[0]


def vae_point(rng):
    return {
        "logits": rng.standard_normal((3, 7)),
        "x": rng.integers(0, 2, (3, 7)).astype(float),
        "mu": rng.standard_normal((3, 2)),
        "logvar": rng.standard_normal((3, 2)),
    }


LOSS = "logits mu logvar"


@wrong("batch", vae_loss, vae_point, wrt=LOSS)
def average_forgotten_for_the_kl(logits, x, mu, logvar):
    return (logistic(logits) - x) / len(x), mu, 0.5 * (np.exp(logvar) - 1)


@wrong("sign", vae_loss, vae_point, wrt=LOSS)
def kl_sign_kept_from_the_formula(logits, x, mu, logvar):
    n = x.shape[0]
    return (logistic(logits) - x) / n, -mu / n, -0.5 * (np.exp(logvar) - 1) / n


@wrong("dims", vae_loss, vae_point, wrt=LOSS)
def pixels_averaged(logits, x, mu, logvar):
    n = x.shape[0]
    return (logistic(logits) - x) / x.size, mu / n, 0.5 * np.expm1(logvar) / n


@wrong("derivative_twice", vae_loss, vae_point, wrt=LOSS)
def pixels_squashed_again(logits, x, mu, logvar):
    n, p = x.shape[0], logistic(logits)
    return {
        "logits": (p - x) / n * p * (1 - p),
        "mu": mu / n,
        "logvar": 0.5 * np.expm1(logvar) / n,
    }


def free_bits(kl):
    """kl (B, Z): batch mean, then at least 0.4 nats a dimension."""
    per_dim = kl.mean(axis=0)
    return np.sum(np.maximum(per_dim, 0.4)), (kl, per_dim)


def free_point(rng):
    kl = rng.uniform(0.6, 1.5, (5, 4))
    kl[:, 1] *= 0.2
    kl[1:3, 2:] *= 0.4
    return {"kl": kl}


@wrong("wrong_mask derivative_missing", free_bits, free_point)
def gate_only_in_the_loss(dloss, cache):
    kl, _ = cache
    return np.full_like(kl, dloss / len(kl))


@wrong("wrong_mask", free_bits, free_point)
def gate_the_wrong_way_round(dloss, cache):
    kl, per_dim = cache
    return dloss * np.ones_like(kl) * (per_dim < 0.4) / len(kl)


@wrong("wrong_mask", free_bits, free_point)
def gate_for_each_example(dloss, cache):
    kl, _ = cache
    return dloss * (kl > 0.4) / kl.shape[0]


@wrong("batch", free_bits, free_point)
def gate_without_the_average(dloss, cache):
    kl, per_dim = cache
    return dloss * np.ones_like(kl) * (per_dim > 0.4)
