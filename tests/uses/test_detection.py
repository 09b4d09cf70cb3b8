"""AUROC, threshold and interval, against scikit-learn, SciPy and simulation."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from minivae.errors import DataError, OptionError, ShapeError
from minivae.uses.anomaly.rates import (
    MOST_HELD_OUT,
    auroc,
    enough_for,
    rank_of,
    split,
    threshold,
)


@pytest.mark.parametrize("m", [1, 7, 200])
@pytest.mark.parametrize("n", [1, 31])
@pytest.mark.parametrize("levels", [2, 5, 10**6])
def test_auroc_is_that_of_scikit_learn(m, n, levels):
    rng = np.random.default_rng(m + n + levels)
    odd, normal = rng.integers(0, levels, m) + 0.3 * levels, rng.integers(0, levels, n)
    y = np.repeat([1, 0], [m, n])
    expected = roc_auc_score(y, np.concatenate([odd, normal]))
    assert auroc(odd, normal) == pytest.approx(expected, abs=1e-12)
    pairs = (odd[:, None] > normal).mean() + (odd[:, None] == normal).mean() / 2
    assert auroc(odd, normal) == pytest.approx(pairs, abs=1e-12)


def test_auroc_at_its_ends():
    assert auroc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
    assert auroc(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 0
    assert auroc(np.ones(5), np.ones(3)) == 0.5
    assert auroc(np.array([np.inf, np.inf]), np.array([1.0, np.inf])) == 0.75


def test_auroc_refuses(refuses):
    with refuses(ShapeError, "(0,)"):
        auroc(np.array([]), np.ones(3))
    with refuses(ShapeError, "(2, 2)"):
        auroc(np.ones((2, 2)), np.ones(3))
    with refuses(DataError, "1 of 3 scores are NaN"):
        auroc(np.array([1.0, np.nan]), np.ones(1))


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95])
def test_a_threshold_keeps_its_promise(quantile):
    # Exchangeable scores: the expected share above is 1 - k / (n + 1), whatever the distribution.
    rng = np.random.default_rng(0)
    n = 39
    above = [
        (1 - stats.expon.cdf(threshold(rng.exponential(size=n), quantile))) for _ in range(4000)
    ]
    expected = 1 - rank_of(quantile, n) / (n + 1)
    assert expected <= 1 - quantile + 1e-12
    assert np.mean(above) == pytest.approx(expected, abs=4 * np.std(above) / math.sqrt(4000))


def test_a_threshold_is_one_of_the_scores():
    scores = np.arange(1.0, 20.0)
    assert threshold(scores[::-1], 0.95) == 19
    assert threshold(scores, 0.5) == 10
    assert threshold(np.arange(1.0, 100.0), 0.07) == 7


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_enough_is_just_enough(quantile):
    n = enough_for(quantile)
    assert rank_of(quantile, n) <= n
    assert rank_of(quantile, n - 1) > n - 1


def test_a_threshold_is_refused(refuses):
    with refuses(OptionError, "needs 19", "0.947 or less"):
        threshold(np.arange(18), 0.95)
    for quantile in (0, 1, 1.5):
        with refuses(OptionError, "between 0 and 1"):
            threshold(np.arange(18), quantile)
    with refuses(OptionError, "quantile=nan"):
        threshold(np.arange(18), float("nan"))


def test_a_split_has_every_row_once():
    first, second, rest = split(200, 0.2, 0.95, np.random.default_rng(0))
    assert (len(first), len(second), len(rest)) == (20, 20, 160)
    assert sorted([*first, *second, *rest]) == list(range(200))
    assert len(split(10**5, 0.5, 0.95, np.random.default_rng(0))[0]) == MOST_HELD_OUT
    assert len(split(10**5, 0.5, 0.9995, np.random.default_rng(0))[0]) == 1999


def test_a_split_of_too_few_is_refused(refuses):
    with refuses(DataError, "100 normal examples", "needs 19", "give 190 examples"):
        split(100, 0.2, 0.95, np.random.default_rng(0))
    with refuses(DataError, "0 of 40 normal examples"):
        split(40, 0.999, 0.95, np.random.default_rng(0))
