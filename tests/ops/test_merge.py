"""The merge of two Gaussians: their product, its ends, and digits where a variance is tiny."""

import numpy as np
import pytest
from scipy import integrate, stats

from minivae.ops import Merge, merge
from oracles import standard_normal


def oracle(torch, mu_1, logvar_1, mu_2, logvar_2):
    p_1, p_2 = (-logvar_1).exp(), (-logvar_2).exp()
    return (mu_1 * p_1 + mu_2 * p_2) / (p_1 + p_2) * -(p_1 + p_2).log()


def test_it_is_the_product_of_the_two_densities():
    point = (0.7, -0.4, -1.1, 0.9)
    (mu, logvar), _ = merge.forward(*(np.full((1, 1), number) for number in point))
    one, other = (stats.norm(m, np.exp(v / 2)) for m, v in (point[:2], point[2:]))
    moments = [
        integrate.quad(lambda z, k=k: z**k * one.pdf(z) * other.pdf(z), -20, 20, epsabs=1e-14)[0]
        for k in range(3)
    ]
    mean = moments[1] / moments[0]
    assert mu.item() == pytest.approx(mean, rel=1e-9)
    assert np.exp(logvar).item() == pytest.approx(moments[2] / moments[0] - mean**2, rel=1e-8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_surer_one_wins_whatever_the_scale(dtype):
    mu_1, mu_2 = standard_normal(0, 2, 3, 2).astype(dtype)
    sure, unsure = np.full_like(mu_1, -60), np.full_like(mu_1, 60)
    for arguments, expected in (
        ((mu_1, sure, mu_2, unsure), mu_1),
        ((mu_1, unsure, mu_2, sure), mu_2),
    ):
        (mu, logvar), _ = merge.forward(*arguments)
        np.testing.assert_array_equal(mu, expected)
        np.testing.assert_array_equal(logvar, sure)


def test_two_that_agree_are_surer_by_half():
    mu, logvar = standard_normal(1, 2, 3, 2)
    layer = Merge(dtype="float64", backend="numpy")
    merged, surer = layer.forward(mu, logvar, mu, logvar)
    np.testing.assert_allclose(merged, mu, rtol=1e-14)
    np.testing.assert_allclose(surer, logvar - np.log(2), rtol=1e-14)
    *_, dlogvar_2 = layer.backward(mu, np.ones_like(mu))
    np.testing.assert_allclose(dlogvar_2, 0.5, rtol=1e-14)
