"""Which column is to blame for a row's score."""

import numpy as np
import pytest

from minivae.uses.anomaly import detector as anomaly
from minivae.uses.anomaly.odd import odd_columns
from minivae.uses.anomaly.scores import score

NAMES = ["age", "income", "height", "weight", "hours"]


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """A detector of people whose income rises with age and weight with height; mean and sd."""
    rng = np.random.default_rng(0)
    age, height = rng.integers(20, 70, 600), rng.normal(172, 8, 600)
    income = 2000 + 30 * (age - 20) + rng.normal(0, 300, 600)
    weight = (height - 100) * 0.9 + rng.normal(0, 6, 600)
    x = np.column_stack([age, income, height, weight, rng.normal(38, 4, 600)])
    path = tmp_path_factory.mktemp("people") / "people.csv"
    np.savetxt(path, x, delimiter=",", header=",".join(NAMES), comments="", fmt="%.6g")
    return anomaly.fit(path, epochs=100), x.mean(axis=0), x.std(axis=0)


def named(detector, x):
    u = detector.form.apply(np.array(x, float))
    scores = score(detector.model, u, detector.noise)["neg_elbo"]
    return odd_columns(detector, u, scores, "neg_elbo")


@pytest.mark.parametrize("sds", [12, 30, 581, 1e6, 1e200])
@pytest.mark.parametrize("column", range(5))
def test_a_value_far_away_is_blamed_on_its_column(people, column, sds):
    detector, mean, sd = people
    x = mean.copy()
    x[column] += sds * sd[column]
    assert named(detector, [x]) == [NAMES[column]]


def test_what_raises_no_alarm_has_no_odd_column(people):
    detector, mean, _ = people
    assert named(detector, [mean, mean]) == ["", ""]


def test_no_column_is_blamed_for_what_two_did(people):
    detector, mean, sd = people
    both = mean + np.array([0, 40, 0, 0, 40]) * sd
    either = mean.copy()
    either[[0, 1]] = 25, 4300  # a young person's age, or an old one's income
    assert named(detector, [both, either]) == ["", ""]


def test_rows_are_judged_each_by_itself(people, monkeypatch):
    detector, mean, sd = people
    x = np.tile(mean, (30, 1))
    x[np.arange(30), np.arange(30) % 5] += 50 * sd[np.arange(30) % 5]
    together = named(detector, x)
    assert together == [NAMES[i % 5] for i in range(30)]
    monkeypatch.setattr("minivae.uses.anomaly.odd.NUMBERS", 1)
    assert named(detector, x) == together


def test_of_many_columns_the_likely_ones_are_tried(monkeypatch):
    monkeypatch.setattr("minivae.uses.anomaly.odd.CANDIDATES", 2)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 12))
    detector = anomaly.fit(x, epochs=20)
    odd = np.zeros((12, 12))
    odd[np.arange(12), np.arange(12)] = 40
    assert named(detector, odd) == [str(d) for d in range(12)]
