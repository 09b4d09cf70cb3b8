"""A fork: what feeds several branches receives the sum of what they send back."""

import numpy as np

from minivae.ops import fork


def oracle(torch, x, n):
    return torch.stack([x] * n, 1)


def test_both_ways_to_add_give_the_same():
    dy = np.random.default_rng(0).standard_normal((3, 2, 5))
    np.testing.assert_array_equal(fork.backward_two(dy[:, 0], dy[:, 1]), fork.backward(dy))


def test_a_square_is_a_product_of_two_branches():
    """x feeds both factors of x * x; each sends back the other, and the sum is 2 x."""
    x = np.random.default_rng(1).standard_normal((3, 5))
    y, _ = fork.forward(x, 2)
    assert np.shares_memory(y, x)
    np.testing.assert_array_equal(fork.backward(y[:, ::-1]), 2 * x)
    np.testing.assert_array_equal(fork.backward_two(y[:, 1], y[:, 0]), 2 * x)
