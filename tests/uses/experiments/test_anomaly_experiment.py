"""The experiments on anomalies, in small: what is computed, written and said."""

import csv
import sys

import numpy as np
import pytest
from matplotlib.image import imread
from sklearn.metrics import roc_auc_score

from minivae.data import load
from minivae.errors import OptionError
from minivae.uses.experiments import anomaly, tumours


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(anomaly, "LATENTS", (2,))
    monkeypatch.setattr(anomaly, "EPOCHS", 1)
    monkeypatch.setattr(anomaly, "SAMPLES", 2)
    monkeypatch.setattr(anomaly, "load", lambda name: load(name, limit=200))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_digits(small, tmp_path):
    found = anomaly.run(tmp_path, seeds=1, progress=False)
    records = read(tmp_path / "anomaly.csv")
    assert len(records) == 10 * 9  # five scores, ink and outline, and a score less either
    data = load("mnist5k", limit=200)
    for r in records:
        if r["score"] == "ink":
            odd = data.y_test == int(r["digit"])
            expected = roc_auc_score(odd, data.x_test.sum(axis=1))
            assert float(r["auroc"]) == pytest.approx(expected, abs=0.02)  # float32 ties
    ((title, header, rows),) = found["tables"]
    assert "1 seed" in title
    assert header == ["score", *"0123456789", "mean"]
    assert len(rows) == 5 + 2 + 2 + 2
    elbo = next(row for row in rows if row[0] == "-ELBO, Z = 2")
    numbers = [float(r["auroc"]) for r in records if r["score"] == "neg_elbo"]
    assert elbo[1:] == [f"{v:.2f}" for v in [*numbers, np.mean(numbers)]]
    published = next(row for row in rows if row[0] == "published, -ELBO, Z = 32")
    assert published[2] == "0.09"
    for name in found["pictures"]:
        assert imread(tmp_path / name).std() > 0.05
    assert f"{numbers[1]:.2f}" in found["text"]
    assert {path.name for path in tmp_path.iterdir()} == {"anomaly.csv", *found["pictures"]}


def test_digits_repeat(small):
    one, same = (anomaly.digits([0], progress=False)[0] for _ in range(2))
    assert one == same


def test_tumours(monkeypatch, tmp_path):
    monkeypatch.setattr(tumours, "LATENTS", (2,))
    monkeypatch.setattr(tumours, "EPOCHS", 2)
    found = tumours.run(tmp_path, seeds=2, progress=False)
    records = read(tmp_path / "tumours.csv")
    assert len(records) == 2 * (2 * 5 + 2)
    ((_, header, rows),) = found["tables"]
    assert len(header) == 6
    assert [row[0] for row in rows][-2:] == ["distance from the mean", "isolation forest"]
    values = [float(r["auroc"]) for r in records if r["model"] == "isolation forest"]
    assert rows[-1][1] == f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"
    assert found["text"].count("AUROC") == 1


def test_without_scikit_learn(monkeypatch, tmp_path, refuses):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with refuses(OptionError, "pip install scikit-learn"):
        tumours.run(tmp_path, seeds=1, progress=False)
    assert not list(tmp_path.iterdir())
