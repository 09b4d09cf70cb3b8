"""Average pooling by hand, of a constant, and against PyTorch."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.engine.backend import get_backend
from minivae.errors import OptionError, ShapeError
from minivae.ops import AvgPool2d, Conv2d
from minivae.ops.avg_pool2d import backward, forward

on_each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, x, window, stride, padding):
    (top, bottom), (left, right) = padding

    def sums(images):
        padded = torch.nn.functional.pad(images, (left, right, top, bottom))
        return torch.nn.functional.avg_pool2d(padded, window, stride, divisor_override=1)

    y = sums(x.permute(0, 3, 1, 2)) / sums(torch.ones(1, 1, *x.shape[1:3], dtype=x.dtype))
    return y.permute(0, 2, 3, 1)


@on_each_backend
def test_by_hand():
    call = get_backend("auto").call
    x = there(np.array([[1.0, 3, 2], [5, 4, 0], [-1, -2, -3]])[None, :, :, None])
    y, cache = call(forward, x, (2, 2), (2, 2), ((0, 1), (0, 1)))
    assert here(y)[0, ..., 0].tolist() == [[3.25, 1], [-1.5, -3]]
    dx = call(backward, there(np.array([[4.0, 8], [2, 3]])[None, :, :, None]), *cache)
    assert here(dx)[0, ..., 0].tolist() == [[1, 1, 4], [1, 1, 4], [1, 1, 3]]


@on_each_backend
def test_a_constant_image_stays_what_it_is():
    for padding in ["valid", "same", 1, ((2, 0), (1, 2))]:
        layer = AvgPool2d(3, stride=(2, 1), padding=padding, dtype="float64")
        y = here(layer(there(np.full((2, 7, 6, 2), 0.7))))
        np.testing.assert_allclose(y, 0.7, rtol=1e-15)


@on_each_backend
def test_without_padding_it_is_a_convolution_with_equal_weights():
    rng = np.random.default_rng(0)
    pool, conv = (
        AvgPool2d((2, 3), dtype="float64"),
        Conv2d(2, 2, (2, 3), stride=(2, 3), rng=rng, dtype="f8"),
    )
    conv.params["W"][...] = there(np.eye(2) / 6)
    x, dy = rng.standard_normal((3, 4, 9, 2)), rng.standard_normal((3, 2, 3, 2))
    assert_allclose(pool(there(x)), here(conv(there(x))), rtol=0, atol=1e-14)
    assert_allclose(pool.backward(there(dy)), here(conv.backward(there(dy))), rtol=0, atol=1e-14)


@pytest.mark.oracle
@on_each_backend
def test_pytorch_for_strides_paddings_and_odd_sizes():
    torch = pytest.importorskip("torch")
    rng, compared = np.random.default_rng(0), 0
    for size in [(4, 4), (5, 8), (7, 3)]:
        for window in [2, 3, (1, 3)]:
            for stride in [None, 1, (3, 2)]:
                for padding in ["valid", "same", ((0, 0), (1, 0))]:
                    layer = AvgPool2d(window, stride=stride, padding=padding, dtype="float64")
                    x = rng.standard_normal((2, *size, 3))
                    tensor = torch.tensor(x, requires_grad=True)
                    want = oracle(torch, tensor, **layer.placed(size))
                    assert layer.output_shape(x.shape) == tuple(want.shape)
                    assert_allclose(layer(there(x)), want.detach().numpy(), rtol=0, atol=1e-14)
                    dy = rng.standard_normal(want.shape)
                    want.backward(torch.tensor(dy))
                    dx = layer.backward(there(dy))
                    assert_allclose(dx, tensor.grad.numpy(), rtol=0, atol=1e-14)
                    compared += 1
    assert compared == 81


@pytest.mark.oracle
def test_the_padding_counts_for_nothing_as_in_pytorch_when_it_is_asked_to():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(1).standard_normal((2, 7, 7, 3))
    want = torch.nn.functional.avg_pool2d(
        torch.tensor(x).permute(0, 3, 1, 2), 3, 2, 1, count_include_pad=False
    )
    y = AvgPool2d(3, stride=2, padding=1, dtype="float64")(x)
    assert_allclose(y, want.permute(0, 2, 3, 1).numpy(), rtol=0, atol=1e-14)


@on_each_backend
def test_what_does_not_fit_is_refused(refuses):
    with refuses(ShapeError, "3 x 3", "2 x 5"):
        AvgPool2d(3)(there(np.zeros((1, 2, 5, 1)), "float32"))
    with refuses(OptionError, "padding ((0, 0), (0, 3))", "3 x 3", "less padding"):
        AvgPool2d(3, padding=((0, 0), (0, 3)))(there(np.zeros((1, 4, 4, 1)), "float32"))
