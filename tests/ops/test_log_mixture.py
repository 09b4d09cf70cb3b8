"""The log-density of a mixture: one component, several, the same twice, and its integral."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from minivae.ops import log_mixture
from oracles import standard_normal


def oracle(torch, z, mu, logvar):
    one = torch.distributions.Normal(mu, (logvar / 2).exp(), validate_args=False)
    parts = torch.distributions.Independent(one, 1, validate_args=False)
    weights = torch.distributions.Categorical(torch.ones(len(mu), dtype=mu.dtype))
    mixture = torch.distributions.MixtureSameFamily(weights, parts, validate_args=False)
    return mixture.log_prob(z)


def test_one_component_is_a_gaussian():
    z, (mu, logvar) = standard_normal(0, 5, 3), standard_normal(1, 2, 1, 3)
    expected = stats.norm(mu, np.exp(logvar / 2)).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(log_mixture.forward(z, mu, logvar)[0], expected, rtol=1e-13)


def test_several_are_the_mean_of_their_densities_and_one_twice_changes_nothing():
    z, (mu, logvar) = standard_normal(2, 5, 3), standard_normal(3, 2, 4, 3)
    y, cache = log_mixture.forward(z, mu, logvar)
    each = stats.norm(mu, np.exp(logvar / 2)).logpdf(z[:, None]).sum(axis=2)
    np.testing.assert_allclose(y, special.logsumexp(each, axis=1) - np.log(4), rtol=1e-13)
    twice, cache_twice = log_mixture.forward(z, np.tile(mu, (3, 1)), np.tile(logvar, (3, 1)))
    np.testing.assert_allclose(twice, y, rtol=1e-13)
    dz, dmu, dlogvar = log_mixture.backward(np.ones(5), *cache)
    dz_twice, dmu_twice, dlogvar_twice = log_mixture.backward(np.ones(5), *cache_twice)
    np.testing.assert_allclose(dz_twice, dz, rtol=1e-12)
    np.testing.assert_allclose(dmu_twice.reshape(3, 4, 3).sum(axis=0), dmu, rtol=1e-12)
    np.testing.assert_allclose(dlogvar_twice.reshape(3, 4, 3).sum(axis=0), dlogvar, rtol=1e-12)


def test_it_integrates_to_one():
    mu, logvar = np.array([[-2.0], [0.5], [3.0]]), np.array([[0.4], [-3.0], [1.0]])
    total, error = integrate.quad(
        lambda z: np.exp(log_mixture.forward(np.array([[z]]), mu, logvar)[0].item()),
        *(-30, 30),
        points=[-2, 0.5, 3],
        epsabs=1e-11,
        limit=300,
    )
    assert error < 1e-7
    assert total == pytest.approx(1, abs=1e-10)


def test_far_from_every_component_nothing_overflows():
    z, mu, logvar = np.full((1, 2), 1e3), np.zeros((3, 2)), np.zeros((3, 2))
    y, cache = log_mixture.forward(z.astype("f4"), mu.astype("f4"), logvar.astype("f4"))
    assert y.item() == pytest.approx(-1e6 - np.log(2 * np.pi), rel=1e-6)
    np.testing.assert_allclose(log_mixture.backward(np.ones(1, "f4"), *cache)[0], -z)
