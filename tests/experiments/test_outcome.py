"""Tables, means and verdicts."""

import csv

import numpy as np
import pytest

from minivae.experiments.outcome import column, mean_sd, order, verdict, write_csv

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


def test_orders():
    low, high = np.array([1.0, 1.1, 0.9, 1.0]), np.array([2.0, 2.1, 1.9, 2.2])
    assert (order(high, low), order(low, high)) == (1, -1)
    assert order(low, low + 0.01 * np.array([1, -1, 1, -1])) == 0
    assert order(low[:1], high[:1]) == 0, "one seed tells nothing"


@pytest.mark.parametrize(
    ("outcome", "word"), [(1, ": confirmed;"), (-1, ": refuted;"), (0, ": not confirmed (")]
)
def test_verdicts(outcome, word):
    assert verdict("It rains", outcome, "3 against 2").startswith(f"It rains{word}")
