"""The convolution by hand, as the dense layer that it is in two limits, and against PyTorch."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.engine.backend import get_backend
from minivae.errors import DtypeError, OptionError, ShapeError
from minivae.ops import Conv2d, Linear
from minivae.ops.conv2d import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")
NO_PADDING = ((0, 0), (0, 0))


def oracle(torch, x, W, b, stride, padding):
    (top, bottom), (left, right) = padding
    padded = torch.nn.functional.pad(x.permute(0, 3, 1, 2), (left, right, top, bottom))
    y = torch.nn.functional.conv2d(padded, W.permute(3, 2, 0, 1), b, stride)
    return y.permute(0, 2, 3, 1)


def draw(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def test_by_hand():
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    W = np.array([[1.0, 0], [0, -1]]).reshape(2, 2, 1, 1)
    y, cache = forward(x, W, np.array([0.5]), (1, 1), NO_PADDING)
    assert y[0, ..., 0].tolist() == [[-3.5, -3.5], [-3.5, -3.5]]  # x - (its diagonal neighbour)
    dx, dW, db = backward(np.array([[1.0, 0], [0, 2]]).reshape(1, 2, 2, 1), *cache)
    assert dx[0, ..., 0].tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, -2]]
    assert dW[..., 0, 0].tolist() == [[8, 11], [17, 20]]
    assert db.tolist() == [3]


@on_each_backend
def test_a_kernel_as_large_as_the_image_is_a_dense_layer():
    rng = np.random.default_rng(1)
    conv, dense = Conv2d(3, 5, (4, 6), rng=rng, dtype="float64"), Linear(72, 5, rng=rng, dtype="f8")
    dense.params.theta[...] = conv.params.theta
    x, dy = draw((2, 4, 6, 3), (2, 5))
    assert_allclose(conv(there(x))[:, 0, 0], dense(there(x.reshape(2, 72))), rtol=0, atol=1e-14)
    dx = conv.backward(there(dy.reshape(2, 1, 1, 5)))
    assert_allclose(dx.reshape(2, 72), dense.backward(there(dy)), rtol=0, atol=1e-14)
    assert_allclose(conv.params.grad, dense.params.grad, rtol=0, atol=1e-14)


@on_each_backend
def test_a_kernel_of_one_pixel_is_a_dense_layer_for_each_pixel():
    rng = np.random.default_rng(2)
    conv, dense = Conv2d(3, 5, 1, rng=rng, dtype="float64"), Linear(3, 5, rng=rng, dtype="float64")
    dense.params.theta[...] = conv.params.theta
    x, dy = draw((2, 4, 6, 3), (2, 4, 6, 5))
    rows, drows = (there(array.reshape(-1, array.shape[-1])) for array in (x, dy))
    assert_allclose(conv(there(x)).reshape(-1, 5), dense(rows), rtol=0, atol=1e-14)
    dx = conv.backward(there(dy))
    assert_allclose(dx.reshape(-1, 3), dense.backward(drows), rtol=0, atol=1e-14)
    assert_allclose(conv.params.grad, dense.params.grad, rtol=0, atol=1e-13)


PLACES = [
    (size, kernel, stride, padding)
    for size in [(1, 1), (5, 7), (8, 8), (13, 4)]
    for kernel in [1, 2, 3, (4, 2), (5, 5)]
    for stride in [1, 2, (1, 3), 4]
    for padding in ["valid", "same", 1, (2, 3), ((0, 3), (2, 1))]
]


@pytest.mark.oracle
@on_each_backend
def test_pytorch_for_all_strides_paddings_and_odd_sizes():
    torch = pytest.importorskip("torch")
    compared, rng = 0, np.random.default_rng(3)
    for size, kernel, stride, padding in PLACES:
        how = {"stride": stride, "padding": padding, "rng": rng, "dtype": "float64"}
        layer = Conv2d(2, 3, kernel, **how)
        try:
            shape = layer.output_shape((2, *size, 2))
        except ShapeError:
            continue
        x, dy = rng.standard_normal((2, *size, 2)), rng.standard_normal(shape)
        layer.params["b"][...] = there(rng.standard_normal(3))
        arrays = {"x": x, **{name: here(layer.params[name]) for name in "Wb"}}
        tensors = {n: torch.tensor(a, requires_grad=True) for n, a in arrays.items()}
        expected = oracle(torch, **tensors, stride=layer.stride, padding=layer.sides(size))
        assert_allclose(layer(there(x)), expected.detach().numpy(), rtol=0, atol=1e-12)
        expected.backward(torch.tensor(dy))
        assert_allclose(layer.backward(there(dy)), tensors["x"].grad.numpy(), rtol=0, atol=1e-12)
        for name in "Wb":
            want = tensors[name].grad.numpy()
            assert_allclose(layer.params.grad_of(name), want, rtol=0, atol=1e-11)
        before = here(layer.params.grad).copy()
        layer.params.grad[...] = np.nan
        layer.backward_params(there(dy))
        assert_allclose(layer.params.grad, before, rtol=0, atol=1e-12)
        compared += 1
    assert compared > 250


@pytest.mark.oracle
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
def test_same_is_pytorchs_where_it_has_one():
    torch = pytest.importorskip("torch")
    for size in (4, 7):
        for kernel in (1, 2, 3, 4):
            layer = Conv2d(1, 1, kernel, padding="same", rng=np.random.default_rng(0), dtype="f8")
            x = np.random.default_rng(1).standard_normal((1, size, size, 1))
            W = torch.tensor(layer.params["W"]).permute(3, 2, 0, 1)
            image = torch.tensor(x).permute(0, 3, 1, 2)
            want = torch.nn.functional.conv2d(image, W, padding="same")
            assert_allclose(layer(x)[..., 0], want[:, 0].numpy(), rtol=0, atol=1e-14)


def test_memory_is_that_of_a_step_and_gradients_lie_in_place():
    layer = Conv2d(2, 3, 3, rng=np.random.default_rng(0), backend="numba")
    x = np.ones((2, 5, 5, 2), "float32")
    out = layer.grads()
    y, cache = get_backend("numba").call(
        forward, x, layer.params["W"], layer.params["b"], (1, 1), NO_PADDING
    )
    _, dW, db = get_backend("numba").call(backward, y, *cache, out=out)
    assert dW is out["dW"]
    assert db is out["db"]


@on_each_backend
def test_weights_start_as_large_as_what_they_sum_over_asks_for():
    for init, variance in {
        "glorot": 2 / (16 * 50 + 16 * 40),
        "he": 2 / (16 * 50),
        "zeros": 0,
    }.items():
        layer = Conv2d(50, 40, 4, rng=np.random.default_rng(1), init=init)
        # 32,000 numbers; five standard errors of a normal's variance are 4 %
        assert_allclose(here(layer.params["W"]).var(), variance, rtol=0.04)
        assert not here(layer.params["b"]).any()


@on_each_backend
def test_what_does_not_fit_is_refused(refuses):
    layer = Conv2d(3, 2, (4, 3), padding=((0, 1), (0, 0)), rng=np.random.default_rng(0))
    with refuses(ShapeError, "4 x 3", "2 x 5", "3 x 5 with its padding"):
        layer(there(np.zeros((1, 2, 5, 3)), "float32"))
    with refuses(ShapeError, "(1, 5, 5, 4)", "(B, H, W, 3)"):
        layer(there(np.zeros((1, 5, 5, 4)), "float32"))
    with refuses(ShapeError, "(1, 75)", "(B, H, W, 3)"):
        layer(there(np.zeros((1, 75)), "float32"))
    layer(there(np.zeros((1, 5, 5, 3)), "float32"))
    with refuses(ShapeError, "(1, 3, 2, 2)", "(1, 3, 3, 2)"):
        layer.backward(there(np.zeros((1, 3, 2, 2)), "float32"))


def test_a_kernel_names_what_does_not_fit(refuses):
    x, W, b = (array.astype("float32") for array in draw((1, 5, 5, 3), (2, 2, 3, 4), (4,)))
    call = get_backend("numba").call
    with refuses(ShapeError, "(1, 5, 5, 3)", "(2, 2, 3, 4)", "(3,)"):
        call(forward, x, W, b[:3], (1, 1), NO_PADDING)
    with refuses(DtypeError, "float64"):
        call(forward, x, W, b.astype("float64"), (1, 1), NO_PADDING)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"c_in": 0}, "Conv2d(0, 3)"),
        ({"kernel": 0}, "kernel=0"),
        ({"kernel": (3, 2, 1)}, "kernel=(3, 2, 1)"),
        ({"stride": 0}, "stride=0"),
        ({"stride": (1, 1.5)}, "stride=(1, 1.5)"),
        ({"padding": -1}, "padding=-1"),
        ({"padding": "all"}, "padding='all'"),
        ({"init": "best"}, "'best'"),
    ],
)
def test_options_are_checked(options, words, refuses):
    with refuses(OptionError, words):
        Conv2d(**{"c_in": 2, "c_out": 3, "kernel": 3, **options}, rng=np.random.default_rng(0))


def test_it_says_what_it_is():
    layer = Conv2d(2, 3, (4, 3), stride=2, padding="same", rng=np.random.default_rng(0))
    assert repr(layer) == "Conv2d(2, 3, kernel 4 x 3, stride 2 x 2, padding same)"
    assert layer.output_shape((5, 7, 8, 2)) == (5, 4, 4, 3)
