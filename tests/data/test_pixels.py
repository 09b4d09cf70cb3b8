"""Bytes that stand for floats: the same numbers bit for bit, and never all of them at once."""

import tracemalloc

import numpy as np
import pytest

from minivae.data import Pixels, load
from minivae.data.dataset import from_arrays, thin
from minivae.errors import DtypeError, OptionError, ShapeError
from minivae.ops.likelihoods.base import is_binary

N, D = 2311, 7


def stored(n=N, d=D, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, d), dtype=np.uint8)


def as_floats(values, divisor):
    """The whole array as float32, written out."""
    floats = values.astype(np.float32)
    floats /= np.float32(divisor)
    return floats


@pytest.fixture(params=[1, 16, 255])
def pair(request):
    """Pixels, and the float array that they stand for."""
    values = stored()
    return Pixels(values, request.param), as_floats(values, request.param)


INDEXES = [
    slice(None),
    slice(3, 2000, 7),
    slice(5, 5),
    17,
    -1,
    np.array([5, 5, 0, 2310]),
    [2, 1],
    np.arange(N) % 3 == 0,
    (slice(2, 9), 3),
    (4, 5),
]


@pytest.mark.parametrize("index", INDEXES, ids=str)
def test_an_index_gives_what_it_gives_of_the_floats(pair, index):
    pixels, floats = pair
    assert np.asarray(pixels[index]).dtype == np.float32
    assert np.shape(pixels[index]) == np.shape(floats[index])
    assert pixels[index].tobytes() == floats[index].tobytes()


def test_the_whole_as_an_array(pair):
    pixels, floats = pair
    assert np.asarray(pixels).dtype == np.float32
    assert np.asarray(pixels).tobytes() == floats.tobytes()
    assert np.asarray(pixels, dtype="float64").tobytes() == floats.astype("float64").tobytes()
    with pytest.raises(ValueError, match="copy=False"):
        np.array(pixels, copy=False)
    assert sum(row.sum() for row in pixels) == sum(row.sum() for row in floats)


def test_sizes_and_ranges(pair):
    pixels, floats = pair
    assert (pixels.shape, pixels.ndim, pixels.size) == ((N, D), 2, N * D)
    assert (len(pixels), pixels.dtype) == (N, np.float32)
    for found, expected in ((pixels.min(), floats.min()), (pixels.max(), floats.max())):
        assert found.dtype == np.float32
        assert found == expected
    dark = Pixels(np.array([[3, 9]], np.uint8), 255)
    assert (dark.min(), dark.max()) == tuple(as_floats(dark.bytes[0], 255))
    assert repr(pixels) == f"Pixels(2311 x 7 bytes / {pixels.divisor})"


@pytest.mark.parametrize("n", [1, 999, 1000, 1001, 2311])
def test_the_mean_row_is_rounded_as_that_of_the_floats(n):
    for d in (2, 7, 64):
        values = stored(n, d)
        mean = Pixels(values, 255).mean(axis=0)
        assert mean.dtype == np.float32
        assert mean.tobytes() == as_floats(values, 255).mean(axis=0).tobytes()
        np.testing.assert_allclose(mean, values.mean(axis=0) / 255, rtol=1e-5)


@pytest.mark.parametrize("rows", [slice(2, 5), np.array([9, 0, 9]), np.arange(N) % 2 == 0], ids=str)
def test_selected_rows_stay_bytes(pair, rows):
    pixels, floats = pair
    selected = pixels.select(rows)
    assert selected.bytes.dtype == np.uint8
    assert np.asarray(selected).tobytes() == floats[rows].tobytes()


def test_bytes_in_any_layout():
    values = stored()
    for laid in (np.asfortranarray(values), values[::-1], values[:, ::2]):
        pixels = Pixels(laid, 255)
        assert pixels.bytes.flags.c_contiguous
        assert np.asarray(pixels).tobytes() == as_floats(laid, 255).tobytes()


def test_what_is_not_bytes_in_rows_is_refused(refuses):
    for wrong, word in [
        (stored().astype("float32"), "float32"),
        (stored().astype(np.int8), "int8"),
        (stored() > 9, "bool"),
        ([[1, 2]], "list"),
    ]:
        with refuses(DtypeError, word, "uint8"):
            Pixels(wrong, 255)
    with refuses(ShapeError, "(2, 3, 4)", "reshape"):
        Pixels(np.zeros((2, 3, 4), np.uint8))
    for divisor in (0, -1):
        with refuses(OptionError, f"divisor={divisor}", "255"):
            Pixels(stored(), divisor)
    with refuses(OptionError, "divisor=nan"):
        Pixels(stored(), float("nan"))
    for axis in (1, None):
        with refuses(OptionError, f"axis={axis}"):
            Pixels(stored()).mean(axis=axis)


def test_binary_or_not():
    binary = (stored() > 99).astype(np.uint8)
    for x, expected in [
        (Pixels(binary, 1), True),
        (Pixels(255 * binary, 255), True),
        (Pixels(binary, 255), False),
        (binary.astype("float32"), True),
        (np.full((3, 2), np.nan), False),
    ]:
        assert is_binary(x) == expected == bool(np.all(np.isin(np.asarray(x), (0, 1))))
    for row in (0, 999, 1000, N - 1):
        binary[row, 3] = 2
        assert not is_binary(Pixels(binary, 1))
        assert not is_binary(binary.astype("float64"))
        binary[row, 3] = 1
    assert is_binary(Pixels(binary, 1))


# ---- in a data set ----


@pytest.mark.parametrize(
    ("x", "divisor"),
    [
        (stored(40, 6), 255),
        (stored(40, 6).reshape(40, 2, 3), 255),
        (stored(40, 64) % 17, 16),
        (stored(40, 6) % 2, 1),
        (stored(40, 6) > 99, 1),
    ],
)
def test_bytes_and_booleans_stay_bytes_in_a_data_set(x, divisor):
    data = from_arrays("a", x)
    floats = as_floats(x.reshape(40, -1), divisor)
    of_floats = from_arrays("a", floats.reshape(x.shape))
    for part in ("train", "test"):
        pixels, rows = getattr(data, f"pixels_{part}"), getattr(data, f"x_{part}")
        assert isinstance(pixels, Pixels)
        assert (pixels.bytes.dtype, pixels.divisor) == (np.uint8, divisor)
        assert type(rows) is np.ndarray
        assert rows.tobytes() == np.asarray(pixels).tobytes()
        assert rows.tobytes() == getattr(of_floats, f"x_{part}").tobytes()
        assert getattr(data, f"x_{part}") is rows, "made once"
    assert repr(data) == repr(of_floats)


def test_other_numbers_become_floats_at_once():
    for x in (stored().astype("int64"), stored() / 7, stored().astype("float32")):
        data = from_arrays("a", x)
        assert data.pixels_train.dtype == np.float32
        assert data.x_train is data.pixels_train
        assert data.x_test is data.pixels_test


def test_thinned_rows_stay_bytes():
    x, y = stored(60), np.arange(60) % 3
    data = from_arrays("a", x, y, x[:20], y[:20])
    thinned = thin(data, 15)
    of_floats = thin(from_arrays("a", as_floats(x, 255), y, as_floats(x[:20], 255), y[:20]), 15)
    for part in ("train", "test"):
        assert isinstance(getattr(thinned, f"pixels_{part}"), Pixels)
        name = f"x_{part}"
        assert len(getattr(thinned, name)) == 15
        np.testing.assert_array_equal(getattr(thinned, name), getattr(of_floats, name))


def test_the_embedded_images_are_bytes():
    assert load("mnist5k").pixels_train.divisor == 255
    digits = load("digits8", limit=50)
    assert digits.pixels_test.divisor == 16
    assert digits.pixels_test.bytes.nbytes == 50 * 64


def test_loading_makes_no_float_array():
    x = stored(20_000, 100).reshape(20_000, 10, 10)
    tracemalloc.start()
    data = from_arrays("a", x, np.arange(20_000) % 10)
    assert repr(data).startswith("Dataset('a': 18000 train, 2000 test")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.5 * x.size * 4, peak  # the bytes of the two parts are a quarter
