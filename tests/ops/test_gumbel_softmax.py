"""The relaxed draw of categories: its limits in the temperature, and whom it leans to."""

import numpy as np
import pytest
from scipy import special, stats

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import OptionError
from minivae.ops import GumbelSoftmax
from minivae.ops.gumbel_softmax import forward

LOGITS = np.array([1.2, -0.3, 0.4, -2.0, 0.0])


def oracle(torch, logits, gumbel, tau):
    return torch.softmax((logits + gumbel) / tau, dim=-1)


def draws(n, tau, logits=LOGITS):
    """n relaxed draws of one variable (n, K)."""
    gumbel = np.random.default_rng(0).gumbel(size=(n, 1, len(logits)))
    y, _ = forward(np.broadcast_to(logits, gumbel.shape), gumbel, tau)
    return y[:, 0]


@pytest.mark.parametrize("tau", [0.01, 0.5, 1.0, 20.0])
def test_rows_sum_to_one_and_lean_to_each_category_as_often_as_it_is_likely(tau):
    y = draws(100_000, tau)
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-12)
    counts = np.bincount(y.argmax(axis=1), minlength=len(LOGITS))
    assert stats.chisquare(counts, special.softmax(LOGITS) * len(y)).pvalue > 1e-3
    # Logits that are off by a tenth would be seen.
    off = special.softmax(LOGITS + np.eye(5)[0] / 10)
    assert stats.chisquare(counts, off * len(y)).pvalue < 1e-6


def test_a_small_temperature_gives_categories_and_a_large_one_nothing():
    cold, hot = draws(1000, 1e-6), draws(1000, 1e6)
    np.testing.assert_allclose(cold.max(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(hot, 1 / len(LOGITS), rtol=1e-4)


@pytest.mark.parametrize("tau", [0.3, 1.0, 4.0])
def test_of_two_categories_it_is_a_sigmoid_of_logistic_noise(tau):
    gumbel = np.random.default_rng(1).gumbel(size=(50_000, 1, 2))
    y, _ = forward(np.broadcast_to([0.7, -0.2], gumbel.shape), gumbel, tau)
    logistic = gumbel[..., 0] - gumbel[..., 1]
    np.testing.assert_allclose(y[..., 0], special.expit((0.9 + logistic) / tau), rtol=1e-10)
    assert stats.kstest(logistic.ravel(), "logistic").pvalue > 1e-3


def test_extreme_logits_overflow_nowhere():
    logits = np.array([[[-1e30, 0, 1e30], [-80, 0, 80]]], "float32")
    y, _ = forward(logits, np.zeros_like(logits), 0.5)
    np.testing.assert_array_equal(y, [[[0, 0, 1], [0, 0, 1]]])


@pytest.mark.usefixtures("each_backend")
def test_the_temperature_falls_with_the_steps_of_training_and_with_nothing_else():
    layer = GumbelSoftmax(1.0, 0.5, 0.2, dtype="float64")
    logits, gumbel = there(np.zeros((1, 1, 3))), there(np.array([[[0.5, 0.0, -1.0]]]))
    seen = []
    for _ in range(6):
        layer(logits, gumbel)  # an evaluation
        seen.append(float(here(layer.temperature)[0]))
        with layer.params.training:
            y = layer(logits, gumbel)
    assert_allclose(seen, np.maximum(np.exp(-0.2 * np.arange(6)), 0.5), rtol=1e-12)
    assert_allclose(y, special.softmax(here(gumbel) / 0.5, axis=-1), rtol=1e-12)
    assert_array_equal(layer.params.carried_of("step"), [6])
    with layer.params.rehearsal():
        layer(logits, gumbel)
    assert_array_equal(layer.params.carried_of("step"), [6])


@pytest.mark.parametrize(
    "given",
    [(0.0, 0.0, 0.1), (1.0, 0.0, 0.1), (0.4, 0.5, 0.1), (1.0, 0.5, -1.0)],
)
def test_a_temperature_that_is_none(refuses, given):
    with refuses(OptionError, "temperature", "above 0"):
        GumbelSoftmax(*given)
