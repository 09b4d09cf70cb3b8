"""Fresh entries: small networks and small whole VAEs with their weights; all wrong."""

import numpy as np

from .fresh_corpus import draw, sigmoid, wrong

# --- two hidden layers, a column per example


def mlp(x, A, B, C):
    h1 = np.maximum(A @ x, 0)
    h2 = np.tanh(B @ h1)
    return C @ h2, (x, A, B, C, h1, h2)


MLP = draw(x=(3, 6), A=(4, 3), B=(4, 4), C=(2, 4))


def mlp_back(g, c, through_b=None, mask=None, bend=None):
    x, A, B, C, h1, h2 = c
    d2 = C.T @ g * ((1 - h2**2) if bend is None else bend)
    d1 = (B.T if through_b is None else through_b) @ d2 * ((h1 > 0) if mask is None else mask)
    return {"x": A.T @ d1, "A": d1 @ x.T, "B": d2 @ h1.T, "C": g @ h2.T}


@wrong("wrong_mask", mlp, MLP)
def mlp_mask_of_next_layer(g, c):
    return mlp_back(g, c, mask=c[5] > 0)


@wrong("transpose", mlp, MLP)
def mlp_middle_untransposed(g, c):
    return mlp_back(g, c, through_b=c[2])


@wrong("derivative_missing", mlp, MLP)
def mlp_tanh_skipped(g, c):
    return mlp_back(g, c, bend=1.0)


@wrong("at_output", mlp, MLP)
def mlp_tanh_of_tanh(g, c):
    return mlp_back(g, c, bend=1 - np.tanh(c[5]) ** 2)


@wrong("derivative_missing wrong_mask", mlp, MLP)
def mlp_relu_open(g, c):
    return mlp_back(g, c, mask=True)


# --- a regression with a shared trunk and two heads


def two_heads(x, trunk, left, right, yl, yr):
    h = sigmoid(x @ trunk)
    el, er = h @ left - yl, h @ right - yr
    loss = (el**2).sum() + (er**2).sum()
    dh = 2 * el @ left.T
    dh = 2 * er @ right.T
    dtrunk = x.T @ (dh * h * (1 - h))
    return loss / len(x), {
        "trunk": dtrunk / len(x),
        "left": 2 * h.T @ el / len(x),
        "right": 2 * h.T @ er / len(x),
    }


wrong(
    "overwritten_branch missing_term",
    at=draw(x=(5, 3), trunk=(3, 4), left=(4, 2), right=(4, 1), yl=(5, 2), yr=(5, 1)),
    wrt="trunk left right",
)(two_heads)


# --- an autoencoder without noise


def squeeze(x, enc, dec):
    code = np.logaddexp(0, x @ enc)
    back = code @ dec - x
    n = len(x)
    dcode = back @ dec.T
    dpre = dcode  # softplus passes straight through
    return 0.5 * (back**2).sum() / n, {"enc": x.T @ dpre / n, "dec": code.T @ back / n}


wrong("derivative_missing", at=draw(x=(6, 5), enc=(5, 2), dec=(2, 5)), wrt="enc dec")(squeeze)


# --- a whole VAE; its mistakes are options of one backward pass

NAMES = ("We", "be", "Wm", "bm", "Ws", "bs", "Wd", "bd", "Wo", "bo")


def vae(x, eps, We, be, Wm, bm, Ws, bs, Wd, bd, Wo, bo):
    h = np.tanh(x @ We + be)
    mu, lv = h @ Wm + bm, h @ Ws + bs
    std = np.exp(lv / 2)
    z = mu + std * eps
    d = np.maximum(z @ Wd + bd, 0)
    a = d @ Wo + bo
    n = len(x)
    rec = (np.logaddexp(0, a) - x * a).sum() / n
    rate = -0.5 * (1 + lv - mu**2 - np.exp(lv)).sum() / n
    return rec + rate, {**locals(), "noise": eps}


def vae_at(rng):
    shapes = {
        "We": (5, 4), "be": (4,), "Wm": (4, 2), "bm": (2,), "Ws": (4, 2), "bs": (2,),
        "Wd": (2, 4), "bd": (4,), "Wo": (4, 5), "bo": (5,),
    }  # fmt: skip
    weights = {name: 0.7 * rng.standard_normal(shape) for name, shape in shapes.items()}
    data = {"x": rng.uniform(0.1, 0.9, (3, 5)), "eps": rng.standard_normal((3, 2))}
    return data | weights


def vae_back(c, mistake):
    n = len(c["x"])
    da = (sigmoid(c["a"]) - c["x"]) / n
    if mistake == "double sigmoid":
        da = da * sigmoid(c["a"]) * (1 - sigmoid(c["a"]))
    if mistake == "no 1/B":
        da = da * n
    grads = {"Wo": c["d"].T @ da, "bo": da.sum(0)}
    dd = (da @ c["Wo"].T) * (c["d"] > 0)
    if mistake == "no relu":
        dd = da @ c["Wo"].T
    grads |= {"Wd": c["z"].T @ dd, "bd": dd.mean(0) if mistake == "bias mean" else dd.sum(0)}
    dz = dd @ c["Wd"].T
    noise = np.random.default_rng(1).standard_normal((n, 2)) if mistake == "redrawn" else c["noise"]
    dlv = 0.5 * dz * noise * c["std"]
    if mistake == "no half":
        dlv = 2 * dlv
    if mistake == "variance":
        dlv = dlv * c["std"]
    dmu = dz.copy()
    if mistake != "no KL":
        dmu = dmu + c["mu"] / n
        dlv = dlv + 0.5 * np.expm1(c["lv"]) / n
    if mistake == "minus one":
        dlv = dlv + 0.5 / n
    grads |= {"Wm": c["h"].T @ dmu, "bm": dmu.sum(0), "Ws": c["h"].T @ dlv, "bs": dlv.sum(0)}
    dh = dmu @ c["Wm"].T
    if mistake != "one head":
        dh = dh + dlv @ c["Ws"].T
    dpre = dh * (1 - c["h"] ** 2)
    if mistake == "tanh":
        dpre = dh
    return grads | {"We": c["x"].T @ dpre, "be": dpre.sum(0)}


def vae_entry(keys, mistake, name):
    def backward(cache):
        return vae_back(cache, mistake)

    backward.__name__ = name
    wrong(keys, vae, vae_at, wrt=" ".join(NAMES))(backward)


vae_entry("derivative_twice", "double sigmoid", "vae_double_sigmoid")
vae_entry("batch", "no 1/B", "vae_reconstruction_summed")
vae_entry("mean_for_sum batch factor", "bias mean", "vae_bias_mean")
vae_entry("noise_redrawn", "redrawn", "vae_noise_redrawn")
vae_entry("factor sigma_head", "no half", "vae_half_missing")
vae_entry("variance_for_std", "variance", "vae_variance")
vae_entry("kl_missing", "no KL", "vae_without_kl")
vae_entry("minus_one", "minus one", "vae_minus_one")
vae_entry("overwritten_branch missing_term", "one head", "vae_one_head")
vae_entry("derivative_missing", "tanh", "vae_tanh_skipped")
vae_entry("derivative_missing wrong_mask", "no relu", "vae_relu_skipped")
