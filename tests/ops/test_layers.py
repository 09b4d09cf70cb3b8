"""Every layer is its pair with memory and a guarded door."""

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, there
from minivae.errors import BackendError, DtypeError, OptionError, ShapeError, StateError
from minivae.ops import CASES, find_case

pytestmark = pytest.mark.usefixtures("each_backend")

LAYERED = [case for case in CASES if case.layer]
each_layer = pytest.mark.parametrize("case", LAYERED, ids=lambda case: case.name)


def build(case, dtype="float64", sizes=None):
    """A layer, its inputs, the pair's output, an upstream gradient, and the pair's gradients."""
    layer = case.layer(dtype=dtype, backend="auto")
    arguments = case.draw(np.random.default_rng(2), sizes, dtype)
    for parameter in layer.params:
        layer.params[parameter][...] = there(arguments[parameter])
    y, cache = case.forward(**arguments, **case.options)
    dy = np.random.default_rng(3).standard_normal(y.shape).astype(dtype)
    inputs = [there(array) for array in case.of_layer(arguments, layer)]
    return layer, inputs, y, there(dy), case.gradients(dy, cache)


def takes_any_shape(case):
    """Whether an operation of one array may well be one of each entry."""
    return list(case.vary.values()) == [case.output]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("B", [3, 1, 0])
@each_layer
def test_layer_equals_its_pair_and_overwrites_gradients(case, B, dtype, each_backend):
    def same(have, want):
        """The reference to the last bit; a kernel to rounding."""
        if each_backend == "numpy":
            assert_array_equal(have, want)
        else:
            tolerance = 50 * np.finfo(dtype).eps
            assert_allclose(have, want, rtol=tolerance, atol=tolerance)

    layer, inputs, y, dy, gradients = build(case, dtype, {"B": B})
    layer.params.grad[...] = np.nan
    with layer.params.rehearsal():  # as in a step of training
        for _ in range(2):  # the second time would show what is accumulated
            same(layer(*inputs), y)
            returned = layer.backward(dy)
            returned = returned if isinstance(returned, tuple) else (returned,)
            expected = case.of_layer(gradients, layer)
            for have, want in zip(returned, expected, strict=True):
                assert have.dtype == dtype
                assert have.shape == want.shape
                same(have, want)
            for parameter in layer.params:
                same(layer.params.grad_of(parameter), gradients[parameter])


@each_layer
def test_backward_before_forward(case, refuses):
    layer, _, _, dy, _ = build(case)
    with refuses(StateError, type(layer).__name__, "forward"):
        layer.backward(dy)


@each_layer
def test_inputs_are_checked_at_the_door(case, refuses):
    layer, inputs, _, dy, _ = build(case)
    label = type(layer).__name__
    for i, array in enumerate(inputs):

        def forward(other, i=i):
            layer.forward(*inputs[:i], other, *inputs[i + 1 :])

        with refuses(DtypeError, label, "float32", "float64"):
            forward(array.astype("float32"))
        with refuses(DtypeError, label, "int64"):
            forward(array.astype("int64"))
        with refuses(BackendError, "list", label, layer.backend.name):
            forward(array.tolist())
        if i > 0 or not takes_any_shape(case):
            with refuses(ShapeError, label, str((*array.shape, 1))):
                forward(array[..., None])
        rows = {len(other) if other.ndim > 1 else None for other in inputs}
        if len(inputs) > 1 and len(rows) == 1:
            with refuses(ShapeError, label, "(3, ", "(2, "):
                forward(array[1:])

    layer.forward(*inputs)
    with refuses(ShapeError, label, str(dy[1:].shape), str(dy.shape)):
        layer.backward(dy[1:])
    with refuses(DtypeError, label, "float32"):
        layer.backward(dy.astype("float32"))


def test_an_operation_that_is_not_there(refuses):
    with refuses(OptionError, "'convolution'"):
        find_case("convolution")
