"""Rows that carry their class."""

import numpy as np
import pytest

from minivae.data import Pixels, load
from minivae.data.dataset import from_arrays
from minivae.data.labelled import class_names, labelled
from minivae.errors import DataError
from minivae.train.prepare import binarize


def test_a_row_is_pixels_and_a_one_hot_label():
    rows = labelled(np.array([[0.5, 1], [0, 0.25]], "float32"), np.array([2, 0]), 3)
    np.testing.assert_array_equal(rows, [[0.5, 1, 0, 0, 1], [0, 0.25, 1, 0, 0]])
    assert rows.dtype == "float32"


@pytest.mark.parametrize("divisor", [1, 16, 255, 300])
def test_pixels_stay_bytes_where_a_byte_can_be_one(divisor):
    x = Pixels(np.random.default_rng(0).integers(0, 2, (4, 3), np.uint8), divisor)
    rows = labelled(x, np.array([1, 0, 1, 1]), 2)
    assert isinstance(rows, Pixels) == (divisor < 256)
    np.testing.assert_array_equal(rows[:, :3], x[:])
    np.testing.assert_array_equal(rows[:, 3:], [[0, 1], [1, 0], [0, 1], [0, 1]])


def test_binarizing_leaves_labels_as_they_are():
    digits = load("digits8")
    rows = binarize(labelled(digits.pixels_train, digits.y_train, 10), np.random.default_rng(1))
    np.testing.assert_array_equal(rows[:, 64:].argmax(axis=1), digits.y_train)
    np.testing.assert_array_equal(rows[:, 64:].sum(axis=1), 1)


def test_classes_have_names():
    assert class_names(load("digits8")) == tuple("0123456789")
    x = np.zeros((20, 2), "float32")
    assert class_names(from_arrays("t", x, np.arange(20) % 3)) == ("0", "1", "2")
    assert class_names(from_arrays("t", x, np.array(["cat", "ant"] * 10))) == ("ant", "cat")


def test_labels_that_do_not_match_are_refused(refuses):
    x = np.zeros((20, 2), "float32")
    with refuses(DataError, "int64 labels of shape (3,)", "20 examples"):
        labelled(x, np.array([0, 1, 2]), 3)
    with refuses(DataError, "label 3", "0 to 2"):
        labelled(x, np.full(20, 3), 3)
    with refuses(DataError, "label -1"):
        labelled(x, np.arange(20) - 1, 30)
    with refuses(DataError, "float64"):
        labelled(x, np.zeros(20), 3)
    with refuses(DataError, "no labels"):
        class_names(from_arrays("t", x))
    with refuses(DataError, "no labels of its test"):
        class_names(from_arrays("t", x, np.zeros(20, int), x))
    with refuses(DataError, "label -1"):
        class_names(from_arrays("t", x, np.arange(20) - 1))
    with refuses(DataError, "90210"):
        class_names(from_arrays("t", x, np.arange(20) + 90191))


@pytest.mark.parametrize(
    ("y", "y_test", "words"),
    [
        (np.arange(20) % 2 * 2, None, ["class '1' has", "without gaps"]),
        (np.arange(20) % 3 * 3, None, ["4 classes have", "'1' first"]),
        (np.arange(20) % 3, np.arange(20) % 4, ["class '3' has"]),
    ],
)
def test_a_class_without_an_example_is_refused(y, y_test, words, refuses):
    x = np.zeros((20, 2), "float32")
    x_test = None if y_test is None else x
    with refuses(DataError, *words, "no training example"):
        class_names(from_arrays("t", x, y, x_test, y_test))
