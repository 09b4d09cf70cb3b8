"""What a run chooses for its data, where nothing was asked for."""

import json
from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.cli.new_run import suited
from minivae.cli.train_options import complete
from minivae.data import load
from minivae.data.statistics import spread


def chosen(name="digits8", n=None, **asked):
    asked = {"data": name} | asked
    options = complete(asked)
    return options | suited(options, load(name, limit=n), asked)


def test_few_data_make_enough_steps():
    assert (chosen("mnist5k")["epochs"], chosen("mnist5k")["batch"]) == (30, 128)
    few = chosen(n=240)
    assert (few["batch"], few["epochs"]) == (32, 150)
    assert chosen(n=240, epochs=2)["epochs"] == 2
    assert (chosen(n=240, batch=100)["batch"], chosen(n=240, batch=100)["epochs"]) == (100, 400)


def test_a_scale_comes_from_the_data_unless_it_is_asked_for():
    half = spread(load("digits8").pixels_train) / 2
    assert chosen(likelihood="gaussian")["sigma"] == pytest.approx(half, rel=0.05)
    assert chosen(likelihood="gaussian", sigma=1.0)["sigma"] == 1.0
    assert chosen()["sigma"] is None


def test_a_plane_is_drawn_by_a_deeper_network():
    plane = chosen("mnist5k", latent=2)
    assert (plane["hidden"], plane["batch"], plane["lr"], plane["epochs"]) == (
        [400, 200],
        64,
        2e-3,
        50,
    )
    assert chosen("mnist5k", latent=2, hidden=[9])["hidden"] == [9]
    assert chosen("mnist5k", latent=3)["hidden"] == [400]
    assert chosen("mnist5k", latent=2, network="conv")["hidden"] == [256]
    assert chosen("mnist5k", latent=2, model="gan")["hidden"] == [400]


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_shared"])
def test_three_hundred_pictures_are_recognised(tmp_path, monkeypatch, capsys, likelihood):
    """Their reconstructions are nearer to them than the mean picture: not black, not the mean."""
    monkeypatch.chdir(tmp_path)
    np.save("mine.npy", load("digits8").x_train[:300].reshape(-1, 8, 8))
    how = ["--hidden", "64", "--latent", "6", "--likelihood", likelihood, "--quiet"]
    assert main(["train", "mine.npy", *how, "--out", "run"]) == 0
    assert main(["reconstruct", "run", "--n", "30", "--out", "r.npz", "--quiet"]) == 0
    both = np.load("r.npz")
    x, rebuilt = (both[name].reshape(30, -1) for name in ("original", "reconstruction"))
    left = ((x - rebuilt) ** 2).sum() / ((x - x.mean(axis=0)) ** 2).sum()
    assert left < 0.65


def test_patience_waits_for_data_of_its_own(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = "train digits8 --limit 100 --hidden 8 --latent 2 --epochs 3 --patience 2 --out run"
    assert main(words.split()) == 0
    assert "patience is with 10 training examples" in capsys.readouterr().out
    last = Path("run/metrics.csv").read_text().splitlines()[-1]
    assert main(["evaluate", "run", "--json"]) == 0
    tested = json.loads(capsys.readouterr().out)
    assert tested["examples"] == 100
    assert f"{tested['nll']:.4f}" not in last, "what was waited for is not what is reported"
