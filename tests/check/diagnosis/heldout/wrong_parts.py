"""Gumbel-softmax, adversarial losses, flows, tables of vectors, sums of branches: one mistake."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def logistic(t):
    return 1 / (1 + np.exp(-t))


def gumbel_softmax(logits, g, tau):
    e = np.exp((logits + g) / tau)
    y = e / e.sum(axis=-1, keepdims=True)
    return y, (y, tau, logits)


def gumbel_point(rng):
    noise = -np.log(-np.log(rng.uniform(0.05, 0.95, (4, 5))))
    return {"logits": rng.standard_normal((4, 5)), "g": noise, "tau": 0.7}


@wrong("factor", gumbel_softmax, gumbel_point, wrt="logits")
def temperature_forgotten(dy, cache):
    y, tau, _ = cache
    return y * (dy - (dy * y).sum(-1, keepdims=True))


@wrong("missing_term", gumbel_softmax, gumbel_point, wrt="logits")
def relaxed_inner_sum_forgotten(dy, cache):
    y, tau, _ = cache
    return y * dy / tau


@wrong("noise_redrawn", gumbel_softmax, gumbel_point, wrt="logits")
def gumbel_noise_drawn_again(dy, cache):
    _, tau, logits = cache
    g = np.random.gumbel(size=logits.shape)  # noqa: NPY002
    y = np.exp((logits + g) / tau)
    y = y / y.sum(-1, keepdims=True)
    return y * (dy - (dy * y).sum(-1, keepdims=True)) / tau


@wrong("wrong_axis", gumbel_softmax, gumbel_point, wrt="logits")
def relaxed_inner_sum_down_the_batch(dy, cache):
    y, tau, _ = cache
    return y * (dy - (dy * y).sum(0)) / tau


def discriminator_loss(real, fake):
    """Softplus losses of the discriminator's logits."""
    return np.mean(np.log(1 + np.exp(-real))) + np.mean(np.log(1 + np.exp(fake)))


GAN = normal(real=(5, 1), fake=(5, 1))


@wrong("missing_term minus_one", discriminator_loss, GAN)
def real_ones_without_their_target(real, fake):
    return logistic(real) / len(real), logistic(fake) / len(fake)


@wrong("sign", discriminator_loss, GAN)
def fakes_pushed_up(real, fake):
    n = len(real)
    return (logistic(real) - 1) / n, -logistic(fake) / n


@wrong("batch", discriminator_loss, GAN)
def adversarial_mean_forgotten(real, fake):
    return logistic(real) - 1, logistic(fake)


@wrong("zero", discriminator_loss, GAN)
def fakes_detached(real, fake):
    return {"real": (logistic(real) - 1) / len(real), "fake": np.zeros_like(fake)}


def generator_loss(z, G, v):
    """Non-saturating: fakes z G, a linear discriminator v."""
    score = z @ G @ v
    return np.log(1 + np.exp(-score)).mean()


GENERATOR = normal(z=(6, 2), G=(2, 4), v=(4,))


@wrong("approximation missing_term sign", generator_loss, GENERATOR, wrt="G")
def saturating_gradient(z, G, v):
    """Gradient of mean(-softplus(score)), the saturating loss."""
    d = -logistic(z @ G @ v) / len(z)
    return z.T @ np.outer(d, v)


@wrong("derivative_missing", generator_loss, GENERATOR, wrt="G")
def score_not_squashed(z, G, v):
    d = -np.ones(len(z)) / len(z)
    return z.T @ np.outer(d, v)


@wrong("batch", generator_loss, GENERATOR, wrt="G")
def generator_averaged_twice(z, G, v):
    n = len(z)
    d = (logistic(z @ G @ v) - 1) / n
    return z.T @ np.outer(d, v) / n


def coupling(x, s, t):
    """Affine flow: y = x e^s + t, and its log-determinant for each example."""
    return (x * np.exp(s) + t, s.sum(axis=1)), (x, s)


FLOW = normal(x=(4, 3), s=(4, 3), t=(4, 3))


@wrong("sign", coupling, FLOW)
def determinant_subtracted(upstream, cache):
    dy, dlogdet = upstream
    x, s = cache
    return dy * np.exp(s), dy * x * np.exp(s) - dlogdet[:, None], dy


@wrong("missing_term overwritten_branch", coupling, FLOW)
def determinant_forgotten(upstream, cache):
    dy, dlogdet = upstream
    x, s = cache
    return dy * np.exp(s), dy * x * np.exp(s), dy


@wrong("derivative_missing", coupling, FLOW)
def scale_of_the_flow_forgotten(upstream, cache):
    dy, dlogdet = upstream
    x, s = cache
    return dy, dy * x * np.exp(s) + dlogdet[:, None], dy


def lookup(table, index):
    return table[index], (table, index)


def lookup_point(rng):
    return {"table": rng.standard_normal((5, 3)), "index": np.array([1, 4, 1, 0, 2, 1, 4])}


@wrong("overlap overwritten_branch no_sum", lookup, lookup_point)
def repeated_rows_lost(dout, cache):
    table, index = cache
    grad = np.zeros_like(table)
    grad[index] += dout
    return grad


def quantise(z, codes, index, beta):
    """Codebook term plus beta times the commitment term, their values; index is given."""
    d = z - codes[index]
    return (1 + beta) * np.sum(d**2) / len(z)


def quantise_point(rng):
    return {
        "z": rng.standard_normal((6, 2)),
        "codes": rng.standard_normal((4, 2)),
        "index": np.array([3, 0, 3, 1, 2, 0]),
        "beta": 0.25,
    }


@wrong("beta factor", quantise, quantise_point, wrt="z codes")
def commitment_not_weighted(z, codes, index, beta):
    d = z - codes[index]
    dcodes = np.zeros_like(codes)
    np.add.at(dcodes, index, -2 * (1 + beta) * d / len(z))
    return 2 * d / len(z), dcodes


@wrong("overlap overwritten_branch no_sum", quantise, quantise_point, wrt="z codes")
def repeated_codes_lost(z, codes, index, beta):
    d = 2 * (1 + beta) * (z - codes[index]) / len(z)
    dcodes = np.zeros_like(codes)
    dcodes[index] -= d
    return d, dcodes


def two_branches(x, A, B):
    return np.tanh(x @ A) + np.sin(x @ B), (x, A, B)


BRANCHES = normal(x=(4, 3), A=(3, 5), B=(3, 5))


@wrong("overwritten_branch missing_term", two_branches, BRANCHES)
def first_branch_lost(dy, cache):
    x, A, B = cache
    da = dy * (1 - np.tanh(x @ A) ** 2)
    dx = da @ A.T
    db = dy * np.cos(x @ B)
    dx = db @ B.T
    return dx, x.T @ da, x.T @ db


def residual(x, W):
    h = x @ W
    return x + h * (h.real > 0), (x, W, h)


@wrong("missing_term overwritten_branch", residual, normal(x=(3, 4), W=(4, 4)))
def shortcut_forgotten(dy, cache):
    x, W, h = cache
    dh = dy * (h > 0)
    return dh @ W.T, x.T @ dh


@wrong("derivative_missing wrong_mask", residual, normal(x=(5, 3), W=(3, 3)))
def branch_without_its_mask(dy, cache):
    x, W, h = cache
    return dy + dy @ W.T, x.T @ dy


def heads(h, M, L):
    """Two heads of one hidden layer."""
    return (h @ M, h @ L), {"h": h, "M": M, "L": L}


@wrong("overwritten_branch missing_term", heads, normal(h=(4, 5), M=(5, 2), L=(5, 2)))
def second_head_overwrites(upstream, c):
    dmu, dlogvar = upstream
    grads = {"M": c["h"].T @ dmu, "L": c["h"].T @ dlogvar}
    grads["h"] = dmu @ c["M"].T
    grads["h"] = dlogvar @ c["L"].T
    return grads


@wrong("zero", heads, normal(h=(3, 4), M=(4, 2), L=(4, 2)))
def heads_stop_the_gradient(upstream, c):
    dmu, dlogvar = upstream
    return np.zeros_like(c["h"]), c["h"].T @ dmu, c["h"].T @ dlogvar
