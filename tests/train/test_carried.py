"""Numbers that a step carries on: moved by steps alone, and resumed bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from arrays import here
from minivae import Adam, Settings, Training, load_checkpoint, save_checkpoint
from minivae.check import assert_gradients
from minivae.engine.layer import Layer, Sequential
from minivae.errors import CheckpointError, NonFiniteError
from minivae.models import GAN, VAE
from minivae.ops import Dense, Linear
from minivae.train.evaluate import evaluate, log_likelihood
from minivae.train.loop import fit

D, H, Z = 6, 5, 2


class Centre(Layer):
    """Take the mean away: in a step that of the batch, else one that the steps carry on."""

    def __init__(self, n, **where):
        super().__init__(carried={"mean": (n,), "steps": ()}, **where)

    def forward(self, x):
        self.cache = (bool(self.params.training),)
        mean = self.params.carried_of("mean")
        if not self.params.training:
            return x - mean
        batch_mean = x.mean(axis=0)
        mean[...] += 0.2 * (batch_mean - mean)
        self.params.carried_of("steps")[...] += 1
        return x - batch_mean

    def backward(self, dy):
        (training,) = self.saved()
        return dy - dy.mean(axis=0) if training else dy


def make(kind=VAE, dtype="float32", **options):
    rng = np.random.default_rng(0)
    where = {"dtype": dtype}
    trunk = Sequential(Dense(D, H, "tanh", rng=rng, **where), Centre(H, **where))
    decoder = Sequential(Centre(Z, **where), Linear(Z, D, rng=rng, **where))
    return kind(D, latent=Z, encoder=trunk, decoder=decoder, rng=rng, **where, **options)


def data(n=23, seed=1):
    return np.random.default_rng(seed).random((n, D)).astype("float32")


def run(epochs=4, model=None, after_epoch=None, lr=0.02, **settings):
    training = Training(
        model or make(), Adam(lr), np.random.default_rng(2), Settings(epochs, 6, **settings)
    )
    return fit(training, data(), data(10, 3), after_epoch=after_epoch, progress=False)


@pytest.mark.parametrize("kind", [VAE, GAN])
def test_a_step_moves_them_and_nothing_else_does(kind, each_backend):
    model = make(kind)
    x, noise = model.prepare(data()), model.draw_noise(np.random.default_rng(0), 23)

    def steps():
        return {
            name: float(model.params.carried_of(name))
            for name in model.params.carried_shapes
            if name.endswith("steps")
        }

    before = here(model.params.carried).copy()
    model.forward(x, noise)
    model.sample(3, np.random.default_rng(0))
    if kind is VAE:
        model.reconstruct(x)
        model.elbo(x, noise)
        evaluate(model, data(), rng=np.random.default_rng(0))
        log_likelihood(model, data(4), rng=np.random.default_rng(0), samples=3)
    np.testing.assert_array_equal(here(model.params.carried), before)
    model.step(x, noise)
    assert set(steps().values()) <= {1, 3}  # a GAN's discriminator sees fakes, real ones, fakes
    assert (here(model.params.carried) != before).mean() > 0.8
    with model.params.training:
        model.forward(x, noise)
    assert min(steps().values()) >= 2


def test_the_running_mean_is_what_it_should_be():
    model = make(dtype="float64")
    x = data().astype("float64")
    noise = model.draw_noise(np.random.default_rng(0), 23)
    h = np.tanh(x @ model.params["encoder.trunk.0.0.W"] + model.params["encoder.trunk.0.0.b"])
    for _ in range(3):  # the weights stay, so it goes to the batch's mean by 0.2 of the way
        model.step(x, noise)
    mean = model.params.carried_of("encoder.trunk.0.1.mean")
    np.testing.assert_allclose(mean, (1 - 0.8**3) * h.mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_check_is_of_the_step_and_leaves_them(dtype):
    model = make(dtype=dtype)
    model.params.theta[...] += 0.3 * np.random.default_rng(3).standard_normal(
        model.params.theta.size
    )
    before = model.params.carried.copy()
    assert_gradients(model)
    layer = Centre(4, dtype=dtype)
    assert_gradients(layer, inputs=(np.random.default_rng(0).random((5, 4)),))
    np.testing.assert_array_equal(model.params.carried, before)
    assert not layer.params.carried.any()


def same(a, b):
    for name in ("theta", "carried"):
        assert getattr(a.model.params, name).tobytes() == getattr(b.model.params, name).tobytes()
    for name in ("best_theta", "best_carried"):
        one, other = getattr(a, name), getattr(b, name)
        assert (one is None) == (other is None)
        assert one is None or one.tobytes() == other.tobytes()
    assert a.history == b.history


@pytest.mark.parametrize("patience", [None, 2])
def test_killed_and_resumed_ends_bit_for_bit_where_it_would_have(tmp_path, patience):
    path = tmp_path / "a.npz"
    whole = run(5, patience=patience)
    for epochs in range(1, len(whole.history)):

        def save(training, epochs=epochs):
            if len(training.history) == epochs:
                save_checkpoint(path, training)

        run(5, patience=patience, after_epoch=save)
        half, _ = load_checkpoint(path, model=make())
        assert len(half.history) == epochs
        fit(half, data(), data(10, 3), progress=False)
        same(half, whole)


def test_patience_goes_back_to_the_numbers_of_the_best_epoch(tmp_path):
    seen = []
    training = run(
        40,
        patience=2,
        lr=0.5,
        after_epoch=lambda t: seen.append(t.model.params.carried.copy()),
    )
    assert training.stopped
    assert training.best_epoch < len(seen) - 1
    np.testing.assert_array_equal(training.model.params.carried, seen[training.best_epoch])
    assert (seen[-1] != seen[training.best_epoch]).any()
    save_checkpoint(tmp_path / "a.npz", training)
    again, _ = load_checkpoint(tmp_path / "a.npz", model=make())
    same(again, training)


def test_what_the_checkpoint_holds(tmp_path, refuses):
    path = tmp_path / "a.npz"
    training = run(1, patience=3)
    save_checkpoint(path, training)
    arrays = dict(np.load(path))
    assert arrays["carried"].tobytes() == training.model.params.carried.tobytes()
    assert arrays["best_carried"].shape == arrays["carried"].shape == (H + 1 + Z + 1,)
    for name, words in (("carried", ("carried", "(9,)")), ("best_carried", ("best_carried",))):
        cut = {**arrays, name: arrays[name][:-1]}
        np.savez(path, **cut)
        with refuses(CheckpointError, "a.npz", *words):
            load_checkpoint(path, model=make())
    del arrays["carried"]
    np.savez(path, **arrays)
    with refuses(CheckpointError, "carried of shape (0,)", "(9,)"):
        load_checkpoint(path, model=make())


def test_numbers_that_are_not_finite_end_the_epoch(refuses):
    model = make()

    def spoil(training):
        training.model.params.carried[0] = np.nan

    training = run(1, model, after_epoch=spoil)
    training.settings = replace(training.settings, epochs=2)
    with refuses(NonFiniteError):
        fit(training, data(), progress=False)
