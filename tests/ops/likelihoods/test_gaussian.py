"""The Gaussian likelihood with a fixed spread against SciPy, SymPy and its integral."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from arrays import there
from minivae.errors import OptionError
from minivae.ops import Gaussian
from minivae.ops.likelihoods.gaussian import fixed_backward, fixed_forward
from oracles import log_normal, same, standard_normal, values


def oracle(torch, mean, x, sigma):
    return -torch.distributions.Normal(mean, sigma).log_prob(x).sum(-1)


def test_formula():
    x, mu, logvar = sp.symbols("x mu v", real=True)
    nll = -log_normal(x, mu, logvar)
    means, _, data = standard_normal(1, 3, 4, 5)
    at, dnll = {"x": data, "mu": means, "v": np.full_like(means, -0.7)}, standard_normal(1, 4)
    value, cache = fixed_forward(means, data, float(np.exp(-0.35)))
    same(value, values(nll, **at).sum(axis=1))
    same(fixed_backward(dnll, *cache), dnll[:, None] * values(sp.diff(nll, mu), **at))


def test_it_integrates_to_one():
    mean, sigma = 0.4, math.exp(-0.45)

    def density(x):
        nll, _ = fixed_forward(np.array([[mean]]), np.array([[x]]), sigma)
        return math.exp(-nll.item())

    total, _ = integrate.quad(density, mean - 12 * sigma, mean + 12 * sigma, epsabs=1e-12)
    assert total == pytest.approx(1, abs=1e-10)


def test_value_is_scipys():
    mean, _, x = standard_normal(9, 3, 4, 6)
    expected = -stats.norm.logpdf(x, mean, 0.6).sum(axis=-1)
    np.testing.assert_allclose(fixed_forward(mean, x, 0.6)[0], expected, rtol=1e-12)


def test_draws_have_the_mean_and_the_spread():
    n = 40_000
    out = np.tile([0.3, -0.6], (n, 1))
    likelihood = Gaussian(0.7, dtype="float64")
    x = likelihood.draw(out, np.random.default_rng(16))
    error = x.std(axis=0).max() / math.sqrt(n)
    np.testing.assert_allclose(likelihood.mean(out)[0], x.mean(axis=0), atol=5 * error)
    np.testing.assert_allclose(x.std(axis=0), 0.7, rtol=5 / math.sqrt(2 * n))


def test_widths_and_notes():
    likelihood = Gaussian()
    assert (likelihood.data_width(6), likelihood.output_width(6)) == (6, 6)
    assert likelihood.note(255 * np.array([[0.0, 0.5]])) == ""


@pytest.mark.usefixtures("each_backend")
def test_a_numpy_number_does_not_promote_the_result():
    x = there(np.ones((2, 3)), "float32")
    assert Gaussian(np.float64(0.5)).forward(x, x).dtype == "float32"


@pytest.mark.parametrize(("sigma", "words"), [(0, "sigma=0"), (float("inf"), "sigma=inf")])
def test_a_spread_that_is_none_is_refused(sigma, words, refuses):
    with refuses(OptionError, words):
        Gaussian(sigma)
