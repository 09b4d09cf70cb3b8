"""The command: what it leaves behind, what it prints, and how it refuses."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

import minivae
from minivae import Adam, Settings, Training, save_checkpoint
from minivae import data as datasets
from minivae.cli.main import COMMANDS, main
from minivae.errors import OptionError
from minivae.train.runs import open_run

FILES = {"checkpoint.npz", "config.json", "metrics.csv"}
PICTURES = {"reconstructions.png", "samples.png", "curves.png"}


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIVAE_DATA", raising=False)


def call(*words):
    """Run the command in this process; return its exit code."""
    try:
        return main([str(word) for word in words])
    except SystemExit as exit:
        return exit.code


def undrawn(*words):
    """Like `call`, but no pictures are drawn, which take longer than these trainings."""
    with mock.patch("minivae.cli.pictures.draw", return_value=[]):
        return call(*words)


def train(out, *words, data="digits8", hidden=(12,), limit=100, batch=32, epochs=1, pictures=False):
    """Train a small model on few examples."""
    sizes = ("--hidden", *hidden, "--limit", limit, "--batch", batch, "--epochs", epochs)
    return (call if pictures else undrawn)("train", data, *sizes, *words, "--out", out)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run with two latent dimensions after two epochs, which no test changes."""
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert train(folder, "--latent", 2, "--quiet", epochs=2, pictures=True) == 0
    return folder


@pytest.fixture(scope="module")
def autoencoder(tmp_path_factory):
    """A trained autoencoder, which no test changes."""
    folder = tmp_path_factory.mktemp("autoencoder") / "run"
    words = ("--model", "autoencoder", "--latent", 2, "--quiet")
    assert train(folder, *words, epochs=2, pictures=True) == 0
    return folder


def theta(folder):
    return open_run(folder).training.model.params.theta


def rows(folder):
    with open(folder / "metrics.csv") as file:
        return list(csv.DictReader(file))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


CHILD = """
import os, signal, sys
import minivae.train
from minivae.cli import main

# A child of a background job ignores SIGINT, and Python leaves that as it finds it.
signal.signal(signal.SIGINT, signal.default_int_handler)
number, gather, calls = {number}, minivae.train.loop.gather, []

def gather_and_kill(pixels, rows, *options):
    calls.append(len(rows))
    if len(calls) == 32:  # 13 times in an epoch: in the third
        os.kill(os.getpid(), number)
    return gather(pixels, rows, *options)

if number:
    minivae.train.loop.gather = gather_and_kill
sys.exit(main())
"""

TO_BE_KILLED = ("train", "digits8", "--limit", 400, "--batch", 32, "--epochs", 4, "--quiet")


def start(*words, signal_number=0, **options):
    """Start the command in a process of its own, which may send itself a signal while training."""
    path = str(Path(minivae.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}
    code = CHILD.format(number=int(signal_number))
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    words = [sys.executable, "-c", code, *map(str, words)]
    return subprocess.Popen(words, env=environment, **pipes)


# --- train -------------------------------------------------------------------------------------


def test_train_leaves_a_run(trained):
    assert set(contents(trained)) == FILES | PICTURES | {"manifold.png", "latent.png"}
    config = json.loads((trained / "config.json").read_text())
    assert config["options"]["hidden"] == [12]
    assert config["options"]["binarize"] == "dynamic"  # grey pictures under a Bernoulli
    assert config["data"]["name"] == "digits8"
    assert config["data"]["shape"] == [8, 8]
    assert config["model"]["latent"] == 2
    history = open_run(trained).training.history
    assert [row["epoch"] for row in rows(trained)] == ["1", "2"]
    for row, record in zip(rows(trained), history, strict=True):
        assert {name: float(value) for name, value in row.items()} == record
    assert history[1]["val_loss"] < history[0]["val_loss"]


@pytest.mark.parametrize(
    ("name", "smallest"),
    [
        ("reconstructions.png", (400, 500)),
        ("samples.png", (400, 400)),
        ("manifold.png", (800, 800)),
        ("latent.png", (500, 500)),
        ("curves.png", (300, 1000)),
    ],
)
def test_pictures_are_not_blank(trained, name, smallest):
    pixels = imread(trained / name)[..., :3]
    assert pixels.shape[0] >= smallest[0]
    assert pixels.shape[1] >= smallest[1]
    assert pixels.std() > 0.05
    assert len(np.unique(pixels.sum(axis=2))) > 20


def test_train_prints_a_line_an_epoch_and_what_it_means(capsys):
    assert train("a", "--latent", 3, epochs=2, pictures=True) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    first = next(i for i, line in enumerate(lines) if line.startswith("epoch"))
    assert lines[first].split() == ["epoch", "loss", "nll", "kl", "val", "loss"]
    for line, row in zip(lines[first + 1 :], rows(Path("a")), strict=False):
        shown = [float(number) for number in line.split()]
        names = ("epoch", "loss", "nll", "kl", "val_loss")
        np.testing.assert_allclose(shown, [float(row[name]) for name in names], atol=0.005001)
    assert "VAE(64-12-3" in out
    assert "upper bound on -ln p(x)" in out
    assert "a now holds checkpoint.npz, config.json, metrics.csv, reconstructions.png" in out
    assert set(contents(Path("a"))) == FILES | PICTURES


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        (["--binarize", "none"], "grey pixels under a Bernoulli"),
        (["--beta", "2"], "loss is not, for beta or free bits"),
        (["--samples", "3"], "importance-weighted bound, K = 3"),
        (["--model", "autoencoder"], "bounds no likelihood"),
        (["--likelihood", "categorical", "--levels", "3"], "3 levels"),
    ],
)
def test_train_says_what_the_loss_is(capsys, words, meaning):
    assert train("a", *words) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("loss "))
    assert meaning in line


@pytest.mark.parametrize(
    ("words", "meaning"),
    [([], "; loss is an upper bound on -ln p(x)"), (["--beta", "2"], "no bound on a likelihood")],
)
def test_data_too_few_to_test_on_have_no_val_loss(capsys, words, meaning):
    np.save("few.npy", np.eye(6))
    assert train("a", *words, data="few.npy") == 0
    out = capsys.readouterr().out
    assert meaning in out
    assert "val" not in out.split("\n\n")[1]
    assert list(rows(Path("a"))[0]) == ["epoch", "beta", "loss", "nll", "kl"]


def test_quiet_prints_the_folder_alone(capsys):
    assert train("a", "--quiet") == 0
    assert capsys.readouterr() == ("a\n", "")


def test_without_a_folder_runs_are_numbered(capsys):
    for number in ("001", "002"):
        assert undrawn("train", "digits8", "--limit", 20, "--epochs", 1, "--quiet") == 0
        assert capsys.readouterr().out == f"runs/{number}-digits8-vae\n"


def test_the_default_is_a_binary_mnist():
    assert undrawn("train", "--epochs", 1, "--out", "a", "--quiet") == 0
    config = json.loads(Path("a/config.json").read_text())
    model, options = config["model"], config["options"]
    widths = (model["n_pixels"], model["hidden"], model["latent"])
    assert widths == (784, [400], 20)
    assert (options["data"], options["likelihood"], options["binarize"]) == (
        "mnist5k",
        "bernoulli",
        "dynamic",
    )
    assert (options["optimizer"], options["lr"], options["batch"]) == ("adam", 1e-3, 128)


def test_a_seed_makes_every_file_again(trained):
    assert train("again", "--latent", 2, "--quiet", epochs=2, pictures=True) == 0
    assert train("other", "--latent", 2, "--quiet", "--seed", 1, epochs=2) == 0
    first, again, other = contents(trained), contents(Path("again")), contents(Path("other"))
    for name in first.keys() - {"checkpoint.npz"}:
        assert first[name] == again[name], name
    for name in FILES:
        assert first[name] != other[name], name
    np.testing.assert_array_equal(theta(trained), theta("again"))
    assert (theta(trained) != theta("other")).mean() > 0.9


def test_options_reach_the_model_the_objective_and_the_optimizer():
    words = (
        "--latent 3 --activation tanh --likelihood gaussian --sigma 0.5 --beta 2 --dtype float64"
    )
    words += " --schedule linear --warmup 3 --free-bits 0.1 --optimizer adamw --weight-decay 0.2"
    words += " --lr 0.01 --clip-norm 4 --seed 3 --patience 7 --bias-from-data --quiet"
    assert train("a", *words.split(), hidden=(9, 5), batch=50, epochs=2) == 0
    training = open_run("a").training
    config = training.model.config
    assert {name: config[name] for name in ("hidden", "latent", "activation", "dtype")} == {
        "hidden": [9, 5],
        "latent": 3,
        "activation": "tanh",
        "dtype": "float64",
    }
    assert (config["likelihood"], config["likelihood_options"]) == ("gaussian", {"sigma": 0.5})
    assert config["free_bits"] == 0.1
    rule = training.optimizer
    assert (rule.kind, rule.lr, rule.clip_norm, rule.weight_decay) == ("adamw", 0.01, 4, 0.2)
    assert training.settings == Settings(2, 50, "none", 2.0, "linear", 3.0, 7, 3)


def test_the_bias_starts_at_the_mean_of_the_data():
    words = ("--likelihood", "gaussian", "--bias-from-data", "--lr", 1e-9, "--quiet")
    assert train("a", *words, batch=100) == 0
    mean = datasets.load("digits8", limit=100).x_train.mean(axis=0)
    bias = open_run("a").training.model.decoder[-1].params["b"]
    np.testing.assert_allclose(bias, mean, atol=1e-6)


def test_bytes_never_become_floats_all_at_once(monkeypatch):
    def refuse(*arguments, **options):
        raise AssertionError("the whole float32 array was asked for")

    monkeypatch.setattr(datasets.Pixels, "__array__", refuse)
    with pytest.raises(AssertionError, match="whole"):
        _ = datasets.load("digits8").x_train
    for mode in ("none", "dynamic", "fixed"):
        words = ("--binarize", mode, "--bias-from-data", "--latent", 2, "--quiet")
        assert train(mode, *words, pictures=mode == "fixed") == 0
        assert undrawn("train", "--resume", mode, "--epochs", 2, "--quiet") == 0
        assert call("evaluate", mode, "--importance-samples", 2) == 0
        assert call("reconstruct", mode, "--n", 3) == 0


def test_no_hidden_layer_makes_a_linear_model():
    assert train("a", "--quiet", hidden=()) == 0
    assert open_run("a").training.model.hidden == ()


@pytest.mark.parametrize(
    ("x", "likelihood", "mode"),
    [
        (np.eye(8)[np.arange(64) % 8].reshape(8, 8, 8), "bernoulli", "none"),  # binary already
        (np.linspace(0, 1, 640).reshape(10, 8, 8), "bernoulli", "dynamic"),
        (np.linspace(0, 1, 640).reshape(10, 8, 8), "gaussian", "none"),
        (np.linspace(0, 1, 640).reshape(10, 64), "bernoulli", "none"),  # a table
        (np.linspace(0, 1, 480).reshape(10, 4, 4, 3), "bernoulli", "none"),  # in colour
    ],
)
def test_only_grey_pictures_under_a_bernoulli_are_binarized(x, likelihood, mode):
    np.save("x.npy", x)
    assert train("a", "--likelihood", likelihood, "--quiet", data="x.npy") == 0
    assert open_run("a").training.settings.binarize == mode


def test_tables_have_no_pictures(capsys):
    np.save("table.npy", np.random.default_rng(0).standard_normal((50, 13)))
    words = ("--likelihood", "gaussian", "--latent", 2)
    assert train("a", *words, data="table.npy", pictures=True) == 0
    assert set(contents(Path("a"))) == FILES | {"curves.png", "latent.png"}
    assert "shape (13,) have no picture" in capsys.readouterr().out
    assert call("sample", "a") == 0
    assert capsys.readouterr().out == "a/sample-1.npz\n"
    assert np.load("a/sample-1.npz")["x"].shape == (64, 13)


def test_pictures_in_colour_are_drawn():
    x = np.zeros((30, 6, 6, 3), np.uint8)
    x[..., 0] = np.arange(30)[:, None, None] * 8
    np.save("red.npy", x)
    assert train("a", "--likelihood", "gaussian", "--quiet", data="red.npy", pictures=True) == 0
    pixels = imread("a/reconstructions.png")
    original = pixels[66 + 30, 24 + 30 :: 88][:3, :3]
    assert original[:, 1:].max() == 0  # no green, no blue
    assert original[2, 0] > original[0, 0]


def test_an_autoencoder_has_no_kl(autoencoder):
    assert list(rows(autoencoder)[0]) == ["epoch", "loss", "nll", "val_loss", "val_nll"]
    assert set(contents(autoencoder)) == FILES | PICTURES | {"latent.png"}


def test_patience_goes_back_to_the_best_epoch(capsys):
    words = ("--lr", 0.2, "--patience", 2, "--likelihood", "gaussian")
    assert train("a", *words, epochs=60) == 0
    out = capsys.readouterr().out
    training = open_run("a").training
    assert training.stopped
    assert 3 <= len(training.history) < 60
    np.testing.assert_array_equal(theta("a"), training.best_theta)
    assert f"back to epoch {len(training.history) - 2}" in out
    assert call("train", "--resume", "a", "--epochs", 70) == 2
    assert "stopped early" in capsys.readouterr().err
    assert call("train", "--resume", "a") == 0
    assert "drawn again" in capsys.readouterr().out
    assert set(contents(Path("a"))) == FILES | PICTURES
    np.testing.assert_array_equal(theta("a"), training.best_theta)


# --- resume ------------------------------------------------------------------------------------


def test_a_resumed_run_is_the_uninterrupted_one():
    assert train("whole", "--quiet", "--schedule", "linear", epochs=3) == 0
    assert train("parts", "--quiet", "--schedule", "linear", epochs=1) == 0
    assert undrawn("train", "--resume", "parts", "--epochs", 3, "--quiet") == 0
    np.testing.assert_array_equal(theta("whole"), theta("parts"))
    assert open_run("parts").training.settings == open_run("whole").training.settings
    whole, parts = contents(Path("whole")), contents(Path("parts"))
    for name in whole.keys() - {"checkpoint.npz"}:
        assert whole[name] == parts[name], name


def test_a_resumed_run_may_be_told_what_it_knows():
    assert train("a", "--latent", 2, "--quiet") == 0
    words = ("--latent", 2, "--hidden", 12, "--data", "digits8", "--lr", 0.005, "--epochs", 2)
    assert undrawn("train", "--resume", "a/checkpoint.npz", *words) == 0
    config = json.loads(Path("a/config.json").read_text())
    assert config["changes"] == [{"after_epoch": 1, "lr": 0.005}]
    assert config["options"]["lr"] == config["optimizer"]["lr"] == 0.005
    training = open_run("a").training
    assert training.optimizer.lr == 0.005
    assert training.optimizer.t == 2 * 4  # the moments went on: 100 examples in batches of 32
    assert len(training.history) == 2


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """The run that the killed ones are to end as."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    process = start(*TO_BE_KILLED, "--out", "my run", cwd=folder)
    assert process.communicate(timeout=120) == ("my run\n", "")
    return folder / "my run"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_killed_run_goes_on_bit_for_bit(number, uninterrupted):
    killed = start(*TO_BE_KILLED, "--out", "my run", signal_number=number)
    out, err = killed.communicate(timeout=120)
    run = open_run("my run")
    assert (out, run.saved_epochs, len(rows(Path("my run")))) == ("", 2, 2)
    assert set(contents(Path("my run"))) == FILES  # no half picture, no half file
    assert (run.training.model.params.theta != theta(uninterrupted)).any()
    resume = ("train", "--resume", "my run")
    if number != signal.SIGKILL:
        assert killed.returncode == 128 + number
        head, _, command = err.removesuffix("\n").partition("; go on with: ")
        assert head == "interrupted after epoch 2 of 4"
        assert shlex.split(command) == ["minivae", *resume]
    resumed = start(*resume, "--quiet")
    assert resumed.communicate(timeout=120) == ("my run\n", "")
    np.testing.assert_array_equal(theta("my run"), theta(uninterrupted))
    expected, found = contents(uninterrupted), contents(Path("my run"))
    assert expected.keys() == found.keys()
    for name in expected.keys() - {"checkpoint.npz"}:
        assert expected[name] == found[name], name


def test_ctrl_c_while_drawing_leaves_no_half_picture(monkeypatch, capsys):
    def interrupted(*arguments):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("minivae.show.plots.save", interrupted)
        assert train("a", "--quiet", pictures=True) == 130
    assert "minivae train --resume a" in capsys.readouterr().err
    assert set(contents(Path("a"))) == FILES
    assert call("train", "--resume", "a", "--quiet") == 0
    assert set(contents(Path("a"))) == FILES | PICTURES


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_run_whose_first_files_cannot_be_written_is_none(error, monkeypatch, capsys):
    def fail(*arguments):
        raise error

    monkeypatch.setattr("minivae.train.runs.Run.save_config", fail)
    assert train("a") == (130 if error is KeyboardInterrupt else 2)
    assert not Path("a").exists()
    assert capsys.readouterr().err.count("\n") == 1


def test_ctrl_c_before_a_resumed_run_has_an_epoch_names_its_options_again(monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    assert train("a", "--quiet", epochs=2) == 0
    before = contents(Path("a"))
    with monkeypatch.context() as patch:
        patch.setattr("minivae.cli.commands.train.fit", interrupted)
        assert call("train", "--resume", "a", "--epochs", 3, "--lr", 0.01, "--quiet") == 130
    assert contents(Path("a")) == before
    command = shlex.split(capsys.readouterr().err.partition("; go on with: ")[2])
    assert command == ["minivae", "train", "--resume", "a", "--lr", "0.01", "--epochs", "3"]
    assert undrawn(*command[1:], "--quiet") == 0
    assert len(rows(Path("a"))) == 3


def test_ctrl_c_before_there_is_a_run(monkeypatch, capsys):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("minivae.data.load", interrupted)
    assert train("a") == 130
    assert capsys.readouterr().err == "minivae: interrupted.\n"
    assert not Path("a").exists()


def test_a_training_that_diverges_leaves_the_last_checkpoint(capsys):
    assert train("a", "--quiet", epochs=2) == 0
    before, weights = contents(Path("a")), theta("a")
    capsys.readouterr()
    assert call("train", "--resume", "a", "--epochs", 5, "--lr", 1e30) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "not finite" in err
    assert "the checkpoint of epoch 2 in a is intact" in err
    np.testing.assert_array_equal(theta("a"), weights)
    assert contents(Path("a")) == before, "also the learning rate and the epochs are as they were"
    assert undrawn("train", "--resume", "a", "--epochs", 5, "--lr", 2e-3, "--quiet") == 0
    assert len(rows(Path("a"))) == 5
    config = json.loads(Path("a/config.json").read_text())
    assert config["optimizer"]["lr"] == 2e-3
    assert config["changes"] == [{"after_epoch": 2, "lr": 2e-3}]


# --- sample, reconstruct, evaluate -------------------------------------------------------------


def test_sample_writes_what_the_model_samples(trained, capsys):
    words = ("--n", 5, "--seed", 3, "--temperature", 0.5)
    assert call("sample", trained, *words, "--out", "x.npz") == 0
    assert call("sample", trained, *words, "--out", "x.npy") == 0
    assert capsys.readouterr() == ("x.npz\nx.npy\n", "")
    model = open_run(trained).training.model
    expected = model.sample(5, np.random.default_rng(3), temperature=0.5).reshape(5, 8, 8)
    np.testing.assert_array_equal(np.load("x.npz")["x"], expected)
    np.testing.assert_array_equal(np.load("x.npy"), expected)


def test_sample_draws_pixels_if_asked_to(trained):
    assert call("sample", trained, "--draw", "--out", "x.npy") == 0
    assert set(np.unique(np.load("x.npy"))) == {0, 1}


def test_pictures_get_the_next_free_name(trained, tmp_path, capsys):
    run = tmp_path / "run"
    run.mkdir()
    (run / "checkpoint.npz").write_bytes((trained / "checkpoint.npz").read_bytes())
    for name in ("sample-1", "sample-2", "reconstruction-1"):
        assert call(name.partition("-")[0].replace("ion", ""), run, "--n", 12) == 0
        path = run / f"{name}.png"
        assert capsys.readouterr().out == f"{path}\n"
        assert imread(path)[..., :3].std() > 0.05


def test_reconstruct_encodes_and_decodes_test_data(trained):
    assert call("reconstruct", trained, "--n", 7, "--out", "x.npz") == 0
    written = np.load("x.npz")
    run = open_run(trained)
    x, _, _ = run.test_rows(run.load_data())
    x = x[np.arange(7) * len(x) // 7]
    np.testing.assert_array_equal(written["original"].reshape(7, 64), x)
    assert set(np.unique(x)) == {0, 1}
    np.testing.assert_array_equal(written["reconstruction"].reshape(7, 64), run.reconstruct(x))


def test_reconstruct_takes_other_data(trained):
    np.save("mine.npy", np.random.default_rng(0).random((20, 8, 8)))
    assert call("reconstruct", trained, "--data", "mine.npy", "--out", "x.npy") == 0
    assert np.load("x.npy").shape == (2, 8, 8)  # the rows that are held out for testing


def test_reconstruct_takes_a_single_picture(trained):
    digit = datasets.load("digits8").x_test[0].reshape(8, 8) * 255
    Image.fromarray(digit.astype(np.uint8)).save("seven.png")
    assert call("reconstruct", trained, "--data", "seven.png", "--out", "x.npy") == 0
    assert np.load("x.npy").shape == (1, 8, 8)


def test_evaluate_repeats_the_last_validation(trained, capsys):
    assert call("evaluate", trained, "--json", "--importance-samples", 200) == 0
    numbers = json.loads(capsys.readouterr().out)
    last = open_run(trained).training.history[-1]
    assert numbers["elbo"] == pytest.approx(-last["val_loss"], abs=1e-4)
    assert numbers["nll"] == pytest.approx(last["val_nll"], abs=1e-9)
    assert numbers["kl"] == pytest.approx(sum(numbers["kl_per_dim"]), abs=1e-9)
    assert numbers["active_dims"] == sum(kl > 0.01 for kl in numbers["kl_per_dim"])
    assert len(numbers["kl_per_dim"]) == 2
    assert numbers["examples"] == 100
    # ln p(x) lies above the ELBO, by the KL from the posterior, which is less than the KL here.
    assert numbers["elbo"] < numbers["log_likelihood"] < numbers["elbo"] + 5
    assert numbers["note"] == ""


def test_evaluate_prints_a_table(trained, capsys):
    words = ("--limit", 10, "--data", "digits8", "--importance-samples", 20)
    assert call("evaluate", trained / "checkpoint.npz", *words) == 0
    out = capsys.readouterr().out
    for text in ("10 examples of digits8 (test)", "nll", "KL", "ELBO", "ln p(x)", "of 2 active"):
        assert text in out


def test_evaluate_gives_an_importance_weighted_model_its_bound(capsys):
    assert train("a", "--samples", 4, "--quiet") == 0
    capsys.readouterr()
    assert call("evaluate", "a", "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    last = open_run("a").training.history[-1]
    assert numbers["importance_weighted_bound"] == pytest.approx(-last["val_loss"], abs=1e-9)
    assert numbers["importance_weighted_bound"] > numbers["elbo"]


def test_evaluate_gives_an_autoencoder_no_bound(autoencoder, capsys):
    assert call("evaluate", autoencoder, "--json") == 0
    numbers = json.loads(capsys.readouterr().out)
    assert [numbers[name] for name in ("elbo", "kl", "kl_per_dim", "active_dims")] == [None] * 4
    last = open_run(autoencoder).training.history[-1]
    assert numbers["nll"] == pytest.approx(last["val_nll"], abs=1e-9)
    assert call("evaluate", autoencoder) == 0
    assert "no prior" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["sample", "reconstruct", "evaluate"])
def test_the_newest_run_is_used_and_named(command, capsys, trained):
    for seconds, name in ((20, "001-new"), (10, "002-old")):
        path = Path("runs") / name / "checkpoint.npz"
        path.parent.mkdir(parents=True)
        path.write_bytes((trained / "checkpoint.npz").read_bytes())
        os.utime(path, (seconds, seconds))
    assert call(command) == 0
    out, err = capsys.readouterr()
    assert err == "run: runs/001-new (the newest)\n"
    assert "runs/001-new" in out


# --- data, check, help -------------------------------------------------------------------------


def test_data_lists_what_there_is(capsys):
    assert call("data") == 0
    out = capsys.readouterr().out
    for name in datasets.NAMES:
        assert f"\n{name} " in out
    assert out.count("embedded") == 4


def test_data_fetch_says_where(capsys):
    assert call("data", "fetch", "digits8") == 0
    assert Path(capsys.readouterr().out.strip()).name == "digits8.npz"


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_has_examples(command, capsys):
    assert call(*filter(None, [command]), "--help") == 0
    out = capsys.readouterr().out
    assert "examples:\n  minivae " in out
    assert f"usage: minivae {command or ''}".strip() in out


def test_version(capsys):
    assert call("--version") == 0
    assert capsys.readouterr().out == f"minivae {minivae.__version__}\n"


# --- refusals ----------------------------------------------------------------------------------


def nan_file():
    x = np.zeros((20, 5))
    x[3, 1] = np.nan
    np.save("nan.npy", x)


def text_file():
    Path("notes.npy").write_text("these are no numbers")


def objects_file():
    np.save("objects.npy", np.array([{}, []], dtype=object))


def table_file():
    np.save("table.npy", np.random.default_rng(0).standard_normal((20, 5)))


def full_folder():
    Path("full").mkdir()
    Path("full/thesis.txt").write_text("mine")


def plain_file():
    Path("file").write_text("mine")


def cut_checkpoint(trained):
    whole = (trained / "checkpoint.npz").read_bytes()
    Path("cut.npz").write_bytes(whole[: len(whole) // 2])


def foreign_checkpoint():
    np.savez("foreign.npz", theta=np.zeros(3))


def bare_checkpoint():
    rng = np.random.default_rng(0)
    model = minivae.VAE(4, (), 2, rng=rng)
    save_checkpoint("bare.npz", Training(model, Adam(), rng, Settings()))


BAD_TRAININGS = [
    ("nowhere.npy", None, "no data set or file 'nowhere.npy'"),
    ("mnist5", None, "did you mean 'mnist5k'"),
    ("nan.npy", nan_file, "NaN"),
    ("notes.npy", text_file, "unknown kind"),
    ("objects.npy", objects_file, "Python objects"),
    ("table.npy", table_file, "bernoulli likelihood takes values in [0, 1]"),
    ("table.npy --likelihood gaussian --binarize fixed", table_file, "can be binarized"),
    ("digits8 --data mnist5k", None, "two data sets"),
    ("digits8 mnist5k", None, "one argument too many, 'mnist5k'"),
    ("--latnet 3", None, "did you mean '--latent'?"),
    ("--latent 0", None, "at least 1"),
    ("--latent two", None, "'two' is no whole number"),
    ("--hidden 99999999999", None, "more than any machine can hold"),
    ("--seed -1", None, "no whole number of 0 or more"),
    ("--lr nan", None, "no finite number"),
    ("--lr 0", None, "above 0"),
    ("--epochs 0", None, "at least 1"),
    ("--limit 0", None, "1 or more"),
    ("--batch 0", None, "at least 1"),
    ("--patience 0", None, "at least 1"),
    ("--warmup 0 --schedule linear", None, "above 0"),
    ("--beta -1", None, "0 or more"),
    ("--model gam", None, "invalid choice: 'gam'"),
    ("--model gan --beta 2", None, "does not take --beta; leave that out, or use --model vae"),
    ("--model gan --patience 3", None, "does not take --patience"),
    ("--model gan --likelihood categorical", None, "makes data by the mean alone"),
    ("--model gan --label-smoothing 0.7", None, "[0, 0.5)"),
    ("--label-smoothing 0.1", None, "no discriminator"),
    ("--beta 2 --label-smoothing 0.1", None, "does not take --label-smoothing; leave that out."),
    ("--model autoencoder --beta 2 --free-bits 1", None, "does not take --beta, --free-bits"),
    ("--samples 3 --beta 2", None, "no weight of the KL"),
    ("--samples 3 --free-bits 1", None, "free bits go with the ELBO alone"),
    ("--weight-decay 0.1", None, "--optimizer adamw"),
    ("--sigma 0.1", None, "bernoulli likelihood does not take"),
    ("--likelihood gaussian --sigma 0", None, "above 0"),
    ("--likelihood categorical --levels 1", None, "at least 2"),
    ("--out full", full_folder, "--resume full"),
    ("--out file", plain_file, "file is a file"),
    ("--out file/run", plain_file, "Not a directory"),
    ("--resume nowhere", None, "does not exist"),
    ("--resume nowhere --out full", None, "leave out --out or --resume"),
]


def one_sentence(capsys, *words):
    """Assert that standard error holds one sentence with these words, and no traceback."""
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    assert err.startswith("minivae: "), err
    assert err.endswith((".\n", "?\n")), err
    for word in words:
        assert word in err, err


@pytest.mark.parametrize(("words", "prepare", "message"), BAD_TRAININGS)
def test_a_training_is_refused_before_it_leaves_anything(words, prepare, message, capsys):
    if prepare is not None:
        prepare()
    before = sorted(Path().rglob("*"))
    assert call("train", *words.split()) == 2
    one_sentence(capsys, message)
    assert sorted(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--latent 3", "--latent 3 was given, but RUN was trained with 2"),
        ("--hidden 12 5", "--hidden 12 5 was given, but RUN was trained with 12"),
        ("--data mnist5k", "--data mnist5k was given"),
        ("--samples 5", "trained with none"),
        ("--seed 1", "trained with 0"),
        ("--epochs 2", "2 epochs already"),
        ("--epochs 1", "2 epochs already"),
    ],
)
def test_a_resumption_with_other_options_is_refused(trained, words, message, capsys):
    before = contents(trained)
    assert call("train", "--resume", trained, *words.split()) == 2
    one_sentence(capsys, message.replace("RUN", str(trained)))
    assert contents(trained) == before


@pytest.mark.parametrize(
    ("words", "prepare", "message"),
    [
        ("sample RUN --n 0", None, "at least 1"),
        ("sample RUN --n 20000", None, "draw fewer"),
        ("sample RUN --temperature -1", None, "at least 0"),
        ("sample RUN --out x.jpg", None, ".png, .npz, .npy"),
        ("sample RUN --out file.npz", lambda: Path("file.npz").touch(), "exists already"),
        ("sample RUN --out nowhere/x.npz", None, "there is no folder nowhere"),
        ("sample nowhere", None, "does not exist"),
        ("sample", None, "no run under"),
        ("sample foreign.npz", foreign_checkpoint, "not one that minivae wrote"),
        ("sample bare.npz", bare_checkpoint, "what data"),
        ("reconstruct RUN --n 0", None, "at least 1"),
        ("reconstruct RUN --data mnist5k", None, "shape (28, 28)"),
        ("reconstruct RUN --data table.npy", table_file, "shape (5,)"),
        ("reconstruct RUN --data missing.png", None, "missing.png cannot be read"),
        ("reconstruct RUN --data nan.npy", nan_file, "NaN"),
        ("evaluate RUN --limit 0", None, "at least one"),
        ("evaluate RUN --importance-samples 0", None, "of at least 1"),
        ("evaluate RUN --importance-samples x", None, "no whole number"),
        ("evaluate AE --importance-samples 5", None, "no prior"),
        ("data fetch", None, "name one of"),
        ("data fetch mnits", None, "did you mean 'mnist'"),
        ("data list mnist", None, "leave it out"),
        ("data brings", None, "invalid choice"),
        ("trian", None, "did you mean 'train'?"),
        ("", None, "a command is missing"),
        ("--verbose", None, "did you mean '--version'?"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(
    words, prepare, message, trained, autoencoder, capsys
):
    if prepare is not None:
        prepare()
    before, files = sorted(Path().rglob("*")), contents(trained)
    places = {"RUN": str(trained), "AE": str(autoencoder)}
    assert call(*(places.get(word, word) for word in words.split())) == 2
    one_sentence(capsys, message)
    assert sorted(Path().rglob("*")) == before
    assert contents(trained) == files


def test_a_truncated_checkpoint_is_refused(trained, capsys):
    cut_checkpoint(trained)
    assert call("evaluate", "cut.npz") == 2
    one_sentence(capsys, "cut.npz", "truncated")


def test_a_picture_of_a_table_is_refused(capsys):
    table_file()
    assert train("a", "--likelihood", "gaussian", "--quiet", data="table.npy") == 0
    capsys.readouterr()
    for command in ("sample", "reconstruct"):
        assert call(command, "a", "--out", "x.png") == 2
        one_sentence(capsys, "shape (5,) have no picture", ".npz")


def test_data_that_were_changed_are_refused(capsys):
    table_file()
    assert train("a", "--likelihood", "gaussian", "--quiet", data="table.npy") == 0
    np.save("table.npy", np.zeros((20, 5)))
    capsys.readouterr()
    assert call("train", "--resume", "a", "--epochs", 2) == 2
    one_sentence(capsys, "table.npy no longer holds the data")


def test_a_wrong_data_folder_is_refused(monkeypatch, capsys):
    monkeypatch.setenv("MINIVAE_DATA", "nowhere")
    assert call("data") == 2
    one_sentence(capsys, "MINIVAE_DATA")


def test_a_full_disk_ends_the_training_and_keeps_the_checkpoint(monkeypatch, capsys):
    replace, calls = os.replace, []

    def full(*arguments):
        calls.append(arguments)
        if len(calls) > 5:  # the first checkpoint, metrics and config, and one epoch
            raise OSError(28, "No space left on device")
        replace(*arguments)

    monkeypatch.setattr("minivae.files.os.replace", full)
    assert train("a", "--quiet", epochs=4) == 2
    one_sentence(capsys, "No space left on device")
    assert set(contents(Path("a"))) == FILES
    assert open_run("a").saved_epochs == len(rows(Path("a"))) == 1


def test_too_little_memory_is_said(monkeypatch, capsys):
    def large(*arguments, **options):
        raise MemoryError("Unable to allocate 9 TiB")

    monkeypatch.setattr("minivae.data.load", large)
    assert train("a") == 2
    one_sentence(capsys, "9 TiB", "memory")


def test_an_error_of_the_program_is_not_hidden(monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError

    monkeypatch.setattr("minivae.data.load", broken)
    with pytest.raises(ZeroDivisionError):
        train("a")


# --- processes ---------------------------------------------------------------------------------


def test_python_m_minivae_is_the_command(tmp_path):
    path = str(Path(minivae.__file__).parent.parent)
    done = subprocess.run(
        [sys.executable, "-m", "minivae", "data", "fetch", "mnits"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("minivae: there is no data set 'mnits'")
    assert done.stderr.count("\n") == 1


def test_a_broken_pipe_is_silent():
    process = start("data")
    process.stdout.close()  # before Python has even started
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_an_output_that_is_full_is_said():
    with open("/dev/full", "w") as full:
        process = start("data", stdout=full)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (2, "minivae: No space left on device.\n")


def test_help_imports_nothing_heavy():
    code = """
import sys
from minivae.cli import main
try:
    main(["--help"])
except SystemExit:
    pass
heavy = {"matplotlib", "pooch", "requests", "scipy", "PIL"} & set(sys.modules)
sys.exit(f"imported: {heavy}" if heavy else 0)
"""
    path = str(Path(minivae.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": path}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)


def test_a_command_is_found_by_its_file(tmp_path, monkeypatch, refuses):
    """What a new file's first line says is its line in the help; it comes last."""
    commands = tmp_path / "commands"
    commands.mkdir()
    (commands / "train.py").write_text('"""`minivae train`: train a model."""\n')
    (commands / "abacus.py").write_text('"""`minivae abacus`: count."""\n')
    module = sys.modules["minivae.cli.main"]
    monkeypatch.setattr(module, "__file__", str(tmp_path / "main.py"))
    assert module.find_commands() == {"train": "train a model", "abacus": "count"}
    (commands / "wrong.py").write_text('"""Something."""\n')
    with refuses(OptionError, "wrong.py", "minivae wrong"):
        module.find_commands()
