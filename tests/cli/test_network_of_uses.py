"""`--network conv` of the commands that train a model for themselves."""

import numpy as np
import pytest

from minivae import anomaly
from minivae.cli.main import main


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def pictures(shape, n=60):
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (n, *shape), dtype="uint8"), np.arange(n) % 3
    np.savez("pictures.npz", x_train=x, y_train=y, x_test=x[:20], y_test=y[:20])


each_shape = pytest.mark.parametrize("shape", [(9, 7), (5, 7, 3), (8, 8)])


@each_shape
def test_a_detector_of_convolutions_is_fitted_kept_and_scores(shape):
    pictures(shape)
    how = [
        "--network",
        "conv",
        "--epochs",
        "1",
        "--samples",
        "2",
        "--held-out",
        "0.5",
        "--quantile",
        "0.8",
        "--quiet",
    ]
    assert main(["anomaly", "fit", "pictures.npz", *how, "--out", "d.npz"]) == 0
    detector = anomaly.load("d.npz")
    assert detector.model.halves.network.name == "conv"
    assert detector.model.hidden == (256,)  # behind the convolutions, and not 400 as of an MLP
    assert detector.model.shape == detector.shape == shape
    assert main(["anomaly", "score", "d.npz", "pictures.npz", "--out", "s.csv", "--quiet"]) == 0
    scores = detector.score("pictures.npz")
    assert all(len(each) == 20 and np.isfinite(each).all() for each in scores.values())


@each_shape
def test_new_pictures_of_convolutions(shape):
    pictures(shape)
    how = ["--network", "conv", "--epochs", "1", "--per-class", "2", "--quiet", "--out", "new.npz"]
    assert main(["augment", "pictures.npz", *how]) == 0
    made = np.load("new.npz")
    assert made["x"].shape == (6, *shape)
    assert sorted(made["y"].tolist()) == [0, 0, 1, 1, 2, 2]
    assert np.ptp(made["x"]) > 0


@pytest.mark.parametrize("command", ["anomaly fit", "augment"])
@pytest.mark.parametrize(
    ("network", "words"), [("conv", "(2,)"), ("nope", "choose one of: mlp, conv")]
)
def test_a_table_or_an_unknown_network_is_refused(command, network, words, capsys):
    rows = "".join(f"{i},{i * i % 17},{'ab'[i % 2]}\n" for i in range(300))
    with open("t.csv", "w") as file:
        file.write("p,q,kind\n" + rows)
    words_given = [*command.split(), "t.csv", "--label", "kind", "--network", network]
    assert main([*words_given, "--out", "o.npz"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
