"""The likelihood of sequences: against PyTorch and counting; the end, and what is behind."""

import itertools

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import DataError, ShapeError
from minivae.ops import Categorical, Tokens
from minivae.ops.likelihoods.categorical import forward as categorical_forward
from minivae.ops.likelihoods.tokens import backward, forward
from oracles import standard_normal

on_each_backend = pytest.mark.usefixtures("each_backend")

A, B, END = 1, 2, 3
"""A language of two letters and a symbol that ends each string; 0 stands behind it."""


def oracle(torch, logits, x):
    """PyTorch's cross-entropy, told which steps to pass over."""
    target = torch.where(x.sum(-1) > 0, x.argmax(-1), -100)
    return torch.nn.functional.cross_entropy(
        logits.transpose(1, 2), target, reduction="none", ignore_index=-100
    ).sum(-1)


def strings(most):
    """All strings up to a length, ended and padded to most + 1 steps."""
    every = [s for n in range(most + 1) for s in itertools.product((A, B), repeat=n)]
    return np.array([[*s, END] + [0] * (most - len(s)) for s in every], float)


def of_step(t, before):
    """Logits of a language in which a symbol depends on all that was before it."""
    return np.array([np.sin(t + 3.0 * sum(before)), np.cos(2.0 * len(before)), -0.3 * t + 0.2])


@on_each_backend
@pytest.mark.parametrize("most", [0, 1, 4, 7])
def test_all_strings_up_to_a_length_and_the_probability_of_longer_ones_make_one(most):
    layer, x = Tokens(3, dtype="float64"), strings(most)
    assert len(x) == 2 ** (most + 1) - 1
    logits = np.array([[of_step(t, row[:t]) for t in range(most + 1)] for row in x])
    nll = here(layer(there(logits.reshape(len(x), -1)), there(layer.encode_data(x))))
    # Longer ones: no end in any of the steps, over all strings of that many letters.
    longer = 0.0
    for letters in itertools.product((A, B), repeat=most + 1):
        p = 1.0
        for t, letter in enumerate(letters):
            e = np.exp(of_step(t, letters[:t]))
            p *= e[letter - 1] / e.sum()
        longer += p
    assert np.exp(-nll).sum() == pytest.approx(1 - longer, abs=1e-13)


@on_each_backend
def test_padded_steps_get_exactly_no_gradient_and_cost_nothing():
    layer = Tokens(3, dtype="float64")
    x = np.array([[1, 3, 0, 0], [2, 1, 2, 3], [3, 0, 0, 0], [0, 0, 0, 0]], float)
    logits = standard_normal(1, 4, 4, 3)
    other = np.where(x[..., None] > 0, logits, 1e3 * standard_normal(2, 4, 4, 3))
    data, found = there(layer.encode_data(x)), []
    for each in (logits, other):
        nll = here(layer(there(each.reshape(4, 12)), data)).copy()
        found.append((nll, here(layer.backward(there(standard_normal(3, 4)))).copy()))
    for mine, its in zip(*found, strict=True):
        assert_array_equal(mine, its)
    gradient = found[0][1].reshape(4, 4, 3)
    assert not gradient[x == 0].any()
    assert gradient[x > 0].all()
    assert found[0][0][3] == 0


def test_without_padding_it_is_the_categorical_likelihood():
    logits = standard_normal(4, 5, 6, 3)
    x = np.eye(3)[np.random.default_rng(5).integers(3, size=(5, 6))]
    np.testing.assert_allclose(forward(logits, x)[0], categorical_forward(logits, x)[0], rtol=1e-15)


@pytest.mark.oracle
@on_each_backend
def test_layer_is_pytorchs():
    torch = pytest.importorskip("torch")
    layer, rng = Tokens(4, dtype="float64"), np.random.default_rng(6)
    x = rng.integers(1, 5, size=(7, 5)) * (np.arange(5) < rng.integers(1, 6, size=(7, 1)))
    data = layer.encode_data(x.astype(float))
    logits = torch.tensor(standard_normal(7, 7, 5, 4), requires_grad=True)
    want = oracle(torch, logits, torch.tensor(data.reshape(7, 5, 4)))
    have = layer(there(logits.detach().numpy().reshape(7, 20)), there(data))
    assert_allclose(have, want.detach().numpy(), rtol=1e-13)
    dnll = standard_normal(8, 7)
    want.backward(torch.tensor(dnll))
    dlogits = here(layer.backward(there(dnll))).reshape(7, 5, 4)
    np.testing.assert_allclose(dlogits, logits.grad.numpy(), rtol=0, atol=1e-14)


def test_logits_of_ten_thousand():
    logits, x = np.array([[[1e4, -1e4], [0, 1e4]]]), np.array([[[1.0, 0], [0, 0]]])
    nll, cache = forward(logits, x)
    np.testing.assert_array_equal(nll, [0])
    np.testing.assert_array_equal(backward(np.ones(1), *cache), np.zeros((1, 2, 2)))


@on_each_backend
def test_samples_of_one_sequence_share_it():
    layer, x = Tokens(3, dtype="float64"), np.array([[1, 3, 0.0], [2, 2, 3]])
    data, logits = layer.encode_data(x), standard_normal(9, 2, 5, 9)
    nll = here(layer(there(logits), there(data[:, None])))
    for k in range(5):
        alone = here(layer(there(logits[:, k]), there(data)))
        np.testing.assert_allclose(nll[:, k], alone, rtol=1e-14)


def test_numbers_become_one_hot_and_nothing_becomes_zeros():
    layer = Tokens(3)
    assert layer.encode_data(np.array([[2.0, 0]], "f4")).tolist() == [[0, 1, 0, 0, 0, 0]]
    assert layer.mean(np.array([[0, 5, 1, 2, 0, 1]], "f4")).tolist() == [[2, 1]]
    assert layer.data_width(4) == layer.output_width(4) == 12
    assert issubclass(Tokens, Categorical)


def test_draws_are_as_frequent_as_probable():
    layer, p = Tokens(3, dtype="float64"), np.array([0.2, 0.5, 0.3])
    drawn = layer.draw(np.tile(np.log(p), (20000, 2)), np.random.default_rng(0))
    for symbol in (1, 2, 3):
        share = (drawn == symbol).mean()
        assert share == pytest.approx(p[symbol - 1], abs=4 * np.sqrt(0.25 / 40000))


@pytest.mark.parametrize("bad", [0.5, -1.0, 4.0, float("nan")])
def test_what_is_no_symbol_is_refused(bad, refuses):
    with refuses(DataError, f"{bad:.4g}", "to 3"):
        Tokens(3).encode_data(np.array([[1.0, bad]]))
    with refuses(DataError, "whole numbers"):
        Tokens(3).note(np.array([[bad, 1.0]]))


def test_shapes_are_refused(refuses):
    with refuses(ShapeError):
        Tokens(3)(np.zeros((2, 5), "f4"), np.zeros((2, 5), "f4"))
