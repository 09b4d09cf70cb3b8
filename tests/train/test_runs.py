"""Run folders: what is written, found and read back, and what is refused."""

import csv
import hashlib
import io
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from minivae import VAE, Adam, Autoencoder, Settings, Training, fit, load_checkpoint
from minivae import data as datasets
from minivae.errors import CheckpointError, DataError, OptionError
from minivae.train.checkpoint import save_checkpoint
from minivae.train.kept import describe, fingerprint
from minivae.train.prepare import binarize
from minivae.train.runs import (
    Run,
    metrics,
    new_folder,
    newest,
    open_run,
    source_of,
)
from minivae.train.settings import STREAMS


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def make(folder, *, model=VAE, source="digits8", limit=60, epochs=1, mode="fixed"):
    """A saved run of a few rows."""
    folder.mkdir(parents=True)
    data = datasets.load(source, limit=limit)
    rng = np.random.default_rng(0)
    built = model(data.x_train.shape[1], (7,), 2, rng=rng, likelihood="gaussian")
    training = Training(built, Adam(), rng, Settings(epochs=epochs, binarize=mode))
    extra = {
        "options": {"data": source_of(str(source)), "limit": limit, "backend": "numpy"},
        "data": describe(data),
        "note": "",
    }
    run = Run(folder, training, extra)
    if epochs:
        fit(training, data.x_train, data.x_test, progress=False)
    run.save()
    run.save_config()
    return run, data


def test_metrics_lose_no_digit():
    history = [{"epoch": 1, "beta": 1.0, "kl": 1 / 3, "loss": 1e-300, "val_kl": 2.0}]
    (row,) = csv.DictReader(io.StringIO(metrics(history)))
    assert {name: float(value) for name, value in row.items()} == history[0]
    assert row["epoch"] == "1"


def test_metrics_of_an_autoencoder_have_no_kl():
    history = [{"epoch": 1, "beta": 1.0, "nll": 2.5, "kl": 0.0, "val_kl": 0.0, "val_nll": 3.5}]
    assert metrics(history, without={"beta", "kl", "val_kl"}) == "epoch,nll,val_nll\n1,2.5,3.5\n"


def test_metrics_before_the_first_epoch_are_a_header():
    assert metrics([]) == "epoch\n"


def test_folders_are_numbered_and_named_readably(tmp_path):
    assert str(new_folder(None, "my data (2)-vae")) == "runs/001-my-data-2-vae"
    assert str(new_folder(None, "mnist-vae")) == "runs/002-mnist-vae"
    (tmp_path / "runs" / "1041-old").mkdir()
    (tmp_path / "runs" / "notes").mkdir()
    assert str(new_folder(None, "x")) == "runs/1042-x"


def test_a_folder_that_another_training_took_is_not_shared(tmp_path, monkeypatch):
    new_folder(None, "x")
    monkeypatch.setattr("re.match", lambda *arguments: None)  # as if runs/ had been empty
    assert str(new_folder(None, "x")) == "runs/002-x"


def test_a_folder_of_the_users_own_may_be_empty_or_missing(tmp_path):
    (tmp_path / "empty").mkdir()
    assert new_folder("empty", "x").is_dir()
    assert new_folder("a/b/c", "x").is_dir()


def test_a_folder_that_holds_something_is_refused(tmp_path, refuses):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    with refuses(OptionError, "full", "--resume", "--out"):
        new_folder("full", "x")
    with refuses(OptionError, "thesis.txt", "is a file"):
        new_folder("full/thesis.txt", "x")
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"


def test_newest_is_the_run_that_was_saved_last(tmp_path):
    for seconds, name in ((30, "001-a"), (50, "002-b"), (40, "003-c")):
        path = tmp_path / "runs" / name / "checkpoint.npz"
        path.parent.mkdir(parents=True)
        path.touch()
        os.utime(path, (seconds, seconds))
    (tmp_path / "runs" / "004-no-checkpoint").mkdir()
    assert newest().name == "002-b"


def test_newest_says_where_it_looked(tmp_path, refuses):
    with refuses(CheckpointError, str(tmp_path / "runs"), "minivae train"):
        newest()


@pytest.mark.parametrize("name", ["", "checkpoint.npz"])
def test_a_run_comes_back_from_its_folder_or_file(tmp_path, name):
    run, _ = make(tmp_path / "run")
    again = open_run(tmp_path / "run" / name)
    assert again.folder == run.folder
    assert again.saved_epochs == 1
    assert again.extra == run.extra
    assert again.shape == (8, 8)
    np.testing.assert_array_equal(
        again.training.model.params.theta, run.training.model.params.theta
    )


def test_config_says_what_the_checkpoint_says(tmp_path):
    run, _ = make(tmp_path / "run")
    config = json.loads((run.folder / "config.json").read_text())
    training, extra = load_checkpoint(run.folder / "checkpoint.npz")
    assert config["options"] == extra["options"]
    assert config["data"] == extra["data"]
    assert config["model"] == training.model.config
    assert config["optimizer"] == training.optimizer.config


def test_a_checkpoint_that_names_no_data_is_refused(tmp_path, refuses):
    run, _ = make(tmp_path / "run")
    path = tmp_path / "bare.npz"
    for extra in (None, {"data": 3}, {"data": run.extra["data"]}, {"data": {}, "options": {}}):
        save_checkpoint(path, run.training, extra)
        with refuses(CheckpointError, "bare.npz", "what data"):
            open_run(path)


def test_a_folder_without_checkpoint_is_refused(tmp_path, refuses):
    with refuses(CheckpointError, "checkpoint.npz", "does not exist"):
        open_run(tmp_path)
    with refuses(CheckpointError, "nowhere", "does not exist"):
        open_run("nowhere")


def test_data_come_back_from_any_working_directory(tmp_path, monkeypatch):
    x = np.random.default_rng(0).random((40, 5))
    np.save("mine.npy", x)
    run, data = make(tmp_path / "run", source="mine.npy", limit=20, mode="none")
    assert run.extra["options"]["data"] == str(tmp_path / "mine.npy")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = open_run(tmp_path / "run").load_data()
    np.testing.assert_array_equal(again.x_train, data.x_train)
    assert len(again.x_train) == 20


@pytest.mark.parametrize("row", [0, 9])  # row 9 is held out as test row
def test_data_that_were_changed_are_refused(tmp_path, refuses, row):
    x = np.random.default_rng(0).random((40, 5))
    np.save("mine.npy", x)
    run, _ = make(tmp_path / "run", source="mine.npy", limit=None, mode="none")
    x[row, 2] += 0.125
    np.save("mine.npy", x)
    with refuses(DataError, "mine.npy", "no longer"):
        run.load_data()


def test_a_name_stays_a_name_and_a_path_becomes_absolute(tmp_path):
    assert source_of("mnist") == "mnist"
    assert source_of("./mnist") == str(tmp_path / "mnist")


@pytest.mark.parametrize(
    ("name", "limit", "expected"),
    [
        ("digits8", None, "9f578524b6cec1fc800cc52dfc87ebe56264983d490aa72a4bd928ba2570ec77"),
        ("digits8", 100, "4a7cf3e776d3515ead7fbacba6d5b4282782ebb1836160c025a8a20cccf43ce9"),
        ("mnist5k", None, "91b3fe7f251f6763bd6b4b3415f8d2a3369ac493c80b90b386aafa758ee108c3"),
    ],
)
def test_the_fingerprint_is_that_of_the_floats(name, limit, expected):
    # Checkpoints hold these sums, so they stay, in whatever form the pixels are kept.
    data = datasets.load(name, limit=limit)
    assert fingerprint(data) == expected
    floats = np.concatenate([data.x_train, data.x_test])
    assert floats.dtype == np.float32
    assert hashlib.sha256(floats.tobytes()).hexdigest() == expected
    assert describe(data)["range"] == [0, 1]


def test_test_rows_are_those_of_the_validation(tmp_path):
    run, data = make(tmp_path / "run", mode="dynamic")
    x, y, part = run.test_rows(data)
    assert part == "test"
    np.testing.assert_array_equal(
        x, binarize(data.x_test, np.random.default_rng([0, STREAMS["val"]]))
    )
    np.testing.assert_array_equal(y, data.y_test)


def test_few_rows_are_tested_on_themselves(tmp_path):
    np.save("few.npy", np.random.default_rng(0).random((6, 5)))
    run, data = make(tmp_path / "run", source="few.npy", mode="none")
    assert data.x_test is None
    x, y, part = run.test_rows(data)
    np.testing.assert_array_equal(x, data.x_train)
    assert (y, part) == (None, "training")


@pytest.mark.parametrize("model", [VAE, Autoencoder])
def test_codes_and_reconstructions_do_not_depend_on_the_batches(tmp_path, model):
    run, _ = make(tmp_path / "run", model=model)
    x = datasets.load("digits8", limit=1200).x_train  # three batches, the last one ragged
    codes, rebuilt = run.codes(x), run.reconstruct(x)
    encoded = run.training.model.encode(x)
    expected = encoded[0] if model is VAE else encoded
    np.testing.assert_allclose(codes, expected, atol=1e-5)
    np.testing.assert_allclose(rebuilt, run.training.model.decode(codes), atol=1e-5)
    assert codes.shape == (1200, 2)
    assert ("prior" in run.can) == (model is VAE)


@pytest.mark.parametrize(
    ("low", "high", "limits"), [(0.1, 0.9, (0, 1)), (-2, 0.5, (-2, 1)), (0, 255, (0, 255))]
)
def test_black_and_white_hold_all_values(tmp_path, low, high, limits):
    extra = {"data": {"range": [low, high]}}
    run, _ = make(tmp_path / "run")
    assert replace(run, extra=extra).limits == limits


def test_saving_replaces_whole_files(tmp_path, monkeypatch, refuses):
    run, data = make(tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.folder.iterdir()}
    assert set(before) == {"checkpoint.npz", "config.json", "metrics.csv"}

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("minivae.files.os.replace", full)
    run.training.settings = Settings(epochs=2, binarize="fixed")
    fit(run.training, data.x_train, data.x_test, progress=False)
    with refuses(CheckpointError, "No space left"):
        run.save()
    assert run.saved_epochs == 1
    assert {path.name: path.read_bytes() for path in run.folder.iterdir()} == before
