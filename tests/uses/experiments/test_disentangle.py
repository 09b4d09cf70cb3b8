"""Estimators of the total correlation on posteriors whose exact one is summed in full."""

import numpy as np
import pytest

from minivae.uses.experiments import disentangle


@pytest.fixture(scope="module")
def found():
    """Means over three sets of 200 posteriors, and one of 2,000."""
    several = [disentangle.gaussians(200, seed)[0] for seed in range(3)]
    few = {name: np.mean([record[name] for record in several]) for name in several[0]}
    return few, disentangle.gaussians(2000, 0)[0]


def test_with_200_posteriors_the_weights_on_the_diagonal_come_near(found):
    few, _ = found
    assert 0.3 < few["exact"] < 0.6
    for name in ("even", "stratified"):
        assert few[name] == pytest.approx(few["exact"], abs=0.3)
    assert 0.5 < few["published"] - few["exact"] < 1.2
    # Its bias alone is known: ln 200 for each dimension but one, less what the neighbours give.
    assert 10 < few["weighted"] < 13


def test_with_more_posteriors_a_minibatch_sees_too_little(found):
    few, many = found
    assert 0 < many["exact"] < few["exact"]
    for name in ("even", "stratified"):
        assert many[name] < 0
    assert many["published"] > 1


@pytest.mark.parametrize(("batch", "n_data"), [(2, 9), (4, 10), (16, 200)])
def test_the_published_matrix_is_what_a_stride_of_the_batch_fills(batch, n_data):
    M = batch - 1
    flat = np.full(batch * batch, 1 / M)
    odd = (n_data - M) / (n_data * M)
    flat[:: M + 1], flat[1 :: M + 1] = 1 / n_data, odd
    flat[(M - 1) * batch] = odd
    expected = flat.reshape(batch, batch)
    weights = np.exp(disentangle.weights_of("published", batch, n_data))
    np.testing.assert_allclose(weights, expected, rtol=1e-14)
    if (batch, n_data) == (4, 10):
        assert weights[2].sum() == pytest.approx(17 / 15)  # a density that is too large
