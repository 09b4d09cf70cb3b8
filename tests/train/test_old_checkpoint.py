"""A run that was saved before models declared themselves and took networks: it loads and goes on.

`run_before_networks.npz` is the checkpoint of `minivae train digits8 --hidden 2 --latent 1 --limit
20 --epochs 2 --batch 8 --lr 0.01 --backend numpy --patience 5`; the losses are those of four
epochs, by the same program.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from minivae import VAE, load_checkpoint
from minivae.cli.main import main
from minivae.train.runs import open_run

OLD = Path(__file__).parent / "run_before_networks.npz"
LOSSES = [44.75096664428711, 43.5565071105957, 42.69067459106445, 42.2152702331543]
VAL_LOSSES = [43.89757194519043, 43.20542964935303, 42.58651866912842, 41.963255882263184]
CONFIG = {
    "n_pixels": 64,
    "hidden": [2],
    "latent": 1,
    "activation": "relu",
    "likelihood": "bernoulli",
    "likelihood_options": {},
    "dtype": "float32",
    "logvar_range": [-30.0, 20.0],
    "free_bits": 0.0,
    "samples": None,
}


def test_it_loads():
    training, extra = load_checkpoint(OLD, "numpy")
    model = training.model
    assert type(model) is VAE
    assert model.config == {"kind": "vae", **CONFIG}
    assert list(model.config) == list(json.loads(str(np.load(OLD)["meta"]))["model"])
    assert model.shape == (64,)
    assert model.params.theta.tobytes() == np.load(OLD)["theta"].tobytes()
    assert training.best_theta.tobytes() == np.load(OLD)["best_theta"].tobytes()
    assert training.best_carried is None
    assert extra["options"]["label_smoothing"] == 0.0


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("old").mkdir()
    shutil.copy(OLD, "old/checkpoint.npz")
    return "old"


def test_the_command_goes_on_with_it(run):
    assert main(["train", "--resume", run, "--epochs", "4", "--quiet"]) == 0
    history = open_run(run).training.history
    assert [record["loss"] for record in history] == pytest.approx(LOSSES, rel=1e-6)
    assert [record["val_loss"] for record in history] == pytest.approx(VAL_LOSSES, rel=1e-6)
    assert Path(run, "samples.png").exists()


def test_its_options_are_those_of_today(run, capsys):
    same = ["--network", "mlp", "--hidden", "2", "--activation", "relu", "--free-bits", "0"]
    assert main(["train", "--resume", run, *same, "--epochs", "3", "--quiet"]) == 0
    assert main(["train", "--resume", run, "--hidden", "3", "--epochs", "4"]) == 2
    assert "--hidden 3 was given, but old was trained with 2" in capsys.readouterr().err


def test_it_is_sampled_and_evaluated(run, capsys):
    assert main(["sample", run, "--n", "3", "--out", "x.npz"]) == 0
    assert main(["evaluate", run, "--json"]) == 0
    numbers = json.loads(capsys.readouterr().out.partition("\n")[2])
    assert -numbers["elbo"] == pytest.approx(VAL_LOSSES[1], rel=1e-6)
