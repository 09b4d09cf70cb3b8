"""Straight through: the value is the rounded one, the gradient passes, and a check holds it."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, there
from minivae.ops import StraightThrough

pytestmark = pytest.mark.usefixtures("each_backend")


def oracle(torch, z, s):
    return z + s.detach()


def test_the_value_is_the_rounded_one_and_the_gradient_that_of_what_was_rounded():
    z = there(np.array([[0.2, 0.9], [-1.4, 2.6]]))
    layer = StraightThrough(dtype="float64")
    rounded = there(np.array([[0.0, 1.0], [-1.0, 3.0]]))
    assert_allclose(layer(z, rounded - z), rounded, atol=1e-15)
    dy = there(np.array([[3.0, 4.0], [5.0, 6.0]]))
    assert_array_equal(layer.backward(dy), dy)


def test_a_rehearsal_holds_what_was_stopped_and_only_it():
    layer, held = StraightThrough(dtype="float64"), {}
    z, step = there(np.array([[0.2, 0.9]])), 0.25

    def rounded(z):
        with layer.params.rehearsal(held):
            return layer(z, 10 - z)

    assert_allclose(rounded(z), [[10, 10]])
    assert_allclose(rounded(z + step), [[10 + step, 10 + step]], rtol=1e-14)
    assert_allclose(layer(z + step, 10 - (z + step)), [[10, 10]], rtol=1e-14)
