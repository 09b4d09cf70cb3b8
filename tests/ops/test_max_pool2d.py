"""Max pooling by hand, with overlaps, ties and padding, and against PyTorch."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.engine.backend import get_backend
from minivae.errors import OptionError, ShapeError
from minivae.ops import MaxPool2d
from minivae.ops.max_pool2d import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, window, stride, padding):
    (top, bottom), (left, right) = padding
    padded = torch.nn.functional.pad(
        x.permute(0, 3, 1, 2), (left, right, top, bottom), value=-torch.inf
    )
    return torch.nn.functional.max_pool2d(padded, window, stride).permute(0, 2, 3, 1)


def image(rows):
    return np.array(rows, "float64")[None, :, :, None]


@on_each_backend
def test_by_hand():
    call = get_backend("auto").call
    x = there(image([[1, 3, 2], [5, 4, 0], [-1, -2, -3]]))
    y, cache = call(forward, x, (2, 2), (1, 1), ((0, 0), (0, 0)))
    assert here(y)[0, ..., 0].tolist() == [[5, 4], [5, 4]]
    dx = call(backward, there(image([[1, 2], [4, 8]])), *cache)
    assert here(dx)[0, ..., 0].tolist() == [[0, 0, 0], [5, 10, 0], [0, 0, 0]]


@on_each_backend
def test_padding_is_less_than_any_number():
    x = there(np.full((1, 3, 3, 2), -7.0))
    layer = MaxPool2d(2, padding=1, dtype="float64")
    assert_array_equal(layer(x), np.full((1, 2, 2, 2), -7.0))
    dx = here(layer.backward(there(np.ones((1, 2, 2, 2)))))
    assert dx.sum() == 8


@on_each_backend
def test_of_two_that_are_equally_large_the_first_gets_it():
    layer = MaxPool2d((2, 2), dtype="float64")
    layer(there(image([[0, 3], [3, 3]])))
    assert here(layer.backward(there(image([[1]]))))[0, ..., 0].tolist() == [[0, 1], [0, 0]]


@on_each_backend
def test_nan_is_the_largest_and_gets_the_gradient():
    layer = MaxPool2d((2, 2), dtype="float64")
    for rows, at in [([[1, np.nan], [5, 0]], (0, 1)), ([[np.nan, 9], [np.nan, 0]], (0, 0))]:
        assert np.isnan(here(layer(there(image(rows)))))
        dx = here(layer.backward(there(image([[1]]))))
        assert dx.sum() == dx[0, at[0], at[1], 0] == 1


@pytest.mark.oracle
@on_each_backend
def test_pytorch_for_strides_paddings_and_odd_sizes():
    torch = pytest.importorskip("torch")
    rng, compared = np.random.default_rng(0), 0
    for size in [(4, 4), (5, 8), (7, 3)]:
        for window in [2, 3, (1, 3)]:
            for stride in [None, 1, (3, 2)]:
                for padding in ["valid", "same", ((0, 0), (1, 0))]:
                    layer = MaxPool2d(window, stride=stride, padding=padding, dtype="float64")
                    x = rng.standard_normal((2, *size, 3))
                    tensor = torch.tensor(x, requires_grad=True)
                    want = oracle(torch, tensor, **layer.placed(size))
                    assert layer.output_shape(x.shape) == tuple(want.shape)
                    assert_array_equal(layer(there(x)), want.detach().numpy())
                    dy = rng.standard_normal(want.shape)
                    want.backward(torch.tensor(dy))
                    dx = layer.backward(there(dy))
                    assert_allclose(dx, tensor.grad.numpy(), rtol=0, atol=1e-14)
                    compared += 1
    assert compared == 81


@on_each_backend
def test_what_does_not_fit_is_refused(refuses):
    with refuses(ShapeError, "3 x 3", "2 x 5"):
        MaxPool2d(3)(there(np.zeros((1, 2, 5, 1)), "float32"))
    with refuses(OptionError, "padding ((2, 2), (2, 2))", "2 x 2", "less padding"):
        MaxPool2d(2, padding=2)(there(np.zeros((1, 4, 4, 1)), "float32"))
    with refuses(OptionError, "window=0"):
        MaxPool2d(0)
    with refuses(OptionError, "stride=0"):
        MaxPool2d(2, stride=0)


def test_it_says_what_it_is():
    assert repr(MaxPool2d((2, 3))) == "MaxPool2d(2 x 3, stride 2 x 3)"
