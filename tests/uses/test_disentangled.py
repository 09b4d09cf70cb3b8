"""Total correlation, mutual information and gap where they are known without a sum."""

import math

import numpy as np
import pytest

from minivae.errors import OptionError, ShapeError
from minivae.uses.quality.disentangled import apart

FACTORS = np.indices((4, 5, 3)).reshape(3, -1).T  # 60 examples


def measure(mu, v=1e-4, seed=0, factors=FACTORS):
    mu = np.asarray(mu, dtype="float64")
    logvar = np.full_like(mu, math.log(v))
    return apart(mu, logvar, factors, rng=np.random.default_rng(seed))


def test_a_factor_a_dimension_is_a_gap_of_one_and_nothing_hangs_together():
    found = measure(FACTORS[:, [2, 0, 1]])
    assert found.gap == pytest.approx(1, abs=1e-9)
    assert found.total_correlation == pytest.approx(0, abs=1e-9)
    assert found.information == pytest.approx(math.log(60), abs=1e-9)
    expected = np.zeros((3, 3))
    expected[[1, 2, 0], [0, 1, 2]] = np.log([4, 5, 3])
    np.testing.assert_allclose(found.of_factors, expected, rtol=0, atol=1e-9)


def test_a_code_that_says_nothing_has_no_gap():
    found = measure(np.zeros((60, 3)), v=1.0)
    np.testing.assert_allclose(found.of_factors, 0, atol=1e-12)
    assert (found.gap, found.information) == pytest.approx((0, 0), abs=1e-12)
    assert found.from_prior == pytest.approx(0, abs=1e-12)


def test_the_same_factor_in_two_dimensions_has_no_gap_and_hangs_together():
    found = measure(FACTORS[:, [0, 0, 1, 1, 2, 2]])
    assert found.gap == pytest.approx(0, abs=1e-9)
    assert found.total_correlation == pytest.approx(math.log(60), abs=1e-9)


def test_turned_by_an_eighth_two_factors_are_in_both_dimensions():
    turned = FACTORS[:, :2] @ np.array([[1, 1], [1, -1]]) / math.sqrt(2)
    assert measure(np.column_stack([turned, FACTORS[:, 2]])).gap < 0.6


def test_a_correlated_gaussian_has_the_total_correlation_of_its_matrix():
    rho, v, N = 0.7, 0.05, 2000
    mu = np.random.default_rng(1).multivariate_normal([0, 0], [[1, rho], [rho, 1]], N)
    found = measure(mu, v=v, factors=np.arange(N)[:, None] % 2)
    expected = -0.5 * math.log(1 - (rho / (1 + v)) ** 2)
    assert found.total_correlation == pytest.approx(expected, abs=0.06)


def test_parts_of_the_rows_give_the_same(monkeypatch):
    from minivae.uses.quality import disentangled

    mu = np.random.default_rng(2).standard_normal((60, 3))
    whole = measure(mu, v=0.3)
    monkeypatch.setattr(disentangled, "AT_ONCE", 1000)
    parts = measure(mu, v=0.3)
    np.testing.assert_allclose(parts.of_factors, whole.of_factors, rtol=0, atol=1e-13)
    assert parts.total_correlation == pytest.approx(whole.total_correlation, abs=1e-13)


def test_what_does_not_fit_is_one_sentence(refuses):
    rng = np.random.default_rng(0)
    with refuses(ShapeError, "mu (60, 3), logvar (59, 3)"):
        apart(np.zeros((60, 3)), np.zeros((59, 3)), FACTORS, rng=rng)
    with refuses(OptionError, "factor 0", "equally often"):
        measure(np.zeros((60, 3)), factors=np.arange(60)[:, None] // 40)
