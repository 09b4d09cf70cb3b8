"""A whole small VAE in one function that returns `(loss, gradients)`, with one mistake each."""

# Students unpack more than they use.

import numpy as np

from .corpus import wrong


def vae_point(rng):
    shapes = {
        "We": (6, 5),
        "be": (5,),
        "Wm": (5, 2),
        "bm": (2,),
        "Wv": (5, 2),
        "bv": (2,),
        "Wd": (2, 6),
        "bd": (6,),
        "eps": (4, 2),
    }
    point = {n: 0.6 * rng.standard_normal(s) for n, s in shapes.items()}
    return point | {"x": rng.random((4, 6))}


PARAMETERS = "We be Wm bm Wv bv Wd bd"


def vae(x, We, be, Wm, bm, Wv, bv, Wd, bd, eps, spoil):
    """Loss and gradients; `spoil` names the line that is wrong."""
    B = len(x)
    h = np.tanh(x @ We + be)
    mu, logvar = h @ Wm + bm, h @ Wv + bv
    std = np.exp(0.5 * logvar)
    z = mu + std * eps
    logits = z @ Wd + bd
    nll = (np.log(1 + np.exp(logits)) - x * logits).sum()
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum()
    loss = (nll + kl) / B

    p = 1 / (1 + np.exp(-logits))
    dlogits = (p - x) / B
    if spoil == "pixels":
        dlogits = dlogits * p * (1 - p)
    if spoil == "batch":
        dlogits = dlogits / B
    dWd, dbd = z.T @ dlogits, dlogits.sum(0)
    if spoil == "decoder bias":
        dbd = dlogits.mean(0)
    dz = dlogits @ Wd.T
    if spoil == "noise":
        eps = np.random.standard_normal(eps.shape)  # noqa: NPY002
    slope = 0.5 * std * eps
    if spoil == "half":
        slope = std * eps
    if spoil == "variance":
        slope = 0.5 * std**2 * eps
    if spoil == "no noise":
        slope = 0.5 * std
    kmu, kvar = mu / B, 0.5 * (np.exp(logvar) - 1) / B
    if spoil == "minus one":
        kvar = 0.5 * np.exp(logvar) / B
    if spoil == "no kl":
        kmu, kvar = 0 * kmu, 0 * kvar
    if spoil == "kl sum":
        kmu, kvar = B * kmu, B * kvar
    if spoil == "kl twice":
        kmu, kvar = 2 * kmu, 2 * kvar
    dmu, dlogvar = dz + kmu, dz * slope + kvar
    if spoil == "overwritten":
        dmu, dlogvar = kmu, kvar
    if spoil == "only kl":
        dlogvar = kvar
    dh = dmu @ Wm.T + dlogvar @ Wv.T
    if spoil == "head":
        dh = dlogvar @ Wv.T
    dpre = dh * (1 - h**2)
    if spoil == "tanh":
        dpre = dh
    gradients = {
        "We": x.T @ dpre,
        "be": dpre.sum(0),
        "Wm": h.T @ dmu,
        "bm": dmu.sum(0),
        "Wv": h.T @ dlogvar,
        "bv": dlogvar.sum(0),
        "Wd": dWd,
        "bd": dbd,
    }
    return loss, {f"d{name}": gradient for name, gradient in gradients.items()}


@wrong("noise_redrawn", None, vae_point, wrt=PARAMETERS)
def vae_draws_twice(**point):
    return vae(**point, spoil="noise")


@wrong("factor", None, vae_point, wrt=PARAMETERS)
def vae_forgets_a_half(**point):
    return vae(**point, spoil="half")


@wrong("variance_for_std", None, vae_point, wrt=PARAMETERS)
def vae_takes_the_variance(**point):
    return vae(**point, spoil="variance")


@wrong("noise_missing", None, vae_point, wrt=PARAMETERS)
def vae_forgets_the_noise(**point):
    return vae(**point, spoil="no noise")


@wrong("minus_one", None, vae_point, wrt=PARAMETERS)
def vae_drops_the_minus_one(**point):
    return vae(**point, spoil="minus one")


@wrong("kl_missing", None, vae_point, wrt=PARAMETERS)
def vae_without_kl(**point):
    return vae(**point, spoil="no kl")


@wrong("batch", None, vae_point, wrt=PARAMETERS)
def vae_sums_the_kl(**point):
    return vae(**point, spoil="kl sum")


@wrong("kl_twice beta", None, vae_point, wrt=PARAMETERS)
def vae_with_kl_twice(**point):
    return vae(**point, spoil="kl twice")


@wrong("overwritten_branch missing_term", None, vae_point, wrt=PARAMETERS)
def vae_overwrites_a_branch(**point):
    return vae(**point, spoil="overwritten")


@wrong("overwritten_branch missing_term", None, vae_point, wrt=PARAMETERS)
def vae_sample_never_reaches_logvar(**point):
    return vae(**point, spoil="only kl")


@wrong("overwritten_branch missing_term", None, vae_point, wrt=PARAMETERS)
def vae_loses_a_head(**point):
    return vae(**point, spoil="head")


@wrong("derivative_missing", None, vae_point, wrt=PARAMETERS)
def vae_without_tanh_slope(**point):
    return vae(**point, spoil="tanh")


@wrong("derivative_twice", None, vae_point, wrt=PARAMETERS)
def vae_squashes_pixels_twice(**point):
    return vae(**point, spoil="pixels")


@wrong("batch", None, vae_point, wrt=PARAMETERS)
def vae_averages_pixels_twice(**point):
    return vae(**point, spoil="batch")


@wrong("mean_for_sum batch", None, vae_point, wrt=PARAMETERS)
def vae_averages_the_decoder_bias(**point):
    return vae(**point, spoil="decoder bias")
