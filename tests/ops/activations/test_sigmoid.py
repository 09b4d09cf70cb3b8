"""The sigmoid against SciPy and SymPy, and far out."""

import numpy as np
import pytest
import sympy as sp
from scipy import special

from minivae.ops.activations import sigmoid_backward, sigmoid_forward
from oracles import assert_derived

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def oracle(torch, x):
    return torch.sigmoid(x)


def test_formula():
    x = sp.Symbol("x", real=True)
    assert_derived("sigmoid", 1 / (1 + sp.exp(-x)), x)


def test_value_is_scipys():
    x = np.linspace(-6, 6, 241)
    np.testing.assert_allclose(sigmoid_forward(x)[0], special.expit(x), rtol=1e-12, atol=1e-15)


@each_dtype
def test_logits_of_ten_thousand(dtype):
    big = np.array([[1e4, -1e4]], dtype)
    np.testing.assert_array_equal(sigmoid_forward(big)[0], [[1, 0]])


@each_dtype
def test_the_far_left_keeps_its_digits(dtype):
    x = np.array([[-20.0, -30.0, -60.0]], dtype)
    exact = np.exp(x.astype("float64"))  # to first order; the next is at most 4.2e-9 of it
    close = {"rtol": max(5e-9, 4 * np.finfo(dtype).eps)}
    y, cache = sigmoid_forward(x)
    np.testing.assert_allclose(y, exact, **close)
    np.testing.assert_allclose(sigmoid_backward(np.ones_like(x), *cache), exact, **close)
