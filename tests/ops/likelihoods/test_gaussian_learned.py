"""The Gaussian likelihood with a variance for each dimension against SciPy, SymPy, its integral."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from minivae.ops import GaussianLearned
from minivae.ops.likelihoods.gaussian_learned import backward, forward
from oracles import log_normal, same, standard_normal, values


def oracle(torch, mean, logvar, x):
    return torch.nn.functional.gaussian_nll_loss(
        mean, x, logvar.exp(), full=True, eps=0, reduction="none"
    ).sum(-1)


def test_formula():
    x, mu, logvar = sp.symbols("x mu v", real=True)
    nll = -log_normal(x, mu, logvar)
    means, logvars, data = standard_normal(1, 3, 4, 5)
    at, dnll = {"x": data, "mu": means, "v": logvars}, standard_normal(1, 4)
    value, cache = forward(means, logvars, data)
    same(value, values(nll, **at).sum(axis=1))
    dmean, dlogvar = backward(dnll, *cache)
    same(dmean, dnll[:, None] * values(sp.diff(nll, mu), **at))
    same(dlogvar, dnll[:, None] * values(sp.diff(nll, logvar), **at))


def test_it_integrates_to_one():
    mean, logvar = 0.4, -0.9
    sigma = math.exp(logvar / 2)

    def density(x):
        nll, _ = forward(np.array([[mean]]), np.array([[logvar]]), np.array([[x]]))
        return math.exp(-nll.item())

    total, _ = integrate.quad(density, mean - 12 * sigma, mean + 12 * sigma, epsabs=1e-12)
    assert total == pytest.approx(1, abs=1e-10)


def test_value_is_scipys():
    mean, logvar, x = standard_normal(9, 3, 4, 6)
    expected = -stats.norm.logpdf(x, mean, np.exp(logvar / 2)).sum(axis=-1)
    np.testing.assert_allclose(forward(mean, logvar, x)[0], expected, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_logvar_of_thirty(dtype, logvar):
    close = {"rtol": 20 * np.finfo(dtype).eps}
    mean, v = np.array([[0.25]], dtype), np.array([[logvar]], dtype)
    nll, cache = forward(mean, v, 2 * np.ones_like(mean))
    variance = math.exp(logvar)
    error = 1.75**2 / variance
    np.testing.assert_allclose(nll, [(error + logvar + math.log(2 * math.pi)) / 2], **close)
    dmean, dlogvar = backward(np.ones_like(nll), *cache)
    np.testing.assert_allclose(dmean, [[-1.75 / variance]], **close)
    np.testing.assert_allclose(dlogvar, [[(1 - error) / 2]], **close)


def test_draws_have_the_mean_and_the_spread():
    n = 40_000
    mean, logvar = np.array([0.3, -0.6]), np.array([-1.0, 0.4])
    out = np.tile(np.concatenate([mean, logvar]), (n, 1))
    likelihood = GaussianLearned(dtype="float64")
    x = likelihood.draw(out, np.random.default_rng(16))
    error = x.std(axis=0).max() / math.sqrt(n)
    np.testing.assert_allclose(likelihood.mean(out)[0], x.mean(axis=0), atol=5 * error)
    np.testing.assert_allclose(x.std(axis=0), np.exp(logvar / 2), rtol=5 / math.sqrt(2 * n))


def test_widths_and_notes():
    likelihood = GaussianLearned()
    assert (likelihood.data_width(6), likelihood.output_width(6)) == (6, 12)
    assert likelihood.note(255 * np.array([[0.0, 0.5]])) == ""
