"""The GAN: each player's gradient, the frozen discriminator, one loop and one optimizer."""

import json
import math

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae import load_checkpoint, save_checkpoint
from minivae.errors import NonFiniteError, OptionError, ShapeError, StateError
from minivae.models import GAN, MODELS, VAE
from minivae.models.gan import OUTPUTS
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam
from minivae.train.optim.sgd import SGD
from minivae.train.settings import Settings, Training

pytestmark = pytest.mark.usefixtures("each_backend")

PIXELS, LATENT, BATCH = 7, 2, 5
PLAYERS = ("discriminator", "generator")
each_player = pytest.mark.parametrize("player", PLAYERS)
each_output = pytest.mark.parametrize("likelihood", OUTPUTS)
each_depth = pytest.mark.parametrize("hidden", [(), (11,), (11, 3)], ids=str)


def make(likelihood="bernoulli", hidden=(11,), *, dtype="float64", smoothing=0.1, **options):
    """A GAN with random weights and biases, data and latents for it."""
    rng = np.random.default_rng(1)
    model = GAN(
        PIXELS,
        hidden,
        LATENT,
        likelihood=likelihood,
        label_smoothing=smoothing,
        rng=rng,
        dtype=dtype,
        **{"activation": "tanh"} | options,
    )
    model.params.theta[...] = there(0.6 * rng.standard_normal(model.params.theta.size), dtype)
    return model, model.prepare(rng.random((BATCH, PIXELS))), model.draw_noise(rng, BATCH)


def losses(model, x, z):
    contest = model.forward(x, z)
    return {
        "discriminator": float(contest.d_loss.mean()),
        "generator": float(contest.g_loss.mean()),
    }


@each_player
@each_depth
@each_output
def test_gradient_of_each_player_is_the_numerical_one(likelihood, hidden, player):
    model, x, z = make(likelihood, hidden)
    model.step(x, z)
    params = getattr(model, player).params
    gradients = {name: params.grad_of(name).copy() for name in params}
    h = 1e-5
    for name, gradient in gradients.items():
        value = params[name]
        expected = np.empty(value.shape)
        for at in np.ndindex(value.shape):
            now = float(value[at])
            value[at] = now + h
            high = losses(model, x, z)[player]
            value[at] = now - h
            low = losses(model, x, z)[player]
            value[at] = now
            expected[at] = (high - low) / (2 * h)
        scale = np.abs(expected).max()
        assert scale > 1e-5, name
        assert_allclose(gradient, expected, rtol=0, atol=1e-7 * scale, err_msg=name)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_losses_are_those_of_goodfellow(smoothing):
    model, x, z = make(smoothing=smoothing)
    real = 1 / (1 + np.exp(-here(model.discriminator.forward(x))[:, 0]))
    fake = 1 / (1 + np.exp(-here(model.discriminator.forward(model.decode(z)))[:, 0]))
    s = 1 - smoothing
    d_loss = -(s * np.log(real) + (1 - s) * np.log(1 - real) + np.log(1 - fake))
    contest = model.forward(x, z)
    assert_allclose(contest.d_loss, d_loss, rtol=1e-12)
    assert_allclose(contest.g_loss, -np.log(fake), rtol=1e-12)
    assert float(contest.loss) == pytest.approx((d_loss - np.log(fake)).mean(), rel=1e-12)
    assert_array_equal(model.step(x, z).d_loss, contest.d_loss)


def test_at_zero_logits_the_losses_are_ln_4_and_ln_2():
    model, x, z = make(smoothing=0.0)
    model.discriminator[-1].params.theta[...] = 0
    contest = model.forward(x, z)
    assert_allclose(contest.d_loss, math.log(4), rtol=1e-14)
    assert_allclose(contest.g_loss, math.log(2), rtol=1e-14)


def test_neither_loss_overflows_where_the_discriminator_is_sure():
    model, x, z = make(dtype="float32", smoothing=0.0)
    for sure in (-300.0, 300.0):
        last = model.discriminator[-1].params
        last["W"][...], last["b"][...] = 0, sure
        contest = model.step(x, z)
        assert_allclose(contest.d_loss, 300, rtol=1e-6)
        assert_allclose(contest.g_loss, max(-sure, 0), rtol=1e-6)
        assert np.isfinite(here(model.params.grad)).all()


def test_the_saturated_generator_still_learns():
    # (4) is about -1/B where the discriminator is sure of the fakes; ln(1 - sigma) would be flat.
    model, x, z = make("gaussian", hidden=(), smoothing=0.0)
    model.discriminator[-1].params["b"][...] = -50
    model.step(x, z)
    w = here(model.discriminator[-1].params["W"])[:, 0]
    assert_allclose(model.generator[-1].params.grad_of("b"), -w, rtol=1e-12)


def test_the_discriminator_is_frozen_while_the_generator_learns():
    model, x, z = make()
    theta = model.params.theta.copy()
    model.generator_forward(z)
    model.generator_backward()
    left_over = model.discriminator.params.grad.copy()
    assert np.abs(here(left_over)).max() > 1e-3, "something that must not be applied"
    assert_array_equal(model.params.theta, theta)

    model.discriminator_forward(x, model.decode(z))
    model.discriminator_backward()
    alone = model.discriminator.params.grad.copy()
    model.step(x, z)
    assert_array_equal(model.discriminator.params.grad, alone)
    assert np.abs(here(alone - left_over)).max() > 1e-3


def test_the_two_gradients_lie_side_by_side():
    model, x, z = make()
    model.step(x, z)
    size = model.discriminator.params.theta.size
    assert size + model.generator.params.theta.size == model.params.theta.size
    assert_array_equal(model.params.grad[:size], model.discriminator.params.grad)
    assert_array_equal(model.params.grad[size:], model.generator.params.grad)
    assert {name.partition(".")[0] for name in model.params} == set(PLAYERS)


def test_one_adam_on_both_is_an_adam_for_each():
    together, x, z = make()
    apart, _, _ = make()
    one, two = Adam(0.01, beta1=0.5), {player: Adam(0.01, beta1=0.5) for player in PLAYERS}
    for _ in range(5):
        together.step(x, z)
        one.step(together.params)
        apart.step(x, z)
        for player, optimizer in two.items():
            optimizer.step(getattr(apart, player).params)
    assert_array_equal(apart.params.theta, together.params.theta)


def test_each_player_gets_better_against_a_fixed_other():
    for player in PLAYERS:
        model, x, z = make(dtype="float32", activation="relu")
        before = float(losses(model, x, z)[player])
        for _ in range(200):
            model.step(x, z)
            SGD(0.1).step(getattr(model, player).params)
        assert float(losses(model, x, z)[player]) < 0.9 * before, player


@pytest.mark.slow
def test_a_gaussian_in_one_dimension_is_learned():
    rng = np.random.default_rng(0)
    x = 3 + 0.5 * rng.standard_normal((2000, 1)).astype("f4")
    model = GAN(1, (16,), 1, likelihood="gaussian", rng=rng)
    training = Training(model, Adam(2e-3, beta1=0.5), rng, Settings(epochs=120, batch=100))
    fit(training, x, progress=False)
    made = here(model.sample(4000, np.random.default_rng(1)))
    # It starts at mean 0, and no two seeds end alike: 3.02 and 0.54 here, elsewhere 0.2 to 0.7.
    assert abs(made.mean() - 3) < 0.3
    assert 0.1 < made.std() < 1


def train(epochs, *, seed=3, training=None):
    rng = np.random.default_rng(seed)
    x = np.random.default_rng(9).random((40, PIXELS)).astype("f4")
    if training is None:
        model = GAN(PIXELS, (6,), LATENT, label_smoothing=0.1, rng=rng)
        settings = Settings(epochs=epochs, batch=16)
        training = Training(model, Adam(1e-3, beta1=0.5), rng, settings)
    return fit(training, x, x[:10], progress=False)


def test_a_seed_repeats_a_training_and_a_checkpoint_resumes_it_bit_for_bit(tmp_path):
    whole = train(4)
    assert_array_equal(train(4).model.params.theta, whole.model.params.theta)
    assert np.abs(here(train(4, seed=4).model.params.theta - whole.model.params.theta)).max() > 0.01

    save_checkpoint(tmp_path / "gan.npz", train(2))
    resumed, _ = load_checkpoint(tmp_path / "gan.npz")
    assert (resumed.optimizer.beta1, resumed.model.label_smoothing) == (0.5, 0.1)
    resumed.settings = Settings(epochs=4, batch=16)
    train(4, training=resumed)
    assert_array_equal(resumed.model.params.theta, whole.model.params.theta)
    assert resumed.history == whole.history


def test_the_record_of_an_epoch_is_the_mean_over_examples():
    record = train(1).history[0]
    assert list(record) == ["epoch", "beta", "loss", "d_loss", "g_loss"]
    assert record["loss"] == pytest.approx(record["d_loss"] + record["g_loss"], rel=1e-6)
    # Untrained, with logits near 0: ln 4 and ln 2.
    assert record["d_loss"] == pytest.approx(math.log(4), abs=0.4)
    assert record["g_loss"] == pytest.approx(math.log(2), abs=0.4)


def test_samples_are_generated_from_normal_draws():
    for likelihood in OUTPUTS:
        model, _, _ = make(likelihood)
        z = model.draw_noise(np.random.default_rng(5), 6)
        made = here(model.sample(6, np.random.default_rng(5), temperature=0.5))
        assert_allclose(made, model.decode(0.5 * z), rtol=1e-12)
        inside = bool(((made >= 0) & (made <= 1)).all())
        assert inside == (likelihood == "bernoulli")


def test_it_has_the_widths_of_the_vae():
    model = GAN(784, (400,), 20, rng=np.random.default_rng(0))
    vae = VAE(784, (400,), 20, rng=np.random.default_rng(0))
    assert model.generator.params.shapes == vae.decoder.params.shapes
    assert [layer.params["W"].shape for layer in model.discriminator] == [(784, 400), (400, 1)]
    assert repr(model) == "GAN(784-400-20, relu, bernoulli, 637,185 parameters, float32)"


def test_config_builds_it_again():
    model, x, z = make("gaussian", (11, 3))
    config = json.loads(json.dumps(model.config))
    again = MODELS[config.pop("kind")](**config, rng=np.random.default_rng(9))
    assert type(again) is GAN
    assert again.config == model.config
    again.params.load(model.params.theta)
    assert_array_equal(again.forward(x, z).d_loss, model.forward(x, z).d_loss)


def test_what_a_gan_has_not_is_refused(refuses):
    model, x, _ = make()
    for method in (model.encode, model.reconstruct):
        with refuses(OptionError, "no encoder", "VAE"):
            method(x)
    with refuses(OptionError, "no single loss", "generator_backward"):
        model.backward()
    with refuses(OptionError, "no distribution", "--draw"):
        model.sample(2, np.random.default_rng(0), draw=True)
    rng = np.random.default_rng(0)
    training = Training(model, Adam(), rng, Settings(epochs=2, patience=1))
    with refuses(OptionError, "patience=1", "GAN"):
        fit(training, here(x).astype("f4"), progress=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"label_smoothing": 0.5}, ("label_smoothing=0.5", "[0, 0.5)")),
        ({"label_smoothing": -0.1}, ("label_smoothing=-0.1",)),
        ({"likelihood": "categorical"}, ("'categorical'", "bernoulli, gaussian")),
        ({"likelihood": "gaussian", "likelihood_options": {"sigma": 0.1}}, ("sigma",)),
        ({"hidden": (0,)}, ("hidden",)),
    ],
)
def test_options_that_make_no_sense_are_refused(options, words, refuses):
    with refuses(OptionError, *words):
        GAN(PIXELS, **{"hidden": (3,), "rng": np.random.default_rng(0)} | options)


def test_a_step_on_nothing_and_a_pass_back_from_nowhere_are_refused(refuses):
    model, x, z = make()
    for method in (model.discriminator_backward, model.generator_backward):
        with refuses(StateError, "before its forward pass"):
            method()
    with refuses(ShapeError, "0 examples"):
        model.step(x[:0], z[:0])
    model.generator_forward(z)
    model.decode(z)
    with refuses(StateError, "before its forward pass"):
        model.generator_backward()


def test_nan_in_the_data_reaches_no_weight(refuses):
    model, x, z = make("gaussian")
    x[1, 2] = np.nan
    theta = model.params.theta.copy()
    model.step(x, z)
    optimizer = Adam()
    with refuses(NonFiniteError, "'discriminator.0.W'"):
        optimizer.step(model.params)
        optimizer.settle(model.params)
    assert_array_equal(model.params.theta, theta)


# ---- with convolutions ----


def of_convolutions(**options):
    rng = np.random.default_rng(0)
    small = {"channels": (4, 6), "latent": 3, "dtype": "float64"}
    return GAN((8, 8), network="conv", rng=rng, **{**small, **options})


def test_the_rules_of_radford_are_its_defaults():
    model = of_convolutions(channels=(32, 64), latent=20)
    kinds = [
        [type(layer).__name__ for layer in net] for net in (model.discriminator, model.decoder)
    ]
    assert kinds[0] == [
        *("Reshape", "Conv2d", "Activation"),
        *("Conv2d", "BatchNorm", "Activation", "Reshape", "Linear"),
    ]
    assert kinds[1] == [
        *("Linear", "Reshape", "BatchNorm", "Activation"),
        *("ConvTranspose2d", "BatchNorm", "Activation", "ConvTranspose2d", "Reshape"),
    ]
    found = [
        {(layer.name, layer.options.get("slope")) for layer in net if hasattr(layer, "options")}
        for net in (model.discriminator, model.decoder)
    ]
    assert found == [{("leaky_relu", 0.2)}, {("relu", None)}]
    for name in model.params:
        if name.endswith(".W"):
            spread = here(model.params[name]).std()
            assert spread == pytest.approx(0.02, rel=0.2), name
    assert (GAN.defaults["lr"], GAN.defaults["beta1"]) == (2e-4, 0.5)
    other = of_convolutions(norm="none", hidden=(5,), leak=0.0, activation="tanh")
    assert (other.halves.network.norm, other.hidden, other.activation) == ("none", (5,), "tanh")


def test_real_and_fake_are_batches_of_their_own_where_there_is_a_batch_norm():
    model = of_convolutions(label_smoothing=0.1)
    params = model.discriminator.params
    rng = np.random.default_rng(1)
    model.params.theta[...] += there(0.3 * rng.standard_normal(model.params.theta.size))
    x, z = model.prepare(rng.random((6, 64))), model.draw_noise(rng, 6)
    with model.params.rehearsal():
        fake = model.generate(z)
        logits = [here(model.discriminator.forward(rows))[:, 0] for rows in (x, fake)]
        real, false = (1 / (1 + np.exp(-d)) for d in logits)
        expected = -(0.9 * np.log(real) + 0.1 * np.log(1 - real) + np.log(1 - false))
    start = here(model.params.carried).copy()
    contest = model.step(x, z)
    assert_allclose(contest.d_loss, expected, rtol=1e-10)
    gradient = here(params.grad).copy()
    model.params.carried[...] = there(start)
    # Central differences of the loss of the two batches, for some weights of each array.
    for at in rng.choice(len(gradient), 40, replace=False):
        h, losses = 1e-5, []
        for moved in (h, -2 * h):
            params.theta[at] += moved
            with model.params.rehearsal():
                losses.append(float(model.discriminator_forward(x, fake).mean()))
        params.theta[at] += h
        numeric = (losses[0] - losses[1]) / (2 * h)
        assert gradient[at] == pytest.approx(numeric, rel=1e-4, abs=1e-7)
