"""Clamp by hand."""

import numpy as np
import pytest

from arrays import there
from minivae.errors import OptionError
from minivae.ops import Clamp
from minivae.ops.clamp import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, low, high):
    return torch.clamp(x, low, high)


def test_by_hand():
    x = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])
    value, cache = forward(x, low=-0.5, high=1)
    np.testing.assert_array_equal(value[0], [-0.5, -0.5, 0, 0.5, 1])
    # At the end, -0.5, the slope is 0.
    np.testing.assert_array_equal(backward(np.ones_like(x), *cache)[0], [0, 0, 1, 1, 0])


@on_each_backend
def test_ends_given_as_numpy_numbers_do_not_promote_the_result():
    x, half = there(np.ones((2, 3)), "float32"), np.float64(0.5)
    assert Clamp(half / 2, half).forward(x).dtype == "float32"


@on_each_backend
@pytest.mark.parametrize(("low", "words"), [(1, "1 to 1"), (float("nan"), "nan")])
def test_an_empty_range_is_refused(low, words, refuses):
    with refuses(OptionError, words):
        Clamp(low, 1)
