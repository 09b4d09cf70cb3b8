"""GELU against SciPy and SymPy."""

import numpy as np
import sympy as sp
from scipy import stats

from minivae.ops.activations import gelu_forward
from oracles import assert_derived


def oracle(torch, x):
    return torch.nn.functional.gelu(x)


def test_formula():
    x, z = sp.symbols("x z", real=True)
    density = sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi)
    assert_derived("gelu", x * sp.integrate(density, (z, -sp.oo, x)), x)


def test_value_is_scipys():
    x = np.linspace(-6, 6, 241)
    np.testing.assert_allclose(gelu_forward(x)[0], x * stats.norm.cdf(x), rtol=1e-12, atol=1e-15)
