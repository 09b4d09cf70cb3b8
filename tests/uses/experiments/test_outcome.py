"""Tables, means and verdicts."""

import csv

import numpy as np
import pytest
from scipy import stats

from minivae.uses.experiments.outcome import column, mean_sd, order, steadier, verdict, write_csv

RECORDS = [
    {"model": "a", "seed": 0, "value": 1.0},
    {"model": "b", "seed": 0, "value": 5},
    {"model": "a", "seed": 1, "value": 1 / 3},
]


def test_a_csv_file_keeps_every_digit(tmp_path):
    write_csv(tmp_path / "x.csv", RECORDS)
    with open(tmp_path / "x.csv") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["value"]) for row in rows] == [1.0, 5.0, 1 / 3]
    assert list(rows[0]) == ["model", "seed", "value"]


def test_columns():
    np.testing.assert_array_equal(column(RECORDS, "value", model="a"), [1, 1 / 3])
    assert column(RECORDS, "value", model="c").size == 0


def test_means_and_deviations():
    assert mean_sd(np.array([1.0, 2.0, 3.0, 6.0])) == "3.00 ± 2.16"
    assert mean_sd(np.array([1.0]), 1) == "1.0"


def test_an_order_is_told_where_the_t_test_of_the_pairs_tells_it():
    rng = np.random.default_rng(0)
    told = []
    for shift in (0.0, 0.5, 1.0, -0.5, -1.0):
        for _ in range(20):
            a, b = shift + rng.standard_normal(6), rng.standard_normal(6)
            test = stats.ttest_rel(a, b)
            expected = int(np.sign(test.statistic)) if test.pvalue < 0.05 else 0
            assert order(a, b) == expected == -order(b, a)
            told.append(expected)
    assert set(told) == {-1, 0, 1}
    assert order(a[:1], a[:1] + 9) == 0, "one seed tells nothing"
    assert order(np.array([1.0, np.nan]), np.array([2.0, 2.0])) == 0


def test_the_steadier_is_told_from_a_factor_of_one_and_a_half_on():
    assert (steadier(1.0, 1.6), steadier(1.6, 1.0), steadier(1.0, 1.4)) == (1, -1, 0)
    assert (steadier(0.0, 0.1), steadier(0.0, 0.0), steadier(np.nan, 1.0)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("outcome", "word"), [(1, ": confirmed;"), (-1, ": refuted;"), (0, ": not confirmed (")]
)
def test_verdicts(outcome, word):
    assert verdict("It rains", outcome, "3 against 2").startswith(f"It rains{word}")
