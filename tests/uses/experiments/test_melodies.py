"""The experiment on sequences: each measure where its value is known, and a small run of it all."""

import json

import numpy as np
import pytest

from minivae import data
from minivae.cli.main import main
from minivae.uses.experiments import between, melodies
from minivae.uses.experiments.ngram import NGram

NAMES = data.load("names")


def test_the_information_of_codes_that_are_far_apart_is_ln_n_and_of_equal_ones_nothing():
    eps = np.random.default_rng(0).standard_normal((50, 2))
    apart = 1000.0 * np.arange(100).reshape(50, 2)
    sharp = np.full((50, 2), -4.0)
    assert melodies.information(apart, sharp, eps) == pytest.approx(np.log(50), abs=1e-9)
    assert melodies.information(0 * apart, 0 * sharp, eps) == pytest.approx(0, abs=1e-12)


def test_pairs_are_of_two_different_examples():
    a, b = between.pairs(7)
    assert len(a) == len(b) == between.PAIRS
    assert (a != b).all()
    assert set(a) | set(b) == set(range(7))


def test_steps_that_differ_are_counted_where_there_is_a_symbol():
    path = np.array([[[1, 2, 3, 0]], [[1, 3, 0, 0]], [[2, 1, 2, 3]]])
    end = np.array([[1, 2, 3, 0]])
    np.testing.assert_allclose(between.differing(path, end)[:, 0], [0, 2 / 3, 1])


def test_a_crossfade_starts_at_one_end_and_leaves_it_for_the_other():
    x = NAMES.x_test[:60]
    found = between.crossfaded(NAMES, x, NGram(NAMES.x_train[:200], 27, 2))
    assert not found["from the first"][0].any()
    assert not found["from the second"][-1].any()
    away = found["from the first"].mean(axis=1)
    assert (np.diff(away) > 0).all()
    assert np.isfinite(found["cost"]).all()


def test_a_small_run_of_it_all(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for name, value in {"EPOCHS": 1, "MOST": 40, "IMPORTANCE": 2, "LATENT": 2}.items():
        monkeypatch.setattr(melodies, name, value)
    monkeypatch.setattr(melodies, "SIZES", {"states": 8, "embedding": 4})
    monkeypatch.setattr(melodies.datasets, "load", lambda name: small)
    small = data.dataset.thin(NAMES, 100)
    assert (
        main(["compare", "melodies", "--sequences", "names", "--seeds", "1", "--out", "made"]) == 0
    )
    summary = json.loads((tmp_path / "made/melodies/summary.json").read_text())
    _, ways, paths = summary["tables"]
    assert [row[0] for row in ways[2]] == list(melodies.WAYS)
    assert [row[0] for row in paths[2]] == [*melodies.WAYS, "crossfade"]
    assert (tmp_path / "made/melodies/interpolation.png").exists()
    assert "I(x; z)" in capsys.readouterr().out
    lines = (tmp_path / "made/melodies/interpolation.csv").read_text().splitlines()
    assert len(lines) == 1 + 5 * between.POINTS
