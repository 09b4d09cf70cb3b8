"""Spread of data, and a part of them that is set aside."""

import numpy as np
import pytest

from minivae.data import Pixels
from minivae.data.statistics import set_aside, spread
from minivae.errors import DataError

BYTES = np.random.default_rng(0).integers(0, 256, (2500, 6), dtype=np.uint8)


@pytest.mark.parametrize("stored", [False, True])
def test_the_spread_is_that_about_each_columns_mean(stored):
    x = BYTES / 255 + (0 if stored else np.arange(6))
    exact = np.sqrt(((x - x.mean(axis=0)) ** 2).mean())
    assert spread(Pixels(BYTES, 255) if stored else x) == pytest.approx(exact, rel=1e-6)


def test_constant_data_have_no_spread():
    assert spread(np.full((10, 3), 7.0)) == 0


@pytest.mark.parametrize("stored", [False, True])
def test_a_tenth_is_set_aside_by_the_seed(stored):
    x = Pixels(BYTES, 255) if stored else BYTES / 255
    kept, aside = set_aside(x, 3)
    assert (len(kept), len(aside)) == (2250, 250)
    both = np.concatenate([np.asarray(kept), np.asarray(aside)])
    order = np.lexsort(both.T)
    np.testing.assert_array_equal(both[order], np.asarray(x)[np.lexsort(np.asarray(x).T)])
    np.testing.assert_array_equal(np.asarray(set_aside(x, 3)[1]), np.asarray(aside))
    assert (np.asarray(set_aside(x, 4)[1]) != np.asarray(aside)).any()


def test_one_row_cannot_be_divided(refuses):
    with refuses(DataError, "1 examples"):
        set_aside(np.zeros((1, 3)), 0)
    assert [len(part) for part in set_aside(np.zeros((2, 3)), 0)] == [1, 1]
