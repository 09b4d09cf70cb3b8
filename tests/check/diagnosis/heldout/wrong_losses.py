"""Reconstruction losses and classifiers' losses, with one mistake each."""

# Students unpack more than they use.
# ruff: noqa: RUF059

import numpy as np

from .corpus import normal, wrong


def logistic(t):
    return 1 / (1 + np.exp(-t))


def pixels(batch, width, name="logits", data="x"):
    """Logits and grey pixels between 0 and 1."""

    def at(rng):
        return {
            name: 1.5 * rng.standard_normal((batch, width)),
            data: rng.uniform(0.05, 0.95, (batch, width)),
        }

    return at


def bce_terms(a, x):
    return np.maximum(a, 0) - a * x + np.log1p(np.exp(-np.abs(a)))


def bce_loss(logits, x):
    """Sum over pixels, mean over the batch."""
    return bce_terms(logits, x).sum() / logits.shape[0]


def bce_mean(logits, x):
    """Mean over everything."""
    return np.mean(bce_terms(logits, x))


def bce_sum(scores, target):
    return np.sum(np.log(1 + np.exp(scores)) - target * scores)


def bce_per_example(logits, x):
    return bce_terms(logits, x).sum(axis=1), (logits, x)


@wrong("sign", bce_loss, pixels(4, 6), wrt="logits")
def data_minus_mean(logits, x):
    return (x - logistic(logits)) / len(x)


@wrong("derivative_twice", bce_loss, pixels(3, 5), wrt="logits")
def sigmoid_slope_on_top(logits, x):
    p = logistic(logits)
    return (p - x) * p * (1 - p) / logits.shape[0]


@wrong("batch", bce_loss, pixels(6, 5), wrt="logits")
def batch_mean_forgotten(logits, x):
    return logistic(logits) - x


@wrong("batch", bce_loss, pixels(4, 7), wrt="logits")
def batch_mean_twice(logits, x):
    d = (logistic(logits) - x) / len(x)
    return d / len(x)


@wrong("dims", bce_loss, pixels(3, 8), wrt="logits")
def mean_over_pixels_in_the_gradient_only(logits, x):
    return (logistic(logits) - x) / logits.size


@wrong("dims", bce_mean, pixels(4, 9), wrt="logits")
def sum_over_pixels_in_the_gradient_only(logits, x):
    B, D = logits.shape
    return (logistic(logits) - x) / B


@wrong("batch", bce_mean, pixels(5, 7), wrt="logits")
def mean_over_pixels_but_not_over_the_batch(logits, x):
    return (logistic(logits) - x) / x.shape[1]


@wrong("batch", bce_sum, pixels(5, 4, "scores", "target"), wrt="scores")
def batch_mean_where_there_is_none(scores, target):
    return (logistic(scores) - target) / scores.shape[0]


@wrong("derivative_missing at_output", bce_sum, pixels(4, 5, "scores", "target"), wrt="scores")
def scores_not_squashed(scores, target):
    return scores - target


@wrong("derivative_missing", bce_loss, pixels(3, 6), wrt="logits")
def gradient_of_the_probabilities(logits, x):
    p = logistic(logits)
    return (p - x) / (p * (1 - p)) / len(p)


@wrong("at_output derivative_twice", bce_sum, pixels(4, 6, "scores", "target"), wrt="scores")
def squashed_twice(scores, target):
    return logistic(logistic(scores)) - target


@wrong("missing_term", bce_loss, pixels(5, 6), wrt="logits")
def black_pixels_forgotten(logits, x):
    return -x * (1 - logistic(logits)) / len(x)


@wrong("no_upstream", bce_per_example, pixels(4, 5), wrt="logits")
def upstream_ignored(dnll, cache):
    logits, x = cache
    return logistic(logits) - x


@wrong("batch", bce_per_example, pixels(6, 3), wrt="logits")
def batch_mean_inside_already(dnll, cache):
    logits, x = cache
    return dnll[:, None] * (logistic(logits) - x) / len(logits)


def bce_of_probabilities(p, y):
    eps = 0.02
    return -np.sum(y * np.log(p + eps) + (1 - y) * np.log(1 - p + eps)) / len(p)


def probabilities(rng):
    return {"p": rng.uniform(0.05, 0.95, (4, 5)), "y": rng.integers(0, 2, (4, 5)).astype(float)}


@wrong("loss_constant", bce_of_probabilities, probabilities, wrt="p")
def epsilon_only_in_the_loss(p, y):
    return ((p - y) / (p * (1 - p))) / p.shape[0]


def gaussian_fixed(mean, x, sigma):
    r = (x - mean) / sigma
    return 0.5 * (r**2 + np.log(2 * np.pi * sigma**2)).sum(axis=1).mean()


def gaussian_fixed_point(rng):
    return {"mean": rng.standard_normal((4, 6)), "x": rng.standard_normal((4, 6)), "sigma": 0.4}


@wrong("variance_for_std factor", gaussian_fixed, gaussian_fixed_point, wrt="mean")
def divided_by_sigma_once(mean, x, sigma):
    return (mean - x) / sigma / len(x)


@wrong("factor", gaussian_fixed, gaussian_fixed_point, wrt="mean")
def half_forgotten_in_the_square(mean, x, sigma):
    return 2 * (mean - x) / sigma**2 / len(x)


@wrong("sign", gaussian_fixed, gaussian_fixed_point, wrt="mean")
def towards_the_wrong_side(mean, x, sigma):
    return (x - mean) / (len(x) * sigma**2)


@wrong("dims", gaussian_fixed, gaussian_fixed_point, wrt="mean")
def averaged_over_pixels_too(mean, x, sigma):
    return (mean - x) / (sigma * sigma) / mean.size


def gaussian_learned(mean, logvar, x):
    """Per example, in nats."""
    precision = np.exp(-logvar)
    nll = 0.5 * (logvar + (x - mean) ** 2 * precision + np.log(2 * np.pi))
    return nll.sum(axis=1), (mean, logvar, x)


LEARNED = normal(mean=(4, 5), logvar=(4, 5), x=(4, 5))


def _parts(cache):
    mean, lv, x = cache
    d = mean - x
    return d, np.exp(-lv), d**2 * np.exp(-lv)


@wrong("factor sigma_head", gaussian_learned, LEARNED)
def half_forgotten_for_the_variance(dnll, cache):
    d, prec, r2 = _parts(cache)
    up = dnll[:, None]
    return up * d * prec, up * (1 - r2)


@wrong("missing_term minus_one", gaussian_learned, LEARNED)
def log_determinant_forgotten(dnll, cache):
    d, prec, r2 = _parts(cache)
    return dnll[:, None] * d * prec, -0.5 * r2 * dnll[:, None]


@wrong("sign", gaussian_learned, LEARNED)
def log_variance_the_other_way(dnll, cache):
    d, prec, r2 = _parts(cache)
    up = dnll.reshape(-1, 1)
    return up * d * prec, up * 0.5 * (r2 - 1)


@wrong("variance_for_std", gaussian_learned, LEARNED)
def mean_scaled_by_the_deviation(dnll, cache):
    mean, logvar, x = cache
    d, prec, r2 = _parts(cache)
    up = dnll[:, None]
    return up * d / np.exp(0.5 * logvar), up * 0.5 * (1 - r2)


@wrong("zero", gaussian_learned, LEARNED)
def variance_left_alone(dnll, cache):
    d, prec, r2 = _parts(cache)
    return {"mean": dnll[:, None] * d * prec, "logvar": np.zeros_like(d)}


@wrong("no_upstream", gaussian_learned, LEARNED)
def upstream_only_for_the_mean(dnll, cache):
    d, prec, r2 = _parts(cache)
    return dnll[:, None] * d * prec, 0.5 * (1 - r2)


def gaussian_scalar(mean, logvar, x):
    """One variance (1,) for all pixels."""
    terms = logvar + (x - mean) ** 2 / np.exp(logvar)
    return 0.5 * terms.sum() / len(x)


SCALAR = normal(mean=(3, 7), logvar=(1,), x=(3, 7))


@wrong("no_sum", gaussian_scalar, SCALAR)
def shared_variance_not_summed(mean, logvar, x):
    r2 = (x - mean) ** 2 / np.exp(logvar)
    return (mean - x) / np.exp(logvar) / len(x), 0.5 * (1 - r2) / len(x)


@wrong("dims mean_for_sum", gaussian_scalar, SCALAR)
def shared_variance_averaged(mean, logvar, x):
    r2 = (x - mean) ** 2 / np.exp(logvar)
    dlogvar = np.array([0.5 * np.mean(1 - r2)])
    return (mean - x) / np.exp(logvar) / x.shape[0], dlogvar


def mse(pred, target):
    return ((pred - target) ** 2).mean()


MSE = normal(pred=(5, 3), target=(5, 3))


@wrong("factor", mse, MSE, wrt="pred")
def square_without_its_two(pred, target):
    return (pred - target) / pred.size


@wrong("batch dims", mse, MSE, wrt="pred")
def square_only_averaged_over_pixels(pred, target):
    return 2 * (pred - target) / pred.shape[1]


@wrong("dims", mse, MSE, wrt="pred")
def square_only_averaged_over_the_batch(pred, target):
    return 2 * (pred - target) / pred.shape[0]


@wrong("sign", None, MSE, wrt="pred target")
def square_whose_target_goes_along(pred, target):
    diff = pred - target
    n = diff.size
    return np.sum(diff**2) / n, (2 * diff / n, 2 * diff / n)


def continuous_bernoulli(a, x):
    """Logit a away from 0, normaliser log((e^a - 1) / a)."""
    return np.sum(np.log((np.exp(a) - 1) / a) - x * a)


def away(rng):
    a = rng.standard_normal((3, 5))
    return {"a": a + np.sign(a), "x": rng.random((3, 5))}


@wrong("missing_term approximation", continuous_bernoulli, away, wrt="a")
def as_if_it_were_a_bernoulli(a, x):
    return logistic(a) - x
