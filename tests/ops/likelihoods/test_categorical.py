"""The categorical likelihood against probability, SymPy and SciPy; levels of grey."""

import itertools
import math

import numpy as np
import pytest
import sympy as sp
from scipy import special, stats

from arrays import assert_allclose, there
from minivae.errors import OptionError, ShapeError
from minivae.ops import Categorical
from minivae.ops.likelihoods.categorical import backward, forward
from oracles import same, standard_normal, values


def oracle(torch, logits, x):
    return torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), x.argmax(-1), reduction="none"
    ).sum(-1)


def test_formula():
    w = sp.symbols("w:4", real=True)
    logits, dnll = standard_normal(1, 6, 4), standard_normal(1, 6)
    data = np.eye(4)[[0, 1, 2, 3, 1, 2]]
    value, cache = forward(logits[:, None], data[:, None])
    dlogits = backward(dnll, *cache)[:, 0]
    for level in range(4):
        nll = -sp.log(sp.exp(w[level]) / sum(map(sp.exp, w)))
        rows = data[:, level] == 1
        at = {symbol.name: logits[rows, i] for i, symbol in enumerate(w)}
        same(value[rows], values(nll, **at))
        for i, symbol in enumerate(w):
            same(dlogits[rows, i], dnll[rows] * values(sp.diff(nll, symbol), **at))


def test_it_sums_to_one():
    outcomes = np.array(list(itertools.product(np.eye(4), repeat=3)))
    logits = np.broadcast_to(2 * standard_normal(7, 3, 4), outcomes.shape)
    nll, _ = forward(logits, outcomes)
    assert nll.shape == (4**3,)
    assert np.exp(-nll).sum() == pytest.approx(1, abs=1e-13)


def test_value_is_scipys():
    logits = standard_normal(10, 4, 6, 3)
    x = np.eye(3)[np.random.default_rng(11).integers(3, size=(4, 6))]
    logp = stats.multinomial.logpmf(x, 1, special.softmax(logits, axis=-1))
    np.testing.assert_allclose(forward(logits, x)[0], -logp.sum(axis=-1), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_logits_of_ten_thousand(dtype):
    logits = np.array([[[1e4, -1e4, 0]] * 3], dtype)
    nll, cache = forward(logits, np.eye(3, dtype=dtype)[None])
    np.testing.assert_array_equal(nll, [3e4])
    expected = np.array([1, 0, 0]) - np.eye(3)
    np.testing.assert_array_equal(backward(nll / nll, *cache)[0], expected)


def test_draws_have_the_probabilities():
    n = 40_000
    logits = np.array([[2.0, 0, -1], [0, 1, 0.5]])
    out = np.tile(logits.ravel(), (n, 1))
    likelihood = Categorical(3, dtype="float64")
    grey = likelihood.draw(out, np.random.default_rng(16))
    error = grey.std(axis=0).max() / math.sqrt(n)
    np.testing.assert_allclose(likelihood.mean(out)[0], grey.mean(axis=0), atol=5 * error)
    shares = np.stack([(grey == level).mean(axis=0) for level in [0, 0.5, 1]], axis=-1)
    expected = special.softmax(logits, axis=-1)
    np.testing.assert_allclose(shares, expected, atol=5 * 0.5 / math.sqrt(n))


@pytest.mark.usefixtures("each_backend")
def test_levels():
    layer = Categorical(4, dtype="float64")
    x = np.array([[0, 0.24, 0.25, 0.5, 0.99, 1]])
    one_hot = layer.encode_data(x)
    assert one_hot.shape == (1, 24)
    assert one_hot.reshape(6, 4).argmax(axis=1).tolist() == [0, 0, 1, 2, 3, 3]
    assert one_hot.sum() == 6
    assert layer.encode_data(np.zeros((0, 6))).shape == (0, 24)
    # Logits that are sure of a level: the mean is that level's grey value, l / (L - 1).
    assert_allclose(layer.mean(there(1e3 * one_hot)), [[0, 0, 1 / 3, 2 / 3, 1, 1]])
    drawn = layer.draw(there(1e3 * one_hot), np.random.default_rng(1))
    assert_allclose(drawn, [[0, 0, 1 / 3, 2 / 3, 1, 1]])


@pytest.mark.usefixtures("each_backend")
def test_a_width_that_is_no_multiple_of_the_levels_is_refused(refuses):
    layer, x = Categorical(4), there(np.zeros((2, 9)), "float32")
    with refuses(ShapeError, "9", "4 levels"):
        layer.forward(x, x)


def test_one_level_is_refused(refuses):
    with refuses(OptionError, "levels=1"):
        Categorical(1)


def test_widths_and_notes():
    likelihood = Categorical(4)
    assert (likelihood.data_width(6), likelihood.output_width(6)) == (24, 24)
    assert "4 levels" in likelihood.note(np.array([[0.0, 0.5]]))
