"""The summary: every layer, the shape that it gives, and parameters that add up."""

import re

import numpy as np
import pytest

from minivae.models import MODELS, VAE
from minivae.ops import Dense


@pytest.mark.parametrize("kind", MODELS)
def test_the_parameters_add_up(kind):
    model = MODELS[kind].example(np.random.default_rng(0))
    text = str(model.summary())
    rows = text.split("\n---")[1].splitlines()[1:]
    counts = [int(row.split()[-1].replace(",", "")) for row in rows]
    assert sum(counts) == model.params.theta.size
    assert f"{model.params.theta.size:,} parameters" in text
    assert repr(model.summary()) == text


def test_the_rows_of_a_vae():
    model = VAE(784, rng=np.random.default_rng(0), backend="numpy")
    rows = [re.split(r"\s{2,}", row) for row in model.summary().splitlines()[4:10]]
    assert rows == [
        ["encoder.trunk.0", "Dense(784, 400, 'relu')", "(B, 400)", "314,000"],
        ["encoder.heads", "Linear(400, 40)", "(B, 40)", "16,040"],
        ["encoder.clamp", "Clamp(-30.0, 20.0)", "(B, 20)", "0"],
        ["decoder.0", "Dense(20, 400, 'relu')", "(B, 400)", "8,400"],
        ["decoder.1", "Linear(400, 784)", "(B, 784)", "314,384"],
        ["likelihood", "Bernoulli()", "(B,)", "0"],
    ]
    assert "652,824 parameters, 2.5 MB of float32 on numpy" in model.summary()


def test_networks_of_ones_own_and_what_is_left_as_it_was():
    rng = np.random.default_rng(0)
    model = VAE(16, latent=2, encoder=Dense(16, 5, "tanh", rng=rng), rng=rng)
    theta = model.params.theta.copy()
    assert "Dense(16, 5, 'tanh')" in model.summary()
    np.testing.assert_array_equal(model.params.theta, theta)
    assert "forward" not in vars(model.encoder.heads)
