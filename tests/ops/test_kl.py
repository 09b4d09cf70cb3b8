"""The KL against the sampler, SymPy and its integral; where it is zero, and its digits."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from minivae.ops import reparameterize
from minivae.ops.kl import backward, forward
from oracles import expectation_under_q, log_normal, same, standard_normal, values

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def oracle(torch, mu, logvar):
    Normal = torch.distributions.Normal
    q = Normal(mu, logvar.exp().sqrt(), validate_args=False)
    p = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    return torch.distributions.kl_divergence(q, p)


def test_formula():
    mu, logvar, z = sp.symbols("mu v z", real=True)
    log_ratio = log_normal(z, mu, logvar) - log_normal(z, sp.Integer(0), sp.Integer(0))
    derived = expectation_under_q(log_ratio)
    mus, logvars, dkl = standard_normal(1, 3, 4, 5)
    value, cache = forward(mus, logvars)
    same(value, values(derived, mu=mus, v=logvars))
    gradients = backward(dkl, *cache)
    for gradient, symbol in zip(gradients, [mu, logvar], strict=True):
        same(gradient, dkl * values(sp.diff(derived, symbol), mu=mus, v=logvars))


def mean_log_ratio(mu, logvar, z):
    """Mean of ln q(z) - ln p(z) over the samples, and its standard error."""
    ratio = stats.norm.logpdf(z, mu, np.sqrt(np.exp(logvar))) - stats.norm.logpdf(z)
    return ratio.mean(), ratio.std(ddof=1) / np.sqrt(z.size)


@pytest.mark.parametrize(("mu", "logvar"), [(0.7, -1.2), (-0.4, 0.9), (1.5, -3.0), (0.0, 0.5)])
def test_monte_carlo_over_the_samples_gives_the_kl(mu, logvar):
    n = 100_000
    mus, logvars, eps = np.full((n, 1), mu), np.full((n, 1), logvar), standard_normal(1, n, 1)
    z, _ = reparameterize.forward(mus, logvars, eps)
    expected = forward(mus[:1], logvars[:1])[0].item()
    mean, error = mean_log_ratio(mu, logvar, z)
    assert error < 0.005  # nats: the standard error
    assert abs(mean - expected) < 5 * error

    # A sampler that takes the variance for the standard deviation is far outside.
    wrong, _ = reparameterize.forward(mus, 2 * logvars, eps)
    mean, error = mean_log_ratio(mu, logvar, wrong)
    assert abs(mean - expected) > 30 * error


@each_dtype
def test_it_is_never_negative(dtype):
    magnitudes = 10.0 ** np.linspace(-30, 1.4, 5001)
    logvar = np.concatenate([-magnitudes, [0], magnitudes])[None].astype(dtype)
    assert (forward(np.zeros_like(logvar), logvar)[0] >= 0).all()
    mu, logvar = standard_normal(3, 2, 50, 50).astype(dtype)
    assert (forward(mu, logvar)[0] > 0).all()


@each_dtype
def test_it_and_its_gradient_are_zero_where_q_is_p(dtype):
    zero = np.zeros((3, 2), dtype)
    value, cache = forward(zero, zero)
    assert not value.any()
    assert not np.any(backward(np.ones_like(zero), *cache))


@pytest.mark.parametrize(("mu", "logvar"), [(0.7, -1.2), (-2.0, 1.1)])
def test_it_is_the_integral_of_the_log_ratio(mu, logvar):
    q, p = stats.norm(mu, np.exp(logvar / 2)), stats.norm()
    reach = 12 * q.std()  # beyond, q is below 1e-31
    expected, error = integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)),
        *(mu - reach, mu + reach),
        epsabs=1e-13,
        epsrel=1e-12,
        limit=200,
    )
    assert error < 1e-11
    value, _ = forward(np.full((1, 1), mu), np.full((1, 1), logvar))
    assert value.item() == pytest.approx(expected, rel=1e-10)


@each_dtype
@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_logvar_of_thirty(dtype, logvar):
    close = {"rtol": 20 * np.finfo(dtype).eps}
    mu, v = np.array([[0.25]], dtype), np.array([[logvar]], dtype)
    variance = math.exp(logvar)
    value, cache = forward(mu, v)
    np.testing.assert_allclose(value, [[(0.0625 + variance - 1 - logvar) / 2]], **close)
    gradients = backward(np.ones_like(mu), *cache)
    np.testing.assert_allclose(gradients, [[[0.25]], [[(variance - 1) / 2]]], **close)


def test_it_keeps_its_digits_at_a_tiny_logvar_in_float32():
    logvar = np.array([[1e-10, -1e-10, 1e-5, -1e-5, 1e-3]], "float32")
    exact = logvar.astype("float64")
    value, cache = forward(np.zeros_like(logvar), logvar)
    _, dlogvar = backward(np.ones_like(logvar), *cache)
    np.testing.assert_allclose(dlogvar, np.expm1(exact) / 2, rtol=2e-7)
    # The value itself is of second order: it is exact to a rounding of logvar, not of 1.
    series = exact**2 / 4 + exact**3 / 12 + exact**4 / 48
    assert (np.abs(value - series) <= np.finfo("float32").eps * np.abs(exact)).all()
