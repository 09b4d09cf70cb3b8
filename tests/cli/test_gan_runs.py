"""`minivae train --model gan`, and what the other commands make of such a run."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.train.runs import open_run

SMALL = ("digits8", "--model", "gan", "--hidden", 12, "--limit", 100, "--batch", 32)


def call(*words):
    return main([str(word) for word in words])


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def gan(tmp_path_factory):
    """A run that no test changes."""
    folder = tmp_path_factory.mktemp("gan") / "run"
    words = ("--latent", 2, "--epochs", 2, "--label-smoothing", 0.1, "--out", folder)
    assert call("train", *SMALL, *words) == 0
    return folder


def test_a_training_leaves_numbers_and_pictures(gan, capsys):
    pictures = {"samples.png", "curves.png", "manifold.png"}
    files = {path.name for path in gan.iterdir()}
    assert files == {"checkpoint.npz", "config.json", "metrics.csv"} | pictures
    with open(gan / "metrics.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "d_loss", "g_loss"]
    config = json.loads((gan / "config.json").read_text())
    assert (config["optimizer"]["beta1"], config["optimizer"]["lr"]) == (0.5, 2e-4)
    assert config["model"]["label_smoothing"] == 0.1
    assert config["options"]["binarize"] == "none"  # grey fakes beside binary data would be found


def test_what_is_printed_are_the_losses_of_the_players(capsys):
    assert call("train", *SMALL, "--epochs", 1) == 0
    out = capsys.readouterr().out
    assert "d loss" in out
    assert "g loss" in out
    assert "each player's own" in out


def test_a_resumed_run_is_the_whole_one(gan, capsys):
    words = ("--latent", 2, "--label-smoothing", 0.1, "--quiet")
    assert call("train", *SMALL, *words, "--epochs", 1, "--out", "half") == 0
    assert call("train", "--resume", "half", "--epochs", 2, "--quiet") == 0
    whole, half = open_run(gan).training, open_run("half").training
    np.testing.assert_array_equal(half.model.params.theta, whole.model.params.theta)
    assert half.history == whole.history


def test_samples_and_their_seed(gan):
    for name in ("a.npz", "b.npz"):
        assert call("sample", gan, "--n", 9, "--seed", 3, "--out", name) == 0
    a, b = (np.load(name)["x"] for name in ("a.npz", "b.npz"))
    np.testing.assert_array_equal(a, b)
    assert a.shape == (9, 8, 8)
    assert call("sample", gan, "--n", 9, "--out", "c.png") == 0


def test_its_samples_are_judged(gan, capsys):
    assert call("evaluate", gan, "--quality") == 0
    out = capsys.readouterr().out
    assert "nll" not in out
    assert "GAN(64-12-2" in out
    assert call("evaluate", gan, "--quality", "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert set(numbers) == {"run", "model", "epochs", "quality"}
    assert numbers["quality"]["samples"]["frechet"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("sample GAN --draw", "gives the data themselves"),
        ("reconstruct GAN", "a GAN has no encoder"),
        ("evaluate GAN", "under which data have no loss"),
        ("evaluate GAN --quality --importance-samples 5", "--quality alone"),
    ],
)
def test_what_a_gan_cannot_do_is_one_sentence(gan, words, message, capsys):
    before = sorted(Path().rglob("*"))
    assert call(*words.replace("GAN", str(gan)).split()) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err
    assert sorted(Path().rglob("*")) == before
