"""A split: two parts side by side, and their gradients side by side."""

import numpy as np
import pytest

from minivae.ops import split


def oracle(torch, x, at):
    return torch.cat([x[:, at:], x[:, :at]], 1)


@pytest.mark.parametrize("at", [1, 2, 7])
@pytest.mark.parametrize("shape", [(3, 7), (3, 2, 7), (0, 7)])
def test_the_parts_are_views_and_their_gradients_go_back_to_their_places(shape, at):
    x = np.random.default_rng(0).standard_normal(shape)
    (left, right), cache = split.forward(x, at)
    assert (left.shape[-1], right.shape[-1]) == (at, 7 - at)
    if x.size:
        assert np.shares_memory(left, x)
    np.testing.assert_array_equal(split.backward(left, right, *cache), x)


def test_the_product_with_both_weights_adds_up_what_both_heads_send_back():
    rng = np.random.default_rng(1)
    W, dleft, dright = (rng.standard_normal(shape) for shape in ((5, 7), (3, 2), (3, 5)))
    (W_left, W_right), _ = split.forward(W, 2)
    dh = split.backward(dleft, dright) @ W.T
    np.testing.assert_allclose(dh, dleft @ W_left.T + dright @ W_right.T, rtol=0, atol=1e-14)
