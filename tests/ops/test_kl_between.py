"""The KL between two Gaussians against SymPy, its integral and the KL from the standard normal."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from minivae.ops import kl
from minivae.ops.kl_between import between_backward, between_forward
from oracles import expectation_under_q, log_normal, same, standard_normal, values

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def oracle(torch, mu_q, logvar_q, mu_p, logvar_p):
    def normal(mu, logvar):
        return torch.distributions.Normal(mu, logvar.exp().sqrt(), validate_args=False)

    return torch.distributions.kl_divergence(normal(mu_q, logvar_q), normal(mu_p, logvar_p))


def test_formula():
    symbols = mu, logvar, mu_p, logvar_p = sp.symbols("mu v mu_p v_p", real=True)
    z = sp.Symbol("z", real=True)
    derived = expectation_under_q(log_normal(z, mu, logvar) - log_normal(z, mu_p, logvar_p))
    *arrays, dkl = standard_normal(1, 5, 4, 5)
    at = {symbol.name: array for symbol, array in zip(symbols, arrays, strict=True)}
    value, cache = between_forward(*arrays)
    same(value, values(derived, **at))
    for gradient, symbol in zip(between_backward(dkl, *cache), symbols, strict=True):
        same(gradient, dkl * values(sp.diff(derived, symbol), **at))


@each_dtype
def test_it_is_never_negative(dtype):
    magnitudes = 10.0 ** np.linspace(-30, 1.4, 5001)
    logvar = np.concatenate([-magnitudes, [0], magnitudes])[None].astype(dtype)
    zero = np.zeros_like(logvar)
    assert (between_forward(zero, logvar, zero, zero)[0] >= 0).all()
    assert (between_forward(zero, zero, zero, logvar)[0] >= 0).all()


@each_dtype
def test_it_and_its_gradient_are_zero_where_q_is_p(dtype):
    mu, logvar = standard_normal(4, 2, 3, 2).astype(dtype)
    value, cache = between_forward(mu, logvar, mu, logvar)
    assert not value.any()
    assert not np.any(between_backward(np.ones_like(mu), *cache))


@pytest.mark.parametrize(
    "point", [(0.7, -1.2, 0.0, 0.0), (-2.0, 1.1, 0.0, 0.0), (0.3, 0.8, -0.5, -0.7)]
)
def test_it_is_the_integral_of_the_log_ratio(point):
    mu_q, logvar_q, mu_p, logvar_p = point
    q, p = stats.norm(mu_q, np.exp(logvar_q / 2)), stats.norm(mu_p, np.exp(logvar_p / 2))
    reach = 12 * q.std()  # beyond, q is below 1e-31
    expected, error = integrate.quad(
        lambda z: q.pdf(z) * (q.logpdf(z) - p.logpdf(z)),
        *(mu_q - reach, mu_q + reach),
        epsabs=1e-13,
        epsrel=1e-12,
        limit=200,
    )
    assert error < 1e-11
    value, _ = between_forward(*(np.full((1, 1), number) for number in point))
    assert value.item() == pytest.approx(expected, rel=1e-10)


def test_against_the_standard_normal_it_is_kl():
    mu, logvar, dkl = standard_normal(5, 3, 4, 3)
    zero = np.zeros_like(mu)
    value, cache = kl.forward(mu, logvar)
    between, between_cache = between_forward(mu, logvar, zero, zero)
    np.testing.assert_allclose(between, value, rtol=1e-14)
    np.testing.assert_allclose(
        between_backward(dkl, *between_cache)[:2], kl.backward(dkl, *cache), rtol=1e-14
    )


@each_dtype
@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_logvar_of_thirty(dtype, logvar):
    close = {"rtol": 20 * np.finfo(dtype).eps}
    mu, v = np.array([[0.25]], dtype), np.array([[logvar]], dtype)
    square = 1.75**2 * math.exp(logvar)
    value, cache = between_forward(mu, v, 2 * np.ones_like(mu), -v)
    expected = (math.expm1(2 * logvar) - 2 * logvar + square) / 2
    np.testing.assert_allclose(value, [[expected]], **close)
    gradients = [g.item() for g in between_backward(np.ones_like(mu), *cache)]
    variance = math.exp(logvar)
    expected = [-1.75 * variance, math.expm1(2 * logvar) / 2, 1.75 * variance]
    np.testing.assert_allclose(gradients[:3], expected, **close)
    np.testing.assert_allclose(gradients[3], -expected[1] - square / 2, **close)


def test_it_keeps_its_digits_at_a_tiny_logvar_in_float32():
    logvar = np.array([[1e-10, -1e-10, 1e-5, -1e-5, 1e-3]], "float32")
    zero, one = np.zeros_like(logvar), np.ones_like(logvar)
    _, cache = between_forward(zero, logvar, zero, zero)
    exact = np.expm1(logvar.astype("float64")) / 2
    np.testing.assert_allclose(between_backward(one, *cache)[1], exact, rtol=2e-7)
