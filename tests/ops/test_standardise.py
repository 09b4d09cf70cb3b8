"""Standardising by given moments: by hand, and against PyTorch's batch norm in evaluation."""

import numpy as np

from minivae.engine.backend import get_backend
from minivae.errors import DtypeError, ShapeError
from minivae.ops.standardise import backward, forward


def oracle(torch, x, gain, bias, mean, var, eps):
    channels_first = x.permute(0, 3, 1, 2)
    y = torch.nn.functional.batch_norm(channels_first, mean, var, gain, bias, eps=eps)
    return y.permute(0, 2, 3, 1)


def test_by_hand():
    x, one = np.array([[1.0, 2], [5, -6]]), np.ones(2)
    y, cache = forward(x, 3 * one, one, np.array([1.0, 0]), np.array([4.0, 0]), 0.0 + 1e-300)
    assert y[:, 0].tolist() == [1, 7]
    y, cache = forward(x, 3 * one, one, np.array([1.0, 2]), np.array([3.0, 15]), 1.0)
    assert y.tolist() == [[1, 1], [7, -5]]
    dx, dgain, dbias = backward(np.array([[2.0, 4], [1, 8]]), *cache)
    assert dx.tolist() == [[3, 3], [1.5, 6]]
    assert dgain.tolist() == [2, -16]
    assert dbias.tolist() == [3, 12]


def test_a_kernel_names_what_does_not_fit(refuses):
    x, two = np.zeros((4, 2), "float32"), np.ones(2, "float32")
    call = get_backend("numba").call
    for i, name in enumerate(("gain", "bias", "mean", "var")):
        given = [two] * 4
        given[i] = two[:1]
        with refuses(ShapeError, name, "(1,)", "(4, 2)"):
            call(forward, x, *given, 1e-5)
        given[i] = two.astype("float64")
        with refuses(DtypeError, name, "float64"):
            call(forward, x, *given, 1e-5)
