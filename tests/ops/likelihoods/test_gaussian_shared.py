"""The Gaussian likelihood with one learned variance against SciPy, SymPy and its integral."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from minivae.ops import GaussianShared
from minivae.ops.likelihoods.gaussian_shared import shared_backward, shared_forward
from oracles import log_normal, same, standard_normal, values


def oracle(torch, mean, logvar, x):
    normal = torch.distributions.Normal(mean, logvar.exp().sqrt(), validate_args=False)
    return -normal.log_prob(x).sum(-1)


def test_formula():
    x, mu, logvar = sp.symbols("x mu v", real=True)
    nll = -log_normal(x, mu, logvar)
    means, _, data = standard_normal(1, 3, 4, 5)
    at, dnll = {"x": data, "mu": means, "v": np.full_like(means, -0.7)}, standard_normal(1, 4)
    value, cache = shared_forward(means, np.array([-0.7]), data)
    same(value, values(nll, **at).sum(axis=1))
    dmean, dlogvar = shared_backward(dnll, *cache)
    same(dmean, dnll[:, None] * values(sp.diff(nll, mu), **at))
    same(dlogvar, [(dnll[:, None] * values(sp.diff(nll, logvar), **at)).sum()])


def test_it_integrates_to_one():
    mean, logvar = 0.4, -0.9
    sigma = math.exp(logvar / 2)

    def density(x):
        nll, _ = shared_forward(np.array([[mean]]), np.array([logvar]), np.array([[x]]))
        return math.exp(-nll.item())

    total, _ = integrate.quad(density, mean - 12 * sigma, mean + 12 * sigma, epsabs=1e-12)
    assert total == pytest.approx(1, abs=1e-10)


def test_value_is_scipys():
    mean, _, x = standard_normal(9, 3, 4, 6)
    shared = np.array([-0.8])
    expected = -stats.norm.logpdf(x, mean, np.exp(shared / 2)).sum(axis=-1)
    np.testing.assert_allclose(shared_forward(mean, shared, x)[0], expected, rtol=1e-12)


def test_draws_have_the_mean_and_the_spread():
    n = 40_000
    out = np.tile([0.3, -0.6], (n, 1))
    likelihood = GaussianShared(dtype="float64")
    likelihood.params["logvar"][...] = -1.3
    x = likelihood.draw(out, np.random.default_rng(16))
    error = x.std(axis=0).max() / math.sqrt(n)
    np.testing.assert_allclose(likelihood.mean(out)[0], x.mean(axis=0), atol=5 * error)
    np.testing.assert_allclose(x.std(axis=0), math.exp(-0.65), rtol=5 / math.sqrt(2 * n))


def test_widths_and_notes():
    likelihood = GaussianShared()
    assert (likelihood.data_width(6), likelihood.output_width(6)) == (6, 6)
    assert likelihood.note(255 * np.array([[0.0, 0.5]])) == ""
