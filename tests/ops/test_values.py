"""Forward passes against what is known without them: densities, closed forms, SciPy, sampling."""

import itertools
import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from minivae.ops import (
    ACTIVATIONS,
    Bernoulli,
    Categorical,
    Gaussian,
    GaussianLearned,
    GaussianShared,
    clamp,
    dropout,
    kl,
    linear,
    log_weights,
    logmeanexp,
    reparameterize,
)
from minivae.ops.likelihoods import bernoulli, categorical, gaussian

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def activate(name, x, **options):
    return ACTIVATIONS[name][0](x, **options)[0]


def standard_normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


# ---- the sampler against the KL ----


def mean_log_ratio(mu, logvar, z):
    """Mean of ln q(z) - ln p(z) over the samples, and its standard error."""
    ratio = stats.norm.logpdf(z, mu, np.sqrt(np.exp(logvar))) - stats.norm.logpdf(z)
    return ratio.mean(), ratio.std(ddof=1) / np.sqrt(z.size)


@pytest.mark.parametrize(("mu", "logvar"), [(0.7, -1.2), (-0.4, 0.9), (1.5, -3.0), (0.0, 0.5)])
def test_monte_carlo_over_the_samples_gives_the_kl(mu, logvar):
    n = 100_000
    mus, logvars, eps = np.full((n, 1), mu), np.full((n, 1), logvar), standard_normal(1, n, 1)
    z, _ = reparameterize.forward(mus, logvars, eps)
    expected = kl.forward(mus[:1], logvars[:1])[0].item()
    mean, error = mean_log_ratio(mu, logvar, z)
    assert error < 0.005  # nats: the standard error
    assert abs(mean - expected) < 5 * error

    # A sampler that takes the variance for the standard deviation is far outside.
    wrong, _ = reparameterize.forward(mus, 2 * logvars, eps)
    mean, error = mean_log_ratio(mu, logvar, wrong)
    assert abs(mean - expected) > 30 * error


def test_samples_have_the_mean_and_the_standard_deviation():
    n, mu, logvar = 100_000, 0.3, -1.6
    z, _ = reparameterize.forward(
        np.full((n, 1), mu), np.full((n, 1), logvar), standard_normal(2, n, 1)
    )
    sigma = math.sqrt(math.exp(logvar))
    assert abs(z.mean() - mu) < 5 * sigma / math.sqrt(n)
    assert abs(z.std() - sigma) < 5 * sigma / math.sqrt(2 * n)


# ---- KL ----


@each_dtype
def test_kl_is_never_negative(dtype):
    magnitudes = 10.0 ** np.linspace(-30, 1.4, 5001)
    logvar = np.concatenate([-magnitudes, [0], magnitudes])[None].astype(dtype)
    zero = np.zeros_like(logvar)
    assert (kl.forward(zero, logvar)[0] >= 0).all()
    assert (kl.between_forward(zero, logvar, zero, zero)[0] >= 0).all()
    assert (kl.between_forward(zero, zero, zero, logvar)[0] >= 0).all()
    mu, logvar = standard_normal(3, 2, 50, 50).astype(dtype)
    assert (kl.forward(mu, logvar)[0] > 0).all()


@each_dtype
def test_kl_and_its_gradient_are_zero_where_q_is_p(dtype):
    zero = np.zeros((3, 2), dtype)
    value, cache = kl.forward(zero, zero)
    assert not value.any()
    assert not np.any(kl.backward(np.ones_like(zero), *cache))
    mu, logvar = standard_normal(4, 2, 3, 2).astype(dtype)
    value, cache = kl.between_forward(mu, logvar, mu, logvar)
    assert not value.any()
    assert not np.any(kl.between_backward(np.ones_like(zero), *cache))


def test_kl_is_the_integral_of_the_log_ratio():
    def quadrature(mu_q, logvar_q, mu_p, logvar_p):
        q = stats.norm(mu_q, np.exp(logvar_q / 2))
        p = stats.norm(mu_p, np.exp(logvar_p / 2))

        def integrand(z):
            return q.pdf(z) * (q.logpdf(z) - p.logpdf(z))

        reach = 12 * q.std()  # beyond, q is below 1e-31
        value, error = integrate.quad(
            integrand, mu_q - reach, mu_q + reach, epsabs=1e-13, epsrel=1e-12, limit=200
        )
        assert error < 1e-11
        return value

    for point in [(0.7, -1.2, 0.0, 0.0), (-2.0, 1.1, 0.0, 0.0), (0.3, 0.8, -0.5, -0.7)]:
        arguments = [np.full((1, 1), number) for number in point]
        assert kl.between_forward(*arguments)[0].item() == pytest.approx(
            quadrature(*point), rel=1e-10
        )
        if point[2:] == (0, 0):
            assert kl.forward(*arguments[:2])[0].item() == pytest.approx(
                quadrature(*point), rel=1e-10
            )


def test_kl_between_against_the_standard_normal_is_kl():
    mu, logvar, dkl = standard_normal(5, 3, 4, 3)
    zero = np.zeros_like(mu)
    value, cache = kl.forward(mu, logvar)
    between, between_cache = kl.between_forward(mu, logvar, zero, zero)
    np.testing.assert_allclose(between, value, rtol=1e-14)
    np.testing.assert_allclose(
        kl.between_backward(dkl, *between_cache)[:2], kl.backward(dkl, *cache), rtol=1e-14
    )


# ---- likelihoods are densities ----


@pytest.mark.parametrize("kind", ["fixed", "shared", "learned"])
def test_gaussian_likelihood_integrates_to_one(kind):
    mean, logvar = 0.4, -0.9
    sigma = math.exp(logvar / 2)

    def density(x):
        m, point = np.array([[mean]]), np.array([[x]])
        if kind == "fixed":
            nll, _ = gaussian.fixed_forward(m, point, sigma)
        elif kind == "shared":
            nll, _ = gaussian.shared_forward(m, np.array([logvar]), point)
        else:
            nll, _ = gaussian.forward(m, np.array([[logvar]]), point)
        return math.exp(-nll.item())

    total, _ = integrate.quad(density, mean - 12 * sigma, mean + 12 * sigma, epsabs=1e-12)
    assert total == pytest.approx(1, abs=1e-10)


def test_bernoulli_likelihood_sums_to_one():
    outcomes = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    logits = np.broadcast_to(2 * standard_normal(6, 5), outcomes.shape)
    nll, _ = bernoulli.forward(logits, outcomes)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=1e-13)


def test_categorical_likelihood_sums_to_one():
    outcomes = np.array(list(itertools.product(np.eye(4), repeat=3)))
    logits = np.broadcast_to(2 * standard_normal(7, 3, 4), outcomes.shape)
    nll, _ = categorical.forward(logits, outcomes)
    assert nll.shape == (4**3,)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=1e-13)


@each_dtype
def test_bernoulli_at_zero_logits_costs_a_bit_a_pixel(dtype):
    x = (standard_normal(8, 3, 784) > 0).astype(dtype)
    nll, _ = bernoulli.forward(np.zeros_like(x), x)
    np.testing.assert_allclose(nll, 784 * math.log(2), rtol=1e-6 if dtype == "float32" else 1e-13)


def test_likelihoods_are_scipys():
    mean, logvar, x = standard_normal(9, 3, 4, 6)
    sigma = np.exp(logvar / 2)

    def same(nll, logp):
        np.testing.assert_allclose(nll[0], -logp.sum(axis=-1), rtol=1e-12)

    same(gaussian.forward(mean, logvar, x), stats.norm.logpdf(x, mean, sigma))
    same(gaussian.fixed_forward(mean, x, 0.6), stats.norm.logpdf(x, mean, 0.6))
    shared = np.array([-0.8])
    same(
        gaussian.shared_forward(mean, shared, x),
        stats.norm.logpdf(x, mean, np.exp(shared / 2)),
    )
    bits = (x > 0).astype(float)
    same(bernoulli.forward(mean, bits), stats.bernoulli.logpmf(bits, special.expit(mean)))
    logits = standard_normal(10, 4, 6, 3)
    x = np.eye(3)[np.random.default_rng(11).integers(3, size=(4, 6))]
    same(
        categorical.forward(logits, x),
        stats.multinomial.logpmf(x, 1, special.softmax(logits, axis=-1)),
    )


# ---- elementary functions ----


def test_activations_are_scipys():
    x = np.linspace(-6, 6, 241)
    bounds = {"rtol": 1e-12, "atol": 1e-15}
    np.testing.assert_allclose(activate("sigmoid", x), special.expit(x), **bounds)
    np.testing.assert_allclose(activate("softplus", x), np.logaddexp(0, x), **bounds)
    np.testing.assert_allclose(activate("silu", x), x * special.expit(x), **bounds)
    np.testing.assert_allclose(activate("gelu", x), x * stats.norm.cdf(x), **bounds)
    np.testing.assert_allclose(activate("tanh", x), np.sinh(x) / np.cosh(x), **bounds)


def test_piecewise_linear_operations_by_hand():
    x = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])
    one, ends = np.ones_like(x), [0, 0, 1, 1, 0]
    for forward, backward, options, y, dx in [
        (*ACTIVATIONS["relu"], {}, [0, 0, 0, 0.5, 2], [0, 0, 0, 1, 1]),
        (*ACTIVATIONS["leaky_relu"], {}, [-0.02, -0.005, 0, 0.5, 2], [0.01, 0.01, 0.01, 1, 1]),
        (*ACTIVATIONS["leaky_relu"], {"slope": 0.2}, [-0.4, -0.1, 0, 0.5, 2], [0.2] * 3 + [1] * 2),
        # At the clamp's end, -0.5, the slope is 0.
        (clamp.forward, clamp.backward, {"low": -0.5, "high": 1}, [-0.5, -0.5, 0, 0.5, 1], ends),
    ]:
        value, cache = forward(x, **options)
        np.testing.assert_array_equal(value[0], y)
        np.testing.assert_array_equal(backward(one, *cache)[0], dx)


def test_linear_and_dropout_by_hand():
    x, W, b = np.array([[1.0, 2.0]]), np.array([[1.0, 0, -1], [3, 5, 7]]), np.array([0.5, 0, 1])
    assert linear.forward(x, W, b)[0].tolist() == [[7.5, 10, 14]]
    y, cache = dropout.forward(np.array([[1.0, 2, 3]]), np.array([[1.0, 0, 1]]), 0.5)
    assert y.tolist() == [[2, 0, 6]]
    assert dropout.backward(np.array([[1.0, 1, 2]]), *cache).tolist() == [[2, 0, 4]]


def test_logmeanexp_and_log_weights():
    w = 3 * standard_normal(12, 4, 9)
    expected = special.logsumexp(w, axis=-1) - math.log(9)
    np.testing.assert_allclose(logmeanexp.forward(w)[0], expected, rtol=1e-13)
    np.testing.assert_allclose(logmeanexp.forward(w[:, :1])[0], w[:, 0], rtol=1e-15)

    mu, logvar = standard_normal(13, 2, 4, 1, 3)
    eps, nll = standard_normal(14, 4, 5, 3), standard_normal(15, 4, 5)
    z = mu + np.exp(logvar / 2) * eps
    log_ratio = stats.norm.logpdf(z) - stats.norm.logpdf(z, mu, np.exp(logvar / 2))
    value, _ = log_weights.forward(nll, z, logvar[:, 0], eps)
    np.testing.assert_allclose(value, log_ratio.sum(axis=-1) - nll, rtol=1e-12)


# ---- samples of the likelihoods ----


def test_draws_have_the_likelihoods_mean_and_spread():
    n = 40_000
    mean, logvar = np.array([0.3, -0.6]), np.array([-1.0, 0.4])

    def draw(likelihood, out):
        out = np.tile(out, (n, 1))
        x = likelihood.draw(out, np.random.default_rng(16))
        np.testing.assert_allclose(
            likelihood.mean(out)[0], x.mean(axis=0), atol=5 * x.std(axis=0).max() / math.sqrt(n)
        )
        return x

    def spread(x, sigma):
        np.testing.assert_allclose(x.std(axis=0), sigma, rtol=5 / math.sqrt(2 * n))

    spread(draw(Gaussian(0.7, dtype="float64"), mean), 0.7)
    shared = GaussianShared(dtype="float64")
    shared.params["logvar"][...] = -1.3
    spread(draw(shared, mean), math.exp(-0.65))
    learned = GaussianLearned(dtype="float64")
    spread(draw(learned, np.concatenate([mean, logvar])), np.exp(logvar / 2))

    bits = draw(Bernoulli(dtype="float64"), mean)
    assert set(np.unique(bits)) == {0, 1}
    logits = np.array([[2.0, 0, -1], [0, 1, 0.5]])
    grey = draw(Categorical(3, dtype="float64"), logits.ravel())
    shares = np.stack([(grey == level).mean(axis=0) for level in [0, 0.5, 1]], axis=-1)
    np.testing.assert_allclose(
        shares, special.softmax(logits, axis=-1), atol=5 * 0.5 / math.sqrt(n)
    )
