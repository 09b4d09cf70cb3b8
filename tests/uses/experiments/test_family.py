import csv

import pytest

from minivae.models import MODELS
from minivae.uses.experiments import family

pytestmark = pytest.mark.slow


def test_every_member_is_trained_and_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(family, "SECONDS", 0.05)
    monkeypatch.setattr(family, "HIDDEN", (16,))
    monkeypatch.setattr(family, "IMPORTANCE", 5)
    monkeypatch.setattr(family, "FEW", 20)
    summary = family.run(tmp_path, seeds=1, progress=False)
    with open(tmp_path / "family.csv", newline="") as file:
        records = list(csv.DictReader(file))
    kinds = [record["model"] for record in records]
    assert kinds == list(family.family())
    assert {"vae", "flow", "vq"} <= set(kinds)
    assert "cvae" not in kinds
    assert "gan" not in kinds
    for record in records:
        assert int(record["epochs"]) >= 2
        # Below what a coin for each pixel has, 784 ln 2; above what no model of digits reaches.
        assert -600 < float(record["elbo"]) < -50
        assert 0 <= float(record["used"]) <= float(record["of"])
    (title, header, rows) = summary["tables"][0]
    assert len(rows) == len(kinds)
    assert all(len(row) == len(header) for row in rows)
    assert title == "after 0 s of processor time each, 1 seed"
    assert rows[0][0] == MODELS["vae"].title.removeprefix("a ")
    assert (tmp_path / "family.png").stat().st_size > 10_000
