"""N-grams: probabilities that sum to 1, counts by hand, an order that is not too long."""

import itertools

import numpy as np
import pytest

from minivae import data
from minivae.errors import OptionError
from minivae.uses.experiments.ngram import NGram, best

A, B, END = 1, 2, 3
ROWS = np.array([[A, B, END, 0], [A, A, B, END], [B, END, 0, 0], [A, B, A, END]])


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_after_any_context_the_symbols_make_one(order):
    model = NGram(ROWS, 3, order)
    for context in itertools.product((A, B), repeat=3):
        total = sum(model.probability([*context, symbol], 3) for symbol in (A, B, END))
        assert total == pytest.approx(1, abs=1e-14)


def test_counts_by_hand():
    model = NGram(ROWS, 3, 2)
    unigram = (5 + 3 / 3) / (13 + 3)  # a: 5 of 13, and 3 new symbols for the base of 1/3
    assert model.probability([A], 0) == pytest.approx((3 + 2 * unigram) / (4 + 2))
    assert NGram(ROWS, 3, 1).probability([A], 0) == pytest.approx(unigram)
    first = model.nll(np.array([[A, END, 0, 0]]))
    p = [model.probability([A, END], t) for t in (0, 1)]
    assert first == pytest.approx(-np.log(p).sum())


def test_what_never_occurred_is_possible_and_what_is_padded_costs_nothing():
    model = NGram(ROWS, 4, 3)
    assert 0 < model.probability([4], 0) < 0.1
    with_padding = model.nll(np.array([[A, END, 0], [A, END, END]]))
    assert with_padding[0] < with_padding[1]
    assert model.nll(np.zeros((2, 3))).tolist() == [0, 0]


def test_on_the_names_order_four_is_the_best_and_better_than_what_was_once_found():
    names = data.load("names")
    model, costs = best(names.x_train, names.x_test, 27)
    means = {order: nll.mean() for order, nll in costs.items()}
    assert model.order == 4
    assert means[1] > means[2] > means[3] > means[4] < means[5]
    assert means[4] == pytest.approx(13.99, abs=0.01)


def test_an_order_of_nothing_is_refused(refuses):
    with refuses(OptionError, "order=0"):
        NGram(ROWS, 3, 0)
