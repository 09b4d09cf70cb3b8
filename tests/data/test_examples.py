"""Sources read row by row: nothing held out, everything in its order."""

import numpy as np
import pytest
from PIL import Image

from minivae.data import load
from minivae.data.examples import read
from minivae.errors import DataError, OptionError


def test_a_set_with_a_test_part_gives_the_part_that_is_asked_for():
    data = load("digits8")
    for part, x, y in (("train", data.x_train, data.y_train), ("test", data.x_test, data.y_test)):
        found = read("digits8", part)
        np.testing.assert_array_equal(found.x[:], x)
        assert found.labels.tolist() == [str(k) for k in y]
        assert (found.name, found.shape, found.columns, found.files) == (
            "digits8",
            (8, 8),
            None,
            None,
        )


def test_a_file_gives_all_its_rows_in_their_order(tmp_path):
    x = np.random.default_rng(0).random((40, 5)).astype("f4")
    y = np.array(["b", "a"] * 20)
    np.savez(tmp_path / "own.npz", x=x, y=y)
    for part in ("train", "test"):
        found = read(tmp_path / "own.npz", part)
        np.testing.assert_array_equal(found.x, x)
        assert found.labels.tolist() == y.tolist()
    np.testing.assert_array_equal(read(x).x, x)


def test_folders_name_their_files(tmp_path):
    for name, value in (("b/1.png", 10), ("a/2.png", 20), ("b/0.png", 30)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 3), value, np.uint8)).save(tmp_path / name)
    found = read(tmp_path)
    assert found.files == ["a/2.png", "b/0.png", "b/1.png"]
    assert found.labels.tolist() == ["a", "b", "b"]
    np.testing.assert_allclose(found.x[:, 0] * 255, [20, 30, 10], rtol=1e-6)
    one = read(tmp_path / "a/2.png")
    assert (one.files, one.shape, len(one)) == (["2.png"], (4, 3), 1)


def test_a_limit_keeps_the_rows_numbers(tmp_path):
    found = read(np.arange(20.0).reshape(10, 2), limit=5)
    assert found.rows.tolist() == [0, 2, 4, 6, 8]
    assert found.x[:, 0].tolist() == [0, 4, 8, 12, 16]
    assert found.select(np.array([3, 1])).rows.tolist() == [6, 2]


def test_classes():
    digits = read("digits8")
    kept, classes = digits.only([], ["1", "3"])
    assert classes == ["0", "2", "4", "5", "6", "7", "8", "9"]
    assert set(kept.labels) == set(classes)
    kept, classes = digits.only(["7", 2], [])
    assert classes == ["2", "7"]
    assert len(kept) == sum(label in ("2", "7") for label in digits.labels)
    assert digits.only([], []) == (digits, None)
    assert digits.only("7", ())[1] == ["7"]


def test_refusals(refuses):
    digits = read("digits8")
    with refuses(OptionError, "no class '11'", "0, 1, 2"):
        digits.only(["11"], [])
    with refuses(OptionError, "give one"):
        digits.only(["1"], ["2"])
    with refuses(OptionError, "all classes"):
        digits.only([], [str(k) for k in range(10)])
    with refuses(OptionError, "no classes, but 1 was named"):
        read(np.ones((3, 2))).only(["1"], [])
    with refuses(OptionError, "--label kind was given, but digits8", ".csv"):
        read("digits8", label="kind", ignore=["id"])
    with refuses(OptionError, "at least 1"):
        read("digits8", limit=0)
    with pytest.raises(DataError, match="no data set or file"):
        read("nowhere")
