"""Dispatch by backend, and the door between host and device."""

import math

import numpy as np
import pytest
from scipy import special

from minivae.engine import backend
from minivae.engine.backend import Backend, array_module, erf, float_dtype, get_backend, kernel
from minivae.errors import BackendError, DtypeError
from minivae.ops import Activation
from minivae.ops.activations.relu import relu_backward, relu_forward


class Boxed:
    """An array of another library, as far as NumPy can tell."""

    def __init__(self, values):
        self.values = values
        self.shape, self.ndim, self.dtype = values.shape, values.ndim, values.dtype


@pytest.fixture
def boxed(monkeypatch):
    """A second backend; the registries are what they were again when the test ends."""
    monkeypatch.setattr(backend, "_BACKENDS", dict(backend._BACKENDS))
    monkeypatch.setattr(backend, "_KERNELS", dict(backend._KERNELS))
    return backend.register(
        Backend(
            name="boxed",
            xp=np,
            array_type=Boxed,
            asarray=lambda values, dtype=None: Boxed(np.asarray(values, dtype)),
            to_host=lambda array: array.values,
            erf=lambda array: "the erf of boxes",
        )
    )


def test_numpy_is_registered_and_found_by_name_and_by_array():
    numpy = get_backend("numpy")
    assert get_backend(numpy) is numpy
    assert "numpy" in backend.backend_names()
    assert numpy.xp is np
    assert array_module(np.zeros(3), np.float32(1), np.zeros((2, 2))) is np
    array = numpy.asarray([1, 2], "float32")
    assert array.dtype == "float32"
    assert numpy.to_host(array).tolist() == [1, 2]


@pytest.mark.parametrize("name", ["abacus", "", None, 3])
def test_unknown_backend(name, refuses):
    with refuses(BackendError, repr(name), "'numpy'"):
        get_backend(name)


@pytest.mark.parametrize("stranger", [[1.0, 2.0], 1.0, "x", None])
def test_what_is_no_array_is_refused(stranger, refuses):
    with refuses(BackendError, type(stranger).__name__, "asarray"):
        array_module(stranger)


def test_a_kernel_is_run_on_its_backend_and_nowhere_else(boxed):
    @kernel("boxed", of=relu_forward)
    def boxed_relu(x, scale=1):
        return Boxed(scale * np.maximum(x.values, 0)), ("made by the kernel",)

    box, array = boxed.asarray([[-1.0, 2.0]], "float32"), np.array([[-1.0, 2.0]])
    y, cache = boxed.call(relu_forward, box)
    assert cache == ("made by the kernel",)
    assert boxed.to_host(y).tolist() == [[0, 2]]
    assert boxed.call(relu_forward, box, scale=3)[0].values.tolist() == [[0, 6]]
    assert boxed_relu(box)[1] == ("made by the kernel",)  # the decorator gives the function back

    y, cache = get_backend("numpy").call(relu_forward, array)
    assert cache[0] is array
    assert y.tolist() == [[0, 2]]
    # Without a kernel, the reference runs: on what it is given, and with the options.
    assert boxed.call(relu_backward, array, array).tolist() == [[0, 2]]
    assert boxed.call(lambda *arrays, **options: (arrays, options), 1, 2, a=3) == ((1, 2), {"a": 3})


def test_a_layer_runs_its_backends_kernel_and_takes_only_its_arrays(boxed, refuses):
    @kernel("boxed", of=relu_forward)
    def boxed_relu(x):
        return Boxed(np.maximum(x.values, 0)), (x,)

    layer = Activation("relu", backend="boxed")
    y = layer.forward(boxed.asarray([[-1.0, 2.0]], "float32"))
    assert isinstance(y, Boxed)
    assert y.values.tolist() == [[0, 2]]
    with refuses(BackendError, "ndarray", "Activation", "'boxed'"):
        layer.forward(np.zeros((1, 2), "float32"))
    with refuses(BackendError, "Boxed", "'numpy'"):
        Activation("relu", backend="numpy").forward(y)


def test_mixing_arrays_of_two_backends_is_refused(boxed, refuses):
    box, array = boxed.asarray([1.0]), np.ones(1)
    assert array_module(box, box) is np
    for mixed in [(array, box), (box, array), (array, array, box)]:
        with refuses(BackendError, "'numpy'", "'boxed'", "asarray"):
            array_module(*mixed)


def test_erf_is_that_of_the_arrays_backend(boxed):
    assert erf(boxed.asarray([1.0])) == "the erf of boxes"
    assert erf(np.array([1.0])).tolist() == [math.erf(1)]


def test_the_second_backend_is_gone_after_its_test(refuses):
    assert "boxed" not in backend.backend_names()
    assert not any(name == "boxed" for name, _ in backend._KERNELS)
    with refuses(BackendError, "'boxed'"):
        get_backend("boxed")
    with refuses(BackendError, "Boxed"):
        array_module(Boxed(np.zeros(1)))


def test_the_numpy_backend_has_no_kernels():
    assert not any(name == "numpy" for name, _ in backend._KERNELS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_erf_keeps_shape_and_dtype(dtype):
    x = np.linspace(-4, 4, 42).astype(dtype).reshape(2, 3, 7)
    y = erf(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(y, special.erf(x), rtol=2 * np.finfo(dtype).eps)
    for empty in [np.zeros((0, 3), dtype), np.zeros((), dtype)]:
        assert erf(empty).shape == empty.shape
        assert erf(empty).dtype == dtype


def test_float_dtype_accepts_two():
    for name in ["float32", "float64"]:
        for form in [name, np.dtype(name), getattr(np, name)]:
            assert float_dtype(form) == np.dtype(name)


@pytest.mark.parametrize(
    "dtype", ["float16", "longdouble", "int64", "complex64", "object", ">f4", "fp32", None, 32]
)
def test_float_dtype_refuses_all_others(dtype, refuses):
    with refuses(DtypeError, repr(dtype), "'float32'", "'float64'"):
        float_dtype(dtype)
