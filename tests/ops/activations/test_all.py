"""What every activation must do."""

import numpy as np
import pytest

from minivae.errors import OptionError
from minivae.ops import ACTIVATIONS, Activation, Dense, activations

each = pytest.mark.parametrize("name", ACTIVATIONS)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@each
@each_dtype
def test_gradients_at_ten_thousand_are_finite(name, dtype):
    forward, backward, *_ = ACTIVATIONS[name]
    big = np.array([[1e4, -1e4, 1e4, -1e4]], dtype)
    assert np.isfinite(backward(np.ones_like(big), *forward(big)[1])).all()


@each_dtype
@pytest.mark.parametrize("name", ["silu", "gelu", "relu"])
def test_those_like_a_relu_are_one_far_out(name, dtype):
    big = np.array([[1e4, -1e4, 1e4, -1e4]], dtype)
    np.testing.assert_array_equal(ACTIVATIONS[name].forward(big)[0], [[1e4, 0, 1e4, 0]])


@each
def test_its_pair_can_be_imported_from_the_folder(name):
    assert getattr(activations, f"{name}_forward") is ACTIVATIONS[name][0]
    assert getattr(activations, f"{name}_backward") is ACTIVATIONS[name][1]


@pytest.mark.parametrize(
    "make", [Activation, lambda name: Dense(1, 1, name, rng=np.random.default_rng(0))]
)
def test_an_unknown_name_is_refused(make, refuses):
    with refuses(OptionError, "'swoosh'", *ACTIVATIONS):
        make("swoosh")


@each
def test_an_unknown_option_is_refused(name, refuses):
    with refuses(OptionError, name, "steepness"):
        Activation(name, steepness=0.1)
