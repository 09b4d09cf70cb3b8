"""Fetching a minibatch: what the bytes stand for, and what is drawn of them."""

import tracemalloc

import numpy as np
import pytest

from minivae.data import minibatch
from minivae.engine.backend import get_backend
from minivae.errors import DtypeError, ShapeError

EVERY = np.arange(256, dtype=np.uint8).reshape(16, 16)
"""Each byte once."""


@pytest.fixture(params=["numpy", "numba"])
def gather(request):
    """The reference, and its kernel."""
    call = get_backend(request.param).call
    return lambda *arguments: call(minibatch.gather, *arguments)


def as_floats(pixels, divisor):
    """The whole array as float32: what the rows are taken from, written out."""
    floats = pixels.astype(np.float32)
    floats /= np.float32(divisor)
    return floats


@pytest.mark.parametrize("divisor", [1, 16, 255])
def test_the_rows_are_those_of_the_float_array(divisor, gather):
    rows = np.array([3, 15, 3, 0])
    x = gather(EVERY, rows, divisor)
    assert x.dtype == np.float32
    assert x.tobytes() == as_floats(EVERY, divisor)[rows].tobytes()
    # The quotient is rounded once: the nearest float32 to the exact one.
    exact = EVERY[rows].astype("float64") / divisor
    np.testing.assert_array_equal(x, exact.astype("float32"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_floats_are_fetched_in_their_own_dtype(dtype, gather):
    pixels = np.random.default_rng(0).standard_normal((7, 3)).astype(dtype)
    x = gather(pixels, np.array([6, 0, 2]))
    assert x.dtype == dtype
    np.testing.assert_array_equal(x, pixels[[6, 0, 2]])
    assert not np.shares_memory(x, pixels)


def test_a_pixel_is_1_where_the_noise_is_below_its_value(gather):
    pixels = np.array([[0, 51, 51, 51, 255]], np.uint8)
    grey = np.float32(51) / np.float32(255)
    below, above = np.nextafter(grey, np.float32(0)), np.nextafter(grey, np.float32(1))
    largest = np.nextafter(np.float32(1), np.float32(0))
    u = np.array([[0, below, grey, above, largest]], np.float32)
    x = gather(pixels, np.array([0]), 255, u)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[0, 1, 0, 0, 1]])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bytes_and_floats_are_drawn_alike(dtype, gather):
    rng = np.random.default_rng(0)
    rows = rng.integers(0, 16, 400)
    u = rng.random((400, 16), dtype=np.float32)
    floats = as_floats(EVERY, 255)
    drawn = gather(floats.astype(dtype), rows, 1, u)
    assert drawn.dtype == dtype
    np.testing.assert_array_equal(gather(EVERY, rows, 255, u), drawn)
    share, expected = drawn.mean(), floats[rows].mean()
    assert abs(share - expected) < 4 * np.sqrt(0.25 / drawn.size)


def test_no_rows_are_an_empty_minibatch(gather):
    assert gather(EVERY, np.empty(0, int), 255).shape == (0, 16)
    assert gather(EVERY, np.empty(0, int), 255, np.empty((0, 16), "float32")).shape == (0, 16)


DTYPES = ["uint8", "float32", "float64", "int64", "bool", "float16", ">f4", ">f8"]
SPREADS = {"C": np.copy, "F": np.asfortranarray, "back": lambda a: a[:, ::-1]}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("spread", SPREADS.values(), ids=SPREADS)
def test_the_kernel_is_the_reference_to_the_last_bit(dtype, spread):
    rng = np.random.default_rng(1)
    pixels = spread(
        rng.integers(0, 2, (31, 13)).astype(dtype)
        if dtype == "bool"
        else rng.integers(0, 256, (31, 13)).astype(dtype)
    )
    rows, u = rng.integers(0, 31, 7)[::-1], rng.random((7, 13), dtype="float32")
    for noise in (None, u, spread(u)):
        expected = minibatch.gather(pixels, rows, 255, noise)
        x = get_backend("numba").call(minibatch.gather, pixels, rows, 255, noise)
        assert x.dtype == expected.dtype
        assert x.tobytes() == expected.tobytes()


def test_rows_that_lie_apart_are_fetched_without_a_copy_of_all():
    pixels, rows = np.asfortranarray(np.ones((5000, 40), "float32")), np.arange(10)
    call = get_backend("numba").call
    call(minibatch.gather, pixels, rows)
    tracemalloc.start()
    call(minibatch.gather, pixels, rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.05 * pixels.nbytes, peak  # the minibatch is 0.002 of it


def test_nan_is_fetched_as_nan_and_never_drawn(gather):
    pixels = np.array([[np.nan, 0.5]], "float32")
    assert np.isnan(gather(pixels, np.array([0]))[0, 0])
    assert gather(pixels, np.array([0]), 1, np.zeros((1, 2), "float32")).tolist() == [[0, 1]]


def test_the_kernel_never_reads_beyond_the_data(refuses):
    call = get_backend("numba").call
    for rows in ([16], [-1], [0, 99]):
        with refuses(ShapeError, "rows 0 to 15"):
            call(minibatch.gather, EVERY, np.array(rows), 255)
    with refuses(ShapeError, "(16,)"):
        call(minibatch.gather, EVERY[0], np.array([0]), 255)
    with refuses(ShapeError, "(1, 15)"):
        call(minibatch.gather, EVERY, np.array([0]), 255, np.zeros((1, 15), "float32"))
    with refuses(DtypeError, "float64"):
        call(minibatch.gather, EVERY, np.array([0.0]), 255)
