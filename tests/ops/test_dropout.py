"""Dropout: the mask that it is given, and the one that it draws."""

import numpy as np
import pytest

from arrays import assert_array_equal, here, there
from minivae.errors import OptionError
from minivae.ops import Dropout
from minivae.ops.dropout import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, mask, keep):
    return torch.where(mask == 1, x / keep, torch.zeros_like(x))


def test_by_hand():
    y, cache = forward(np.array([[1.0, 2, 3]]), np.array([[1.0, 0, 1]]), 0.5)
    assert y.tolist() == [[2, 0, 6]]
    assert backward(np.array([[1.0, 1, 2]]), *cache).tolist() == [[2, 0, 4]]


@on_each_backend
def test_it_uses_the_mask_it_is_given():
    layer, x = Dropout(0.5), there(np.arange(1, 7).reshape(2, 3), "float32")
    mask = there([[1, 0, 1], [0, 0, 1]], "float32")
    assert_array_equal(layer.forward(x, mask), [[2, 0, 6], [0, 0, 12]])
    assert_array_equal(layer.backward(x), [[2, 0, 6], [0, 0, 12]])


@on_each_backend
def test_without_a_mask_it_does_nothing():
    layer, x = Dropout(0.5), there(np.ones((2, 3)), "float32")
    layer.forward(x, 0 * x)
    assert_array_equal(layer.forward(x), x)
    assert_array_equal(layer.backward(3 * x), 3 * x)


@on_each_backend
def test_it_keeps_the_share_it_is_asked_to():
    layer = Dropout(0.8)
    mask = here(layer.draw_noise(np.random.default_rng(1), (200, 200)))
    assert mask.dtype == "float32"
    assert set(np.unique(mask)) == {0, 1}
    assert abs(mask.mean() - 0.8) < 5 * np.sqrt(0.8 * 0.2 / mask.size)
    assert here(Dropout(1.0).draw_noise(np.random.default_rng(1), (200, 200))).all()


@on_each_backend
def test_a_numpy_number_does_not_promote_the_result():
    x = there(np.ones((2, 3)), "float32")
    assert Dropout(np.float64(0.5)).forward(x, x).dtype == "float32"


@on_each_backend
@pytest.mark.parametrize("keep", [0, 1.5])
def test_what_is_no_probability_is_refused(keep, refuses):
    with refuses(OptionError, f"keep={keep}"):
        Dropout(keep)
