"""Checkpoints: a run that is killed and resumed ends where it would have, and no file surprises."""

import io
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import minivae
from minivae.errors import CheckpointError, ShapeError
from minivae.files import write_atomically
from minivae.models import VAE, Autoencoder
from minivae.train.checkpoint import load_checkpoint, save_checkpoint
from minivae.train.loop import fit
from minivae.train.optim import OPTIMIZERS
from minivae.train.optim.adam import Adam, AdamW
from minivae.train.optim.momentum import Momentum
from minivae.train.settings import Settings, Training

PIXELS = 6
LEARNING_RATE = {"sgd": 0.05, "momentum": 0.01, "adam": 0.02, "adamw": 0.02}


def grey(n=23, seed=0):
    return np.random.default_rng(seed).random((n, PIXELS), dtype=np.float32)


def make(kind="adam", *, model=VAE, epochs=6, clip_norm=None, dtype="float32", **settings):
    rng = np.random.default_rng(1)
    settings = {"batch": 5, "binarize": "dynamic", "schedule": "linear"} | settings
    return Training(
        model(PIXELS, (5,), 2, rng=rng, dtype=dtype),
        OPTIMIZERS[kind](lr=LEARNING_RATE[kind], clip_norm=clip_norm),
        rng,
        Settings(epochs=epochs, **settings),
    )


def run(training, path=None):
    """Train to the end, with a checkpoint after each epoch if there is a path."""
    save = None if path is None else lambda run: save_checkpoint(path, run)
    return fit(training, grey(), grey(40, seed=2), after_epoch=save, progress=False)


def assert_same_run(a, b):
    """Bit for bit: weights, moments, generator, history."""
    assert a.model.params.theta.tobytes() == b.model.params.theta.tobytes()
    assert a.optimizer.t == b.optimizer.t
    assert a.optimizer.config == b.optimizer.config
    assert a.optimizer.state.keys() == b.optimizer.state.keys()
    for name, array in a.optimizer.state.items():
        assert array.dtype == b.optimizer.state[name].dtype
        assert array.tobytes() == b.optimizer.state[name].tobytes()
    assert a.rng.bit_generator.state == b.rng.bit_generator.state
    assert a.settings == b.settings
    assert a.history == b.history
    assert (a.best_theta is None) == (b.best_theta is None)
    if a.best_theta is not None:
        assert a.best_theta.tobytes() == b.best_theta.tobytes()


class Killed(BaseException):
    """Stands for the signal that ends a process."""


@pytest.fixture
def saved(tmp_path):
    """A run of two epochs and its checkpoint."""
    training = run(make(epochs=2, patience=3))
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, training, extra={"data": "digits8"})
    return training, path


# ---- what is saved comes back ----


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("model", [VAE, Autoencoder])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_run_comes_back_whole(kind, model, dtype, tmp_path):
    training = run(make(kind, model=model, dtype=dtype, patience=2))
    extra = {"data": "digits8", "shape": [2, 3], "note": None}
    save_checkpoint(str(tmp_path / "a.npz"), training, extra)
    again, more = load_checkpoint(str(tmp_path / "a.npz"))
    assert_same_run(training, again)
    assert again.model.config == training.model.config
    assert again.model.params.dtype == dtype
    assert more == extra


def test_every_option_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    model = VAE(
        PIXELS,
        (7, 5),
        3,
        activation="gelu",
        likelihood="gaussian",
        likelihood_options={"sigma": 0.25},
        logvar_range=(-6, 4),
        samples=3,
        rng=rng,
        dtype="float64",
    )
    optimizer = AdamW(3e-3, 0.2, beta1=0.8, beta2=0.99, eps=1e-6, clip_norm=2.0)
    settings = Settings(4, 7, "fixed", 1.0, "constant", 2.5, 3, 11)
    save_checkpoint(tmp_path / "a.npz", Training(model, optimizer, rng, settings))
    again, extra = load_checkpoint(tmp_path / "a.npz")
    assert extra == {}
    assert again.model.config == model.config
    assert again.optimizer.config == optimizer.config
    assert again.settings == settings
    assert again.history == []
    assert_same_run(again, Training(model, optimizer, rng, settings))


def test_a_folder_stands_for_the_checkpoint_in_it(saved):
    training, path = saved
    again, _ = load_checkpoint(path.parent)
    assert_same_run(training, again)


def test_no_pickle_and_nothing_but_arrays_in_the_file(saved):
    training, path = saved
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    size = training.model.params.theta.size
    assert {name: array.shape for name, array in arrays.items()} == {
        "theta": (size,),
        "best_theta": (size,),
        "optimizer.m": (size,),
        "optimizer.v": (size,),
        "meta": (),
        **{f"history.{name}": (len(training.history),) for name in training.history[0]},
    }
    assert arrays["theta"].dtype == np.float32
    meta = json.loads(str(arrays["meta"]))
    assert meta["format"] == "minivae checkpoint"
    assert meta["version"] == 4
    assert meta["history"] == []


# ---- killed and resumed ----


@pytest.mark.parametrize("patience", [None, 2])
@pytest.mark.parametrize("clip_norm", [None, 0.5])
@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_killed_and_resumed_ends_bit_for_bit_where_it_would_have(
    kind, clip_norm, patience, tmp_path
):
    def fresh():
        return make(kind, clip_norm=clip_norm, patience=patience, epochs=8)

    uninterrupted = run(fresh())
    path = tmp_path / "checkpoint.npz"
    for last in range(1, len(uninterrupted.history) + 1):

        def save_and_die(training, last=last):
            save_checkpoint(path, training)
            if len(training.history) == last:
                raise Killed

        with pytest.raises(Killed):
            fit(fresh(), grey(), grey(40, seed=2), after_epoch=save_and_die, progress=False)
        resumed, _ = load_checkpoint(path)
        assert len(resumed.history) == last
        assert_same_run(run(resumed), uninterrupted)


def test_one_of_these_runs_is_stopped_by_its_patience():
    training = run(make("adam", patience=2, epochs=40))
    assert training.stopped
    assert len(training.history) < 40


def test_a_kill_within_an_epoch_loses_that_epoch_only(tmp_path):
    path = tmp_path / "checkpoint.npz"
    uninterrupted = run(make(epochs=4))
    training = make(epochs=4)
    step, calls = training.model.step, 0

    def step_and_die(*arguments):
        nonlocal calls
        calls += 1
        if calls == 13:  # in the third epoch of five steps
            raise Killed
        return step(*arguments)

    training.model.step = step_and_die
    with pytest.raises(Killed):
        run(training, path)
    resumed, _ = load_checkpoint(path)
    assert len(resumed.history) == 2
    assert_same_run(run(resumed), uninterrupted)


def test_a_finished_run_goes_on_with_more_epochs(tmp_path):
    path = tmp_path / "checkpoint.npz"
    run(make(epochs=3), path)
    resumed, _ = load_checkpoint(path)
    resumed.settings = replace(resumed.settings, epochs=6)
    assert_same_run(run(resumed), run(make(epochs=6)))


def test_the_learning_rate_of_the_moment_is_saved(tmp_path):
    def halve(training):
        training.optimizer.lr /= 2
        save_checkpoint(tmp_path / f"{len(training.history)}.npz", training)

    def go(training):
        return fit(training, grey(), after_epoch=halve, progress=False)

    uninterrupted = go(make(epochs=4))
    resumed, _ = load_checkpoint(tmp_path / "2.npz")
    assert_same_run(go(resumed), uninterrupted)


CHILD = """
import sys
import numpy as np
from minivae import VAE, Adam, Settings, Training, fit, load_checkpoint, save_checkpoint
from minivae.errors import CheckpointError

path, epochs = sys.argv[1], int(sys.argv[2])
try:
    training, _ = load_checkpoint(path)
except CheckpointError as error:
    assert "does not exist" in str(error), error
    rng = np.random.default_rng(3)
    training = Training(VAE(6, (64,), 2, rng=rng), Adam(0.01), rng, Settings(epochs, 5, "dynamic"))
print("ready", flush=True)
x = np.random.default_rng(0).random((23, 6), dtype=np.float32)
fit(training, x, after_epoch=lambda run: save_checkpoint(path, run), progress=False)
print("done", flush=True)
"""


def start_child(path, epochs):
    """A process that trains and saves; it is returned when it has loaded everything."""
    root = str(Path(minivae.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": root}
    command = [sys.executable, "-c", textwrap.dedent(CHILD), str(path), str(epochs)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_sigkill_at_any_moment(tmp_path):
    # Epochs of five tiny steps, so that much of the time goes into saving.
    path, epochs = tmp_path / "checkpoint.npz", 100_000
    generator = random.Random(0)
    finished = 0
    for _ in range(4):
        child = start_child(path, epochs)
        try:
            deadline = time.monotonic() + 30
            while not path.exists() and time.monotonic() < deadline:
                time.sleep(0.001)
            time.sleep(generator.uniform(0.05, 0.25))
            child.send_signal(signal.SIGKILL)
            assert child.wait(timeout=30) == -signal.SIGKILL
        finally:
            child.kill()
            child.stdout.close()
        training, _ = load_checkpoint(path)
        assert len(training.history) >= finished
        finished = len(training.history)
    assert finished > 4

    # Three more epochs in this process, and all of them at once, without a kill.
    total = finished + 3
    x = np.random.default_rng(0).random((23, 6), dtype=np.float32)
    training.settings = replace(training.settings, epochs=total)
    fit(training, x, progress=False)
    rng = np.random.default_rng(3)
    uninterrupted = Training(
        VAE(6, (64,), 2, rng=rng), Adam(0.01), rng, Settings(total, 5, "dynamic")
    )
    fit(uninterrupted, x, progress=False)
    assert_same_run(training, uninterrupted)


# ---- writing ----


def test_no_temporary_file_is_left(saved):
    training, path = saved
    for _ in range(3):
        save_checkpoint(path, training)
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt(), Killed()])
def test_an_interrupted_write_leaves_the_old_file(saved, error):
    _, path = saved
    before = path.read_bytes()

    def write(file):
        file.write(b"half of it")
        file.flush()
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, write)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.npz"]


def test_the_old_file_is_there_until_the_new_one_is_whole(saved):
    _, path = saved
    before = path.read_bytes()

    def write(file):
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == before

    write_atomically(path, write)
    assert path.read_bytes() == b"new"


def test_what_cannot_be_written_is_refused(saved, refuses):
    training, path = saved
    before = path.read_bytes()
    with refuses(CheckpointError, "no_such_folder", "cannot be written"):
        save_checkpoint(path.parent / "no_such_folder" / "a.npz", training)
    with refuses(CheckpointError, "cannot be written"):
        save_checkpoint(path.parent, training)
    for extra in ({"seed": np.int64(3)}, {"x": np.ones(2)}, {(1, 2): 3}):
        with refuses(CheckpointError, str(path), "`extra`"):
            save_checkpoint(path, training, extra)
    training.rng = np.random.Generator(np.random.MT19937(0))
    with refuses(CheckpointError, "MT19937", "default_rng"):
        save_checkpoint(path, training)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["checkpoint.npz"]


# ---- files that are no checkpoint ----


def test_a_missing_file_is_refused(tmp_path, refuses):
    with refuses(CheckpointError, "nothing.npz", "does not exist"):
        load_checkpoint(tmp_path / "nothing.npz")
    with refuses(CheckpointError, "checkpoint.npz", "does not exist"):
        load_checkpoint(tmp_path)


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def a_zip_of_text():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("hello.txt", "hello")
    return file.getvalue()


FOREIGN = {
    "empty": b"",
    "text": b"These are not the weights you are looking for.\n" * 20,
    "json": b'{"format": "minivae checkpoint", "version": 2}',
    "npy": npy(np.ones(5)),
    "zip magic": b"PK\x03\x04" + b"x" * 100,
    "zip of text": a_zip_of_text(),
    "no members": npz(),
    "npz": npz(theta=np.ones(5)),
    "npz with a number as meta": npz(theta=np.ones(5), meta=np.array(5)),
    "npz with another meta": npz(theta=np.ones(5), meta=np.array('{"format": "other"}')),
    "npz with a list as meta": npz(theta=np.ones(5), meta=np.array("[1, 2]")),
    "pickle": npz(theta=np.array([{"a": 1}], dtype=object)),
    "png": b"\x89PNG\r\n\x1a\n" + bytes(200),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_is_refused(name, tmp_path, refuses):
    path = tmp_path / "foreign.npz"
    path.write_bytes(FOREIGN[name])
    with refuses(CheckpointError, str(path)):
        load_checkpoint(path)
    assert path.read_bytes() == FOREIGN[name]


class Trap:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_no_pickle_is_ever_opened(tmp_path, refuses):
    path = tmp_path / "trap.npz"
    sprung = tmp_path / "sprung"
    trap = np.empty((), object)
    trap[()] = Trap(sprung)
    for name in ("theta", "meta", "more"):
        path.write_bytes(npz(**{name: trap}))
        with refuses(CheckpointError, str(path)):
            load_checkpoint(path)
    (tmp_path / "bare.npz").write_bytes(pickle.dumps(trap[()]))
    with refuses(CheckpointError, "bare.npz"):
        load_checkpoint(tmp_path / "bare.npz")
    assert not sprung.exists()


def test_a_truncated_file_is_refused_wherever_it_ends(saved, tmp_path, refuses):
    _, path = saved
    whole = path.read_bytes()
    ends = sorted({0, 1, 3, 4, 30, len(whole) - 22, len(whole) - 1, *range(7, len(whole), 97)})
    cut = tmp_path / "cut.npz"
    for end in ends:
        cut.write_bytes(whole[:end])
        with refuses(CheckpointError, str(cut)):
            load_checkpoint(cut)
    assert len(ends) > 50


def test_damage_is_refused_or_harmless(saved, tmp_path):
    # A flipped byte in an array is seen by the checksum; one that nobody reads changes nothing.
    training, path = saved
    whole = path.read_bytes()
    damaged = tmp_path / "damaged.npz"
    refused = 0
    for at in range(5, len(whole), 61):
        damaged.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            again, _ = load_checkpoint(damaged)
        except CheckpointError:
            refused += 1
        else:
            assert_same_run(training, again)
    assert refused > 50


def change(path, arrays=None, drop=(), **meta):
    """Write the checkpoint again with other contents."""
    with np.load(path) as archive:
        contents = {name: archive[name] for name in archive.files}
    record = json.loads(str(contents["meta"])) | meta
    contents |= {"meta": np.array(json.dumps(record))} | (arrays or {})
    for name in drop:
        del contents[name]
    with open(path, "wb") as file:
        np.savez(file, **contents)


def test_the_formats_before_are_read(saved):
    """They hold the history as records, and so does one that is not of numbers alone."""
    training, path = saved
    arrays = dict(np.load(path))
    kept = {name: arrays[name] for name in arrays if not name.startswith("history.")}
    np.savez(path, **kept)
    for version in (2, 3):
        change(path, version=version, history=training.history)
        again, _ = load_checkpoint(path)
        assert again.history == training.history
    training.history[-1]["remark"] = "the best so far"
    save_checkpoint(path, training)
    assert load_checkpoint(path)[0].history == training.history


def test_another_version_is_refused(saved, refuses):
    _, path = saved
    for version in (0, 1, "2", None):
        change(path, version=version)
        with refuses(CheckpointError, f"checkpoint format {version}", "reads formats 2 to 4"):
            load_checkpoint(path)


CHANGES = {
    "wider model": lambda meta: meta["model"].update(hidden=[6]),
    "more pixels": lambda meta: meta["model"].update(n_pixels=7),
    "another kind of model": lambda meta: meta["model"].update(kind="autoencoder"),
    "an unknown kind of model": lambda meta: meta["model"].update(kind="gan"),
    "an unknown option": lambda meta: meta["model"].update(depth=3),
    "no likelihood": lambda meta: meta["model"].update(likelihood="poisson"),
    "no kind": lambda meta: meta["model"].pop("kind"),
    "a model that is a list": lambda meta: meta.update(model=[1]),
    "another optimizer": lambda meta: meta["optimizer"].update(kind="sgd"),
    "momentum with adam's moments": lambda meta: meta.update(optimizer=Momentum(0.1).config),
    "an unknown optimizer": lambda meta: meta["optimizer"].update(kind="lion"),
    "a negative learning rate": lambda meta: meta["optimizer"].update(lr=-1),
    "a learning rate in words": lambda meta: meta["optimizer"].update(lr="fast"),
    "a negative step": lambda meta: meta.update(t=-1),
    "a step in words": lambda meta: meta.update(t="ten"),
    "no steps with moments": lambda meta: meta.update(t=0),
    "no epochs": lambda meta: meta["settings"].update(epochs=0),
    "epochs in words": lambda meta: meta["settings"].update(epochs="ten"),
    "an unknown setting": lambda meta: meta["settings"].update(speed=3),
    "another generator": lambda meta: meta["rng"].update(bit_generator="MT19937"),
    "a negative state": lambda meta: meta["rng"]["state"].update(state=-1),
    "no state": lambda meta: meta["rng"].pop("state"),
    "a state in words": lambda meta: meta.update(rng="random"),
    "no history": lambda meta: meta.pop("history"),
    "a history of words": lambda meta: meta.update(history=["well"]),
    "a history without losses": lambda meta: meta.update(history=[{"epoch": 1}]),
    "no extra": lambda meta: meta.pop("extra"),
}


@pytest.mark.parametrize("patience", [None, 3])
@pytest.mark.parametrize("name", CHANGES)
def test_changed_contents_are_refused(name, patience, tmp_path, refuses):
    path = tmp_path / "checkpoint.npz"
    run(make(epochs=1, patience=patience), path)
    with np.load(path) as archive:
        meta = json.loads(str(archive["meta"]))
    CHANGES[name](meta)
    change(path, {"meta": np.array(json.dumps(meta))})
    before = path.read_bytes()
    with refuses(CheckpointError, str(path)):
        load_checkpoint(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["theta", "best_theta", "optimizer.m", "optimizer.v"])
def test_arrays_of_another_size_are_refused(name, saved, refuses):
    _, path = saved
    change(path, {name: np.ones(7, "float32")})
    with refuses(CheckpointError, "(7,)"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["theta", "optimizer.m", "meta"])
def test_missing_arrays_are_refused(name, saved, refuses):
    _, path = saved
    change(path, drop=[name])
    with refuses(CheckpointError, str(path)):
        load_checkpoint(path)


def test_a_refused_theta_leaves_the_model_as_it_was(saved, refuses):
    training, _ = saved
    theta = training.model.params.theta.copy()
    with refuses(ShapeError, "(7,)", str(theta.shape)):
        training.model.params.load(np.ones(7))
    np.testing.assert_array_equal(training.model.params.theta, theta)
