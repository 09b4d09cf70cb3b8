"""Rows in parts: what a function gives for all of them at once."""

import numpy as np
import pytest

from minivae.data.batches import batches, by_rows
from minivae.engine.backend import get_backend

BACKEND = get_backend("numpy")


def test_the_slices_cover_the_rows():
    assert list(batches(7, 3)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(batches(0, 3)) == []


@pytest.mark.parametrize("n", [0, 1, 6, 7])
def test_the_parts_are_put_together(n):
    x, y = np.arange(2.0 * n).reshape(n, 2), np.arange(n)
    sizes = []

    def function(x, y):
        sizes.append(len(x))
        return x + y[:, None], y

    moved, same = by_rows(BACKEND, function, x, y, rows=3)
    np.testing.assert_array_equal(moved, x + y[:, None])
    np.testing.assert_array_equal(same, y)
    assert sizes == {0: [0], 1: [1], 6: [3, 3], 7: [3, 3, 1]}[n]
    np.testing.assert_array_equal(by_rows(BACKEND, np.square, x, rows=3), x**2)


def test_a_title_is_that_of_a_progress_bar(capsys):
    by_rows(BACKEND, np.square, np.ones((5, 2)), title="squares")
    assert "squares" in capsys.readouterr().err
