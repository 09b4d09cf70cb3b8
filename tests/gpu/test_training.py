"""Training on the backend "cuda": what a step costs, and that it is the same run as elsewhere."""

import json

import numpy as np
import pytest

from gpu.standin import counting, memory_limit
from minivae.cli.main import main
from minivae.data import Pixels, load
from minivae.data.alphabet import PADDING
from minivae.errors import CheckpointError, NonFiniteError, OutOfMemoryError
from minivae.models import MODELS, VAE, Autoencoder
from minivae.ops import LIKELIHOODS
from minivae.train.checkpoint import load_checkpoint, save_checkpoint
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam, AdamW
from minivae.train.optim.momentum import Momentum
from minivae.train.optim.sgd import SGD
from minivae.train.settings import Settings, Training

on_the_standin = pytest.mark.parametrize("cuda_backend", ["standin"], indirect=True)
"""For what only the stand-in can do: count, and run out of memory when it is told to."""

BATCH, PIXELS = 4, 6
CONV = {"pixels": (3, 2), "network": "conv", "channels": (2, 3), "kernel": 2, "stride": 1}


def stored(n):
    return Pixels(np.random.default_rng(1).integers(0, 256, (n, PIXELS), dtype=np.uint8))


def make(
    backend="cuda", kind=VAE, rule=Adam, *, binarize="none", epochs=1, clip_norm=None, **options
):
    """A small run."""
    rng = np.random.default_rng(0)
    model = kind(options.pop("pixels", PIXELS), (5,), 2, rng=rng, backend=backend, **options)
    settings = Settings(epochs=epochs, batch=BATCH, binarize=binarize)
    return Training(model, rule(0.01, clip_norm=clip_norm), rng, settings)


# ---- what a step costs ----


def count(steps, **options):
    """What the stand-in counts in an epoch of so many steps."""
    training = make(**options)
    with counting() as seen:
        fit(training, stored(steps * BATCH), progress=False)
    return seen


@on_the_standin
@pytest.mark.parametrize("binarize", ["none", "dynamic"])
@pytest.mark.parametrize(
    ("launches", "options"),
    [
        (44, {}),
        (44, {"rule": SGD}),
        (44, {"rule": Momentum, "clip_norm": 1.0}),
        (44, {"rule": AdamW}),
        (56, {"samples": 3}),
        (33, {"kind": Autoencoder}),
        (44, {"likelihood": "gaussian"}),
        (46, {"likelihood": "gaussian_shared"}),
        (46, {"likelihood": "gaussian_learned"}),
        (77, CONV),
        (119, CONV | {"norm": "batch"}),
        (101, CONV | {"norm": "layer"}),
    ],
    ids=str,
)
def test_launches_of_a_step(cuda_backend, launches, options, binarize):
    few, many = (count(steps, binarize=binarize, **options) for steps in (6, 16))
    assert many.launches - few.launches == 10 * launches, many.launched


@on_the_standin
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize(
    "options", [{}, {"samples": 3}, {"kind": Autoencoder}, CONV | {"norm": "batch"}], ids=str
)
def test_the_host_reads_nothing_in_a_step(cuda_backend, likelihood, options):
    few, many = (
        count(steps, binarize="dynamic", likelihood=likelihood, **options) for steps in (6, 16)
    )
    # Once an epoch: three sums, whether an update was refused, whether the weights are finite.
    # And whether what a norm carries on is finite, where there is one.
    assert few.read == many.read == ["float"] * 4 + ["bool"] * (1 + ("norm" in options))
    # The data and their order; then the noise, through pinned memory, which nobody waits for.
    arrays = 1 if options.get("kind") is Autoencoder else 2
    for seen, steps in ((few, 6), (many, 16)):
        assert seen.uploaded == ["array", "array"] + ["set"] * (arrays * steps)


# ---- the noise ----


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("steps", [1, 3, 200])
def test_noise_that_is_drawn_ahead_is_the_noise_of_each_step(cuda_backend, kind, steps):
    options = {"labels": ("a", "b")} if "condition" in MODELS[kind].can else {}
    options |= {"alphabet": (PADDING, "a", "b")} if MODELS[kind].sequential else {}
    model = MODELS[kind](PIXELS, (5,), 2, rng=np.random.default_rng(0), backend="cuda", **options)
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    wanted = [here_on(cuda_backend, model.draw_noise(one, 2 + step % 3)) for step in range(steps)]
    drawn = cuda_backend.ahead(lambda step: model.draw_noise(other, 2 + step % 3), range(steps))
    for noise, want in zip(drawn, wanted, strict=True):
        np.testing.assert_equal(here_on(cuda_backend, noise), want)
    assert one.bit_generator.state == other.bit_generator.state


def here_on(backend, noise):
    return None if noise is None else backend.to_host(noise)


@pytest.mark.parametrize("megabytes", [3, 20])
def test_noise_that_does_not_fit_into_a_block(cuda_backend, megabytes):
    # Two steps in a block of 8 MB, and none at all.
    shape = (megabytes * 2**18,)
    rng, other = np.random.default_rng(4), np.random.default_rng(4)
    for array in cuda_backend.ahead(
        lambda _: cuda_backend.asarray(rng.random(shape, dtype="float32")), range(5)
    ):
        want = other.random(shape, dtype="float32")
        np.testing.assert_array_equal(cuda_backend.to_host(array), want)


# ---- the same run on all backends ----


class Losses:
    """Keeps the loss of each step."""

    def __init__(self, model):
        self.step, self.seen = model.step, []
        model.step = self

    def __call__(self, *arguments):
        terms = self.step(*arguments)
        self.seen.append(float(terms.loss))
        return terms


def curve(backend, data, hidden, epochs, batch):
    rng = np.random.default_rng(7)
    model = VAE(data.pixels_train.shape[1], hidden, 8, rng=rng, backend=backend)
    settings = Settings(epochs=epochs, batch=batch, binarize="dynamic")
    losses = Losses(model)
    fit(Training(model, Adam(1e-3), rng, settings), data.pixels_train, progress=False)
    return np.array(losses.seen)


def test_a_seed_gives_the_same_losses_on_three_backends(cuda_backend):
    """float32, 200 steps and more: each step's loss agrees to a relative 1e-4."""
    data = load("digits8")
    curves = {
        backend: curve(backend, data, (64,), epochs=14, batch=100)
        for backend in ("numpy", "numba", "cuda")
    }
    assert len(curves["numpy"]) >= 200
    for backend in ("numba", "cuda"):
        np.testing.assert_allclose(curves[backend], curves["numpy"], rtol=1e-4, err_msg=backend)
    assert curves["cuda"][-1] < 0.75 * curves["cuda"][0]


def test_an_epoch_of_digits_has_the_losses_of_the_cpu(cuda_backend):
    data = load("mnist5k", limit=2000)
    ours, reference = (curve(backend, data, (400,), 1, 128) for backend in ("cuda", "numba"))
    np.testing.assert_allclose(ours, reference, rtol=1e-4)
    assert ours[-1] < 0.6 * ours[0]


def test_two_runs_are_the_same_bit_for_bit(cuda_backend):
    data = load("mnist5k", limit=1000)
    runs = [curve("cuda", data, (100,), 1, 128) for _ in range(2)]
    np.testing.assert_array_equal(*runs)


# ---- checkpoints ----

PAIRS = [("cuda", "numpy"), ("cuda", "numba"), ("numpy", "cuda"), ("numba", "cuda")]


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize("rule", [Adam, Momentum])
def test_a_checkpoint_goes_on_on_another_backend(cuda_backend, tmp_path, first, second, rule):
    x = stored(22)
    training = make(first, epochs=2, binarize="dynamic", rule=rule)
    fit(training, x, progress=False)
    save_checkpoint(tmp_path / "run.npz", training)
    other, _ = load_checkpoint(tmp_path / "run.npz", second)
    assert other.model.backend.name == second
    for a, b in [
        (training.model.params.theta, other.model.params.theta),
        *zip(training.optimizer.state.values(), other.optimizer.state.values(), strict=True),
    ]:
        host = training.model.backend.to_host(a), other.model.backend.to_host(b)
        np.testing.assert_array_equal(*host)
    for run in (training, other):
        run.settings = Settings(epochs=6, batch=BATCH, binarize="dynamic")
        fit(run, x, progress=False)
    assert other.rng.bit_generator.state == training.rng.bit_generator.state
    losses = [[record["loss"] for record in run.history] for run in (training, other)]
    np.testing.assert_allclose(*losses, rtol=1e-5)


def test_a_resumed_run_is_the_uninterrupted_one_bit_for_bit(cuda_backend, tmp_path):
    x = stored(22)
    whole = make(epochs=4, binarize="dynamic")
    fit(whole, x, progress=False)
    part = make(epochs=2, binarize="dynamic")
    fit(part, x, progress=False)
    save_checkpoint(tmp_path / "run.npz", part)
    part, _ = load_checkpoint(tmp_path / "run.npz", "cuda")
    part.settings = Settings(epochs=4, batch=BATCH, binarize="dynamic")
    fit(part, x, progress=False)
    assert part.history == whole.history
    thetas = [cuda_backend.to_host(run.model.params.theta) for run in (part, whole)]
    np.testing.assert_array_equal(*thetas)


def test_a_checkpoint_of_another_model_is_refused_and_intact(cuda_backend, tmp_path, refuses):
    path = tmp_path / "run.npz"
    save_checkpoint(path, make())
    arrays = dict(np.load(path))
    arrays["theta"] = arrays["theta"][:-1]
    np.savez(path, **arrays)
    before = path.read_bytes()
    with refuses(CheckpointError, str(path), "theta"):
        load_checkpoint(path, "cuda")
    assert path.read_bytes() == before


# ---- what goes wrong ----


def test_a_refused_update_is_told_at_the_end_of_the_epoch(cuda_backend, refuses):
    training = make(likelihood="gaussian", rule=SGD)
    x = np.random.default_rng(2).random((22, PIXELS), dtype="float32")
    x[3] = np.nan
    with refuses(NonFiniteError, "update", "refused", "unchanged"):
        fit(training, x, progress=False)
    theta = cuda_backend.to_host(training.model.params.theta)
    assert np.isfinite(theta).all()
    # The same steps, up to the one that was refused, on the CPU: there it is told at once.
    other = make("numpy", likelihood="gaussian", rule=SGD)
    with refuses(NonFiniteError, "unchanged"):
        fit(other, x, progress=False)
    assert training.optimizer.t == other.optimizer.t
    np.testing.assert_allclose(theta, other.model.params.theta, rtol=1e-5, atol=1e-7)


@on_the_standin
def test_a_device_out_of_memory(cuda_backend, tmp_path, refuses):
    path, training, x = tmp_path / "run.npz", make(epochs=2), stored(22)
    fit(training, x, after_epoch=lambda run: save_checkpoint(path, run), progress=False)
    training.settings = Settings(epochs=3, batch=BATCH)
    before, theta = path.read_bytes(), cuda_backend.to_host(training.model.params.theta)
    with refuses(OutOfMemoryError, "Out of memory allocating", "smaller batch"), memory_limit(4096):
        fit(training, x, progress=False)
    assert path.read_bytes() == before
    np.testing.assert_array_equal(cuda_backend.to_host(training.model.params.theta), theta)
    fit(training, x, progress=False)  # with the memory back, it goes on
    assert len(training.history) == 3


@on_the_standin
def test_the_command_says_where_the_checkpoint_is(cuda_backend, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["train", "digits8", "--backend", "cuda", "--hidden", "8", "--epochs", "1", "--quiet"]
    assert main(command) == 0
    with memory_limit(2**20):
        assert main(command) == 2
    message = capsys.readouterr().err
    assert "not enough memory (Out of memory allocating 8,388,608 bytes" in message
    assert "the checkpoint of epoch 0 in runs/002-digits8-vae is intact" in message
    assert message.count("\n") == 1
    load_checkpoint(tmp_path / "runs" / "002-digits8-vae", "numpy")


def test_the_commands_train_and_evaluate_there(cuda_backend, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    command = ["train", "digits8", "--hidden", "8", "--latent", "2", "--epochs", "2", "--quiet"]
    assert main([*command, "--backend", "cuda", "--out", "run"]) == 0
    assert main(["train", "--resume", "run", "--epochs", "3", "--quiet"]) == 0  # on the same
    assert main(["train", "--resume", "run", "--epochs", "4", "--backend", "numpy", "--quiet"]) == 0
    printed = []
    for name in ("cuda", "numpy"):
        capsys.readouterr()
        samples = ["--importance-samples", "20", "--limit", "50"]
        assert main(["evaluate", "run", "--backend", name, "--json", *samples]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    for name in ("elbo", "nll", "kl", "log_likelihood"):
        assert printed[0][name] == pytest.approx(printed[1][name], rel=1e-4), name
    assert {"latent.png", "manifold.png"} <= {path.name for path in (tmp_path / "run").iterdir()}
