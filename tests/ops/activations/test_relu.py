"""ReLU by hand."""

import numpy as np

from minivae.ops.activations import relu_backward, relu_forward


def oracle(torch, x):
    return torch.nn.functional.relu(x)


def test_by_hand():
    x = np.array([[-2.0, -0.5, 0.0, 0.5, 2.0]])
    value, cache = relu_forward(x)
    np.testing.assert_array_equal(value[0], [0, 0, 0, 0.5, 2])
    np.testing.assert_array_equal(relu_backward(np.ones_like(x), *cache)[0], [0, 0, 0, 1, 1])
