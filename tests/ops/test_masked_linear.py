"""The masked linear layer: what an output does not see has no part in it, nor any gradient."""

from itertools import pairwise

import numpy as np
import pytest

from minivae.errors import OptionError
from minivae.ops import MaskedLinear, masked_linear
from minivae.ops.masked_linear import autoregressive_mask
from oracles import standard_normal


def oracle(torch, x, W, b, mask):
    return torch.nn.functional.linear(x, (W * mask).T, b)


def test_a_mask_of_ones_is_the_linear_layer():
    x, dy = standard_normal(0, 2, 3, 4)
    W, b = standard_normal(1, 4, 4), standard_normal(2, 4)
    y, cache = masked_linear.forward(x, W, b, np.ones_like(W))
    np.testing.assert_array_equal(y, x @ W + b)
    for have, want in zip(
        masked_linear.backward(dy, *cache), (dy @ W.T, x.T @ dy, dy.sum(axis=0)), strict=True
    ):
        np.testing.assert_array_equal(have, want)


@pytest.mark.parametrize("hidden", [(), (9,), (9, 5)])
def test_with_the_degrees_of_made_the_jacobian_is_strictly_triangular(hidden):
    """Exactly 0 on and above the diagonal, and every pair below it is used."""
    Z, rng = 4, np.random.default_rng(3)
    degrees = [np.arange(1, Z + 1)]
    degrees += [1 + np.arange(width) % (Z - 1) for width in hidden]
    outputs = np.arange(1, Z + 1)
    masks = [autoregressive_mask(a, b, strict=False) for a, b in pairwise(degrees)]
    masks.append(autoregressive_mask(degrees[-1], outputs, strict=True))
    layers = [MaskedLinear(mask, rng=rng, dtype="float64", backend="numpy") for mask in masks]
    x, jacobian = rng.standard_normal((1, Z)), np.empty((Z, Z))
    for j in range(Z):
        y = x
        for layer in layers:
            y = layer.forward(y)
        dy = np.eye(Z)[j : j + 1]
        for layer in reversed(layers):
            dy = layer.backward(dy)
        jacobian[j] = dy
    assert not np.triu(jacobian).any()
    assert (np.abs(jacobian[np.tril_indices(Z, -1)]) > 1e-6).all()


def test_what_is_switched_off_has_no_gradient_and_starts_at_zero():
    mask = np.tri(3, 5)
    layer = MaskedLinear(mask, rng=np.random.default_rng(0), dtype="float64", backend="numpy")
    assert not layer.params["W"][mask == 0].any()
    layer.backward(np.ones_like(layer.forward(standard_normal(4, 2, 3))))
    assert not layer.params.grad_of("W")[mask == 0].any()
    assert layer.params.grad_of("W")[mask == 1].all()


def test_what_is_no_mask_is_refused(refuses):
    rng = np.random.default_rng(0)
    for wrong in (np.ones(3), np.full((2, 2), 0.5)):
        with refuses(OptionError, str(wrong.shape), "zeros and ones"):
            MaskedLinear(wrong, rng=rng)
    with refuses(OptionError, "init='none'"):
        MaskedLinear(np.ones((2, 2)), rng=rng, init="none")
