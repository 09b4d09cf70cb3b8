"""Leaky ReLU by hand."""

import numpy as np
import pytest

from arrays import assert_allclose, there
from minivae.errors import OptionError
from minivae.ops import Activation
from minivae.ops.activations import leaky_relu_backward, leaky_relu_forward


def oracle(torch, x, slope):
    return torch.nn.functional.leaky_relu(x, negative_slope=slope)


@pytest.mark.parametrize(
    ("options", "y", "slopes"),
    [
        ({}, [-0.02, -0.005, 0, 0.5, 2], [0.01] * 3 + [1] * 2),
        ({"slope": 0.2}, [-0.4, -0.1, 0, 0.5, 2], [0.2] * 3 + [1] * 2),
    ],
)
def test_by_hand(options, y, slopes):
    x = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])
    value, cache = leaky_relu_forward(x, **options)
    np.testing.assert_array_equal(value[0], y)
    np.testing.assert_array_equal(leaky_relu_backward(np.ones_like(x), *cache)[0], slopes)


@pytest.mark.usefixtures("each_backend")
def test_the_slope_reaches_the_layer():
    x = there(np.array([[-2.0, 3.0]]), "float32")
    assert_allclose(Activation("leaky_relu").forward(x), [[-0.02, 3]], rtol=1e-6)
    layer = Activation("leaky_relu", slope=np.float64(0.5))
    assert layer.forward(x).dtype == "float32"
    assert_allclose(layer.forward(x), [[-1, 3]])


def test_another_option_is_refused(refuses):
    with refuses(OptionError, "leaky_relu", "steepness", "slope"):
        Activation("leaky_relu", steepness=0.1)
