"""The whole VAE: every parameter's gradient, the loss at zero weights, and the model's doors."""

import copy
import json
import math

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.engine.backend import get_backend
from minivae.engine.noise import normal
from minivae.errors import (
    BackendError,
    DataError,
    DtypeError,
    NonFiniteError,
    OptionError,
    ShapeError,
    StateError,
)
from minivae.models import MODELS, VAE
from minivae.ops import ACTIVATIONS, LIKELIHOODS, Dense
from minivae.train.optim.adam import Adam

pytestmark = pytest.mark.usefixtures("each_backend")

PIXELS, LATENT, BATCH = 3, 2, 5
OPTIONS = {"gaussian": {"sigma": 0.6}, "categorical": {"levels": 3}}
RANGE = (-0.5, 0.4)
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
each_depth = pytest.mark.parametrize("hidden", [(), (7,), (7, 5)], ids=str)


def make(likelihood="bernoulli", hidden=(7,), *, seed=1, dtype="float64", **options):
    """A VAE with random weights *and biases*, data, and noise."""
    rng = np.random.default_rng(seed)
    options = {"activation": "tanh", "logvar_range": RANGE} | options
    model = VAE(
        PIXELS,
        hidden,
        LATENT,
        likelihood=likelihood,
        likelihood_options=OPTIONS.get(likelihood),
        rng=rng,
        dtype=dtype,
        **options,
    )
    model.params.theta[...] = there(0.6 * rng.standard_normal(model.params.theta.size), dtype)
    pixels = rng.random((BATCH, PIXELS))
    if likelihood == "bernoulli":
        pixels = np.round(pixels)
    x = model.prepare(pixels)
    # Each dimension of logvar gets the mean 0 and the spread 0.5, so that RANGE cuts some off.
    model.encode(x)
    raw, *_ = model.encoder.clamp.saved()
    latent = raw.shape[1]
    W, b = model.encoder.heads.params["W"][:, latent:], model.encoder.heads.params["b"][latent:]
    W *= 0.5 / raw.std(axis=0)
    b[...] = 0.5 * (b - raw.mean(axis=0)) / raw.std(axis=0)
    return model, x, model.draw_noise(rng, BATCH)


def assert_gradient_is_numerical(model, x, noise, beta=1.0, h=1e-5):
    """Compare each parameter's gradient with central differences, to 1e-7 of its largest entry."""
    model.step(x, noise, beta)
    gradient = model.params.grad.copy()
    theta = model.params.theta
    numerical = np.empty(gradient.shape)
    for i in range(theta.size):
        middle = float(theta[i])
        theta[i] = middle + h
        high = float(model.forward(x, noise, beta).loss)
        theta[i] = middle - h
        low = float(model.forward(x, noise, beta).loss)
        theta[i] = middle
        numerical[i] = (high - low) / (2 * h)
    model.params.grad[...] = there(numerical)
    wanted = {name: here(model.params.grad_of(name)).copy() for name in model.params}
    model.params.grad[...] = gradient
    for name, expected in wanted.items():
        scale = np.abs(expected).max()
        assert scale > 1e-4, f"a gradient of zero would prove nothing about {name}"
        error = np.abs(here(model.params.grad_of(name)) - expected).max()
        assert error < 1e-7 * scale, (name, error / scale)


def assert_clamped_in_part(model, x):
    """Some entries of logvar lie outside the clamp, some inside, none at its ends."""
    model.encode(x)
    raw, low, high = here(model.encoder.clamp.saved())
    inside = (low < raw) & (raw < high)
    assert inside.any(axis=0).all()
    assert (~inside).any(axis=0).all()
    assert np.abs(raw[..., None] - [low, high]).min() > 1e-3


# ---- gradients of the whole model ----


@each_depth
@each_likelihood
def test_elbo_gradient_with_beta_and_free_bits(likelihood, hidden):
    model, x, noise = make(likelihood, hidden)
    assert_clamped_in_part(model, x)
    # Free bits between the KL of the two dimensions: the gate is shut for one, open for the other.
    kl = np.sort(here(model.forward(x, noise).kl).mean(axis=0))
    assert kl[1] - kl[0] > 1e-3
    model.objective.free_bits = float(kl.mean())
    assert_gradient_is_numerical(model, x, noise, beta=1.7)


@each_depth
@each_likelihood
def test_importance_weighted_gradient(likelihood, hidden):
    model, x, noise = make(likelihood, hidden, samples=3)
    assert noise.shape == (BATCH, 3, LATENT)
    assert_clamped_in_part(model, x)
    assert_gradient_is_numerical(model, x, noise)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_with_each_activation(activation):
    for seed in range(100):
        model, x, noise = make(hidden=(7, 5), activation=activation, seed=seed)
        model.forward(x, noise)
        layers = [*model.encoder.trunk, *model.decoder]
        dense = [(layer.saved()[0], layer.params) for layer in layers if isinstance(layer, Dense)]
        inputs = [here(x @ params["W"] + params["b"]) for x, params in dense]
        if activation not in ("relu", "leaky_relu") or min(abs(a).min() for a in inputs) > 2e-3:
            break  # no input so near to the kink at 0 that a step of h could cross it
    assert_gradient_is_numerical(model, x, noise)


@pytest.mark.parametrize("samples", [None, 1, 3])
def test_gradient_for_a_batch_of_one(samples):
    model, x, _ = make(samples=samples, logvar_range=(-30, 20))
    noise = model.draw_noise(np.random.default_rng(4), 1)
    assert_gradient_is_numerical(model, x[:1], noise, h=1e-5)


def test_gradients_are_overwritten_not_accumulated():
    model, x, noise = make("gaussian_shared")
    model.step(x, noise)
    first = model.params.grad.copy()
    model.step(x, noise)
    assert_array_equal(model.params.grad, first)
    model.params.grad[...] = 1e9
    model.step(x, noise)
    assert_array_equal(model.params.grad, first)


def test_loss_and_gradient_are_means_over_the_batch():
    # Twice the same examples: the same loss, the same gradient.
    model, x, noise = make()
    once = model.step(x, noise)
    gradient = model.params.grad.copy()
    xp = model.backend.xp
    twice = model.step(xp.concatenate([x, x]), xp.concatenate([noise, noise]))
    assert float(twice.loss) == pytest.approx(float(once.loss), rel=1e-13)
    assert_allclose(model.params.grad, gradient, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("samples", [None, 3])
@each_likelihood
def test_float32_is_float64_rounded(likelihood, samples):
    model, x, noise = make(likelihood, (7, 5), samples=samples)
    single, *_ = make(likelihood, (7, 5), samples=samples, dtype="float32")
    single.params.load(model.params.theta)
    terms = model.step(x, noise)
    terms32 = single.step(x.astype("f4"), noise.astype("f4"))
    for name in ("loss", "nll", "kl", "bound"):
        assert getattr(terms32, name).dtype == np.float32
        assert_allclose(getattr(terms32, name), getattr(terms, name), rtol=2e-5)
    scale = np.abs(here(model.params.grad)).max()
    assert_allclose(single.params.grad, model.params.grad, rtol=0, atol=1e-5 * scale)


def test_a_step_changes_neither_weights_nor_data():
    model, x, noise = make(samples=3)
    before = copy.deepcopy(here((x, noise, model.params.theta)))
    if model.backend.waits:
        x.flags.writeable = noise.flags.writeable = False
    model.step(x, noise)
    np.testing.assert_equal(here((x, noise, model.params.theta)), before)


# ---- values known without a computer ----


def test_at_zero_output_weights_the_loss_is_784_ln_2():
    # Logits of 0 say "one half" for each of 784 pixels, whatever the image and the latents.
    rng = np.random.default_rng(0)
    model = VAE(784, (400,), 20, rng=rng, dtype="float64")
    model.decoder[-1].params.theta[...] = 0
    images = np.round(rng.random((6, 784)))
    x, noise = model.prepare(images), model.draw_noise(rng, 6)
    terms = model.forward(x, noise)
    assert_allclose(terms.nll, 784 * math.log(2), rtol=1e-14)
    assert 784 * math.log(2) == pytest.approx(543.4274, abs=1e-4)
    kl = float(terms.kl.sum())
    assert float(terms.loss) == pytest.approx(784 * math.log(2) + kl / 6, rel=1e-13)

    # With the heads at zero too, the posterior is the prior, and nothing is left of the KL.
    model.encoder.heads.params.theta[...] = 0
    assert float(model.step(x, noise).loss) == pytest.approx(784 * math.log(2), rel=1e-13)
    assert_array_equal(model.params.grad_of("encoder.trunk.0.W"), 0)


def test_start_at_the_mean_image():
    rng = np.random.default_rng(0)
    mean = np.array([0.0, 0.2, 0.7])
    for likelihood in LIKELIHOODS:
        model, *_ = make(likelihood)
        model.decoder[-1].params["W"][...] = 0
        model.start_at(mean)
        decoded = model.decode(model.normal(rng, (4, LATENT)))
        # Logits do not reach 0: they show one in a thousand.
        zero = 0.0 if model.likelihood.real else 0.001
        assert_allclose(decoded, [[zero, 0.2, 0.7]] * 4, rtol=1e-12)


# ---- what the model gives ----


@each_likelihood
def test_shapes_and_dtypes(likelihood):
    rng = np.random.default_rng(1)
    model, x, noise = make(likelihood, dtype="float32")
    width = 3 * PIXELS if likelihood == "categorical" else PIXELS
    assert model.n_data == width
    assert x.shape == (BATCH, width)
    mu, logvar = model.encode(x)
    assert mu.shape == logvar.shape == (BATCH, LATENT)
    assert RANGE[0] <= here(logvar).min() < here(logvar).max() <= RANGE[1]
    pictures = {
        "reconstruct": (model.reconstruct(x), BATCH),
        "decode": (model.decode(mu), BATCH),
        "sample": (model.sample(4, rng), 4),
        "draw": (model.sample(4, rng, draw=True), 4),
    }
    for name, (array, rows) in pictures.items():
        assert array.shape == (rows, PIXELS), name
        assert array.dtype == np.float32, name
    assert model.elbo(x, noise).shape == (BATCH,)
    assert_array_equal(model.reconstruct(x), model.decode(mu))


def test_samples_come_from_the_prior_through_the_decoder():
    model, *_ = make()
    z = normal(np.random.default_rng(5), (6, LATENT), "float64", get_backend("numpy"))
    shown = model.sample(6, np.random.default_rng(5))
    assert_allclose(shown, model.decode(there(z)), rtol=1e-14)
    cold = model.sample(6, np.random.default_rng(5), temperature=0.5)
    assert_allclose(cold, model.decode(there(0.5 * z)), rtol=1e-14)
    frozen = here(model.sample(6, np.random.default_rng(5), temperature=0))
    assert_allclose(frozen, [frozen[0]] * 6, rtol=1e-15)


def test_drawn_pixels_have_the_mean_that_is_shown():
    model, *_ = make("bernoulli")
    n = 40_000
    drawn = here(model.sample(n, np.random.default_rng(6), temperature=0, draw=True))
    p = here(model.sample(1, np.random.default_rng(6), temperature=0))[0]
    assert set(np.unique(drawn)) == {0.0, 1.0}
    assert (np.abs(drawn.mean(axis=0) - p) < 4 * np.sqrt(p * (1 - p) / n)).all()


def test_elbo_is_the_bound_without_beta_and_free_bits():
    model, x, noise = make(free_bits=0.7)
    terms = model.forward(x, noise, beta=3.0)
    assert_array_equal(model.elbo(x, noise), terms.bound)
    assert_allclose(terms.bound, -terms.nll - terms.kl.sum(axis=1), rtol=1e-14)
    assert float(terms.loss) > -float(terms.bound.mean())


def test_learning_on_one_batch():
    model, x, noise = make(dtype="float32", logvar_range=(-30, 20))
    optimizer = Adam(0.02)
    losses = []
    for _ in range(150):
        losses.append(float(model.step(x, noise).loss))
        optimizer.step(model.params)
    assert losses[-1] < losses[0] - 0.5


# ---- configuration ----


@each_likelihood
@pytest.mark.parametrize("options", [{"samples": 4}, {"free_bits": 0.25}], ids=str)
def test_config_builds_it_again(likelihood, options):
    model, x, noise = make(likelihood, (7, 5), **options)
    config = json.loads(json.dumps(model.config))
    again = MODELS[config.pop("kind")](**config, rng=np.random.default_rng(9))
    assert again.config == model.config
    assert list(again.params.shapes.items()) == list(model.params.shapes.items())
    again.params.load(model.params.theta)
    assert_array_equal(again.forward(x, noise).bound, model.forward(x, noise).bound)
    assert float(again.forward(x, noise).loss) == float(model.forward(x, noise).loss)


def test_parameters_have_names_and_sizes():
    model, *_ = make("gaussian_shared", (7, 5))
    assert dict(model.params.shapes) == {
        "encoder.trunk.0.W": (3, 7),
        "encoder.trunk.0.b": (7,),
        "encoder.trunk.1.W": (7, 5),
        "encoder.trunk.1.b": (5,),
        "encoder.heads.W": (5, 4),
        "encoder.heads.b": (4,),
        "decoder.0.W": (2, 5),
        "decoder.0.b": (5,),
        "decoder.1.W": (5, 7),
        "decoder.1.b": (7,),
        "decoder.2.W": (7, 3),
        "decoder.2.b": (3,),
        "likelihood.logvar": (1,),
    }
    assert repr(model) == "VAE(3-7-5-2, tanh, gaussian_shared, 174 parameters, float64)"
    # The layers' own views are views of the model's flat pair.
    model.params["decoder.2.b"][...] = 7
    assert here(model.decoder[-1].params["b"] == 7).all()
    assert model.backend.xp.shares_memory(model.encoder.heads.params["W"], model.params.theta)


def test_a_seed_gives_the_same_weights():
    a, b, c = (
        VAE(6, (5,), 2, rng=np.random.default_rng(seed)).params.theta.tobytes()
        for seed in (1, 1, 2)
    )
    assert a == b != c


# ---- what the model refuses ----


def test_wrong_arrays_are_refused(refuses):
    model, x, noise = make()
    for shape in [(4, PIXELS + 1), (PIXELS,), (2, 2, PIXELS)]:
        with refuses(ShapeError, str(shape), f"(N, {PIXELS})"):
            model.prepare(np.zeros(shape))
    with refuses(ShapeError, "eps"):
        model.forward(x, noise[:, :1])
    with refuses(DtypeError, "float32", "float64"):
        model.forward(x.astype("f4"), noise)
    with refuses(BackendError, "list"):
        model.forward(x.tolist(), noise)
    with refuses(DataError, "categorical"):
        make("categorical")[0].prepare(np.full((2, PIXELS), 1.5))


@pytest.mark.parametrize("samples", [None, 3])
def test_backward_before_forward_is_refused(samples, refuses):
    model, *_ = make(samples=samples)
    with refuses(StateError, "before forward"):
        model.backward()


def test_options_that_make_no_sense_are_refused(refuses):
    rng = np.random.default_rng(0)

    def build(*sizes, **options):
        return VAE(*(sizes or (3, (4,), 2)), rng=rng, **options)

    with refuses(OptionError, "'poisson'", "bernoulli", "gaussian_learned"):
        build(likelihood="poisson")
    with refuses(OptionError, "gaussian likelihood", "levels"):
        build(likelihood="gaussian", likelihood_options={"levels": 3})
    with refuses(OptionError, "sigma=-1"):
        build(likelihood="gaussian", likelihood_options={"sigma": -1})
    with refuses(DtypeError, "'float16'", "'float64'"):
        build(dtype="float16")
    with refuses(BackendError, "'abacus'"):
        build(backend="abacus")
    with refuses(OptionError, "rellu"):
        build(activation="rellu")
    with refuses(OptionError, "samples=0"):
        build(samples=0)
    with refuses(OptionError, "samples=3", "free_bits=0.1"):
        build(samples=3, free_bits=0.1)
    with refuses(OptionError, "free_bits=-1"):
        build(free_bits=-1)
    with refuses(OptionError, "range from 3"):
        build(logvar_range=(3, -3))
    for sizes, what in [
        ((0, (4,), 2), "n_pixels"),
        ((3, (4, 0), 2), "hidden"),
        ((3, 4, 2), "hidden=4"),
        ((3, "400", 2), "hidden='400'"),
        ((3, (4.5,), 2), "hidden"),
        ((3, (4,), -2), "latent"),
    ]:
        with refuses(OptionError, what, "at least 1"):
            build(*sizes)
    with refuses(OptionError, "n=0", "at least 1"):
        build().sample(0, rng)
    for temperature in (-0.1, math.nan, 1e39):
        with refuses(OptionError, f"temperature={temperature}"):
            build().sample(3, rng, temperature=temperature)


def test_nan_in_the_data_reaches_no_weight(refuses):
    model, x, noise = make("gaussian")
    x[1, 2] = np.nan
    theta = model.params.theta.copy()
    model.step(x, noise)
    with refuses(NonFiniteError, "'encoder.trunk.0.W'", "NaN in the data"):
        optimizer = Adam()
        optimizer.step(model.params)
        optimizer.settle(model.params)
    assert_array_equal(model.params.theta, theta)
