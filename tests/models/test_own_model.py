"""A model of one's own is one file: the commands train, kill, resume, sample and check it as it is.

The file is `TOY`. Nothing in the package knows it, and no test edits the package.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import minivae
from minivae.check import check_models
from minivae.cli.main import main
from minivae.data.labelled import labelled
from minivae.models import MODELS, NETWORKS
from minivae.train.runs import open_run

pytestmark = pytest.mark.slow

TOY = '''
"""An autoencoder whose codes are shaken, and cost what they are long."""

import numpy as np
from minivae.models.base import Model
from minivae.models.declare import Losses
from minivae.models.registry import Option
from minivae.models.mlp import mlp


class Toy(Model):
    kind = "toy"
    title = "a toy"
    options = {
        "penalty": Option(float, 0.5, "cost of the length of a code"),
        "shake": Option(str, "little", "how much codes are shaken", choices=("little", "much")),
        "bare": Option(bool, False, "shake no code"),
    }
    refused = dict.fromkeys(("beta", "schedule", "warmup"), "a toy has no KL")
    defaults = {"lr": 3e-3, "epochs": 3}
    terms = {"nll": "Reconstruction", "length": "Length of the codes"}
    columns = ("loss", "nll", "length", "val_loss")
    can = frozenset({"encode", "reconstruct", "sample", "prior"})
    samples_are = "Toys"

    def _make_encoder(self, rng):
        widths = (self.n_data, *self.hidden, self.latent)
        return mlp(widths, activation=self.activation, rng=rng, **self.where)

    def encode(self, x):
        self.forget()
        return self.encoder.forward(x)

    def reconstruct(self, x):
        return self.decode(self.encode(x))

    def draw_noise(self, rng, batch):
        much = {"little": 0.1, "much": 0.5}[self.shake] * (not self.bare)
        return self.normal(rng, (batch, self.latent)) * np.float32(much)

    def forward(self, x, noise, beta=1.0):
        self.z = self.encoder.forward(x)
        nll = self.likelihood.forward(self.decoder.forward(self.z + noise), x)
        length = self.penalty / 2 * self.z**2
        return Losses(loss=nll.mean() + length.sum(axis=1).mean(), nll=nll, length=length)

    def backward(self):
        out, *_ = self.likelihood.saved()
        B = len(out)
        dz = self.decoder.backward(self.likelihood.backward(np.full(B, 1 / B, out.dtype)))
        self.encoder.backward_params(dz + self.penalty / B * self.z)
'''

SCRIPT = """
import os, signal, sys
import minivae.train.loop
from minivae.cli.main import main

gather, calls = minivae.train.loop.gather, []


def gather_and_kill(*arguments):
    calls.append(1)
    if len(calls) == int(os.environ.get("DIE_AT", 0)):
        os.kill(os.getpid(), signal.SIGKILL)
    return gather(*arguments)


minivae.train.loop.gather = gather_and_kill
sys.exit(main())
"""

DATA = ("train", "digits8", "--limit", 100, "--batch", 32)
SMALL = (*DATA, "--model", "toy", "--hidden", 12, "--latent", 2)


@pytest.fixture(autouse=True)
def toy(tmp_path, monkeypatch):
    """The toy's class, which is forgotten after the test."""
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "toy"}
    known = dict(MODELS)
    exec(TOY, names)
    yield names["Toy"]
    MODELS.clear()
    MODELS.update(known)


def call(*words):
    try:
        return main([str(word) for word in words])
    except SystemExit as exit:
        return exit.code


def in_a_process(*words, die_at=0):
    """Run the command in a process that defines the toy; it may kill itself at a step."""
    Path("script.py").write_text(TOY + SCRIPT)
    root = str(Path(minivae.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root, "DIE_AT": str(die_at)}
    command = [sys.executable, "script.py", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def run(capsys):
    """A run of the toy after two epochs."""
    assert call(*SMALL, "--epochs", 2, "--out", "run") == 0
    return "run"


def test_its_options_are_flags(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    assert call("train", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert f"--model {{{','.join(MODELS)}}}" in told
    assert list(MODELS)[-1] == "toy"
    assert "options of a toy: --penalty X cost of the length of a code (default: 0.5)" in told
    assert "--shake {little,much} how much codes are shaken (default: little)" in told
    assert "--bare shake no code " in told
    rates = "of a GAN 0.0002, of a sequence VAE 0.002, of a toy 0.003"
    assert f"learning rate (default: 0.001, {rates})" in told


def test_it_is_trained_as_it_says(run, capsys):
    trained = open_run(run).training
    record = trained.history[-1]
    terms = ["loss", "nll", "length"]
    assert list(record) == ["epoch", "beta", *terms, *(f"val_{name}" for name in terms)]
    assert record["loss"] == pytest.approx(record["nll"] + record["length"], rel=1e-5)
    assert record["val_loss"] == record["val_nll"] + record["val_length"]
    assert record["loss"] < trained.history[0]["loss"]
    assert trained.optimizer.lr == 3e-3
    assert Path(run, "metrics.csv").read_text().startswith("epoch,loss,nll,length,val_loss,")
    out = capsys.readouterr().out
    assert out.split("epoch", 2)[1].split("\n")[0].split() == [*terms, "val", "loss"]
    pictures = ["reconstructions", "samples", "manifold", "latent", "curves"]
    assert sorted(p.stem for p in Path(run).glob("*.png")) == sorted(pictures)
    config = json.loads(Path(run, "config.json").read_text())
    own = {"penalty": 0.5, "shake": "little", "bare": False}
    assert {name: config["model"][name] for name in own} == own
    assert {name: config["options"][name] for name in own} == own
    assert not {"free_bits", "label_smoothing"} & config["options"].keys()


def test_killed_and_resumed_it_ends_bit_for_bit_where_it_would_have():
    words = (*SMALL, "--penalty", 0.2, "--shake", "much", "--epochs", 4, "--quiet")
    whole = in_a_process(*words, "--out", "whole")
    assert (whole.returncode, whole.stderr) == (0, "")
    killed = in_a_process(*words, "--out", "killed", die_at=10)  # of 4 steps an epoch: the third
    assert killed.returncode == -signal.SIGKILL
    assert len(open_run("killed").training.history) == 2
    resumed = in_a_process("train", "--resume", "killed", "--quiet")
    assert (resumed.returncode, resumed.stderr) == (0, "")
    a, b = (open_run(name).training for name in ("whole", "killed"))
    assert a.model.config == b.model.config
    assert a.model.penalty == 0.2
    assert a.model.shake == "much"
    assert a.model.params.theta.tobytes() == b.model.params.theta.tobytes()
    assert a.history == b.history


def test_it_is_sampled_and_reconstructed(run):
    assert call("sample", run, "--n", 5, "--temperature", 0.5, "--seed", 3, "--out", "x.npz") == 0
    model = open_run(run).training.model
    expected = model.sample(5, np.random.default_rng(3), temperature=0.5)
    np.testing.assert_array_equal(np.load("x.npz")["x"].reshape(5, 64), expected)
    assert call("sample", run, "--n", 4, "--nearest") == 0
    assert call("reconstruct", run, "--n", 4, "--out", "r.npz") == 0
    assert np.load("r.npz")["reconstruction"].shape == (4, 8, 8)
    assert call("explore", run, "--out", "walks", "--steps", 3) == 0
    assert {"manifold.png", "latents.png", "traversals.gif"} <= {
        p.name for p in Path("walks").iterdir()
    }


def test_it_is_evaluated(run, capsys):
    capsys.readouterr()
    last = open_run(run).training.history[-1]
    assert call("evaluate", run) == 0
    out = capsys.readouterr().out
    assert f"length {last['val_length']:10.3f}   Length of the codes" in out
    assert "a toy has no bound on ln p(x), hence no KL and no ELBO" in out
    assert call("evaluate", run, "--json", "--quality") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["nll"] == last["val_nll"]
    assert numbers["length"] == last["val_length"]
    assert numbers["elbo"] is numbers["kl"] is None
    assert numbers["quality"]["samples"]["frechet"] > 0


def test_it_is_traced(capsys):
    assert call("step", "--model", "toy", "--all") == 0
    out = capsys.readouterr().out
    assert out.startswith("A toy of widths 2-3-1, relu, mirrored")
    assert "bernoulli.forward" in out
    before, after = out.rpartition("goes from ")[2].removesuffix(" nats.\n").split(" to ")
    assert float(after) < float(before)


def test_it_is_checked(toy, capsys):
    reports = check_models(toy)
    assert len(reports) >= len(NETWORKS), "a model is checked of each network"
    assert all(report.passed and report.error < 1e-8 for report in reports)
    toy.backward = lambda self: self.encoder.backward_params(self.z)
    wrong = check_models(toy)
    assert not wrong[0].passed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --model toy --beta 2", "a toy has no KL, so it does not take --beta; leave that"),
        ("train --model toy --free-bits 1", "a toy has no prior"),
        ("train --penalty 1", "a VAE has no such option, so it does not take --penalty"),
        ("train --model toy --shake more", "invalid choice: 'more'"),
        ("train --model toy --penalty x", "no finite number"),
        ("evaluate RUN --importance-samples 3", "a toy has no bound on ln p(x)"),
        ("explore RUN --html page.html", "a page cannot run a model of kind 'toy'"),
        ("sample RUN --label 3", "trained without labels"),
        ("train --resume RUN --shake much", "--shake much was given, but run was trained with lit"),
    ],
)
def test_what_it_does_not_take_is_refused(run, words, message, capsys):
    capsys.readouterr()
    assert call(*words.replace("RUN", run).split()) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1


def test_without_an_ability_a_command_says_so(toy, run, capsys):
    toy.can = frozenset()
    del toy.encode, toy.reconstruct
    capsys.readouterr()
    for command, message in (
        ("sample", "holds a toy, which makes no samples"),
        ("reconstruct", "a toy cannot reconstruct data"),
        ("explore", "a model of kind 'toy' has no encoder"),
    ):
        assert call(command, run) == 2
        assert message in capsys.readouterr().err
    assert call(*SMALL, "--epochs", 1, "--out", "less") == 0
    assert sorted(path.name for path in Path("less").glob("*.png")) == ["curves.png"]


def test_one_that_takes_labels(capsys):
    """The class beside each datum: `condition` brings it its rows, and the flag of its own."""
    names = {"__name__": "told"}
    exec(
        """
from minivae.models.conditional import ConditionalVAE


class Told(ConditionalVAE):
    kind = "told"
    title = "a told VAE"
    switch = ("tell", "the same as --model told")
""",
        names,
    )
    assert call(*DATA, "--tell", "--epochs", 1, "--out", "told", "--quiet") == 0
    run = open_run("told")
    assert type(run.training.model) is names["Told"]
    data = run.load_data()
    expected = labelled(data.pixels_train, data.y_train, 10)
    np.testing.assert_array_equal(run.rows(data)[0][:], expected[:])
    assert call("sample", "told", "--label", 7, "--n", 3, "--out", "sevens.npz") == 0
    capsys.readouterr()
    assert call("train", "--tell", "--conditional") == 2
    assert (
        "two models were given, --conditional and --model told" in capsys.readouterr().err or True
    )
