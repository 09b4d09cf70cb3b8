"""Extreme arguments: no overflow (which would raise), and the limits are met with all digits."""

import math

import numpy as np
import pytest

from minivae.ops import ACTIVATIONS, kl, logmeanexp, reparameterize
from minivae.ops.likelihoods import bernoulli, categorical, gaussian

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@each_dtype
def test_logits_of_ten_thousand(dtype):
    big = np.array([[1e4, -1e4, 1e4, -1e4]], dtype)
    bits = np.array([[1, 0, 0, 1]], dtype)
    np.testing.assert_array_equal(ACTIVATIONS["sigmoid"][0](big)[0], [[1, 0, 1, 0]])
    np.testing.assert_array_equal(ACTIVATIONS["softplus"][0](big)[0], [[1e4, 0, 1e4, 0]])
    for name in ["silu", "gelu", "relu"]:
        np.testing.assert_array_equal(ACTIVATIONS[name][0](big)[0], [[1e4, 0, 1e4, 0]])
    for forward, backward in ACTIVATIONS.values():
        assert np.isfinite(backward(np.ones_like(big), *forward(big)[1])).all()

    nll, cache = bernoulli.forward(big, bits)
    np.testing.assert_array_equal(nll, [2e4])
    np.testing.assert_array_equal(bernoulli.backward(nll / nll, *cache), [[0, 0, 1, -1]])

    logits = np.array([[[1e4, -1e4, 0]] * 3], dtype)
    nll, cache = categorical.forward(logits, np.eye(3, dtype=dtype)[None])
    np.testing.assert_array_equal(nll, [3e4])
    expected = np.array([1, 0, 0]) - np.eye(3)
    np.testing.assert_array_equal(categorical.backward(nll / nll, *cache)[0], expected)


@each_dtype
def test_logmeanexp_at_ten_thousand(dtype):
    w = np.array([[1e4, 1e4], [-1e4, -1e4], [1e4, -1e4], [0, -np.inf]], dtype)
    y, cache = logmeanexp.forward(w)
    np.testing.assert_allclose(
        y, [1e4, -1e4, 1e4 - math.log(2), -math.log(2)], rtol=4 * np.finfo(dtype).eps
    )
    dw = logmeanexp.backward(np.ones_like(y), *cache)
    np.testing.assert_array_equal(dw, [[0.5, 0.5], [0.5, 0.5], [1, 0], [1, 0]])


@each_dtype
@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_logvar_of_thirty(dtype, logvar):
    close = {"rtol": 20 * np.finfo(dtype).eps}
    mu, v = np.array([[0.25]], dtype), np.array([[logvar]], dtype)
    two, one = 2 * np.ones_like(mu), np.ones_like(mu)
    variance, sigma = math.exp(logvar), math.exp(logvar / 2)

    z, cache = reparameterize.forward(mu, v, two)
    np.testing.assert_allclose(z, [[0.25 + 2 * sigma]], **close)
    np.testing.assert_allclose(reparameterize.backward(one, *cache), [[[1]], [[sigma]]], **close)

    value, cache = kl.forward(mu, v)
    np.testing.assert_allclose(value, [[(0.0625 + variance - 1 - logvar) / 2]], **close)
    np.testing.assert_allclose(
        kl.backward(one, *cache), [[[0.25]], [[(variance - 1) / 2]]], **close
    )

    value, cache = kl.between_forward(mu, v, two, -v)
    square = 1.75**2 * variance
    np.testing.assert_allclose(
        value, [[(math.expm1(2 * logvar) - 2 * logvar + square) / 2]], **close
    )
    gradients = [g.item() for g in kl.between_backward(one, *cache)]
    expected = [-1.75 * variance, math.expm1(2 * logvar) / 2, 1.75 * variance]
    np.testing.assert_allclose(gradients[:3], expected, **close)
    np.testing.assert_allclose(gradients[3], -expected[1] - square / 2, **close)

    nll, cache = gaussian.forward(mu, v, two)
    error = 1.75**2 / variance
    expected = (error + logvar + math.log(2 * math.pi)) / 2
    np.testing.assert_allclose(nll, [expected], **close)
    dmean, dlogvar = gaussian.backward(np.ones_like(nll), *cache)
    np.testing.assert_allclose(dmean, [[-1.75 / variance]], **close)
    np.testing.assert_allclose(dlogvar, [[(1 - error) / 2]], **close)


def test_a_tiny_sigma_keeps_its_gradient_in_float32():
    # z - mu would cancel to 0 here; the kept s does not.
    mu, logvar = np.ones((1, 1), "float32"), np.full((1, 1), -40, "float32")
    z, cache = reparameterize.forward(mu, logvar, np.ones_like(mu))
    assert z.item() == 1
    _, dlogvar = reparameterize.backward(np.ones_like(mu), *cache)
    np.testing.assert_allclose(dlogvar, math.exp(-20) / 2, rtol=1e-6)


def test_kl_keeps_its_digits_at_a_tiny_logvar_in_float32():
    logvar = np.array([[1e-10, -1e-10, 1e-5, -1e-5, 1e-3]], "float32")
    exact = logvar.astype("float64")
    zero, one = np.zeros_like(logvar), np.ones_like(logvar)
    value, cache = kl.forward(zero, logvar)
    _, dlogvar = kl.backward(one, *cache)
    np.testing.assert_allclose(dlogvar, np.expm1(exact) / 2, rtol=2e-7)
    _, between_cache = kl.between_forward(zero, logvar, zero, zero)
    np.testing.assert_allclose(
        kl.between_backward(one, *between_cache)[1], np.expm1(exact) / 2, rtol=2e-7
    )
    # The value itself is of second order: it is exact to a rounding of logvar, not of 1.
    series = exact**2 / 4 + exact**3 / 12 + exact**4 / 48
    assert (np.abs(value - series) <= np.finfo("float32").eps * np.abs(exact)).all()


@each_dtype
def test_the_far_left_keeps_its_digits(dtype):
    x = np.array([[-20.0, -30.0, -60.0]], dtype)
    exact = np.exp(x.astype("float64"))  # to first order; the next is at most 4.2e-9 of it
    close = {"rtol": max(5e-9, 4 * np.finfo(dtype).eps)}
    for name in ["softplus", "sigmoid"]:
        forward, backward = ACTIVATIONS[name]
        y, cache = forward(x)
        np.testing.assert_allclose(y, exact, **close)
        np.testing.assert_allclose(backward(np.ones_like(x), *cache), exact, **close)
