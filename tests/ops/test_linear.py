"""The linear layer by hand, and how it starts."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.errors import OptionError, ShapeError
from minivae.ops import Linear
from minivae.ops.linear import forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, W, b):
    return torch.nn.functional.linear(x, W.T, b)


def test_by_hand():
    x, W, b = np.array([[1.0, 2.0]]), np.array([[1.0, 0, -1], [3, 5, 7]]), np.array([0.5, 0, 1])
    assert forward(x, W, b)[0].tolist() == [[7.5, 10, 14]]


@on_each_backend
def test_it_names_the_width_that_it_expects(refuses):
    layer = Linear(5, 7, rng=np.random.default_rng(1))
    with refuses(ShapeError, "(3, 4)", "(B, 5)"):
        layer.forward(there(np.zeros((3, 4)), "float32"))
    assert layer.output_shape((3, 5)) == (3, 7)


@on_each_backend
@pytest.mark.parametrize("init", ["glorot", "he", "zeros"])
def test_it_starts_from_its_initialiser_and_a_zero_bias(init):
    layer = Linear(50, 40, rng=np.random.default_rng(1), init=init)
    assert not here(layer.params["b"]).any()
    variance = {"glorot": 2 / 90, "he": 2 / 50, "zeros": 0}[init]
    # 2000 numbers; five standard errors of a normal's variance are 16 %
    assert_allclose(here(layer.params["W"]).var(), variance, rtol=0.16)


@on_each_backend
@pytest.mark.parametrize(
    ("n_in", "options", "words"), [(0, {}, "Linear(0, 2)"), (3, {"init": "best"}, "'best'")]
)
def test_options_are_checked(n_in, options, words, refuses):
    with refuses(OptionError, words):
        Linear(n_in, 2, rng=np.random.default_rng(1), **options)
