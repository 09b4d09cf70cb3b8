"""Layer norm: what it does to a row, and against PyTorch for rows and images."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.engine.backend import get_backend
from minivae.errors import DtypeError, OptionError, ShapeError
from minivae.ops import LayerNorm, batch_norm
from minivae.ops.layer_norm import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")
SHAPES = [(4, 5), (1, 5), (2, 3, 4, 5)]


def oracle(torch, x, gain, bias, eps):
    return torch.nn.functional.layer_norm(x, x.shape[-1:], gain, bias, eps)


def drawn(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@on_each_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_get_mean_0_and_variance_1(shape):
    y = here(LayerNorm(5, eps=1e-12, dtype="float64")(there(5 + 7 * drawn(shape))))
    np.testing.assert_allclose(y.mean(axis=-1), 0, rtol=0, atol=1e-13)
    np.testing.assert_allclose(y.std(axis=-1), 1, rtol=1e-10)


@on_each_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_the_sum_of_dx_over_a_row_is_0(shape):
    layer = LayerNorm(5, dtype="float64")
    layer.params["gain"][...] = there(drawn(5, 1))
    layer(there(drawn(shape)))
    dx = here(layer.backward(there(drawn(shape, 2))))
    np.testing.assert_allclose(dx.sum(axis=-1), 0, rtol=0, atol=1e-13)


def test_with_equal_gains_it_is_batch_norm_of_the_transpose():
    x, dy, many, few = drawn((4, 5)), drawn((4, 5), 1), np.ones(5), np.ones(4)
    y, cache = forward(x, many, 0 * many, 1e-3)
    turned, its = batch_norm.forward(x.T, few, 0 * few, 1e-3)
    np.testing.assert_allclose(y, turned.T, rtol=0, atol=1e-14)
    dx = batch_norm.backward(dy.T, *its)[0].T
    np.testing.assert_allclose(backward(dy, *cache)[0], dx, rtol=0, atol=1e-14)


@on_each_backend
def test_no_row_depends_on_another():
    layer, x = LayerNorm(5, dtype="float64"), drawn((4, 5))
    whole = here(layer(there(x))).copy()
    for n in range(4):
        assert_allclose(layer(there(x[n : n + 1])), whole[n : n + 1], rtol=0, atol=1e-15)


@pytest.mark.oracle
@on_each_backend
@pytest.mark.parametrize("shape", SHAPES)
def test_layer_is_pytorchs(shape):
    torch = pytest.importorskip("torch")
    layer = LayerNorm(5, eps=1e-3, dtype="float64")
    arrays = {"x": 2 + drawn(shape), "gain": drawn(5, 1), "bias": drawn(5, 2)}
    for name in ("gain", "bias"):
        layer.params[name][...] = there(arrays[name])
    tensors = {name: torch.tensor(a, requires_grad=True) for name, a in arrays.items()}
    want, dy = oracle(torch, **tensors, eps=1e-3), drawn(shape, 3)
    assert_allclose(layer(there(arrays["x"])), want.detach().numpy(), rtol=0, atol=1e-13)
    want.backward(torch.tensor(dy))
    dx = layer.backward(there(dy))
    assert_allclose(dx, tensors["x"].grad.numpy(), rtol=0, atol=1e-13)
    for name in ("gain", "bias"):
        assert_allclose(layer.params.grad_of(name), tensors[name].grad.numpy(), rtol=0, atol=1e-13)


@on_each_backend
def test_options_and_shapes_are_checked(refuses):
    with refuses(OptionError, "LayerNorm(0"):
        LayerNorm(0)
    with refuses(OptionError, "eps=-1"):
        LayerNorm(3, eps=-1)
    with refuses(ShapeError, "(4, 2)", "(..., 3)"):
        LayerNorm(3)(there(np.zeros((4, 2)), "float32"))
    assert repr(LayerNorm(3)) == "LayerNorm(3, eps=1e-05)"


def test_a_kernel_names_what_does_not_fit(refuses):
    x, five = np.zeros((4, 5), "float32"), np.ones(5, "float32")
    call = get_backend("numba").call
    with refuses(ShapeError, "bias", "(4,)", "(4, 5)"):
        call(forward, x, five, five[:4], 1e-5)
    with refuses(DtypeError, "gain", "float64"):
        call(forward, x, five.astype("float64"), five, 1e-5)
