"""The training loop: what it counts, what it draws, when it stops, and that a seed decides it."""

import math
import tracemalloc

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.data import Pixels, load
from minivae.engine.backend import get_backend
from minivae.errors import DataError, NonFiniteError, OptionError, ShapeError, StateError
from minivae.models import VAE, Autoencoder
from minivae.train.evaluate import evaluate
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam
from minivae.train.optim.sgd import SGD
from minivae.train.prepare import binarize, prepare_data
from minivae.train.settings import BINARIZE, Settings, Training

pytestmark = pytest.mark.usefixtures("each_backend")

PIXELS = 6


@pytest.fixture(scope="module")
def digits():
    return load("digits8")


def grey(n=23, seed=0):
    return np.random.default_rng(seed).random((n, PIXELS), dtype=np.float32)


def stored(n=23, seed=0, width=PIXELS):
    """Grey images of 8 bits."""
    values = np.random.default_rng(seed).integers(0, 256, (n, width), dtype=np.uint8)
    return Pixels(values, 255)


def make(optimizer=None, *, seed=0, kind=VAE, likelihood="bernoulli", dtype="float32", **settings):
    """A small run."""
    rng = np.random.default_rng(seed)
    model = kind(PIXELS, (8,), 2, likelihood=likelihood, rng=rng, dtype=dtype)
    settings = {"epochs": 3, "batch": 5} | settings
    return Training(model, optimizer or Adam(0.01), rng, Settings(**settings))


class Spy:
    """Wraps a model's `step` and keeps what it was called with."""

    def __init__(self, model):
        self.model, self.step = model, model.step
        self.batches, self.noise, self.betas, self.losses = [], [], [], []
        model.step = self

    def __call__(self, x, noise, beta):
        self.batches.append(here(x).copy())
        self.noise.append(here(noise).copy())
        self.betas.append(beta)
        terms = self.step(x, noise, beta)
        self.losses.append(float(terms.loss))
        return terms


def spy_on(training, x, x_val=None):
    spy = Spy(training.model)
    fit(training, x, x_val, progress=False)
    return spy


# ---- it learns, and keeps a record ----


def test_digits_are_learned(digits):
    rng = np.random.default_rng(0)
    model = VAE(64, (100,), 8, rng=rng)
    training = Training(model, Adam(2e-3), rng, Settings(epochs=12, batch=100, binarize="dynamic"))
    fit(training, digits.x_train, digits.x_test, progress=False)
    losses = [record["loss"] for record in training.history]
    val_losses = [record["val_loss"] for record in training.history]
    assert (np.diff(losses) < 0).all(), losses
    assert losses[0] < 64 * math.log(2) + 1
    assert losses[-1] < 29
    assert val_losses[-1] < 30
    assert val_losses[-1] < val_losses[0] - 5
    assert training.history[-1]["kl"] > 1, "the latents are used"


def test_the_record_of_an_epoch():
    training = make(epochs=2, beta=0.5)
    returned = fit(training, grey(), grey(7, seed=1), progress=False)
    assert returned is training
    assert [record["epoch"] for record in training.history] == [1, 2]
    for record in training.history:
        assert list(record) == [
            "epoch",
            "beta",
            "loss",
            "nll",
            "kl",
            "val_loss",
            "val_nll",
            "val_kl",
        ]
        assert record["beta"] == 0.5
        assert record["loss"] == pytest.approx(record["nll"] + 0.5 * record["kl"], rel=1e-5)
        # Validation has no beta: its loss is the negative bound.
        assert record["val_loss"] == pytest.approx(record["val_nll"] + record["val_kl"], rel=1e-6)
        assert all(type(value) in (int, float) for value in record.values())

    without = make(epochs=1)
    fit(without, grey(), progress=False)
    assert list(without.history[0]) == ["epoch", "beta", "loss", "nll", "kl"]


def test_the_record_of_an_autoencoder():
    training = make(kind=Autoencoder, epochs=2)
    fit(training, grey(), grey(7), progress=False)
    record = training.history[-1]
    assert record["kl"] == record["val_kl"] == 0
    assert record["loss"] == pytest.approx(record["nll"], rel=1e-6)
    assert record["val_loss"] == record["val_nll"]


@pytest.mark.parametrize("batch", [1, 5, 22, 23, 500])
def test_the_mean_is_over_examples_not_over_batches(batch):
    # With a learning rate that changes nothing, an epoch is an evaluation: 23 examples in batches
    # of 5 end with a batch of 3, and of 22 with a single one that must not count as much as 22.
    training = make(SGD(1e-300), epochs=1, batch=batch, dtype="float64", beta=1.7)
    x = grey()
    x[-1] = 0.5
    spy = spy_on(training, x)
    assert [len(part) for part in spy.batches[:-1]] == [batch] * (len(spy.batches) - 1)
    whole = (there(np.concatenate(parts)) for parts in (spy.batches, spy.noise))
    terms = training.model.forward(*whole, 1.7)
    record = training.history[0]
    assert record["loss"] == pytest.approx(float(terms.loss), rel=1e-12)
    assert record["nll"] == pytest.approx(float(terms.nll.mean()), rel=1e-12)
    assert record["kl"] == pytest.approx(float(terms.kl.sum(axis=1).mean()), rel=1e-12)
    if batch == 22:
        assert abs(np.mean(spy.losses) - record["loss"]) > 1e-3, "the other mean is another number"


def test_validation_is_the_evaluation_of_the_weights_after_the_epoch():
    training = make(epochs=2, seed=3)
    x_val = grey(9, seed=4)
    fit(training, grey(), x_val, progress=False)
    numbers = evaluate(training.model, x_val, rng=np.random.default_rng([0, 3]))
    assert training.history[-1]["val_loss"] == pytest.approx(-numbers["bound"], rel=1e-12)


def test_every_example_is_seen_once_an_epoch_in_a_new_order():
    training = make(epochs=2)
    x = grey()
    spy = spy_on(training, x)
    first, second = (np.concatenate(spy.batches[i : i + 5]) for i in (0, 5))
    for seen in (first, second):
        assert_array_equal(np.sort(seen, axis=0), np.sort(x, axis=0))
    assert (first != x).any()
    assert (first != second).any()
    assert len({noise.tobytes() for noise in spy.noise}) == len(spy.noise)


def test_after_each_epoch_the_callback_is_called():
    training, seen = make(epochs=3), []
    fit(
        training,
        grey(),
        after_epoch=lambda run: seen.append((len(run.history), run.optimizer.t)),
        progress=False,
    )
    assert seen == [(1, 5), (2, 10), (3, 15)]


def test_a_callback_may_end_the_training():
    training = make(epochs=5)
    fit(training, grey(), after_epoch=lambda run: len(run.history) == 2, progress=False)
    assert len(training.history) == 2
    fit(training, grey(), after_epoch=lambda run: None, progress=False)
    assert len(training.history) == 5


def test_after_each_step_the_callback_has_its_terms():
    training, seen = make(epochs=2, batch=5), []
    fit(
        training,
        grey(),
        after_step=lambda run, terms: seen.append((len(run.history), float(terms.loss))),
        progress=False,
    )
    assert [epoch for epoch, _ in seen] == [0] * 5 + [1] * 5
    sizes = [5, 5, 5, 5, 3]
    mean = sum(n * loss for n, (_, loss) in zip(sizes, seen[:5], strict=True)) / 23
    assert training.history[0]["loss"] == pytest.approx(mean, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "warmup", "factors"),
    [
        ("constant", 0, [1, 1, 1, 1, 1, 1]),
        ("constant", 1.5, [1 / 3, 2 / 3, 1, 1, 1, 1]),
        ("linear", 0, [1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]),
        ("cosine", 1, [1 / 2, 1, 1, 0.5 + math.sqrt(0.5) / 2, 0.5, 0.5 - math.sqrt(0.5) / 2]),
    ],
)
def test_the_learning_rate_follows_its_schedule(monkeypatch, kind, warmup, factors):
    training, rates = make(epochs=3, batch=12, lr_schedule=kind, lr_warmup=warmup), []
    fit(
        training,
        grey(),
        after_step=lambda run, terms: rates.append(run.optimizer.rate),
        progress=False,
    )
    assert rates == pytest.approx([0.01 * factor for factor in factors], rel=1e-12)
    assert training.optimizer.lr == 0.01, "the schedule leaves what a checkpoint keeps"
    told = [record.get("lr") for record in training.history]
    assert told == ([None] * 3 if factors == [1] * 6 else rates[1::2])


def test_a_step_that_is_scaled_is_the_step_of_another_learning_rate():
    half, whole = make(SGD(0.02)), make(SGD(0.01))
    x = half.model.prepare(grey())
    for training, factor in ((half, 0.5), (whole, 1.0)):
        training.model.step(x, training.model.draw_noise(np.random.default_rng(1), 23))
        training.optimizer.step(training.model.params, factor)
    assert_array_equal(half.model.params.theta, whole.model.params.theta)


def test_schedules_that_make_no_sense_are_refused(refuses):
    with refuses(OptionError, "lr_schedule='step'", "constant, linear, cosine"):
        Settings(lr_schedule="step")
    for warmup in (-1, 1e9, math.nan):
        with refuses(OptionError, f"lr_warmup={warmup}"):
            Settings(lr_warmup=warmup)


def test_the_data_are_not_changed():
    x, x_val = grey(), grey(7)
    before = x.copy(), x_val.copy()
    x.flags.writeable = x_val.flags.writeable = False
    for mode in ("none", "dynamic", "fixed"):
        fit(make(binarize=mode, epochs=1), x, x_val, progress=False)
    assert_array_equal(x, before[0])
    assert_array_equal(x_val, before[1])


def test_progress_is_shown_if_wanted(capsys):
    fit(make(epochs=1), grey(), progress=True)
    assert "epoch 1/1" in capsys.readouterr().err
    fit(make(epochs=1), grey(), progress=False)
    assert capsys.readouterr() == ("", "")


# ---- a seed decides the run ----


@pytest.mark.parametrize("mode", ["none", "dynamic", "fixed"])
def test_a_seed_gives_the_same_run_bit_for_bit(mode):
    runs = []
    for seed in (5, 5, 6):
        training = make(seed=seed, binarize=mode)
        fit(training, grey(), grey(7), progress=False)
        runs.append(training)
    assert runs[0].model.params.theta.tobytes() == runs[1].model.params.theta.tobytes()
    assert runs[0].history == runs[1].history
    assert runs[0].model.params.theta.tobytes() != runs[2].model.params.theta.tobytes()


def test_validation_draws_nothing_from_the_runs_generator():
    with_val, without = make(), make()
    fit(with_val, grey(), grey(7), progress=False)
    fit(without, grey(), progress=False)
    assert with_val.model.params.theta.tobytes() == without.model.params.theta.tobytes()


# ---- binarization ----


def test_none_leaves_the_pixels_grey():
    x = grey()
    spy = spy_on(make(epochs=1, binarize="none"), x)
    assert set(np.concatenate(spy.batches).ravel()) == set(x.ravel())


def test_fixed_pixels_are_drawn_once():
    x = grey()
    spy = spy_on(make(epochs=3, binarize="fixed"), x)
    drawn = prepare_data(x, Settings(binarize="fixed"), "train")
    assert set(np.unique(drawn)) == {0, 1}
    expected = sorted(row.tobytes() for row in drawn)
    for epoch in range(3):
        seen = np.concatenate(spy.batches[5 * epoch : 5 * epoch + 5])
        assert sorted(row.tobytes() for row in seen) == expected
    other = prepare_data(x, Settings(binarize="fixed", seed=1), "train")
    assert (other != drawn).any(), "the seed of the settings draws them"


def test_the_streams_of_a_seed_are_apart():
    # Data that are the run's own first uniform numbers: drawn with the same ones, none is above.
    for seed in (0, 1, 7):
        x = np.random.default_rng(seed).random((50, 20), dtype=np.float32)
        for part in ("train", "val"):
            drawn = prepare_data(x, Settings(binarize="fixed", seed=seed), part)
            assert 0.4 < drawn.mean() < 0.6
            assert 0.05 < np.mean((drawn == 1) & (x < 0.5)) < 0.2  # 1/8 if independent


def test_dynamic_pixels_are_drawn_at_every_fetch():
    # Two kinds of pixel, 0 and 1, are certain and mark the row; the grey one between is drawn.
    x = np.full((23, PIXELS), 0.5, dtype=np.float32)
    x[:, 0], x[:, 1] = 0, 1
    spy = spy_on(make(epochs=3, binarize="dynamic"), x)
    epochs = [np.concatenate(spy.batches[5 * i : 5 * i + 5]) for i in range(3)]
    for seen in epochs:
        assert set(np.unique(seen)) == {0, 1}
        assert (seen[:, 0] == 0).all()
        assert (seen[:, 1] == 1).all()
    counts = [sorted(row.tobytes() for row in seen) for seen in epochs]
    assert counts[0] != counts[1] != counts[2] != counts[0]


def test_validation_pixels_stay_the_same_all_the_time():
    x = grey(40)
    for mode in ("dynamic", "fixed"):
        settings = Settings(binarize=mode)
        first, second = (prepare_data(x, settings, "val") for _ in range(2))
        assert_array_equal(first, second)
        assert set(np.unique(first)) == {0, 1}
        assert (first != prepare_data(x, Settings(binarize="fixed"), "train")).any()
    assert prepare_data(x, Settings(binarize="none"), "val") is x
    assert prepare_data(x, Settings(binarize="dynamic"), "train") is x


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_grey_value_is_the_probability(dtype):
    n = 40_000
    p = np.array([0.0, 0.1, 0.5, 0.9, 1.0], dtype)
    drawn = binarize(np.tile(p, (n, 1)), np.random.default_rng(0))
    assert drawn.dtype == dtype
    assert set(np.unique(drawn)) == {0, 1}
    assert (np.abs(drawn.mean(axis=0) - p) <= 4 * np.sqrt(p * (1 - p) / n)).all()


# ---- pixels that are stored in 8 bits ----


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", BINARIZE)
def test_bytes_and_floats_give_the_same_run_bit_for_bit(mode, dtype):
    x, x_val = stored(), stored(7, seed=1)
    runs = []
    for data in ((x, x_val), (np.asarray(x), np.asarray(x_val))):
        training = make(binarize=mode, dtype=dtype)
        fit(training, *data, progress=False)
        runs.append(training)
    assert runs[0].history == runs[1].history
    assert runs[0].model.params.theta.tobytes() == runs[1].model.params.theta.tobytes()


@pytest.mark.parametrize("mode", BINARIZE)
def test_the_minibatches_are_the_rows_in_order_and_then_drawn(mode):
    # What an epoch feeds to the model, made from the whole float array and the same generator.
    x = stored()
    floats = x.bytes.astype("float32") / np.float32(255)
    training, rng = make(binarize=mode, epochs=1, seed=4), np.random.default_rng(4)
    rng.bit_generator.state = training.rng.bit_generator.state
    spy = spy_on(training, x)
    if mode == "fixed":
        fixed = np.random.default_rng([0, 1])
        floats = (fixed.random(x.shape, dtype=np.float32) < floats).astype("float32")
    order = rng.permutation(23)
    for step, batch in enumerate(spy.batches):
        expected = floats[order[5 * step : 5 * step + 5]]
        if mode == "dynamic":
            u = rng.random(expected.shape, dtype=np.float32)
            expected = (u < expected).astype("float32")
        training.model.draw_noise(rng, len(expected))
        assert batch.dtype == np.float32
        assert_array_equal(batch, expected)


def test_binarized_bytes_are_bytes_and_drawn_as_floats_are():
    x = stored(2311, width=7)  # three parts, the last one ragged, of an odd number of pixels
    floats = np.asarray(x)
    drawn = binarize(x, np.random.default_rng(3))
    assert (drawn.bytes.dtype, drawn.divisor) == (np.uint8, 1)
    at_once = np.random.default_rng(3).random(floats.shape, dtype=np.float32) < floats
    assert_array_equal(drawn, at_once)
    assert_array_equal(binarize(floats, np.random.default_rng(3)), at_once)
    for mode, part in (("fixed", "train"), ("fixed", "val"), ("dynamic", "val")):
        prepared = [prepare_data(data, Settings(binarize=mode), part) for data in (x, floats)]
        assert isinstance(prepared[0], Pixels)
        assert_array_equal(*prepared)
    for mode, part in (("none", "train"), ("none", "val"), ("dynamic", "train")):
        assert prepare_data(x, Settings(binarize=mode), part) is x


@pytest.mark.parametrize(("mode", "share"), [("none", 0.2), ("dynamic", 0.2), ("fixed", 0.5)])
def test_training_on_bytes_makes_no_float_array(mode, share):
    if not get_backend("auto").waits:
        return  # a device's memory is not traced here
    rng = np.random.default_rng(0)
    model = VAE(100, (4,), 2, rng=rng)
    training = Training(model, SGD(1e-3), rng, Settings(epochs=1, batch=100, binarize=mode))
    x, x_val = stored(40_000, width=100), stored(2_000, width=100)
    fit(training, stored(300, width=100), x_val, progress=False)  # what is imported and compiled
    training.history.clear()
    tracemalloc.start()
    fit(training, x, x_val, progress=False)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(training.history) == 1
    # "fixed" keeps the pixels that it has drawn: bytes too, a quarter of the floats.
    assert peak < share * x.size * 4, peak


def test_bytes_that_cannot_be_trained_on_are_refused(refuses):
    training = make()
    with refuses(DataError, "0 training examples"):
        fit(training, stored(0), progress=False)
    with refuses(ShapeError, "(N, 6)"):
        fit(training, stored(width=5), progress=False)
    raw = Pixels(stored(100).bytes, 1)
    with refuses(DataError, f"0 to {raw.bytes.max()}", "[0, 1]", "bernoulli"):
        fit(training, raw, progress=False)
    with refuses(DataError, f"0 to {raw.bytes.max()}", "binarized"):
        fit(make(likelihood="gaussian", binarize="fixed"), raw, progress=False)
    assert training.history == []


# ---- beta ----


def test_beta_rises_step_by_step():
    training = make(epochs=4, beta=2.0, schedule="linear", warmup=2.0)
    spy = spy_on(training, grey())  # 5 steps an epoch: 10 steps of warm-up
    assert_allclose(spy.betas, [0.2 * min(step, 10) for step in range(20)], rtol=1e-12)
    recorded = [record["beta"] for record in training.history]
    assert_allclose(recorded, [0.8, 1.8, 2.0, 2.0])


def test_cyclical_beta_starts_again():
    spy = spy_on(make(epochs=4, schedule="cyclical", warmup=2.0), grey())
    cycle = [0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1]
    assert_allclose(spy.betas, cycle + cycle, atol=1e-12)


def test_a_warm_up_shorter_than_a_step_is_one_step():
    spy = spy_on(make(epochs=1, schedule="linear", warmup=0.01), grey())
    assert spy.betas == [0, 1, 1, 1, 1]


# ---- patience ----


def scripted(monkeypatch, training, losses):
    """Let validation report these losses, and remember theta after each epoch."""
    thetas = []

    def validate(run, x_val, crew):
        thetas.append(here(run.model.params.theta).copy())
        return {"val_loss": losses[len(run.history)], "val_nll": 0.0, "val_kl": 0.0}

    monkeypatch.setattr("minivae.train.loop.validate", validate)
    fit(training, grey(), grey(5), progress=False)
    return thetas


def test_patience_stops_and_returns_to_the_best(monkeypatch):
    training = make(epochs=20, patience=3)
    thetas = scripted(monkeypatch, training, [5.0, 4.0, 3.0, 3.5, 2.9, 3.1, 2.9, 3.0, 1.0])
    # The best is 2.9 in the fifth epoch; the same again is no better, and after three more: stop.
    assert len(training.history) == 8
    assert training.best_epoch == 4
    assert training.stopped
    assert_array_equal(training.model.params.theta, thetas[4])
    assert_array_equal(training.best_theta, thetas[4])
    assert (thetas[4] != thetas[7]).any()

    # Nothing more happens to a run that has stopped.
    fit(training, grey(), grey(5), progress=False)
    assert len(training.history) == 8
    assert_array_equal(training.model.params.theta, thetas[4])


def test_with_patience_left_the_last_weights_stay(monkeypatch):
    training = make(epochs=4, patience=3)
    thetas = scripted(monkeypatch, training, [5.0, 3.0, 3.5, 3.2])
    assert not training.stopped
    assert len(training.history) == 4
    assert_array_equal(training.model.params.theta, thetas[-1])
    assert_array_equal(training.best_theta, thetas[1])


def test_without_patience_it_never_stops(monkeypatch):
    training = make(epochs=5)
    scripted(monkeypatch, training, [1.0, 2.0, 3.0, 4.0, 5.0])
    assert len(training.history) == 5
    assert not training.stopped
    assert training.best_theta is None
    assert training.best_epoch == 0


def test_before_the_first_epoch_there_is_no_best(refuses):
    training = make(patience=2)
    assert not training.stopped
    with refuses(StateError, "no epoch", "fit"):
        _ = training.best_epoch


def test_early_stopping_for_real(digits):
    # A few images and many weights: the validation loss turns upwards.
    rng = np.random.default_rng(1)
    model = VAE(64, (60,), 6, rng=rng)
    training = Training(model, Adam(0.01), rng, Settings(epochs=300, batch=20, patience=5))
    x, x_val = digits.x_train[:60], digits.x_test
    fit(training, x, x_val, progress=False)
    assert training.stopped
    assert 5 < len(training.history) < 300
    losses = [record["val_loss"] for record in training.history]
    assert training.best_epoch == np.argmin(losses) == len(losses) - 6
    restored = evaluate(model, x_val, rng=np.random.default_rng([0, 3]))
    assert -restored["bound"] == pytest.approx(min(losses), rel=1e-12)
    assert -restored["bound"] < losses[-1]


# ---- what is refused ----


def test_a_nan_in_the_gradient_is_refused(refuses):
    training = make(likelihood="gaussian", epochs=3)
    x = grey()
    x[11, 2] = np.nan
    spy = Spy(training.model)
    thetas = []

    def step(*arguments):
        thetas.append(here(training.model.params.theta).copy())
        return spy(*arguments)

    training.model.step = step
    at_once = get_backend("auto").waits  # a device says so at the end of the epoch
    words = ["'encoder.trunk.0.W'", "nan"] if at_once else ["update ", "were refused"]
    with refuses(NonFiniteError, *words, "unchanged"):
        fit(training, x, progress=False)
    assert 1 <= len(thetas) <= 5, "in the first epoch"
    assert_array_equal(training.model.params.theta, thetas[-1])
    assert np.isfinite(here(training.model.params.theta)).all()
    assert training.optimizer.t == [(theta == thetas[-1]).all() for theta in thetas].index(True)
    if at_once:
        assert training.optimizer.t == len(thetas) - 1
    assert training.history == []


def test_a_validation_loss_that_is_not_finite_is_refused(refuses):
    training = make(likelihood="gaussian")
    with refuses(NonFiniteError, "validation loss is nan", "epoch 1"):
        fit(training, grey(), np.full((3, PIXELS), np.nan, "float32"), progress=False)


def test_data_that_cannot_be_trained_on_are_refused(refuses):
    training = make()
    theta = training.model.params.theta.copy()
    with refuses(DataError, "0 training examples"):
        fit(training, grey()[:0], progress=False)
    with refuses(ShapeError, "(N, 6)"):
        fit(training, grey()[:, :5], progress=False)
    for x, x_val in [(255 * grey(), None), (grey() - 1, None), (grey(), 2 * grey())]:
        with refuses(DataError, "[0, 1]", "bernoulli"):
            fit(training, x, x_val, progress=False)
    with refuses(OptionError, "0 examples"):
        fit(make(), grey(), grey()[:0], progress=False)
    gaussian = make(likelihood="gaussian", binarize="fixed")
    with refuses(DataError, "binarized", "none"):
        fit(gaussian, 3 * grey(), progress=False)
    assert_array_equal(training.model.params.theta, theta)
    assert training.history == []


def test_settings_that_make_no_sense_are_refused(refuses):
    for bad, words in [
        ({"epochs": 0}, ["epochs=0"]),
        ({"batch": 0}, ["batch=0"]),
        ({"warmup": 0}, ["warmup=0"]),
        ({"warmup": math.nan}, ["warmup=nan"]),
        ({"binarize": "static"}, ["'static'", "dynamic"]),
        ({"patience": 0}, ["patience=0"]),
        ({"seed": -1}, ["seed=-1"]),
        ({"schedule": "cosine"}, ["'cosine'", "cyclical"]),
        ({"beta": -0.5}, ["beta=-0.5"]),
        ({"beta": math.nan}, ["beta=nan"]),
    ]:
        with refuses(OptionError, *words):
            Settings(**bad)


def test_weights_that_overflow_are_refused_without_validation_too(refuses):
    x = np.random.default_rng(0).random((8, 6)).astype("float32")
    rng = np.random.default_rng(0)
    training = Training(VAE(6, (5,), 2, rng=rng), SGD(1e39), rng, Settings(epochs=1, batch=8))
    with refuses(NonFiniteError, "after epoch 1"), np.errstate(all="ignore"):
        fit(training, x, progress=False)


def test_the_warm_up_is_rounded_to_whole_steps(refuses):
    assert Settings(warmup=0.5, schedule="linear").beta_at(3).period == 2
    with refuses(OptionError, "never ends"):
        Settings(warmup=1e9)
    with refuses(OptionError, "warmup=inf"):
        Settings(warmup=math.inf)


@pytest.mark.parametrize(
    "option", [{"epochs": "3"}, {"batch": 2.5}, {"seed": None}, {"beta": "1"}, {"patience": 1.5}]
)
def test_settings_of_another_type_are_refused(refuses, option):
    (name,) = option
    with refuses(OptionError, f"{name}=", "number"):
        Settings(**option)


def test_a_step_on_nothing_is_refused(refuses):
    model = VAE(6, (5,), 2, rng=np.random.default_rng(0))
    with refuses(ShapeError, "0 examples"):
        model.step(there(np.zeros((0, 6)), "float32"), there(np.zeros((0, 2)), "float32"))
