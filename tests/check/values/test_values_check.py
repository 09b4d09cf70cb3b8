"""Value checks: silent on right forward passes, and each planted mistake named."""

import json
import math

import numpy as np
import pytest
from scipy import special

from minivae import ops
from minivae.check.report.result import NOT_CHECKED, RIGHT, WRONG
from minivae.check.values import (
    ValueCheck,
    check_bounds,
    check_kl_value,
    check_likelihood,
    check_loss_scale,
    check_sampler,
    check_values,
)
from minivae.errors import OptionError
from minivae.models.mlp import mlp
from minivae.models.objectives import ELBO, ImportanceWeighted
from minivae.ops import kl, reparameterize
from minivae.ops.likelihoods import bernoulli, categorical, gaussian, gaussian_learned

each_dtype = pytest.mark.parametrize("dtype", ["float64", "float32"])
each_seed = pytest.mark.parametrize("seed", [0, 91])


def expect(check, verdict, mistake="", *words):
    assert (check.verdict, check.mistake) == (verdict, mistake), str(check)
    assert check.passed == (verdict == RIGHT)
    assert max(map(len, str(check).split("\n"))) <= 100
    for word in words:
        assert word in check.text, str(check)


def kl_of(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)


def sample(mu, logvar, eps):
    return mu + np.exp(logvar / 2) * eps


def bce(a, x):
    return np.logaddexp(0, a) - x * a


# ---- the engine and other right code: no false alarm ----


@each_dtype
@each_seed
@pytest.mark.parametrize("form", ["module", "layer", "terms", "examples", "mean", "sum", "cache"])
def test_right_kl(dtype, seed, form):
    function = {
        "module": kl,
        "layer": ops.KL(dtype=dtype),
        "terms": kl_of,
        "examples": lambda m, v: -0.5 * np.sum(1 + v - np.square(m) - np.exp(v), axis=1),
        "mean": lambda m, v: kl_of(m, v).sum(axis=1).mean(),
        "sum": lambda m, v: kl_of(m, v).sum(),
        "cache": lambda m, v: (kl_of(m, v), (m, v)),
    }[form]
    check = check_kl_value(function, dtype=dtype, seed=seed)
    expect(check, RIGHT, "", "equals the closed form")
    assert check.numbers["at mu = 0, logvar = 0"] == 0
    assert check.numbers["smallest value"] > -1e-6
    assert ("summed over the batch" in check.text) == (form == "sum")


@each_dtype
@each_seed
@pytest.mark.parametrize("form", ["module", "layer", "own noise", "minus", "sigma first"])
def test_right_sampler(dtype, seed, form):
    function = {
        "module": reparameterize,
        "layer": ops.Reparameterize(dtype=dtype),
        "own noise": lambda m, v: sample(m, v, np.random.randn(*m.shape)),  # noqa: NPY002
        "minus": lambda m, v, e: m - np.exp(v / 2) * e,
        "sigma first": lambda m, v, e: np.sqrt(np.exp(v)) * e + m,
    }[form]
    check = check_sampler(function, kl, dtype=dtype, seed=seed)
    expect(check, RIGHT, "", "mean of log q - log p")
    gap = abs(check.numbers["mean of log q - log p"] - check.numbers["KL"])
    assert gap < 5 * check.numbers["standard error"]
    assert check.numbers["standard error"] < 0.02 * check.numbers["KL"]
    expect(check_sampler(function, dtype=dtype, seed=seed), RIGHT)


def test_sampler_and_kl_of_another_head_that_agree_are_right():
    def log_sigma_kl(m, s):
        return (0.5 * (m**2 + np.exp(2 * s) - 2 * s - 1)).sum(axis=1)

    def sigma_kl(m, s):
        return (0.5 * (m**2 + s**2 - np.log(s**2) - 1)).sum(axis=1)

    check = check_sampler(lambda m, s, e: m + np.exp(s) * e, log_sigma_kl)
    expect(check, RIGHT, "", "agree with each other", "exp(logvar) the standard deviation")
    expect(check_sampler(lambda m, s, e: m + s * e, sigma_kl), RIGHT, "", "agree with each other")


def bounds_of(likelihood, D, Z, dtype, seed):
    rng = np.random.default_rng(seed)
    width = likelihood.output_width(D)
    decoder = mlp([Z, 7, width], activation="tanh", rng=rng, dtype=dtype)
    decoder.params.theta += 0.3 * rng.standard_normal(decoder.params.theta.shape).astype(dtype)
    return ELBO(decoder, likelihood), ImportanceWeighted(decoder, likelihood)


@each_dtype
@pytest.mark.parametrize(("D", "Z", "seed"), [(11, 2, 0), (3, 5, 4), (17, 1, 9)])
@pytest.mark.parametrize("name", ["Bernoulli", "Gaussian", "GaussianLearned"])
def test_right_bounds(dtype, D, Z, seed, name):
    elbo, iwae = bounds_of(getattr(ops, name)(dtype=dtype), D, Z, dtype, seed)

    def as_dtype(bound):
        return lambda *arrays: bound.forward(*(a.astype(dtype) for a in arrays)).bound

    check = check_bounds(
        as_dtype(elbo), as_dtype(iwae), data_dims=D, latent=Z, dtype=dtype, seed=seed
    )
    expect(check, RIGHT, "", "5 samples raise it")
    numbers = check.numbers
    assert numbers["bound with K = 5"] > numbers["ELBO"]
    gap = numbers["K = 1 over ELBO"]
    assert abs(gap) < 5 * numbers["standard error of K = 1 over ELBO"]


@each_dtype
@each_seed
@pytest.mark.parametrize("kind", ["bernoulli", "gaussian", "gaussian_fixed", "categorical"])
@pytest.mark.parametrize("reduce", [None, np.mean, np.sum])
def test_right_likelihood(dtype, seed, kind, reduce):
    forward = {
        "bernoulli": bernoulli.forward,
        "gaussian": gaussian_learned.forward,
        "gaussian_fixed": lambda m, x: gaussian.fixed_forward(m, x, 0.6),
        "categorical": categorical.forward,
    }[kind]

    def nll(*arrays):
        values, _ = forward(*arrays)
        return values if reduce is None else reduce(values)

    check = check_likelihood(nll, kind, sigma=0.6, dtype=dtype, seed=seed)
    expect(check, RIGHT, "", "equals the formula")
    assert check.numbers["sum of all probabilities"] == pytest.approx(1, abs=1e-4)


@each_dtype
def test_right_bernoulli_layer_and_textbook_formula(dtype):
    def textbook(a, x):
        p = 1 / (1 + np.exp(-a))
        return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)

    for nll in (bernoulli, ops.Bernoulli(dtype=dtype), textbook):
        expect(check_likelihood(nll, "bernoulli", dtype=dtype), RIGHT)


@each_dtype
@pytest.mark.parametrize("n_dims", [784, 12, 3])
@pytest.mark.parametrize("seed", [0, 7])
def test_right_scale(dtype, n_dims, seed):
    losses = {
        "examples": bernoulli,
        "layer": ops.Bernoulli(dtype=dtype),
        "batch mean": lambda a, x: bce(a, x).sum(axis=1).mean(),
        "each": bce,
        "mean times D": lambda a, x: n_dims * bce(a, x).mean() * a.shape[1] / n_dims,
        "gaussian": lambda m, x: gaussian.fixed_forward(m, x, 1.0)[0],
        "squares": lambda m, x: 0.5 * ((x - m) ** 2).sum(axis=1),
        "probabilities": lambda p, x: (-x * np.log(p) - (1 - x) * np.log(1 - p)).sum(axis=1),
    }
    for loss in losses.values():
        check = check_loss_scale(loss, n_dims, kl, dtype=dtype, seed=seed)
        expect(check, RIGHT, "", "beta is 1")
        assert check.numbers["effective beta"] == pytest.approx(1, rel=1e-3)
        expect(check_loss_scale(loss, n_dims, dtype=dtype, seed=seed), RIGHT)


def test_a_mean_times_the_number_of_pixels_is_a_sum():
    check = check_loss_scale(lambda a, x: 784 * bce(a, x).mean(axis=1), 784)
    expect(check, RIGHT, "", "mean over dimensions", "times 784")


def test_a_loss_that_takes_one_size_only():
    def loss(a, x):
        return bce(a.reshape(-1, 4, 7), x.reshape(-1, 4, 7)).sum(axis=(1, 2))

    def averaged(a, x):
        return loss(a, x) / 28 if a.shape[1] == 28 else 1 / 0

    expect(check_loss_scale(averaged, 28), WRONG, "dims", "the effective beta is 28")
    expect(check_loss_scale(loss, 28), RIGHT)


# ---- planted mistakes ----

KL_MISTAKES = {
    "half_missing": lambda m, v: m**2 + np.exp(v) - v - 1,
    "half_twice": lambda m, v: 0.25 * (m**2 + np.exp(v) - v - 1),
    "sign": lambda m, v: 0.5 * (1 + v - m**2 - np.exp(v)),
    "minus_one": lambda m, v: 0.5 * (m**2 + np.exp(v) - v),
    "log_sigma_head": lambda m, v: 0.5 * (m**2 + np.exp(v) ** 2 - np.log(np.exp(v) ** 2) - 1),
    "sigma_head": lambda m, v: -0.5 * (1 + np.log(v) * 2 - m**2 - v**2),
    "variance_head": lambda m, v: -0.5 * (1 + np.log(v) - m**2 - v),
    "kl_reversed": lambda m, v: 0.5 * (v + (1 + m**2) / np.exp(v) - 1),
    "swapped": lambda m, v: kl_of(v, m),
    "logvar_sign": lambda m, v: 0.5 * (m**2 + np.exp(v) + v - 1),
    "exp_sign": lambda m, v: -0.5 * (1 + v - m**2 + np.exp(v)),
    "mu_sign": lambda m, v: -0.5 * (1 + v + m**2 - np.exp(v)),
    "mu_missing": lambda m, v: 0.5 * (np.exp(v) - v - 1),
    "mu_not_squared": lambda m, v: 0.5 * (m + np.exp(v) - v - 1),
    "logvar_missing": lambda m, v: 0.5 * (m**2 + np.exp(v) - 1),
    "exp_missing": lambda m, v: -0.5 * (1 + v - m**2),
    "variance_for_std": lambda m, v: 0.5 * (m**2 + np.exp(0.5 * v) - v - 1),
    "bits": lambda m, v: kl_of(m, v) / math.log(2),
    "factor": lambda m, v: 3 * kl_of(m, v),
}


@each_dtype
@each_seed
@pytest.mark.parametrize("reduced", ["terms", "examples", "batch mean"])
@pytest.mark.parametrize("mistake", KL_MISTAKES)
def test_kl_mistakes(dtype, seed, reduced, mistake):
    reduce = {
        "terms": lambda t: t,
        "examples": lambda t: t.sum(axis=1),
        "batch mean": lambda t: t.sum(axis=1).mean(),
    }[reduced]
    check = check_kl_value(lambda m, v: reduce(KL_MISTAKES[mistake](m, v)), dtype=dtype, seed=seed)
    expect(check, WRONG, mistake)
    assert ("never below 0" in check.text) == (check.numbers["smallest value"] < 0)


def test_a_negative_kl_is_said_to_be_impossible():
    check = check_kl_value(lambda m, v: -kl_of(m, v))
    expect(check, WRONG, "sign", "the sign is flipped", "a KL is never below 0, and yours is -")
    assert check.numbers["yours"] == pytest.approx(-check.numbers["closed form"])


@pytest.mark.parametrize("over_batch", [lambda v: v, np.mean, np.sum])
def test_kl_averaged_over_the_latent_dimensions(over_batch):
    check = check_kl_value(lambda m, v: over_batch(kl_of(m, v).mean(axis=1)))
    expect(check, WRONG, "dims", "averaged over the Z latent dimensions", "beta of 1/Z")
    sampled = check_sampler(reparameterize, lambda m, v: over_batch(kl_of(m, v).mean(axis=1)))
    expect(sampled, WRONG, "dims", "the samples are right", "beta of 1/Z")


def test_a_kl_that_no_variant_knows_is_read_off():
    check = check_kl_value(lambda m, v: (0.5 * m**2 + 0.5 * np.exp(v) - 3 * v - 0.5).sum(axis=1))
    expect(check, WRONG, "unknown", "0.5 mu^2 + 0.5 exp(logvar) - 3 logvar - 0.5", "sum over dim")
    check = check_kl_value(lambda m, v: np.tanh(m) * v)
    expect(check, WRONG, "unknown", "cause unknown")


SAMPLER_MISTAKES = {
    "variance_for_std": lambda m, v, e: m + np.exp(v) * e,
    "sigma_head": lambda m, v, e: m + v * e,
    "variance_head": lambda m, v, e: m + np.sqrt(v) * e,
    "softplus_head": lambda m, v, e: m + np.logaddexp(0, v) * e,
    "exponent_sign": lambda m, v, e: m + np.exp(-v / 2) * e,
    "half_twice": lambda m, v, e: m + np.sqrt(np.exp(v / 2)) * e,
    "noise_unscaled": lambda m, v, e: m + e,
    "noise_missing": lambda m, v, e: m + 0 * e,
    "mu_missing": lambda m, v, e: np.exp(v / 2) * e,
    "sign": lambda m, v, e: np.exp(v / 2) * e - m,
    "factor": lambda m, v, e: m + 1.3 * np.exp(v / 2) * e,
    "noise_uniform": lambda m, v: sample(m, v, np.random.rand(*m.shape)),  # noqa: NPY002
    "noise_shared": lambda m, v, e: sample(m, v, e[:, :1]),
    "unknown": lambda m, v, e: m + 1 + np.exp(v / 2) * e,
}


@each_dtype
@each_seed
@pytest.mark.parametrize("mistake", SAMPLER_MISTAKES)
def test_sampler_mistakes(dtype, seed, mistake):
    check = check_sampler(SAMPLER_MISTAKES[mistake], kl, dtype=dtype, seed=seed)
    expect(check, WRONG, mistake)


def test_variance_for_std_is_said_with_the_numbers():
    check = check_sampler(lambda m, v, e: (m + np.exp(v) * e, None), kl)
    expect(check, WRONG, "variance_for_std", "write exp(logvar / 2) in the sampler", "+-")
    numbers = check.numbers
    assert numbers["sample std"] == pytest.approx(numbers["exp(logvar) there"], rel=0.03)
    assert numbers["exp(logvar) there"] == pytest.approx(
        numbers["exp(logvar / 2) there"] ** 2, rel=1e-9
    )
    assert abs(numbers["mean of log q - log p"] - numbers["KL"]) > 50 * numbers["standard error"]


def test_the_same_noise_for_all_examples():
    def shared(m, v):
        return sample(m, v, np.random.randn(m.shape[1]))  # noqa: NPY002

    expect(check_sampler(shared, kl), WRONG, "noise_shared", "all examples get the same noise")


@pytest.mark.parametrize("mistake", ["half_missing", "sign", "minus_one", "kl_reversed"])
def test_a_right_sampler_shows_a_wrong_kl(mistake):
    check = check_sampler(sample, KL_MISTAKES[mistake])
    expect(check, WRONG, mistake, "the samples are right")


def test_sampler_and_kl_that_take_the_head_for_different_things():
    check = check_sampler(sample, KL_MISTAKES["log_sigma_head"])
    expect(check, WRONG, "log_sigma_head", "log sigma")
    check = check_sampler(sample, lambda m, v: np.tanh(m) * v)
    expect(check, WRONG, "unknown", "see check_kl_value")


def decoder_nll(x, z):
    """A Bernoulli nll of x (..., D) under a decoder that is fixed: z (..., Z)."""
    D, Z = x.shape[-1], z.shape[-1]
    w = np.sin(1.7 * np.arange(1, Z * D + 1)).reshape(Z, D)
    return bce(1.5 * np.tanh(z @ w) + 0.3, x).sum(axis=-1)


def right_elbo(x, mu, logvar, eps):
    return -decoder_nll(x, sample(mu, logvar, eps)) - kl_of(mu, logvar).sum(axis=1)


def log_w(x, mu, logvar, eps):
    mu, logvar = mu[:, None], logvar[:, None]
    z = sample(mu, logvar, eps)
    return -decoder_nll(x[:, None], z) + 0.5 * (logvar + eps**2 - z**2).sum(axis=-1)


def right_iwae(x, mu, logvar, eps):
    w = log_w(x, mu, logvar, eps)
    return special.logsumexp(w, axis=1) - np.log(w.shape[1])


def elbo_with(factor, nll_sign=1.0):
    def elbo(x, mu, logvar, eps):
        nll = decoder_nll(x, sample(mu, logvar, eps))
        return -nll_sign * nll - factor * kl_of(mu, logvar).sum(axis=1)

    return elbo


def sampled_elbo(x, mu, logvar, eps):
    return log_w(x, mu, logvar, eps[:, None])[:, 0]


def from_weights(combine):
    return lambda *arrays: combine(log_w(*arrays))


def closed_kl_weights(x, mu, logvar, eps):
    nll = decoder_nll(x[:, None], sample(mu[:, None], logvar[:, None], eps))
    w = -nll - kl_of(mu, logvar).sum(axis=1)[:, None]
    return special.logsumexp(w, axis=1) - np.log(w.shape[1])


def no_entropy(x, mu, logvar, eps):
    return right_iwae(x, mu, logvar, eps) - logvar.sum(axis=1) / 2


def reversed_elbo(x, mu, logvar, eps):
    kl_term = KL_MISTAKES["kl_reversed"](mu, logvar).sum(axis=1)
    return -decoder_nll(x, sample(mu, logvar, eps)) - kl_term


def log_mean_exp(w, axis=1):
    return special.logsumexp(w, axis=axis) - np.log(w.shape[axis])


def batch_axis(*arrays):
    w = log_w(*arrays)
    return np.repeat(log_mean_exp(w).mean(), len(w))


def weighted_mean(*arrays, sign=1):
    w = log_w(*arrays)
    return (special.softmax(sign * w, axis=1) * w).sum(axis=1)


ELBO_MISTAKES = {
    ("kl_missing", "reconstruction alone"): elbo_with(0),
    ("sign", "added instead of subtracted"): elbo_with(-1),
    ("sign", "it is the loss"): lambda *arrays: -right_elbo(*arrays),
    ("factor", "a beta of 2"): elbo_with(2),
    ("factor", "factor 4"): elbo_with(4),
    ("dims", "beta 1/Z"): elbo_with(1 / 3),
    ("kl_reversed", "other way round"): reversed_elbo,
}
IWAE_MISTAKES = {
    ("mean_of_logs", "which is the ELBO"): from_weights(lambda w: w.mean(axis=1)),
    ("log_k", "exactly log K too high"): from_weights(lambda w: special.logsumexp(w, axis=1)),
    ("log_k_twice", "twice"): from_weights(lambda w: log_mean_exp(w) - np.log(w.shape[1])),
    ("weights", "worst sample"): from_weights(lambda w: -log_mean_exp(-w)),
    ("weighted_mean", "no bound"): weighted_mean,
    ("weighted_mean_sign", "worst sample"): lambda *arrays: weighted_mean(*arrays, sign=-1),
    ("largest", "largest"): from_weights(lambda w: w.max(axis=1)),
    ("sum_of_logs", "sum"): from_weights(lambda w: w.sum(axis=1)),
    ("closed_kl", "closed form"): closed_kl_weights,
    ("entropy_missing", "entropy"): no_entropy,
    ("sign", "it is the loss"): lambda *arrays: -right_iwae(*arrays),
    ("wrong_axis", "examples are mixed"): batch_axis,
}


@pytest.mark.parametrize("seed", [0, 13])
@pytest.mark.parametrize("elbo", [right_elbo, sampled_elbo])
@pytest.mark.parametrize("reduce", [None, np.mean, np.sum])
def test_right_bounds_of_plain_functions(seed, elbo, reduce):
    def reduced(bound):
        return bound if reduce is None else lambda *arrays: reduce(bound(*arrays))

    expect(check_bounds(reduced(elbo), reduced(right_iwae), latent=3, seed=seed), RIGHT)


@pytest.mark.parametrize("seed", [0, 13])
@pytest.mark.parametrize("data_dims", [11, 6])
@pytest.mark.parametrize("mistake", ELBO_MISTAKES)
def test_elbo_mistakes(mistake, seed, data_dims):
    options = {"latent": 3, "seed": seed, "data_dims": data_dims}
    check = check_bounds(ELBO_MISTAKES[mistake], right_iwae, **options)
    expect(check, WRONG, mistake[0], "of the ELBO", mistake[1])


@pytest.mark.parametrize("seed", [0, 13])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("mistake", IWAE_MISTAKES)
def test_importance_weighted_mistakes(mistake, seed, dtype):
    options = {"latent": 3, "seed": seed, "dtype": dtype}
    check = check_bounds(right_elbo, IWAE_MISTAKES[mistake], **options)
    expect(check, WRONG, mistake[0], "of the importance-weighted bound", mistake[1])


def test_a_bound_without_its_constant_is_seen_by_its_order():
    def higher(*arrays):
        return right_elbo(*arrays) + 5

    check = check_bounds(higher, right_iwae, latent=3)
    expect(check, WRONG, "unknown", "their reconstruction terms differ")
    assert check.numbers["K = 1 over ELBO"] == pytest.approx(-5, abs=0.3)
    assert check.numbers["K = 5 over ELBO"] < -3


def test_an_elbo_that_mixes_the_examples():
    def mixed(*arrays):
        return np.repeat(right_elbo(*arrays).mean(), len(arrays[0]))

    check = check_bounds(mixed, right_iwae, latent=3)
    expect(check, WRONG, "wrong_axis", "of the ELBO", "each example alone")


def test_a_bound_that_keeps_the_dimensions():
    check = check_bounds(lambda x, mu, logvar, eps: mu, right_iwae, latent=3)
    expect(check, WRONG, "unknown", "one number for each example")


def probabilities_nll(eps=0.0, clip=0.0):
    def nll(a, x):
        p = 1 / (1 + np.exp(-a))
        p = np.clip(p, clip, 1 - clip) if clip else p
        return -(x * np.log(p + eps) + (1 - x) * np.log(1 - p + eps)).sum(axis=1)

    return nll


def sigmoid(a):
    return special.expit(a)


BERNOULLI_MISTAKES = {
    "dims": lambda a, x: bce(a, x).mean(axis=1),
    "sign": lambda a, x: -bce(a, x).sum(axis=1),
    "bits": lambda a, x: bce(a, x).sum(axis=1) / math.log(2),
    "double_sigmoid": lambda a, x: bce(sigmoid(a), x).sum(axis=1),
    "sigmoid_missing": lambda p, x: -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1),
    "data_flipped": lambda a, x: bce(a, 1 - x).sum(axis=1),
    "half_missing_term": lambda a, x: -(x * np.log(sigmoid(a))).sum(axis=1),
    "squared_error": lambda a, x: ((x - sigmoid(a)) ** 2).sum(axis=1),
    "unknown": lambda a, x: (np.abs(a - x) ** 1.5).sum(axis=1),
}


@each_dtype
@each_seed
@pytest.mark.parametrize("mistake", BERNOULLI_MISTAKES)
def test_bernoulli_mistakes(dtype, seed, mistake):
    function = BERNOULLI_MISTAKES[mistake]
    expect(check_likelihood(function, "bernoulli", dtype=dtype, seed=seed), WRONG, mistake)


@each_seed
@pytest.mark.parametrize(
    ("options", "size"),
    [({"eps": 1e-8}, "1e-08"), ({"eps": 1e-3}, "0.001"), ({"clip": 1e-6}, "1e-06")],
)
def test_a_constant_inside_the_logarithm(seed, options, size):
    check = check_likelihood(probabilities_nll(**options), "bernoulli", seed=seed)
    expect(check, WRONG, "loss_constant", "it levels off", f"-ln({size})")
    level = check.numbers["value at a logit of 30"]
    assert level == pytest.approx(-math.log(float(size)), rel=2e-3)


def test_a_probability_that_rounds_to_one():
    def rounded(a, x):
        p = np.where(a > 20, 1.0, sigmoid(a))
        return -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)

    expect(check_likelihood(rounded, "bernoulli"), WRONG, "loss_constant", "infinite or NaN")


HALF_LN_2PI = 0.5 * math.log(2 * math.pi)


def gauss(m, v, x, error=0.5, scale=0.5, constant=HALF_LN_2PI, power=1.0):
    return (error * (x - m) ** 2 * np.exp(-power * v) + scale * v + constant).sum(axis=1)


GAUSSIAN_MISTAKES = {
    "constant_dropped": {"constant": 0},
    "logvar_missing": {"scale": 0, "constant": 0},
    "exponent_sign": {"power": -1},
    "log_sigma_head": {"power": 2, "scale": 1},
    "variance_for_std": {"power": 0.5},
    "half_missing": {"error": 1},
    "sign": {"error": -0.5},
    "factor": {"scale": 1},
    "constant": {"constant": math.log(2 * math.pi)},
    "unknown": {"error": 0.7, "constant": 0.1},
}


@each_dtype
@each_seed
@pytest.mark.parametrize("mistake", GAUSSIAN_MISTAKES)
def test_gaussian_mistakes(dtype, seed, mistake):
    def nll(m, v, x):
        return gauss(m, v, x, **GAUSSIAN_MISTAKES[mistake])

    check = check_likelihood(nll, "gaussian", dtype=dtype, seed=seed)
    expect(check, WRONG, mistake)
    if mistake == "constant_dropped":  # each dimension is too large by the root of 2 pi
        assert check.numbers["sum of all probabilities"] == pytest.approx(
            math.sqrt(2 * math.pi), rel=1e-4
        )
        assert "sum to 2.507, not 1" in check.text
    if mistake == "unknown":
        assert "0.7 (x - mean)^2 exp(-logvar) + 0.5 logvar + 0.1" in check.text


@pytest.mark.parametrize("sigma", [1.0, 0.3])
def test_fixed_gaussian_mistakes(sigma):
    def check(nll):
        return check_likelihood(nll, "gaussian_fixed", sigma=sigma)

    def u(m, x):
        return (x - m) / sigma

    constant = math.log(sigma) + 0.5 * math.log(2 * math.pi)
    expect(check(lambda m, x: (0.5 * u(m, x) ** 2 + constant).sum(axis=1)), RIGHT)
    dropped = "constant_dropped" if sigma == 1 else "logvar_missing"
    expect(check(lambda m, x: (0.5 * u(m, x) ** 2).sum(axis=1)), WRONG, dropped)
    expect(check(lambda m, x: ((x - m) ** 2).sum(axis=1)), WRONG, "half_missing")
    expect(check(lambda m, x: (0.5 * u(m, x) ** 2 + constant).mean(axis=1)), WRONG, "dims")


def log_softmax(a, axis=-1):
    return a - special.logsumexp(a, axis=axis, keepdims=True)


CATEGORICAL_MISTAKES = {
    "dims": lambda a, x: -(x * log_softmax(a)).sum(axis=-1).mean(axis=-1),
    "sign": lambda a, x: (x * log_softmax(a)).sum(axis=(1, 2)),
    "wrong_axis": lambda a, x: -(x * log_softmax(a, axis=1)).sum(axis=(1, 2)),
    "normaliser_missing": lambda a, x: -(x * a).sum(axis=(1, 2)),
    "double_softmax": lambda a, x: -(x * log_softmax(special.softmax(a, -1))).sum(axis=(1, 2)),
    "logarithm_missing": lambda a, x: -(x * special.softmax(a, -1)).sum(axis=(1, 2)),
    "loss_constant": lambda a, x: -(x * np.log(special.softmax(a, -1) + 1e-5)).sum(axis=(1, 2)),
}


@each_dtype
@each_seed
@pytest.mark.parametrize("mistake", CATEGORICAL_MISTAKES)
def test_categorical_mistakes(dtype, seed, mistake):
    function = CATEGORICAL_MISTAKES[mistake]
    expect(check_likelihood(function, "categorical", dtype=dtype, seed=seed), WRONG, mistake)


@each_dtype
@pytest.mark.parametrize("n_dims", [784, 13])
@pytest.mark.parametrize("form", ["mean", "examples"])
def test_a_mean_over_the_pixels_is_a_beta(dtype, n_dims, form):
    reduce = np.mean if form == "mean" else lambda t: t.mean(axis=1)
    check = check_loss_scale(lambda a, x: reduce(bce(a, x)), n_dims, kl, dtype=dtype)
    expect(check, WRONG, "dims", "mean over dimensions", f"the effective beta is {n_dims}")
    assert check.numbers["effective beta"] == pytest.approx(n_dims, rel=1e-3)
    check = check_loss_scale(lambda m, x: reduce((m - x) ** 2), n_dims, dtype=dtype)
    expect(check, WRONG, "dims", f"the effective beta is {n_dims / 2:g}")


def test_scales_that_differ_over_the_batch():
    def summed(a, x):
        return bce(a, x).sum()

    def mean_kl(m, v):
        return kl_of(m, v).sum(axis=1).mean()

    expect(check_loss_scale(summed, 20, mean_kl), WRONG, "batch", "a further beta of 1/B")
    expect(check_loss_scale(summed, 20), RIGHT, "", "sum the KL over the batch too")
    expect(check_loss_scale(summed, 20, lambda m, v: kl_of(m, v).sum()), RIGHT)
    check = check_loss_scale(
        lambda a, x: bce(a, x).sum(axis=1).mean(), 20, lambda m, v: kl_of(m, v).sum()
    )
    expect(check, WRONG, "batch", "the KL is summed over the batch", "a further beta of B ")


def test_other_scales():
    check = check_loss_scale(bernoulli, 20, lambda m, v: kl_of(m, v).mean())
    expect(check, WRONG, "dims", "1/Z")
    check = check_loss_scale(bernoulli, 20, lambda m, v: 4 * kl_of(m, v))
    expect(check, WRONG, "factor", "the effective beta is 4")
    check = check_loss_scale(lambda a, x: 0.1 * bce(a, x), 20)
    expect(check, WRONG, "factor", "the effective beta is 10")
    check = check_loss_scale(lambda a, x: -bce(a, x).sum(axis=1), 20)
    expect(check, WRONG, "sign", "negative")
    check = check_loss_scale(lambda m, x: ((m - x) ** 2).sum(axis=1), 20)
    expect(check, RIGHT, "", "variance of 0.5", "a beta of 0.5")


def test_scale_of_a_loss_of_no_known_formula():
    def unknown(a, x):
        return np.abs(a - x) ** 1.5

    expect(check_loss_scale(lambda a, x: unknown(a, x).sum(axis=1), 30), RIGHT)
    check = check_loss_scale(lambda a, x: unknown(a, x).mean(), 30)
    expect(check, WRONG, "dims", "the effective beta is 30")
    check = check_loss_scale(lambda a, x: unknown(a, x).sum() ** 2, 30)
    expect(check, NOT_CHECKED, "", "not checked")


# ---- how it is called, and what it returns ----


def test_check_values_runs_what_it_is_given():
    checks = check_values(
        reparameterize=reparameterize,
        kl=kl,
        elbo=right_elbo,
        iwae=right_iwae,
        reconstruction=bernoulli,
        n_dims=20,
    )
    assert [check.name for check in checks] == [
        "value of the KL",
        "sampler against the KL",
        "ELBO against the importance-weighted bound",
        "scale of the reconstruction",
    ]
    assert all(check.passed for check in checks)
    (check,) = check_values(reparameterize=lambda m, v, e: m + np.exp(v) * e)
    expect(check, WRONG, "variance_for_std")


def test_the_case_of_a_vae_that_any_gradient_check_passes():
    """Samples with exp(logvar) as standard deviation, a mean over pixels, a summed KL."""
    sampler, scale = check_values(
        reparameterize=lambda m, v, e: e * np.exp(v) + m,
        reconstruction=lambda a, x: bce(a, x).mean(),
    )
    expect(sampler, WRONG, "variance_for_std")
    expect(scale, WRONG, "dims", "the effective beta is 784")


def test_bad_arguments(refuses):
    with refuses(OptionError, "nothing was given"):
        check_values()
    with refuses(OptionError, "elbo and iwae"):
        check_values(elbo=right_elbo)
    with refuses(OptionError, "poisson", "bernoulli"):
        check_likelihood(bernoulli, "poisson")
    with refuses(OptionError, "n_dims=1"):
        check_loss_scale(bernoulli, 1)


def fails(*arrays):
    raise RuntimeError("not written yet")


@pytest.mark.parametrize(
    "check",
    [
        lambda f: check_kl_value(f),
        lambda f: check_sampler(f, kl),
        lambda f: check_sampler(reparameterize, f),
        lambda f: check_bounds(f, right_iwae),
        lambda f: check_bounds(right_elbo, f),
        lambda f: check_likelihood(f, "gaussian"),
        lambda f: check_loss_scale(f, 5),
    ],
)
def test_functions_that_fail_or_return_nan(check):
    expect(check(fails), NOT_CHECKED, "", "RuntimeError: not written yet")
    expect(check(lambda *arrays: arrays[0] * np.nan), WRONG, "unknown")
    expect(check(lambda *arrays: None), *_of_nothing(check))


def _of_nothing(check):
    nothing = check(lambda *arrays: None)
    assert not nothing.passed
    return nothing.verdict, nothing.mistake


def test_arrays_are_copies_and_randomness_is_restored():
    seen = []

    def greedy(m, v):
        seen.append((m.copy(), v.copy()))
        m *= 0
        return kl_of(seen[-1][0], v)

    np.random.seed(3)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    expect(check_kl_value(greedy), RIGHT)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@each_dtype
def test_functions_are_called_in_the_dtype(dtype):
    seen = set()

    def noted(m, v):
        seen.update((m.dtype.name, v.dtype.name))
        return kl_of(m, v)

    check_kl_value(noted, dtype=dtype)
    assert seen == {dtype}


def test_dict_and_json():
    check = ValueCheck("n", WRONG, "said", {"a": np.float64(1.5), "b": float("nan")}, "sign")
    data = json.loads(check.to_json(), parse_constant=pytest.fail)
    assert (
        data
        == check.to_dict()
        == {
            "name": "n",
            "verdict": "wrong",
            "mistake": "sign",
            "text": "said",
            "numbers": {"a": 1.5, "b": "nan"},
        }
    )


def test_text_fits_100_columns():
    check = ValueCheck("name " * 40, WRONG, "word " * 90, {f"number {i}": i / 7 for i in range(30)})
    lines = str(check).split("\n")
    assert max(map(len, lines)) <= 100
    assert " ".join(lines).count("word") == 90
