"""SiLU against SciPy and SymPy."""

import numpy as np
import sympy as sp
from scipy import special

from minivae.ops.activations import silu_forward
from oracles import assert_derived


def oracle(torch, x):
    return torch.nn.functional.silu(x)


def test_formula():
    x = sp.Symbol("x", real=True)
    assert_derived("silu", x / (1 + sp.exp(-x)), x)


def test_value_is_scipys():
    x = np.linspace(-6, 6, 241)
    np.testing.assert_allclose(silu_forward(x)[0], x * special.expit(x), rtol=1e-12, atol=1e-15)
