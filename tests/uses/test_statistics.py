"""Intervals: SciPy's numbers, and how often they hold what they promise to hold."""

import numpy as np
import pytest
from scipy import stats

from minivae.errors import DataError, OptionError
from minivae.uses.statistics import Interval, mean_interval, proportion_interval, student_quantile


@pytest.mark.parametrize("dof", [1, 2, 3, 4, 5, 6, 19, 40, 999])
@pytest.mark.parametrize("p", [0.001, 0.05, 0.4, 0.5, 0.7, 0.975, 0.9995])
def test_students_quantile_is_scipys(p, dof):
    assert student_quantile(p, dof) == pytest.approx(stats.t.ppf(p, dof), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
def test_the_interval_of_a_mean_is_scipys(confidence):
    x = np.random.default_rng(0).normal(3, 2, size=20)
    interval = mean_interval(x, confidence)
    expected = stats.t.interval(confidence, 19, loc=x.mean(), scale=stats.sem(x))
    assert (interval.low, interval.high) == pytest.approx(expected, rel=1e-12)
    assert interval.value == pytest.approx(x.mean())


def test_the_interval_of_paired_differences_is_that_of_the_paired_test():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=12), rng.normal(size=12)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    interval = mean_interval(a - b)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


@pytest.mark.parametrize("n", [1, 9, 40, 1000, 20_000])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_interval_of_a_proportion_is_scipys(n, level):
    for k in sorted({0, 1, n // 20, n // 2, n - 1, n}):
        interval = proportion_interval(k, n, level)
        expected = stats.binomtest(k, n).proportion_ci(level, method="exact")
        assert (interval.low, interval.high) == pytest.approx(tuple(expected), abs=1e-9)
        assert interval.value == k / n


def test_the_interval_of_a_proportion_covers_the_true_rate():
    # Summed over all outcomes, exactly: the interval's coverage is 95 percent or more.
    for p in (0.01, 0.05, 0.3):
        found = [proportion_interval(k, 60) for k in range(61)]
        covered = [interval.low <= p <= interval.high for interval in found]
        assert stats.binom.pmf(np.arange(61), 60, p)[covered].sum() >= 0.95


def test_95_percent_of_the_intervals_hold_the_mean():
    draws = np.random.default_rng(2).normal(0.5, 1, size=(2000, 5))
    held = [interval.low < 0.5 < interval.high for interval in map(mean_interval, draws)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)  # three standard errors of 2000


def test_an_interval_is_printed_in_one_go():
    assert f"{Interval(0.925, 0.9, 0.94):.2f}" == "0.93 [0.90, 0.94]"


def test_what_has_no_interval_is_refused(refuses):
    with refuses(DataError, "1 values", "at least two"):
        mean_interval([0.5])
    with refuses(OptionError, "nan", "finite"):
        mean_interval([0.5, np.nan, 1])
    with refuses(DataError, "finite"):
        mean_interval(np.array([0.5, np.nan, 1]))
    with refuses(OptionError, "1.5"):
        mean_interval([0.5, 1], confidence=2.0)
    for k, n in ((7, 5), (-1, 2), (0, 0)):
        with refuses(OptionError, f"{k} of {n}"):
            proportion_interval(k, n)
    with refuses(OptionError, "probability 1 was given"):
        proportion_interval(1, 2, confidence=1)
    with refuses(OptionError, "dof=0"):
        student_quantile(0.9, 0)
