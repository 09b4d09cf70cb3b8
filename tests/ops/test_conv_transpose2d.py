"""The transposed convolution: by hand, as the convolution's adjoint, and against PyTorch."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.engine.backend import get_backend
from minivae.errors import DtypeError, OptionError, ShapeError
from minivae.ops import Conv2d, ConvTranspose2d, conv2d
from minivae.ops.conv_transpose2d import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, W, b, stride, padding, extra):
    y = torch.nn.functional.conv_transpose2d(
        x.permute(0, 3, 1, 2), W.permute(3, 2, 0, 1), b, stride
    )
    (top, bottom), (left, right) = padding
    with_bias = torch.nn.functional.pad(y - b[:, None, None], (0, extra[1], 0, extra[0]))
    H, W = with_bias.shape[2:]
    return (with_bias + b[:, None, None]).permute(0, 2, 3, 1)[:, top : H - bottom, left : W - right]


def test_by_hand():
    x = np.array([[1.0, 2]]).reshape(1, 1, 2, 1)
    W = np.array([[1.0, 10, 100]]).reshape(1, 3, 1, 1)
    y, cache = forward(x, W, np.array([0.5]), (1, 2), ((0, 0), (0, 0)), (0, 0))
    assert y.ravel().tolist() == [1.5, 10.5, 102.5, 20.5, 200.5]  # they overlap in one pixel
    dx, dW, db = backward(np.arange(1.0, 6).reshape(1, 1, 5, 1), *cache)
    assert dx.ravel().tolist() == [321, 543]
    assert dW.ravel().tolist() == [1 + 2 * 3, 2 + 2 * 4, 3 + 2 * 5]
    assert db.tolist() == [15]


PLACES = [
    (windows, kernel, stride, padding, extra)
    for windows in [(1, 1), (3, 5), (4, 4)]
    for kernel in [1, 2, 3, (4, 2), 5]
    for stride in [1, 2, (1, 3), 4]
    for padding in ["valid", "same", 1, ((0, 1), (2, 1))]
    for extra in [0, (0, 2), 1]
]


def built(rng, kernel, stride, padding, extra, windows):
    """A layer and the shape that it gives, None where these options do not go together."""
    how = {"stride": stride, "padding": padding, "rng": rng, "dtype": "float64"}
    try:
        layer = ConvTranspose2d(2, 3, kernel, output_padding=extra, **how)
        return layer, layer.output_shape((2, *windows, 2))
    except (OptionError, ShapeError):
        return None


@on_each_backend
def test_it_is_the_adjoint_of_the_convolution_with_the_same_weights():
    call, rng, compared = get_backend("auto").call, np.random.default_rng(1), 0
    for windows, kernel, stride, padding, extra in PLACES:
        found = built(rng, kernel, stride, padding, extra, windows)
        if not found:
            continue
        layer, shape = found
        x, g = rng.standard_normal((2, *windows, 2)), rng.standard_normal(shape)
        W, placed = layer.params["W"], layer.placed(windows)
        where = (placed["stride"], placed["padding"])
        seen, _ = call(conv2d.forward, there(g), W, there(np.zeros(2)), *where)
        y = here(layer(there(x)))
        np.testing.assert_allclose((here(seen) * x).sum(), (g * y).sum(), rtol=1e-12, atol=1e-12)
        compared += 1
    assert compared > 200


def test_it_is_what_a_convolution_sends_back():
    rng = np.random.default_rng(2)
    conv = Conv2d(2, 3, 4, stride=2, padding=1, rng=rng, dtype="float64")
    back = ConvTranspose2d(3, 2, 4, stride=2, padding=1, rng=rng, dtype="float64")
    back.params["W"][...] = conv.params["W"]
    x, dy = rng.standard_normal((2, 8, 6, 2)), rng.standard_normal((2, 4, 3, 3))
    conv(x)
    np.testing.assert_allclose(back(dy), conv.backward(dy), rtol=0, atol=1e-14)


@pytest.mark.oracle
@on_each_backend
def test_pytorch_for_all_strides_paddings_and_odd_sizes():
    torch = pytest.importorskip("torch")
    rng, compared = np.random.default_rng(3), 0
    for windows, kernel, stride, padding, extra in PLACES:
        found = built(rng, kernel, stride, padding, extra, windows)
        if not found:
            continue
        layer, shape = found
        x, dy = rng.standard_normal((2, *windows, 2)), rng.standard_normal(shape)
        layer.params["b"][...] = there(rng.standard_normal(3))
        arrays = {"x": x, **{name: here(layer.params[name]) for name in "Wb"}}
        tensors = {n: torch.tensor(a, requires_grad=True) for n, a in arrays.items()}
        expected = oracle(torch, **tensors, **layer.placed(windows))
        assert_allclose(layer(there(x)), expected.detach().numpy(), rtol=0, atol=1e-12)
        expected.backward(torch.tensor(dy))
        assert_allclose(layer.backward(there(dy)), tensors["x"].grad.numpy(), rtol=0, atol=1e-12)
        for name in "Wb":
            want = tensors[name].grad.numpy()
            assert_allclose(layer.params.grad_of(name), want, rtol=0, atol=1e-11)
        compared += 1
    assert compared > 200


@pytest.mark.oracle
def test_options_are_pytorchs():
    torch = pytest.importorskip("torch")
    layer = ConvTranspose2d(
        2, 3, 3, stride=2, padding=1, output_padding=1, rng=np.random.default_rng(0), dtype="f8"
    )
    x = np.random.default_rng(1).standard_normal((2, 4, 5, 2))
    want = torch.nn.functional.conv_transpose2d(
        torch.tensor(x).permute(0, 3, 1, 2),
        torch.tensor(layer.params["W"]).permute(3, 2, 0, 1),
        stride=2,
        padding=1,
        output_padding=1,
    )
    assert_allclose(layer(x), want.permute(0, 2, 3, 1).numpy(), rtol=0, atol=1e-14)


def test_same_makes_stride_times_the_size():
    for kernel in (1, 2, 3, 4, 5):
        for stride in (1, 2, 3, 4):
            how = {"stride": stride, "padding": "same", "rng": np.random.default_rng(0)}
            layer = ConvTranspose2d(1, 1, kernel, **how)
            assert layer.output_shape((2, 3, 5, 1)) == (2, 3 * stride, 5 * stride, 1)
            conv = Conv2d(1, 1, kernel, **how)
            assert conv.output_shape((2, 3 * stride, 5 * stride, 1)) == (2, 3, 5, 1)


def test_overlap_makes_a_chequerboard_where_the_stride_does_not_divide_the_kernel():
    def inside(kernel):
        how = {"stride": 2, "padding": "valid", "rng": np.random.default_rng(0), "dtype": "float64"}
        layer = ConvTranspose2d(1, 1, kernel, **how)
        layer.params["W"][...] = 1
        return set(layer(np.ones((1, 6, 6, 1)))[0, 4:-4, 4:-4, 0].ravel())

    assert inside(4) == {4}
    assert inside(3) == {1, 2, 4}


@on_each_backend
def test_what_does_not_fit_is_refused(refuses):
    layer = ConvTranspose2d(3, 2, 4, padding=3, rng=np.random.default_rng(0))
    with refuses(ShapeError, "1 x 3 windows of 4 x 4", "-2 x 0"):
        layer(there(np.zeros((1, 1, 3, 3)), "float32"))
    with refuses(ShapeError, "(1, 5, 5, 4)", "(B, h, w, 3)"):
        layer(there(np.zeros((1, 5, 5, 4)), "float32"))
    layer(there(np.zeros((1, 5, 5, 3)), "float32"))
    with refuses(ShapeError, "(1, 3, 2, 2)", "(1, 2, 2, 2)"):
        layer.backward(there(np.zeros((1, 3, 2, 2)), "float32"))


def test_a_kernel_names_what_does_not_fit(refuses):
    x, W, b = (np.zeros(shape, "float32") for shape in ((1, 5, 5, 3), (2, 2, 4, 3), (4,)))
    call, where = get_backend("numba").call, ((1, 1), ((0, 0), (0, 0)), (0, 0))
    with refuses(ShapeError, "(1, 5, 5, 3)", "(2, 2, 4, 3)", "(3,)"):
        call(forward, x, W, b[:3], *where)
    with refuses(DtypeError, "float64"):
        call(forward, x, W, b.astype("float64"), *where)


def test_output_padding_is_less_than_the_stride(refuses):
    with refuses(OptionError, "output_padding=2", "2 x 2"):
        ConvTranspose2d(1, 1, 3, stride=2, output_padding=2, rng=np.random.default_rng(0))
    with refuses(OptionError, "output_padding=-1"):
        ConvTranspose2d(1, 1, 3, stride=2, output_padding=-1, rng=np.random.default_rng(0))
    with refuses(OptionError, "output_padding=1", "'same'"):
        ConvTranspose2d(
            1, 1, 3, stride=2, padding="same", output_padding=1, rng=np.random.default_rng(0)
        )
