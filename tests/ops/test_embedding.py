"""Embedding: it is the linear layer on one-hot rows, repeated symbols add, and PyTorch's."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import DtypeError, OptionError, ShapeError
from minivae.ops import Embedding
from minivae.ops.embedding import backward, forward
from minivae.ops.linear import backward as linear_backward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, E, k):
    return torch.nn.functional.embedding(k.long(), E)


def layer_of(symbols=4, width=3):
    return Embedding(symbols, width, rng=np.random.default_rng(0), dtype="float64")


def integers(values):
    return there(np.asarray(values), "int64")


@on_each_backend
def test_the_rows_of_a_symbol_that_is_repeated_add():
    layer = layer_of()
    y = layer(integers([[1, 1, 3], [1, 0, 3]]))
    assert_array_equal(y[0, 0], layer.params["E"][1])
    dy = np.arange(18.0).reshape(2, 3, 3)
    assert layer.backward(there(dy)) == ()
    want = np.stack([dy[1, 1], dy[0, 0] + dy[0, 1] + dy[1, 0], 0 * dy[0, 0], dy[0, 2] + dy[1, 2]])
    assert_array_equal(layer.params.grad_of("E"), want)


def test_it_is_the_linear_layer_on_one_hot_rows():
    rng = np.random.default_rng(1)
    E, k, dy = (
        rng.standard_normal((5, 2)),
        rng.integers(5, size=(3, 7)),
        rng.standard_normal((21, 2)),
    )
    hot = np.eye(5)[k].reshape(21, 5)
    y, cache = forward(E, k)
    np.testing.assert_array_equal(y.reshape(21, 2), hot @ E)
    _, dW, _ = linear_backward(dy, hot, E)
    np.testing.assert_allclose(backward(dy.reshape(3, 7, 2), *cache), dW, rtol=0, atol=1e-14)


@pytest.mark.oracle
@on_each_backend
def test_layer_is_pytorchs():
    torch = pytest.importorskip("torch")
    layer, rng = layer_of(), np.random.default_rng(2)
    k, dy = rng.integers(4, size=(5, 6)), rng.standard_normal((5, 6, 3))
    E = torch.tensor(here(layer.params["E"]), requires_grad=True)
    want = oracle(torch, E, torch.tensor(k))
    assert_array_equal(layer(integers(k)), want.detach().numpy())
    want.backward(torch.tensor(dy))
    layer.backward(there(dy))
    assert_allclose(layer.params.grad_of("E"), E.grad.numpy(), rtol=0, atol=1e-13)


def test_what_is_no_symbol_is_refused(refuses):
    layer = layer_of()
    with refuses(DtypeError, "float64", "astype"):
        layer(np.zeros((2, 3)))
    with refuses(ShapeError, "(3,)", "(B, T)"):
        layer(np.zeros(3, "int64"))
    with refuses(ShapeError, "from -1 to 4", "0 to 3"):
        layer(np.array([[-1, 4]]))
    with refuses(OptionError, "at least 1"):
        layer_of(0)


def test_shapes_and_text():
    assert layer_of().output_shape((2, 5)) == (2, 5, 3)
    assert repr(layer_of()) == "Embedding(4 x 3)"
