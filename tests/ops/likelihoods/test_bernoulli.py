"""The Bernoulli likelihood against probability, SymPy and SciPy."""

import itertools
import math

import numpy as np
import pytest
import sympy as sp
from scipy import special, stats

from minivae.ops import Bernoulli
from minivae.ops.likelihoods.bernoulli import backward, forward
from oracles import same, standard_normal, values

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def oracle(torch, logits, x):
    F = torch.nn.functional
    return F.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)


def test_formula():
    a, x = sp.symbols("a x", real=True)
    p = 1 / (1 + sp.exp(-a))
    nll = -x * sp.log(p) - (1 - x) * sp.log(1 - p)
    logits, data = standard_normal(1, 2, 4, 5)
    data = 1 / (1 + np.exp(-3 * data))  # grey values too
    dnll = standard_normal(1, 4)
    value, cache = forward(logits, data)
    same(value, values(nll, a=logits, x=data).sum(axis=1))
    derived = values(sp.diff(nll, a), a=logits, x=data)
    same(backward(dnll, *cache), dnll[:, None] * derived)


def test_it_sums_to_one():
    outcomes = np.array(list(itertools.product([0.0, 1.0], repeat=5)))
    logits = np.broadcast_to(2 * standard_normal(6, 5), outcomes.shape)
    nll, _ = forward(logits, outcomes)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=1e-13)


@each_dtype
def test_zero_logits_cost_a_bit_a_pixel(dtype):
    x = (standard_normal(8, 3, 784) > 0).astype(dtype)
    nll, _ = forward(np.zeros_like(x), x)
    np.testing.assert_allclose(nll, 784 * math.log(2), rtol=1e-6 if dtype == "float32" else 1e-13)


def test_value_is_scipys():
    mean, _, x = standard_normal(9, 3, 4, 6)
    bits = (x > 0).astype(float)
    expected = -stats.bernoulli.logpmf(bits, special.expit(mean)).sum(axis=-1)
    np.testing.assert_allclose(forward(mean, bits)[0], expected, rtol=1e-12)


@each_dtype
def test_logits_of_ten_thousand(dtype):
    big = np.array([[1e4, -1e4, 1e4, -1e4]], dtype)
    bits = np.array([[1, 0, 0, 1]], dtype)
    nll, cache = forward(big, bits)
    np.testing.assert_array_equal(nll, [2e4])
    np.testing.assert_array_equal(backward(nll / nll, *cache), [[0, 0, 1, -1]])


def test_draws_have_the_mean():
    n = 40_000
    out = np.tile([0.3, -0.6], (n, 1))
    likelihood = Bernoulli(dtype="float64")
    x = likelihood.draw(out, np.random.default_rng(16))
    assert set(np.unique(x)) == {0, 1}
    error = x.std(axis=0).max() / math.sqrt(n)
    np.testing.assert_allclose(likelihood.mean(out)[0], x.mean(axis=0), atol=5 * error)


def test_widths_and_notes():
    likelihood = Bernoulli()
    assert (likelihood.data_width(6), likelihood.output_width(6)) == (6, 6)
    assert likelihood.note(np.array([[0.0, 1.0]])) == ""
    assert "not a bound" in likelihood.note(np.array([[0.0, 0.5]]))
