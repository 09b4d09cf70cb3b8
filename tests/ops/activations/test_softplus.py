"""Softplus against NumPy and SymPy, and far out."""

import numpy as np
import pytest
import sympy as sp

from minivae.ops.activations import softplus_backward, softplus_forward
from oracles import assert_derived

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def oracle(torch, x):
    return torch.nn.functional.softplus(x)


def test_formula():
    x = sp.Symbol("x", real=True)
    assert_derived("softplus", sp.log(1 + sp.exp(x)), x)


def test_value_is_numpys():
    x = np.linspace(-6, 6, 241)
    np.testing.assert_allclose(softplus_forward(x)[0], np.logaddexp(0, x), rtol=1e-12, atol=1e-15)


@each_dtype
def test_logits_of_ten_thousand(dtype):
    big = np.array([[1e4, -1e4]], dtype)
    np.testing.assert_array_equal(softplus_forward(big)[0], [[1e4, 0]])


@each_dtype
def test_the_far_left_keeps_its_digits(dtype):
    x = np.array([[-20.0, -30.0, -60.0]], dtype)
    exact = np.exp(x.astype("float64"))  # to first order; the next is at most 4.2e-9 of it
    close = {"rtol": max(5e-9, 4 * np.finfo(dtype).eps)}
    y, cache = softplus_forward(x)
    np.testing.assert_allclose(y, exact, **close)
    np.testing.assert_allclose(softplus_backward(np.ones_like(x), *cache), exact, **close)
