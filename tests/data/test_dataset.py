"""What becomes of arrays: scaling, labels, the held-out rows, thinning, the checks."""

import dataclasses

import numpy as np
import pytest

from minivae.data.dataset import Dataset, from_arrays, thin
from minivae.errors import DataError, DtypeError, ShapeError

F4 = np.float32


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([[0, 51, 255]], np.uint8), [0, 0.2, 1]),
        (np.array([[0, 1, 1]], np.uint8), [0, 1, 1]),
        (np.array([[False, True, True]]), [0, 1, 1]),
        (np.array([[0, 8, 16]], np.uint8), [0, 8 / 255, 16 / 255]),
        (np.array([[0, 51, 255]], np.int64), [0, 51, 255]),
        (np.array([[-1, 0, 1]], np.int8), [-1, 0, 1]),
        (np.array([[0.0, 0.5, 255.0]]), [0, 0.5, 255]),
        (np.array([[-3.0, 0.5, 2.0]], np.float16), [-3, 0.5, 2]),
    ],
)
def test_scaling_goes_by_the_kind_of_number(x, expected):
    data = from_arrays("a", x)
    assert data.x_train.dtype == F4
    np.testing.assert_allclose(data.x_train[0], expected, rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("shape", [(2, 64), (2, 8, 8)])
def test_seventeen_levels_in_64_pixels_are_digits(dtype, shape):
    x = (np.arange(128).reshape(shape) % 17).astype(dtype)
    np.testing.assert_array_equal(from_arrays("a", x).x_train.ravel(), (x.ravel() / 16).astype(F4))
    as_float = from_arrays("a", x.astype(float)).x_train
    np.testing.assert_array_equal(as_float.ravel(), x.ravel())


def test_train_and_test_are_scaled_alike():
    dark, bright = np.ones((2, 4), np.uint8), np.full((2, 4), 255, np.uint8)
    data = from_arrays("a", dark, x_test=bright)
    assert data.x_train[0, 0] == F4(1) / F4(255)
    assert data.x_test[0, 0] == 1
    data = from_arrays("a", bright, x_test=bright / 255.0)
    assert data.x_train[0, 0] == 255


def test_the_input_is_left_alone():
    x = np.array([[0.5, 1.0]], F4)
    data = from_arrays("a", x)
    data.x_train[0, 0] = 7
    assert x[0, 0] == 0.5


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((2, 6), (6,)), ((2, 2, 3), (2, 3)), ((2, 2, 3, 1), (2, 3)), ((2, 2, 3, 3), (2, 3, 3))],
)
def test_the_shape_of_an_example(shape, expected):
    data = from_arrays("a", np.zeros(shape))
    assert data.shape == expected
    assert data.x_train.shape == (2, np.prod(expected))


@pytest.mark.parametrize(("n", "held_out"), [(9, 0), (10, 1), (29, 2), (30, 3), (200, 20)])
def test_a_tenth_of_the_rows_is_held_out(n, held_out):
    x = np.arange(n, dtype=F4)[:, None]
    data = from_arrays("a", x)
    if not held_out:
        assert data.x_test is None
        assert len(data.x_train) == n
        return
    test, train = data.x_test[:, 0].tolist(), data.x_train[:, 0].tolist()
    assert len(test) == held_out
    assert test == sorted(test)
    assert train == [i for i in range(n) if i not in test]
    assert test == from_arrays("a", x).x_test[:, 0].tolist()  # the same each time


@pytest.mark.parametrize("y", [np.arange(300) % 10, np.arange(300) // 30, np.arange(300) % 2])
def test_every_class_is_in_the_test_set_in_proportion(y):
    data = from_arrays("a", y[:, None].astype(F4), y)
    classes = len(np.unique(y))
    assert np.bincount(data.y_test).tolist() == [30 // classes] * classes
    np.testing.assert_array_equal(data.x_test[:, 0], data.y_test)
    np.testing.assert_array_equal(data.x_train[:, 0], data.y_train)


def test_labels_as_text_are_counted_in_sorted_order():
    x = np.zeros((3, 2))
    data = from_arrays("a", x, np.array(["dog", "cat", "dog"]), x, np.array(["cat", "ant", "dog"]))
    assert data.labels == ("ant", "cat", "dog")
    assert data.y_train.tolist() == [2, 1, 2]
    assert data.y_test.tolist() == [1, 0, 2]


@pytest.mark.parametrize("y", [[3, 1], [3.0, 1.0], [[3], [1]]])
def test_labels_as_numbers_become_int64(y):
    data = from_arrays("a", np.zeros((2, 2)), np.array(y))
    assert data.y_train.tolist() == [3, 1]
    assert data.y_train.dtype == np.int64
    assert data.labels is None


@pytest.mark.parametrize(
    ("arrays", "problem"),
    [
        ({"y": np.zeros(3)}, r"y has shape \(3,\), expected one label for each of the 2 rows"),
        ({"y": np.zeros((2, 10))}, r"y has shape \(2, 10\)"),
        ({"y": np.array([0.5, 1])}, "y holds float64 values, expected whole numbers"),
        ({"y": np.array([np.nan, 1])}, "expected whole numbers"),
        ({"y": np.array([np.inf, 1])}, "expected whole numbers"),
        ({"y": np.array([1j, 1])}, "y holds complex128 values"),
        ({"y_test": np.zeros(2)}, "y_test came without x_test"),
        ({"x_test": np.zeros((2, 4))}, r"x_test have shape \(4,\) and those of x \(3,\)"),
        ({"x_test": np.zeros((2, 3)), "y_test": np.zeros(1)}, r"y_test has shape \(1,\)"),
        (
            {"y": np.array(["a", "b"]), "x_test": np.zeros((2, 3)), "y_test": np.zeros(2)},
            "y holds <U1 values, expected whole numbers",
        ),
    ],
)
def test_parts_that_do_not_fit_are_refused(arrays, problem):
    with pytest.raises(DataError, match=problem):
        from_arrays("a", np.zeros((2, 3)), **arrays)


@pytest.mark.parametrize("y", [np.repeat(np.arange(4), 10), np.arange(40) % 4])
def test_thinning_keeps_every_class_in_proportion(y):
    x = y[:, None].astype(F4)
    data = Dataset("a", x, y, x[:20], None, (1,))
    small = thin(data, 8)
    assert np.bincount(small.y_train).tolist() == [2, 2, 2, 2]
    np.testing.assert_array_equal(small.x_train[:, 0], small.y_train)
    assert len(small.x_test) == 8
    assert small.y_test is None
    assert len(thin(data, 30).x_test) == 20
    np.testing.assert_array_equal(thin(data, 40).x_train, x)


def test_the_repr_is_one_helpful_line():
    x = np.array([[0, 0.25, 0.5, 1]] * 3, F4)
    data = Dataset("own", x, np.array([0, 1, 1]), None, None, (2, 2))
    assert repr(data) == ("Dataset('own': 3 train, 0 test, each 2 x 2, values 0 to 1, 2 classes)")
    assert repr(Dataset("t", x, None, x, None, (4,))) == (
        "Dataset('t': 3 train, 3 test, each 4, values 0 to 1)"
    )


def test_a_dataset_is_frozen_and_checks_itself():
    x = np.zeros((3, 4), F4)
    data = Dataset("a", x, None, None, None, (2, 2))
    with pytest.raises(dataclasses.FrozenInstanceError):
        data.name = "b"
    with pytest.raises(DtypeError, match=r"pixels_train of 'a' is float64, expected float32"):
        Dataset("a", x.astype(float), None, None, None, (4,))
    with pytest.raises(ShapeError, match=r"pixels_test of 'a' has shape \(3, 4\), expected rows"):
        Dataset("a", np.zeros((1, 5), F4), None, x, None, (5,))
    with pytest.raises(ShapeError, match=r"y_train of 'a' has shape \(2,\), expected one label"):
        Dataset("a", x, np.zeros(2, int), None, None, (4,))
