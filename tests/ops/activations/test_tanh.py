"""tanh against its definition, and SymPy's derivative."""

import numpy as np
import sympy as sp

from minivae.ops.activations import tanh_forward
from oracles import assert_derived


def oracle(torch, x):
    return torch.tanh(x)


def test_formula():
    x = sp.Symbol("x", real=True)
    assert_derived("tanh", sp.sinh(x) / sp.cosh(x), x)


def test_value():
    x = np.linspace(-6, 6, 241)
    np.testing.assert_allclose(tanh_forward(x)[0], np.sinh(x) / np.cosh(x), rtol=1e-12, atol=1e-15)
