"""Small nets, whole VAEs, and bounds with several samples."""

import numpy as np

from .blind_corpus import logistic, right, some, wrong


def net(x, W1, b1, W2, b2):
    pre = x @ W1 + b1
    h = np.maximum(pre, 0)
    return h @ W2 + b2, (x, pre, h, W1, W2)


NET = some(x=(6, 4), W1=(4, 5), b1=(5,), W2=(5, 3), b2=(3,))


@wrong("derivative_missing wrong_mask", net, NET)
def net_relu_forgotten(dout, cache):
    x, _, h, W1, W2 = cache
    dh = dout @ W2.T
    return dh @ W1.T, x.T @ dh, dh.sum(0), h.T @ dout, dout.sum(0)


@wrong("wrong_mask", net, NET)
def net_relu_of_gradient(dout, cache):
    x, _, h, W1, W2 = cache
    dh = np.maximum(dout @ W2.T, 0)
    return dh @ W1.T, x.T @ dh, dh.sum(0), h.T @ dout, dout.sum(0)


@wrong("at_output derivative_missing wrong_mask", net, NET, wrt="W1 b1 W2 b2")
def net_preactivation_for_hidden(dout, cache):
    x, pre, _, _, W2 = cache
    da = dout @ W2.T * (pre > 0)
    return x.T @ da, da.sum(0), pre.T @ dout, dout.sum(0)


def _regression(x, y, W1, W2, slip=""):
    h = np.tanh(x @ W1)
    e = h @ W2 - y
    loss = (e**2).sum() / len(x)
    de = 2 * e / len(x)
    dh = de @ (W2 if slip == "transpose" else W2.T)
    da = dh * (1 - h**2)
    dW2 = h.T @ de
    if slip == "batch":
        da = da / len(x)
    return loss, {"W1": x.T @ da, "W2": dW2}


@wrong("transpose", None, some(x=(6, 3), y=(6, 4), W1=(3, 4), W2=(4, 4)))
def regression_untransposed(x, y, W1, W2):
    return _regression(x, y, W1, W2, "transpose")


@wrong("batch mean_for_sum", None, some(x=(6, 3), y=(6, 2), W1=(3, 4), W2=(4, 2)))
def regression_batch_again(x, y, W1, W2):
    return _regression(x, y, W1, W2, "batch")


@right(None, some(x=(6, 3), y=(6, 2), W1=(3, 4), W2=(4, 2)))
def regression_right(x, y, W1, W2):
    return _regression(x, y, W1, W2)


def _vae(x, eps, We, be, Wm, Wv, Wd, bd, slip="", beta=1.0):
    B = len(x)
    h = np.tanh(x @ We + be)
    mu, lv = h @ Wm, h @ Wv
    s = np.exp(lv / 2)
    z = mu + s * eps
    a = z @ Wd + bd
    rec = (np.logaddexp(0, a) - a * x).sum() / B
    loss = rec + beta * 0.5 * (mu**2 + np.exp(lv) - 1 - lv).sum() / B
    p = logistic(a)
    da = (p - x) / B
    if slip == "sigmoid":
        da = da * p * (1 - p)
    if slip == "pixels":
        da = da / x.shape[1]
    dz = da @ Wd.T
    k = {"kl": 0.0, "twice": 2 * beta, "beta": 1.0, "klsign": -beta}.get(slip, beta)
    k = k if slip == "klbatch" else k / B
    dmu = dz + k * mu
    dlv = dz * eps * s / 2 + k * 0.5 * (np.exp(lv) - 1)
    if slip == "half":
        dlv = dz * eps * s + k * 0.5 * (np.exp(lv) - 1)
    if slip == "one":
        dlv = dz * eps * s / 2 + k * 0.5 * np.exp(lv)
    if slip == "eps":
        dlv = dz * s / 2 + k * 0.5 * (np.exp(lv) - 1)
    if slip == "only kl":
        dlv = k * 0.5 * (np.exp(lv) - 1)
    dh = dmu @ Wm.T + dlv @ Wv.T
    if slip == "overwrite":
        dh = dlv @ Wv.T
    dpre = dh if slip == "tanh" else dh * (1 - h**2)
    grads = {"We": x.T @ dpre, "be": dpre.sum(0), "Wm": h.T @ dmu, "Wv": h.T @ dlv}
    grads |= {"Wd": z.T @ da, "bd": da.mean(0) if slip == "bias" else da.sum(0)}
    if slip == "decoder":
        grads["Wd"] = mu.T @ da
    return loss, grads


VAE = some(
    {"x": lambda rng: rng.random((4, 6))},
    0.1,
    eps=(4, 2),
    We=(6, 5),
    be=(5,),
    Wm=(5, 2),
    Wv=(5, 2),
    Wd=(2, 6),
    bd=(6,),
)


def _scaled(slip, beta=1.0):
    def vae(x, eps, We, be, Wm, Wv, Wd, bd):
        return _vae(x, eps, We, be, Wm, Wv, Wd, bd, slip, beta)

    return vae


def _put(name, keys, slip, beta=1.0):
    function = _scaled(slip, beta)
    function.__name__ = name
    (wrong(keys, None, VAE) if keys else right(None, VAE))(function)


_put("vae_right", "", "")
_put("vae_beta_right", "", "", 4.0)
_put("vae_sigmoid_twice", "derivative_twice", "sigmoid")
_put("vae_reconstruction_over_pixels", "dims factor", "pixels")
_put("vae_kl_forgotten", "kl_missing", "kl")
_put("vae_kl_twice", "kl_twice", "twice")
_put("vae_beta_forgotten", "beta", "beta", 3.0)
_put("vae_kl_sign", "sign", "klsign")
_put("vae_kl_not_averaged", "batch", "klbatch")
_put("vae_half_forgotten", "factor", "half")
_put("vae_minus_one", "minus_one", "one")
_put("vae_noise_forgotten", "noise_missing", "eps")
_put("vae_mean_head_overwritten", "overwritten_branch missing_term", "overwrite")
_put("vae_logvar_from_kl_only", "missing_term zero", "only kl")
_put("vae_tanh_forgotten", "derivative_missing", "tanh")
_put("vae_bias_mean", "mean_for_sum batch", "bias")
_put("vae_decoder_sees_mean", "noise_missing", "decoder")


def _iwae(x, eps, mu, lv, W, slip=""):
    """-log mean_k w_k, with unit Gaussian decoder; eps is (K, B, Z)."""
    K, B, _ = eps.shape
    s = np.exp(lv / 2)
    z = mu + s * eps
    r = x - z @ W
    logw = (-0.5 * r**2).sum(-1) + (-0.5 * z**2).sum(-1) + (0.5 * eps**2 + 0.5 * lv).sum(-1)
    top = logw.max(0)
    loss = -(top + np.log(np.exp(logw - top).mean(0))).mean()
    q = np.exp(-(logw - logw.min(0))) if slip == "sign" else np.exp(logw - top)
    q = q / (q.sum(1, keepdims=True) if slip == "axis" else q.sum(0))
    if slip == "uniform":
        q = np.full((K, B), 1 / K)
    q = -q[..., None] / B
    dz = q * (r @ W.T - z)
    dlv = (dz * eps * s / 2 + (0 if slip == "entropy" else 0.5 * q)).sum(0)
    return loss, {"mu": dz.sum(0), "lv": dlv, "W": np.einsum("kbz,kbd->zd", z, q * r)}


IWAE = some(x=(4, 5), eps=(3, 4, 2), mu=(4, 2), lv=(4, 2), W=(2, 5))


@right(None, IWAE)
def iwae_right(x, eps, mu, lv, W):
    return _iwae(x, eps, mu, lv, W)


@wrong("weights", None, IWAE)
def iwae_equal_weights(x, eps, mu, lv, W):
    return _iwae(x, eps, mu, lv, W, "uniform")


@wrong("entropy_missing", None, IWAE)
def iwae_entropy_forgotten(x, eps, mu, lv, W):
    return _iwae(x, eps, mu, lv, W, "entropy")


@wrong("weights", None, IWAE)
def iwae_weights_of_the_loss(x, eps, mu, lv, W):
    return _iwae(x, eps, mu, lv, W, "sign")


@wrong("wrong_axis weights", None, IWAE)
def iwae_normalised_over_batch(x, eps, mu, lv, W):
    return _iwae(x, eps, mu, lv, W, "axis")
