"""The user's files: every kind, every refusal."""

import gzip

import numpy as np
import pytest

from minivae.data import load
from minivae.errors import DataError


@pytest.fixture
def x():
    return np.random.default_rng(0).random((20, 5)).astype(np.float32)


def test_npy_holds_out_a_tenth_of_the_rows(tmp_path, x):
    np.save(tmp_path / "table.npy", x)
    data = load(tmp_path / "table.npy")
    assert (data.x_train.shape, data.x_test.shape) == ((18, 5), (2, 5))
    both = np.concatenate([data.x_train, data.x_test])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(x, axis=0))
    assert (data.name, data.shape, data.y_train, data.y_test) == ("table.npy", (5,), None, None)


@pytest.mark.parametrize("x_name", ["x", "x_train", "images", "data", "anything"])
@pytest.mark.parametrize("y_name", ["y", "y_train", "labels"])
def test_npz_names(tmp_path, x, x_name, y_name):
    y = np.arange(20) % 3
    np.savez(tmp_path / "own.npz", **{x_name: x, y_name: y})
    data = load(str(tmp_path / "own.npz"))
    assert data.y_test.shape == (2,)
    for rows, labels in [(data.x_train, data.y_train), (data.x_test, data.y_test)]:
        which = [int(np.flatnonzero((x == row).all(axis=1))[0]) for row in rows]
        assert which == sorted(which)
        assert labels.tolist() == y[which].tolist()
    assert data.y_train.dtype == np.int64


def test_npz_with_its_own_test_set(tmp_path, x):
    y = np.arange(15) % 2
    np.savez(tmp_path / "own.npz", x=x[:15], y=y, x_test=x[15:], y_test=y[:5])
    data = load(tmp_path / "own.npz")
    np.testing.assert_array_equal(data.x_train, x[:15])
    np.testing.assert_array_equal(data.x_test, x[15:])
    assert data.y_test.tolist() == [0, 1, 0, 1, 0]


def test_npz_with_several_unknown_arrays_is_refused(tmp_path, x):
    np.savez(tmp_path / "own.npz", a=x, b=x)
    with pytest.raises(DataError, match=r"holds the arrays a, b, expected .* x_train, x, images"):
        load(tmp_path / "own.npz")
    np.savez(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"holds the arrays \(none\)"):
        load(tmp_path / "none.npz")


@pytest.mark.parametrize("packed", [False, True])
def test_idx(tmp_path, idx_bytes, packed):
    pixels = np.random.default_rng(1).integers(0, 256, (11, 3, 2), dtype=np.uint8)
    content = idx_bytes(pixels)
    (tmp_path / "images-idx3-ubyte").write_bytes(gzip.compress(content) if packed else content)
    data = load(tmp_path / "images-idx3-ubyte")
    assert data.shape == (3, 2)
    assert len(data.x_test) == 1
    both = np.concatenate([data.x_train, data.x_test])
    expected = pixels.reshape(11, 6) / 255
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(expected, axis=0), rtol=1e-7)


@pytest.mark.parametrize("kind", ["npy", "npz"])
def test_pickled_objects_are_refused(tmp_path, kind):
    array = np.array([{"a": 1}, None], dtype=object)
    path = tmp_path / f"objects.{kind}"
    if kind == "npy":
        np.save(path, array)
    else:
        np.savez(path, x=array)
    with pytest.raises(DataError, match=r"objects\.\w+ cannot be read \(it holds Python objects\)"):
        load(path)


@pytest.mark.parametrize("kind", ["npy", "npz", "idx"])
def test_a_file_cut_short_is_named(tmp_path, idx_bytes, x, kind):
    path = tmp_path / f"cut.{kind}"
    if kind == "npy":
        np.save(path, x)
    elif kind == "npz":
        np.savez(path, x=x)
    else:
        path.write_bytes(idx_bytes(np.ones((10, 8), np.uint8)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=rf"cut\.{kind} "):
        load(path)


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n", b"\x89PNG\r\n\x1a\n"])
def test_an_unknown_kind_is_refused(tmp_path, content):
    (tmp_path / "what").write_bytes(content)
    with pytest.raises(
        DataError, match=r"what is of an unknown kind .* a \.npy, \.npz, IDX or \.csv"
    ):
        load(tmp_path / "what")


def test_a_spreadsheet_is_called_one(tmp_path):
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04" + b"\0" * 40)
    with pytest.raises(DataError, match="is a spreadsheet; save the sheet as CSV"):
        load(tmp_path / "t.xlsx")


def test_a_gzip_of_something_else_is_refused(tmp_path):
    for name, words in [("a.gz", "expected an IDX file"), ("t.csv.gz", "compressed table; unpack")]:
        (tmp_path / name).write_bytes(gzip.compress(b"a,b\n1,2\n"))
        with pytest.raises(DataError, match=words):
            load(tmp_path / name)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", ["x", "x_test"])
def test_values_that_are_not_finite_are_counted_and_the_first_is_shown(tmp_path, x, part, value):
    images = {"x": x.reshape(20, 5, 1).copy(), "x_test": x[:4].reshape(4, 5, 1).copy()}
    images[part][3, 2, 0] = images[part][3, 4, 0] = value
    np.savez(tmp_path / "bad.npz", **images)
    with pytest.raises(
        DataError,
        match=rf"bad\.npz: {part} has 2 values .* the first is {value} at index \(3, 2, 0\)",
    ):
        load(tmp_path / "bad.npz")


def test_a_float64_past_float32_counts_as_infinite(tmp_path):
    x = np.ones((3, 2))
    x[1, 0] = 1e300
    np.save(tmp_path / "big.npy", x)
    with pytest.raises(DataError, match=r"1 values .* the first is 1e\+300 at index \(1, 0\)"):
        load(tmp_path / "big.npy")


@pytest.mark.parametrize(
    ("x", "problem"),
    [
        (np.zeros(5), r"shape \(5,\), expected at least one example"),
        (np.zeros((0, 5)), r"shape \(0, 5\), expected at least one example"),
        (np.zeros((2, 0)), r"shape \(2, 0\), expected at least one example"),
        (np.zeros((2, 3, 3, 3, 3)), "expected at least one example"),
        (np.zeros((2, 3, 8, 8)), r"channels first, .*\.transpose\(0, 2, 3, 1\)"),
        (np.zeros((2, 3), complex), "holds complex128, expected real numbers"),
        (np.array([["a", "b"]]), "holds <U1, expected real numbers"),
        (np.zeros((2, 3), "M8[s]"), "expected real numbers"),
    ],
)
def test_arrays_that_are_no_examples_are_refused(tmp_path, x, problem):
    np.save(tmp_path / "bad.npy", x)
    with pytest.raises(DataError, match=problem):
        load(tmp_path / "bad.npy")
