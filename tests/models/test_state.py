"""A model as an object: copies, pickles, and what happens between its two passes."""

import copy
import pickle

import numpy as np
import pytest

from arrays import assert_array_equal, there
from minivae.errors import StateError
from minivae.models import GAN, VAE, Autoencoder
from minivae.train.optim.adam import Adam

pytestmark = pytest.mark.usefixtures("each_backend")

X = np.random.default_rng(1).random((4, 6))


def x():
    return there(X)


def model(kind=VAE):
    return kind(6, (5,), 2, rng=np.random.default_rng(0), dtype="float64")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
@pytest.mark.parametrize("kind", [VAE, Autoencoder, GAN])
def test_a_copy_is_a_whole_model_of_its_own(duplicate, kind):
    original = model(kind)
    other = duplicate(original)
    before = original.params.theta.copy()
    noise = other.draw_noise(np.random.default_rng(2), 4)
    other.step(x(), noise)
    Adam(0.1).step(other.params)
    assert_array_equal(original.params.theta, before)
    # The layers of the copy see its theta, and its gradients are the original's.
    assert other.backend.xp.shares_memory(other.decoder[0].params["W"], other.params.theta)
    original.step(x(), noise)
    assert_array_equal(original.params.grad, other.params.grad)


@pytest.mark.parametrize("kind", [VAE, Autoencoder])
@pytest.mark.parametrize(
    "between",
    [
        lambda m: m.reconstruct(x()),
        lambda m: m.sample(4, np.random.default_rng(0)),
        lambda m: m.decode(there(np.zeros((4, 2)))),
        lambda m: m.encode(x()),
    ],
)
def test_no_wrong_gradient_after_the_layers_were_used_for_something_else(kind, between):
    vae = model(kind)
    noise = vae.draw_noise(np.random.default_rng(2), 4)
    vae.forward(x(), noise)
    between(vae)
    with pytest.raises(StateError, match="before forward"):
        vae.backward()
    vae.step(x(), noise)


def test_the_stated_range_of_logvar_is_the_default():
    assert (model().encoder.clamp.low, model().encoder.clamp.high) == (-30.0, 20.0)
