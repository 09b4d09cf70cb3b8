"""Mixtures of Gaussians: what is counted, and the energy distance."""

import numpy as np
import pytest
from scipy import stats

from minivae.uses.experiments.mixtures import HIGHEST, SAMPLES, energy_distance, grid, ring

both = pytest.mark.parametrize("mixture", [ring(), grid()], ids=lambda m: m.name)


def test_the_published_mixtures():
    assert ring().means.shape == (8, 2)
    np.testing.assert_allclose(np.linalg.norm(ring().means, axis=1), 1, rtol=1e-12)
    assert len(np.unique(np.round(ring().means, 6), axis=0)) == 8
    assert sorted(map(tuple, grid().means)) == [
        (i, j) for i in (-4, -2, 0, 2, 4) for j in (-4, -2, 0, 2, 4)
    ]
    assert (ring().sigma, grid().sigma) == (0.01, 0.05)


@both
def test_draws_have_the_moments_of_the_mixture(mixture):
    x = mixture.draw(100_000, np.random.default_rng(0))
    assert x.dtype == np.float32
    expected = mixture.means.T @ mixture.means / len(mixture.means)
    expected += mixture.sigma**2 * np.eye(2)
    np.testing.assert_allclose(np.cov(x.T), expected, rtol=0.02, atol=0.02 * expected.max())
    np.testing.assert_array_equal(x, mixture.draw(100_000, np.random.default_rng(0)))


@both
def test_the_data_themselves_cover_everything(mixture):
    modes, quality = mixture.coverage(mixture.draw(100_000, np.random.default_rng(1)))
    assert modes == len(mixture.means)
    # The radius of a round Gaussian is Rayleigh distributed.
    assert pytest.approx(stats.rayleigh.cdf(3), rel=1e-12) == HIGHEST
    assert quality == pytest.approx(HIGHEST, abs=4 * np.sqrt(HIGHEST * (1 - HIGHEST) / 1e5))


@both
def test_what_counts_as_covered(mixture):
    first, last = mixture.means[0], mixture.means[-1]
    beside = first + np.array([0, 2.9 * mixture.sigma])
    outside = last + np.array([0, 3.1 * mixture.sigma])
    assert mixture.coverage(np.array([beside, outside])) == (1, 0.5)
    assert mixture.coverage(np.array([outside])) == (0, 0.0)
    assert mixture.coverage(np.array([beside, first, last])) == (2, 1.0)


def test_energy_distance_is_scipys_squared():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((300, 1)), 0.5 + 2 * rng.standard_normal((200, 1))
    expected = stats.energy_distance(x[:, 0], y[:, 0]) ** 2
    assert energy_distance(x, y) == pytest.approx(expected, rel=1e-6)
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-7)


def test_energy_distance_sees_a_missing_mode():
    rng = np.random.default_rng(3)
    mixture = ring()
    x, y = mixture.draw(SAMPLES, rng), mixture.draw(SAMPLES, rng)
    missing = y[np.linalg.norm(y - mixture.means[0], axis=1) > 0.2]
    assert energy_distance(x, y) < 0.003 < 2 * 0.003 < energy_distance(x, missing)
