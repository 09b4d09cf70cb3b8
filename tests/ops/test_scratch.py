"""Patches of a few images at a time: the same numbers by compiled loops and by NumPy's products."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minivae.engine.cpu.blas import Blas
from minivae.engine.cpu.neighbours import Neighbours
from minivae.engine.cpu.workspace import Workspace
from minivae.errors import DtypeError
from minivae.ops import scratch
from minivae.ops.scratch import lay_patches, multiply_patches

STRIDE, PADDING, PLACES = (2, 1), ((1, 0), (2, 1)), (5, 8)


def arrays(batch, dtype="float32", channels=3):
    """x, W and dy of windows of 3 x 4 pixels at 5 x 8 places of images of 10 x 8."""
    rng = np.random.default_rng(0)
    shapes = (batch, 10, 8, channels), (3, 4, channels, 7), (batch, *PLACES, 7)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


def products(x, W, dy):
    """P W, P' dy and what dy W' adds up to, in one array."""
    y, dW, dx = np.empty_like(dy), np.empty_like(W), np.empty_like(x)
    row = np.arange(x.shape[2] * x.shape[3], dtype=x.dtype)
    multiply_patches(x, W, PLACES, STRIDE, PADDING, y=y, dy=dy, dW=dW)
    lay_patches(dy, W, dx, row, STRIDE, PADDING)
    return np.concatenate([y.ravel(), dW.ravel(), dx.ravel()])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch", [0, 1, 2, 7, 33, 300])
def test_compiled_loops_give_what_products_of_numpy_give(monkeypatch, batch, dtype):
    given = arrays(batch, dtype)
    monkeypatch.setattr(scratch, "SCRATCH", 20_000)  # a few images at a time, and a rest
    ours = products(*given)
    monkeypatch.setattr(Blas, "find", lambda: None)
    tolerance = 2e-4 if dtype == "float32" else 1e-12
    assert ours == pytest.approx(products(*given), rel=tolerance, abs=tolerance)


@pytest.mark.skipif(Blas.find() is None, reason="there is a team for OpenBLAS only")
def test_however_many_threads_there_are_the_bits_are_the_same(monkeypatch):
    monkeypatch.setattr(Neighbours, "crowd", lambda self: False)
    given, found = arrays(300, channels=32), []
    for threads in (1, 2, 3):
        with threadpool_limits(threads), Workspace(shared=True):
            found.append(products(*given))
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_what_is_not_wanted_is_not_written():
    x, W, dy = arrays(9)
    y, dW = np.full_like(dy, 5), np.full_like(W, 5)
    multiply_patches(x, W, PLACES, STRIDE, PADDING, y=y)
    multiply_patches(x, W, PLACES, STRIDE, PADDING, dy=dy, dW=dW)
    both = [np.empty_like(y), np.empty_like(dW)]
    multiply_patches(x, W, PLACES, STRIDE, PADDING, y=both[0], dy=dy, dW=both[1])
    assert np.array_equal(y, both[0])
    assert np.array_equal(dW, both[1])


def test_arrays_that_lie_elsewhere_in_memory_are_read_all_the_same():
    x, W, dy = arrays(9)
    apart = [np.repeat(array, 2, axis=0)[::2] for array in (x, W, dy)]
    apart[1] = np.asfortranarray(W)
    y, dW, dx, row = np.empty_like(dy), np.empty_like(W), np.empty_like(x), np.zeros(24, "f4")
    multiply_patches(apart[0], apart[1], PLACES, STRIDE, PADDING, y=y, dy=apart[2], dW=dW)
    lay_patches(apart[2], apart[1], dx, row, STRIDE, PADDING)
    ours, row = np.concatenate([y.ravel(), dW.ravel(), dx.ravel()]), np.zeros(24, "f4")
    multiply_patches(x, W, PLACES, STRIDE, PADDING, y=y, dy=dy, dW=dW)
    lay_patches(dy, W, dx, row, STRIDE, PADDING)
    assert np.array_equal(ours, np.concatenate([y.ravel(), dW.ravel(), dx.ravel()]))


def test_two_dtypes_are_refused():
    x, W, dy = arrays(9)
    with pytest.raises(DtypeError, match="float32"):
        multiply_patches(x, W, PLACES, STRIDE, PADDING, y=np.empty(dy.shape))
