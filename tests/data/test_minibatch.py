"""Fetching a minibatch: what the bytes stand for, and what is drawn of them."""

import numpy as np
import pytest

from minivae.data.minibatch import gather

EVERY = np.arange(256, dtype=np.uint8).reshape(16, 16)
"""Each byte once."""


def as_floats(pixels, divisor):
    """The whole array as float32: what the rows are taken from, written out."""
    floats = pixels.astype(np.float32)
    floats /= np.float32(divisor)
    return floats


@pytest.mark.parametrize("divisor", [1, 16, 255])
def test_the_rows_are_those_of_the_float_array(divisor):
    rows = np.array([3, 15, 3, 0])
    x = gather(EVERY, rows, divisor)
    assert x.dtype == np.float32
    assert x.tobytes() == as_floats(EVERY, divisor)[rows].tobytes()
    # The quotient is rounded once: the nearest float32 to the exact one.
    exact = EVERY[rows].astype("float64") / divisor
    np.testing.assert_array_equal(x, exact.astype("float32"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_are_fetched_in_their_own_dtype(dtype):
    pixels = np.random.default_rng(0).standard_normal((7, 3)).astype(dtype)
    x = gather(pixels, np.array([6, 0, 2]))
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, pixels[[6, 0, 2]])
    assert not np.shares_memory(x, pixels)


def test_a_pixel_is_1_where_the_noise_is_below_its_value():
    pixels = np.array([[0, 51, 51, 51, 255]], np.uint8)
    grey = np.float32(51) / np.float32(255)
    below, above = np.nextafter(grey, np.float32(0)), np.nextafter(grey, np.float32(1))
    largest = np.nextafter(np.float32(1), np.float32(0))
    u = np.array([[0, below, grey, above, largest]], np.float32)
    x = gather(pixels, np.array([0]), 255, u)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[0, 1, 0, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_and_floats_are_drawn_alike(dtype):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 16, 400)
    u = rng.random((400, 16), dtype=np.float32)
    floats = as_floats(EVERY, 255)
    drawn = gather(floats.astype(dtype), rows, 1, u)
    assert drawn.dtype == dtype
    np.testing.assert_array_equal(gather(EVERY, rows, 255, u), drawn)
    share, expected = drawn.mean(), floats[rows].mean()
    assert abs(share - expected) < 4 * np.sqrt(0.25 / drawn.size)


def test_no_rows_are_an_empty_minibatch():
    assert gather(EVERY, np.empty(0, int), 255).shape == (0, 16)
    assert gather(EVERY, np.empty(0, int), 255, np.empty((0, 16), "float32")).shape == (0, 16)
