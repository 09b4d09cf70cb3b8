"""The experiment on importance-weighted bounds: its recipe, and going on where it stopped."""

import csv

import numpy as np
import pytest

from minivae import data as datasets
from minivae.errors import CheckpointError, DataError, OptionError
from minivae.train.evaluate import log_likelihood
from minivae.train.prepare import prepare_data
from minivae.train.runs import open_run
from minivae.uses.experiments import iwae


@pytest.fixture
def tiny(monkeypatch):
    """A recipe of 4 epochs on few 8x8 digits, scored in 5 blocks."""
    digits = datasets.load("digits8", limit=100)
    monkeypatch.setattr(iwae, "HIDDEN", (8,))
    monkeypatch.setattr(iwae, "LATENT", 3)
    monkeypatch.setattr(iwae, "IMPORTANCE", 7)
    monkeypatch.setattr(iwae, "BLOCK", 20)
    monkeypatch.setattr(iwae, "load", lambda name: (digits, "digits8"))
    return digits


FOUR = 4 / 3280


def test_the_whole_recipe_is_the_published_one():
    rates = [1e-3, 7.2e-4, 5.2e-4, 3.7e-4, 2.7e-4, 1.9e-4, 1.4e-4, 1e-4]
    expected = [rate for i, rate in enumerate(rates) for _ in range(3**i)]
    assert len(expected) == iwae.epochs_of(1.0) == 3280
    np.testing.assert_allclose([iwae.rate(e, 1.0) for e in range(3280)], expected, rtol=1e-12)


def test_a_tenth_has_the_same_share_of_each_rate():
    assert iwae.epochs_of(0.1) == 328
    rates = [iwae.rate(e, 0.1) for e in range(328)]
    assert rates == sorted(rates, reverse=True)
    # The last stages have 72.9 and 218.7 of the epochs.
    assert rates.count(pytest.approx(1.4e-4)) in (72, 73)
    assert rates.count(pytest.approx(1e-4)) in (218, 219)


def test_what_was_interrupted_gives_the_same_files(tiny, tmp_path, monkeypatch):
    how = {"k": [1, 3], "fraction": FOUR, "progress": False}
    whole = iwae.run(tmp_path / "whole", **how)

    saved, save = [], iwae.Run.save

    def interrupted(self):
        save(self)
        saved.append(self.folder.name)
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(iwae.Run, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        iwae.run(tmp_path / "halves", **how)
    assert open_run(tmp_path / "halves" / "k1-seed0").saved_epochs == 2

    scored, estimate = [], iwae.log_likelihood

    def stopped(*given, **options):
        scored.append(1)
        if len(scored) == 3:
            raise KeyboardInterrupt
        return estimate(*given, **options)

    monkeypatch.setattr(iwae, "log_likelihood", stopped)
    with pytest.raises(KeyboardInterrupt):
        iwae.run(tmp_path / "halves", **how)
    assert len(np.load(tmp_path / "halves" / "k1-seed0" / "scores.npy")) == 40

    assert iwae.run(tmp_path / "halves", **how) == whole
    assert len(scored) == 3 + 3 + 5  # nothing was scored twice but the block that was cut
    for name in ("iwae.csv", "k1-seed0/scores.npy", "k3-seed0/metrics.csv"):
        assert (tmp_path / "halves" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_the_numbers_are_those_of_the_run(tiny, tmp_path):
    summary = iwae.run(tmp_path, k=[2], fraction=FOUR, progress=False)
    with open(tmp_path / "iwae.csv", newline="") as file:
        (record,) = csv.DictReader(file)
    run = open_run(tmp_path / "k2-seed0")
    assert run.training.model.samples == 2
    assert int(record["epochs"]) == len(run.training.history) == 4
    x = prepare_data(tiny.pixels_test, run.training.settings, "val")
    rng = np.random.default_rng(5)
    again = log_likelihood(run.training.model, x, rng=rng, samples=200)
    # 7 samples bound it from below, and by little after so short a training.
    assert 0 < float(record["nll"]) + again.mean() < 3
    title, header, rows = summary["tables"][0]
    assert title == "-ln p(x) in nats, digits8, 100 test examples"
    assert header == ["", "minivae, 4 epochs", "active units"]
    assert rows[0][:2] == ["K = 2", f"{float(record['nll']):.2f}"]


def test_what_others_found_stands_beside_mnist_alone(tiny):
    record = {"k": 5, "epochs": 328, "nll": 86.0, "active": 20}
    _, header, rows = iwae.table([record], tiny)
    assert len(header) == 3
    mnist = datasets.Dataset(
        "mnist", tiny.x_train, tiny.y_train, tiny.x_test, tiny.y_test, tiny.shape
    )
    _, header, rows = iwae.table([record], mnist)
    assert header[2].startswith("Burda")
    assert rows == [["K = 5", "86.00", "85.54", "85.50", "85.46", "88.49", "20"]]


def test_other_data_or_epochs_than_those_it_was_begun_with_are_refused(tiny, tmp_path, monkeypatch):
    iwae.run(tmp_path, k=[1], fraction=FOUR, progress=False)
    with pytest.raises(
        CheckpointError, match="was begun with 4 epochs on digits8, but 7 on digits8"
    ):
        iwae.run(tmp_path, k=[1], fraction=7 / 3280, progress=False)
    other = datasets.load("digits8", limit=50)
    monkeypatch.setattr(iwae, "load", lambda name: (other, "digits8"))
    with pytest.raises(CheckpointError, match="was begun with"):
        iwae.run(tmp_path, k=[1], fraction=FOUR, progress=False)


@pytest.mark.parametrize("content", [b"", b"text", b"\x93NUMPY\x01\x00"])
def test_damaged_scores_are_one_sentence(tiny, tmp_path, content):
    iwae.run(tmp_path, k=[1], fraction=FOUR, progress=False)
    (tmp_path / "k1-seed0" / "scores.npy").write_bytes(content)
    with pytest.raises(CheckpointError, match="holds no scores that can be read; delete it"):
        iwae.run(tmp_path, k=[1], fraction=FOUR, progress=False)


@pytest.mark.parametrize("bad", [{"k": [0]}, {"k": []}, {"fraction": 0.0}, {"fraction": 1.5}])
def test_a_recipe_that_is_none_is_refused(tmp_path, bad):
    with pytest.raises(OptionError, match="each K must be at least 1"):
        iwae.run(tmp_path, progress=False, **bad)


def test_without_mnist_the_digits_that_are_always_there(monkeypatch):
    def load(name):
        if name == "mnist":
            raise DataError("it is not here.")
        return name

    monkeypatch.setattr(iwae.datasets, "load", load)
    assert iwae.load(None) == ("mnist5k", "mnist5k")
    assert iwae.load("digits8") == ("digits8", "digits8")


def test_data_that_are_no_pixels_leave_nothing(tiny, tmp_path, monkeypatch):
    rows = np.random.default_rng(0).standard_normal((30, 4)).astype("float32")
    np.save(tmp_path / "rows.npy", rows)
    other = datasets.load(tmp_path / "rows.npy")
    monkeypatch.setattr(iwae, "load", lambda name: (other, name))
    with pytest.raises(DataError, match="only values in"):
        iwae.run(tmp_path / "new", k=[1], fraction=FOUR, progress=False)
    assert not (tmp_path / "new").exists()
