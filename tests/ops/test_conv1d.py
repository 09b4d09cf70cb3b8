"""The convolution of sequences: by hand, causal, as images one pixel high, and against PyTorch."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.engine.backend import get_backend
from minivae.errors import OptionError, ShapeError
from minivae.ops import Conv1d, Conv2d
from minivae.ops.conv1d import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, W, b, stride, padding):
    padded = torch.nn.functional.pad(x.permute(0, 2, 1), padding)
    return torch.nn.functional.conv1d(padded, W.permute(2, 1, 0), b, stride).permute(0, 2, 1)


def test_by_hand():
    x, W = np.array([[[1.0], [2], [4], [8]]]), np.array([[[1.0]], [[-1]]])
    y, cache = forward(x, W, np.array([0.5]), 1, (1, 0))
    assert y.ravel().tolist() == [-0.5, -0.5, -1.5, -3.5]
    dx, dW, db = backward(np.array([[[1.0], [2], [3], [4]]]), *cache)
    assert dx.ravel().tolist() == [2 - 1, 3 - 2, 4 - 3, -4]
    assert dW.ravel().tolist() == [2 * 1 + 3 * 2 + 4 * 4, 1 + 2 * 2 + 3 * 4 + 4 * 8]
    assert db.tolist() == [10]


@on_each_backend
@pytest.mark.parametrize("padding", ["valid", "same", 2, (1, 4)])
def test_it_is_a_convolution_of_images_one_pixel_high(padding):
    rng = np.random.default_rng(0)
    how = {"rng": rng, "dtype": "float64"}
    line = Conv1d(2, 3, 4, stride=3, padding=padding, **how)
    ends = padding if isinstance(padding, str) else ((0, 0), np.broadcast_to(padding, 2).tolist())
    image = Conv2d(2, 3, (1, 4), stride=(1, 3), padding=ends, **how)
    image.params.theta[...] = line.params.theta
    x = rng.standard_normal((2, 11, 2))
    y = line(there(x))
    assert y.shape == line.output_shape(x.shape)
    assert_array_equal(y, here(image(there(x[:, None])))[:, 0])
    dy = rng.standard_normal(y.shape)
    assert_array_equal(line.backward(there(dy)), here(image.backward(there(dy[:, None])))[:, 0])
    assert_array_equal(line.params.grad, image.params.grad)
    before = here(line.params.grad).copy()
    line.params.grad[...] = np.nan
    line.backward_params(there(dy))
    assert_allclose(line.params.grad, before, rtol=0, atol=1e-13)


@on_each_backend
def test_a_causal_one_sees_nothing_of_what_comes_later():
    layer = Conv1d(1, 1, 3, padding=(2, 0), rng=np.random.default_rng(0), dtype="float64")
    x = np.random.default_rng(1).standard_normal((1, 7, 1))
    before = here(layer(there(x))).copy()
    x[0, 4] += 1
    changed = here(layer(there(x))) != before
    assert changed.ravel().tolist() == [False] * 4 + [True] * 3


@on_each_backend
def test_what_does_not_fit_is_refused(refuses):
    layer = Conv1d(2, 3, 4, rng=np.random.default_rng(0))
    with refuses(ShapeError, "1 x 4", "1 x 3"):
        layer(there(np.zeros((1, 3, 2)), "float32"))
    with refuses(ShapeError, "(1, 9, 3)", "(B, T, 2)"):
        layer(there(np.zeros((1, 9, 3)), "float32"))
    with refuses(OptionError, "kernel=(1, 0)"):
        Conv1d(2, 3, 0, rng=np.random.default_rng(0))
    with refuses(OptionError, "padding=-1"):
        Conv1d(2, 3, 2, padding=-1, rng=np.random.default_rng(0))


def test_a_kernel_names_what_does_not_fit(refuses):
    x, W, b = (np.zeros(shape, "float32") for shape in ((1, 5, 3), (2, 3, 4), (3,)))
    with refuses(ShapeError, "(1, 5, 3)", "(2, 3, 4)", "(3,)"):
        get_backend("numba").call(forward, x, W, b, 1, (0, 0))
