"""Patches against what a window sees, pixel by pixel, and their sum as the adjoint of that."""

import numpy as np
import pytest

from arrays import here, there
from minivae.engine.backend import get_backend
from minivae.errors import ShapeError
from minivae.ops.patches import backward, forward
from minivae.ops.windows import count

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, window, stride, padding):
    (top, bottom), (left, right) = padding
    padded = torch.nn.functional.pad(x, (0, 0, left, right, top, bottom))
    seen = padded.unfold(1, window[0], stride[0]).unfold(2, window[1], stride[1])
    return seen.permute(0, 1, 2, 4, 5, 3)


def test_by_hand():
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    P, cache = forward(x, (2, 2), (2, 2), ((0, 1), (1, 0)))
    assert P[0, ..., 0].reshape(4, 4).tolist() == [
        [0, 1, 0, 4],
        [2, 3, 5, 6],
        [0, 7, 0, 0],
        [8, 9, 0, 0],
    ]
    assert backward(np.ones_like(P), *cache)[0, ..., 0].tolist() == [[1, 1, 1]] * 3
    P, cache = forward(x, (2, 2), (1, 1), ((0, 0), (0, 0)))
    assert backward(np.ones_like(P), *cache)[0, ..., 0].tolist() == [
        [1, 2, 1],
        [2, 4, 2],
        [1, 2, 1],
    ]


WINDOWS = [
    (size, window, stride, padding)
    for size in [(1, 1), (5, 7), (6, 4)]
    for window in [(1, 1), (2, 3), (4, 4)]
    for stride in [(1, 1), (2, 3), (5, 1)]
    for padding in [((0, 0), (0, 0)), ((1, 2), (3, 0)), ((4, 4), (4, 4))]
    if size[0] + sum(padding[0]) >= window[0] and size[1] + sum(padding[1]) >= window[1]
]
each_window = pytest.mark.parametrize(("size", "window", "stride", "padding"), WINDOWS)


@each_window
@pytest.mark.parametrize("channels", [1, 3])
def test_each_number_is_the_pixel_that_the_window_sees(size, window, stride, padding, channels):
    x = np.random.default_rng(0).standard_normal((2, *size, channels))
    P, _ = forward(x, window, stride, padding)
    assert P.shape[1:3] == count(size, window, stride, padding)
    for n, u, v, i, j, c in np.ndindex(P.shape):
        r, q = u * stride[0] + i - padding[0][0], v * stride[1] + j - padding[1][0]
        seen = x[n, r, q, c] if 0 <= r < size[0] and 0 <= q < size[1] else 0
        assert P[n, u, v, i, j, c] == seen
    # One more window would reach beyond the padding.
    for axis in (0, 1):
        padded = size[axis] + sum(padding[axis])
        assert P.shape[1 + axis] * stride[axis] + window[axis] > padded


@on_each_backend
@each_window
def test_the_sum_that_goes_back_is_the_adjoint(size, window, stride, padding):
    call = get_backend("auto").call
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, *size, 3))
    P, cache = call(forward, there(x), window, stride, padding)
    g = rng.standard_normal(P.shape)
    dx = here(call(backward, there(g), *cache))
    np.testing.assert_allclose((here(P) * g).sum(), (x * dx).sum(), rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(here(P), forward(x, window, stride, padding)[0])


def test_a_window_that_does_not_fit(refuses):
    x = np.zeros((1, 3, 5, 2))
    with refuses(ShapeError, "4 x 2", "3 x 5", "smaller kernel"):
        forward(x, (4, 2), (1, 1), ((0, 0), (0, 0)))
    with refuses(ShapeError, "2 x 9", "3 x 5", "4 x 7"):
        forward(x, (2, 9), (1, 1), ((1, 0), (1, 1)))
