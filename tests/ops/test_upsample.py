"""Upsampling by hand, against PyTorch, and there and back."""

import numpy as np
import pytest

from arrays import assert_array_equal, here, there
from minivae.errors import OptionError, ShapeError
from minivae.ops import AvgPool2d, Upsample

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, factor):
    y = torch.nn.functional.interpolate(x.permute(0, 3, 1, 2), scale_factor=factor, mode="nearest")
    return y.permute(0, 2, 3, 1)


@on_each_backend
def test_by_hand():
    layer = Upsample((2, 1), dtype="float64")
    y = layer(there(np.array([[1.0, 2], [3, 4]])[None, :, :, None]))
    assert here(y)[0, ..., 0].tolist() == [[1, 2], [1, 2], [3, 4], [3, 4]]
    dx = layer.backward(there(np.arange(8.0).reshape(1, 4, 2, 1)))
    assert here(dx)[0, ..., 0].tolist() == [[0 + 2, 1 + 3], [4 + 6, 5 + 7]]


@on_each_backend
def test_the_means_of_the_blocks_are_what_it_was():
    x = np.random.default_rng(0).integers(0, 99, (2, 3, 5, 4)).astype("float64")
    up, down = Upsample(2, dtype="float64"), AvgPool2d(2, dtype="float64")
    assert_array_equal(down(up(there(x))), x)
    assert up.output_shape(x.shape) == (2, 6, 10, 4)


@on_each_backend
def test_what_does_not_fit_is_refused(refuses):
    for factor in (0, 1.5, (2, 2, 2)):
        with refuses(OptionError, f"factor={factor!r}"):
            Upsample(factor)
    with refuses(ShapeError, "(2, 9)", "(B, H, W, C)"):
        Upsample(2)(there(np.zeros((2, 9)), "float32"))
    assert repr(Upsample(2)) == "Upsample(2 x 2)"
