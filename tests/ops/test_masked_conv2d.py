"""The masked convolution: whom a place sees, and that masked weights have no gradient."""

import numpy as np
import pytest

from minivae.errors import OptionError
from minivae.ops import MaskedConv2d
from minivae.ops.masked_conv2d import backward, forward, mask


def oracle(torch, x, W, b, strict):
    kh, kw = W.shape[:2]
    M = torch.zeros(kh, kw, dtype=W.dtype)
    M[: kh // 2] = 1
    M[kh // 2, : kw // 2 + (not strict)] = 1
    weights = (W * M[..., None, None]).permute(3, 2, 0, 1)
    y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), weights, b, padding=(kh // 2, kw // 2))
    return y.permute(0, 2, 3, 1)


def test_the_masks():
    assert mask((3, 3), strict=True)[..., 0, 0].tolist() == [[1, 1, 1], [1, 0, 0], [0, 0, 0]]
    assert mask((3, 3), strict=False)[..., 0, 0].tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 0]]
    assert mask((1, 5), strict=True)[..., 0, 0].tolist() == [[1, 1, 0, 0, 0]]


@pytest.mark.parametrize("strict", [True, False])
def test_a_place_sees_nothing_that_comes_later(strict):
    rng = np.random.default_rng(0)
    H, W = 4, 5
    x, weights = rng.standard_normal((1, H, W, 2)), rng.standard_normal((3, 5, 2, 3))
    y, cache = forward(x, weights, np.zeros(3), strict)
    for place in range(H * W):
        dy = np.zeros_like(y)
        dy.reshape(H * W, 3)[place] = 1
        dx, dW, _ = backward(dy, *cache)
        seen = np.abs(dx).sum(axis=-1).reshape(-1)
        np.testing.assert_array_equal(seen[place + (not strict) :], 0)
        if place % W:
            assert seen[place - 1] > 0  # the one before it is seen
        np.testing.assert_array_equal(dW * (1 - mask((3, 5), strict)), 0)


def test_an_even_window_has_no_middle(refuses):
    with refuses(OptionError, "(4, 3)", "odd"):
        MaskedConv2d(2, 3, (4, 3), strict=True, rng=np.random.default_rng(0))
