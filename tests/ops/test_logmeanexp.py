"""Log-mean-exp against SciPy and SymPy, and far out."""

import math

import numpy as np
import pytest
import sympy as sp
from scipy import special

from minivae.ops.logmeanexp import backward, forward
from oracles import same, standard_normal, values


def oracle(torch, w):
    return torch.logsumexp(w, -1) - math.log(w.shape[-1])


def test_formula():
    w = sp.symbols("w:4", real=True)
    derived = sp.log(sum(map(sp.exp, w)) / 4)
    logs, dy = standard_normal(1, 6, 4), standard_normal(1, 6)
    at = {symbol.name: logs[:, i] for i, symbol in enumerate(w)}
    value, cache = forward(logs)
    same(value, values(derived, **at))
    dw = backward(dy, *cache)
    for i, symbol in enumerate(w):
        same(dw[:, i], dy * values(sp.diff(derived, symbol), **at))


def test_value_is_scipys():
    w = 3 * standard_normal(12, 4, 9)
    expected = special.logsumexp(w, axis=-1) - math.log(9)
    np.testing.assert_allclose(forward(w)[0], expected, rtol=1e-13)
    np.testing.assert_allclose(forward(w[:, :1])[0], w[:, 0], rtol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_ten_thousand(dtype):
    w = np.array([[1e4, 1e4], [-1e4, -1e4], [1e4, -1e4], [0, -np.inf]], dtype)
    y, cache = forward(w)
    np.testing.assert_allclose(
        y, [1e4, -1e4, 1e4 - math.log(2), -math.log(2)], rtol=4 * np.finfo(dtype).eps
    )
    dw = backward(np.ones_like(y), *cache)
    np.testing.assert_array_equal(dw, [[0.5, 0.5], [0.5, 0.5], [1, 0], [1, 0]])
