"""The table of what CuPy does holds for the stand-in and, with `-m gpu`, for CuPy itself."""

import math

import numpy as np
import pytest

from gpu.conformance import ARRAYS, ERRORS, ON_HOST, VALUES

HALF = "template <class X> __device__ X half(X x) { return x / 2; }"
ROWS = VALUES + [(text, *result) for text, result in ON_HOST.items()]


def scope(xp):
    def changed(array, statement, other=None, k=None):
        array = array.copy()
        exec(statement, {"a": array, "other": other, "k": k, "np": np})
        return array

    def kernel(*arguments, **options):
        return xp.ElementwiseKernel(*arguments, "conformance", **options)

    def reduction(*arguments):
        return xp.ReductionKernel(*arguments, "conformance")

    arrays = {name: xp.asarray(array) for name, array in ARRAYS.items()}
    tools = {"changed": changed, "kernel": kernel, "reduction": reduction, "HALF": HALF}
    return {"np": np, "math": math, "xp": xp, **tools, **arrays}


@pytest.mark.parametrize(("text", "dtype", "value"), ROWS, ids=[row[0] for row in ROWS])
def test_value(cuda_backend, text, dtype, value):
    xp = cuda_backend.xp
    have = eval(text, scope(xp))
    on_host = text in ON_HOST
    assert isinstance(have, np.ndarray | np.generic if on_host else xp.ndarray)
    assert have.dtype == dtype
    want = np.array(value, dtype)
    assert have.shape == want.shape
    np.testing.assert_allclose(xp.asnumpy(have), want, rtol=1e-6)


@pytest.mark.parametrize(("text", "error", "words"), ERRORS, ids=[row[0] for row in ERRORS])
def test_refusal(cuda_backend, text, error, words):
    with pytest.raises(error) as caught:
        eval(text, scope(cuda_backend.xp))
    assert words in str(caught.value)
