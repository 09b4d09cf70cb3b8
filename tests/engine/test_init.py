"""Initial weights have the variance that their names stand for."""

import math

import numpy as np
import pytest

from minivae.engine.init import INITIALISERS, glorot, he, logit, zeros

N_IN, N_OUT = 200, 300
COUNT = N_IN * N_OUT


def draw(initialiser, seed=1):
    W = initialiser(np.random.default_rng(seed), N_IN, N_OUT)
    assert W.shape == (N_IN, N_OUT)
    assert W.dtype == "float64"
    return W


def test_he_is_normal_with_variance_two_over_n_in():
    W = draw(he)
    sigma = math.sqrt(2 / N_IN)
    assert abs(W.mean()) < 5 * sigma / math.sqrt(COUNT)
    # The relative standard error of a normal's variance is sqrt(2 / n) = 0.6 %.
    np.testing.assert_allclose(W.var(), 2 / N_IN, rtol=5 * math.sqrt(2 / COUNT))
    # A normal has 4.55 % of its draws beyond two standard deviations (a uniform has none).
    beyond = (np.abs(W) > 2 * sigma).mean()
    assert abs(beyond - 0.0455) < 5 * math.sqrt(0.0455 / COUNT)


def test_glorot_is_uniform_with_variance_two_over_both_widths():
    W = draw(glorot)
    a = math.sqrt(6 / (N_IN + N_OUT))
    assert abs(W.mean()) < 5 * a / math.sqrt(3 * COUNT)
    # The relative standard error of a uniform's variance is sqrt(0.8 / n) = 0.4 %.
    np.testing.assert_allclose(W.var(), 2 / (N_IN + N_OUT), rtol=5 * math.sqrt(0.8 / COUNT))
    assert 0.999 * a < np.abs(W).max() <= a


def test_signals_keep_their_spread():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((400, 300))
    for _ in range(5):
        x = np.maximum(x, 0) @ he(rng, 300, 300)
    # Five random ReLU layers of 300: the mean square wanders by about 4 sqrt(5 / 300) = 40 %...
    assert 0.4 < (x * x).mean() < 2.5
    # ... while half the variance would leave 2 ** -5 = 3 % of it.
    x = rng.standard_normal((400, 300)) @ glorot(rng, 300, 300)
    np.testing.assert_allclose(x.var(), 1, rtol=0.1)


def test_zeros():
    assert not draw(zeros).any()


@pytest.mark.parametrize("name", INITIALISERS)
def test_the_seed_decides(name):
    initialiser = INITIALISERS[name]
    np.testing.assert_array_equal(draw(initialiser, 3), draw(initialiser, 3))
    assert (draw(initialiser, 3) != draw(initialiser, 4)).any() == (name != "zeros")


def test_logit_is_the_inverse_of_the_sigmoid():
    p = np.linspace(0.001, 0.999, 101)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit(p))), p, rtol=1e-13)
    assert logit(np.array(0.5)) == 0


def test_logit_clips():
    edge = math.log(0.999) - math.log(0.001)
    np.testing.assert_allclose(
        logit(np.array([0.0, 0.0005, 0.001, 0.9999, 1.0])), np.array([-1, -1, -1, 1, 1]) * edge
    )
    np.testing.assert_allclose(logit(np.array([0.0, 1.0]), clip=0.25), [-math.log(3), math.log(3)])
    assert logit(np.zeros(2, "float32")).dtype == "float32"
