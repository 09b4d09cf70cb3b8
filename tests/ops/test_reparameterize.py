"""The sampler against what its samples must be, and against SymPy."""

import math

import numpy as np
import pytest
import sympy as sp

from minivae.ops.reparameterize import backward, forward
from oracles import same, standard_normal, values


def oracle(torch, mu, logvar, eps):
    return torch.addcmul(mu, logvar.exp().sqrt(), eps)


def test_formula():
    mu, logvar, eps = sp.symbols("mu v eps", real=True)
    sample = mu + sp.sqrt(sp.exp(logvar)) * eps
    mus, logvars, noise, dz = standard_normal(1, 4, 4, 5)
    at = {"mu": mus, "v": logvars, "eps": noise}
    value, cache = forward(mus, logvars, noise)
    same(value, values(sample, **at))
    dmu, dlogvar = backward(dz, *cache)
    same(dmu, dz * values(sp.diff(sample, mu), **at))
    same(dlogvar, dz * values(sp.diff(sample, logvar), **at))


def test_samples_have_the_mean_and_the_standard_deviation():
    n, mu, logvar = 100_000, 0.3, -1.6
    z, _ = forward(np.full((n, 1), mu), np.full((n, 1), logvar), standard_normal(2, n, 1))
    sigma = math.sqrt(math.exp(logvar))
    assert abs(z.mean() - mu) < 5 * sigma / math.sqrt(n)
    assert abs(z.std() - sigma) < 5 * sigma / math.sqrt(2 * n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("logvar", [-30.0, 30.0])
def test_logvar_of_thirty(dtype, logvar):
    close = {"rtol": 20 * np.finfo(dtype).eps}
    mu, v = np.array([[0.25]], dtype), np.array([[logvar]], dtype)
    sigma = math.exp(logvar / 2)
    z, cache = forward(mu, v, 2 * np.ones_like(mu))
    np.testing.assert_allclose(z, [[0.25 + 2 * sigma]], **close)
    np.testing.assert_allclose(backward(np.ones_like(mu), *cache), [[[1]], [[sigma]]], **close)


def test_a_tiny_sigma_keeps_its_gradient_in_float32():
    # z - mu would cancel to 0 here; the kept s does not.
    mu, logvar = np.ones((1, 1), "float32"), np.full((1, 1), -40, "float32")
    z, cache = forward(mu, logvar, np.ones_like(mu))
    assert z.item() == 1
    _, dlogvar = backward(np.ones_like(mu), *cache)
    np.testing.assert_allclose(dlogvar, math.exp(-20) / 2, rtol=1e-6)
