"""The autoencoder: the gradient of its one chain, and what it does not have."""

import json
import math

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.engine.backend import get_backend
from minivae.engine.noise import normal
from minivae.errors import NonFiniteError, OptionError, StateError
from minivae.models import MODELS, VAE, Autoencoder
from minivae.ops import LIKELIHOODS
from minivae.train.optim.adam import Adam

pytestmark = pytest.mark.usefixtures("each_backend")

PIXELS, LATENT, BATCH = 3, 2, 5
OPTIONS = {"gaussian": {"sigma": 0.6}, "categorical": {"levels": 3}}
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
each_depth = pytest.mark.parametrize("hidden", [(), (7,), (7, 5)], ids=str)


def make(likelihood="bernoulli", hidden=(7,), *, dtype="float64", activation="tanh"):
    """An autoencoder with random weights and biases, and data for it."""
    rng = np.random.default_rng(1)
    model = Autoencoder(
        PIXELS,
        hidden,
        LATENT,
        activation=activation,
        likelihood=likelihood,
        likelihood_options=OPTIONS.get(likelihood),
        rng=rng,
        dtype=dtype,
    )
    model.params.theta[...] = there(0.6 * rng.standard_normal(model.params.theta.size), dtype)
    return model, model.prepare(np.round(rng.random((BATCH, PIXELS))))


@each_depth
@each_likelihood
def test_gradient_is_the_numerical_one(likelihood, hidden):
    model, x = make(likelihood, hidden)
    model.step(x, None)
    gradients = {name: here(model.params.grad_of(name)).copy() for name in model.params}
    h = 1e-5
    for name, gradient in gradients.items():
        value = model.params[name]
        expected = np.empty(value.shape)
        for at in np.ndindex(value.shape):
            middle = float(value[at])
            value[at] = middle + h
            high = float(model.forward(x).loss)
            value[at] = middle - h
            low = float(model.forward(x).loss)
            value[at] = middle
            expected[at] = (high - low) / (2 * h)
        scale = np.abs(expected).max()
        assert scale > 1e-4, name
        assert_allclose(gradient, expected, rtol=0, atol=1e-7 * scale, err_msg=name)


def test_loss_is_the_mean_of_the_reconstruction_term():
    model, x = make()
    z = model.encode(x)
    assert z.shape == (BATCH, LATENT)
    p, x_there, x = here(model.reconstruct(x)), x, here(x)
    assert_array_equal(p, model.decode(z))
    nll = -(x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=1)
    terms = model.forward(x_there, None, beta=3.0)
    assert_allclose(terms.nll, nll, rtol=1e-12)
    assert float(terms.loss) == pytest.approx(nll.mean(), rel=1e-12)


def test_at_zero_output_weights_the_loss_is_784_ln_2():
    rng = np.random.default_rng(0)
    model = Autoencoder(784, (40,), 5, rng=rng, dtype="float64")
    model.decoder[-1].params.theta[...] = 0
    loss = model.forward(model.prepare(np.round(rng.random((6, 784))))).loss
    assert float(loss) == pytest.approx(784 * math.log(2), rel=1e-13)


def test_there_is_no_kl_and_no_bound(refuses):
    model, x = make(dtype="float32")
    terms = model.forward(x)
    assert terms.kl.shape == (BATCH, 0)
    assert np.isnan(here(terms.bound)).all()
    assert {getattr(terms, name).dtype.name for name in ("loss", "nll", "kl", "bound")} == {
        "float32"
    }
    assert model.draw_noise(np.random.default_rng(0), BATCH) is None
    with refuses(OptionError, "no ELBO", "forward(x).nll"):
        model.elbo(x)


def test_learning_on_one_batch():
    model, x = make(dtype="float32", activation="relu")
    optimizer = Adam(0.02)
    first = float(model.step(x, None).loss)
    for _ in range(300):
        optimizer.step(model.params)
        loss = float(model.step(x, None).loss)
    assert loss < 0.2 < first


def test_config_builds_it_again():
    for likelihood in LIKELIHOODS:
        model, x = make(likelihood, (7, 5))
        config = json.loads(json.dumps(model.config))
        again = MODELS[config.pop("kind")](**config, rng=np.random.default_rng(9))
        assert type(again) is Autoencoder
        assert again.config == model.config
        again.params.load(model.params.theta)
        assert_array_equal(again.forward(x).nll, model.forward(x).nll)


def test_the_encoder_has_one_head():
    model, _ = make()
    vae = VAE(PIXELS, (7,), LATENT, rng=np.random.default_rng(0))
    head = 7 * LATENT + LATENT
    assert model.params.theta.size == vae.params.theta.size - head
    assert repr(model) == "Autoencoder(3-7-2, tanh, bernoulli, 89 parameters, float64)"


def test_samples_are_decoded_normal_draws():
    model, _ = make()
    z = normal(np.random.default_rng(5), (6, LATENT), "float64", get_backend("numpy"))
    assert_allclose(model.sample(6, np.random.default_rng(5)), model.decode(there(z)))


def test_backward_before_forward_is_refused(refuses):
    with refuses(StateError, "before forward"):
        make()[0].backward()


def test_nan_in_the_data_reaches_no_weight(refuses):
    model, x = make("gaussian")
    x[1, 2] = np.nan
    theta = model.params.theta.copy()
    model.step(x, None)
    with refuses(NonFiniteError, "'encoder.0.W'"):
        optimizer = Adam()
        optimizer.step(model.params)
        optimizer.settle(model.params)
    assert_array_equal(model.params.theta, theta)
