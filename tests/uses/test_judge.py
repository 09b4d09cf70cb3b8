"""The judge: a classifier whose accuracy is stated, and what it says of data that are known."""

import numpy as np
import pytest

from minivae.data import load
from minivae.data.dataset import from_arrays
from minivae.errors import DataError
from minivae.uses.quality.judge import Judge


@pytest.fixture(scope="module")
def judge():
    return Judge.train(load("digits8"), hidden=(48, 24), epochs=20)


def test_its_accuracy_is_stated(judge):
    digits = load("digits8")
    assert judge.accuracy.value == judge.classifier.accuracy(digits.pixels_test, digits.y_test)
    assert 0.85 < judge.accuracy.low < judge.accuracy.value < judge.accuracy.high < 1


def test_real_digits_are_better_than_noise_and_than_a_single_class(judge):
    digits = load("digits8")
    real = digits.x_test
    other = judge.compare(real, digits.x_train[:297])
    noise = judge.compare(real, np.random.default_rng(0).random((297, 64), "float32"))
    zeros = judge.compare(real, digits.x_train[digits.y_train == 0])
    assert other.frechet < min(noise.frechet, zeros.frechet) / 3
    assert other.precision > 0.6
    assert other.recall > 0.6
    assert noise.precision < other.precision / 2
    assert zeros.recall < 0.2


def test_a_seed_makes_it_again(judge):
    again = Judge.train(load("digits8"), hidden=(48, 24), epochs=20)
    assert again.accuracy == judge.accuracy
    np.testing.assert_array_equal(again.classifier.params.theta, judge.classifier.params.theta)


def test_data_that_teach_nothing_are_refused(refuses):
    x = np.random.default_rng(0).random((20, 4), "float32")
    with refuses(DataError, "no labels"):
        Judge.train(from_arrays("t", x))
    with refuses(DataError, "at least two classes"):
        Judge.train(from_arrays("t", x, np.zeros(20, int)))
    with refuses(DataError, "at least ten examples"):
        Judge.train(from_arrays("t", x[:6], np.arange(6) % 2))
