"""The density of a minibatch's codes: weights on the diagonal, and exact for the whole data set.

Its sum with the rest of the KL is the KL for any weights whatever, so no test here looks at sums.
"""

import itertools
import math

import numpy as np
import pytest
from scipy import special, stats

from minivae.errors import OptionError
from minivae.ops import code_density
from minivae.ops.code_density import stratified_log_weights
from oracles import standard_normal


def oracle(torch, z, mu, logvar, log_weights):
    q = torch.distributions.Normal(mu, (logvar / 2).exp(), validate_args=False)
    L = q.log_prob(z[:, None])
    together = (log_weights + L.sum(2)).logsumexp(1)
    return torch.stack([together, (log_weights[:, :, None] + L).logsumexp(1).sum(1)], 1)


def posteriors(seed, N, D):
    mu, logvar, eps = standard_normal(seed, 3, N, D)
    logvar = logvar - 1
    mu[:, 1] += 1.5 * mu[:, 0]  # two dimensions that hang together
    return mu, logvar, mu + np.exp(logvar / 2) * eps


def in_full(z, mu, logvar):
    """ln q(z) and sum of ln q(z_d) over all posteriors, by SciPy."""
    L = stats.norm(mu, np.exp(logvar / 2)).logpdf(z[:, None])
    n = math.log(len(mu))
    return np.stack(
        [
            special.logsumexp(L.sum(axis=2), axis=1) - n,
            (special.logsumexp(L, axis=1) - n).sum(axis=1),
        ],
        axis=1,
    )


def chen(B, N, at):
    """Weights as Chen et al. write them, with the odd one of row n in column at[n]."""
    M, rows = B - 1, np.arange(B)
    weights = np.full((B, B), 1 / M)
    weights[rows, at] = (N - M) / (N * M)
    weights[rows, rows] = 1 / N
    return weights


def test_the_weights_are_the_mean_of_chen_s_over_which_is_the_odd_one():
    B, N, rows = 4, 10, np.arange(4)
    each = [chen(B, N, (rows + shift) % B) for shift in (1, 2, 3)]
    np.testing.assert_allclose(np.exp(stratified_log_weights(B, N)), np.mean(each, 0), rtol=1e-14)
    for batch, n_data in [(2, 2), (2, 9), (16, 200), (5, 5), (1, 7)]:
        weights = np.exp(stratified_log_weights(batch, n_data))
        np.testing.assert_allclose(weights.sum(axis=1), 1)
        if batch > 1:
            np.testing.assert_allclose(np.diag(weights), 1 / n_data)


def test_the_mean_over_all_minibatches_is_the_density_exactly():
    """Of 6 examples, all 10 batches of 3 that hold the first: its density, not its logarithm."""
    mu, logvar, z = posteriors(6, 6, 2)
    weights, found = np.exp(stratified_log_weights(3, 6)[0]), []
    for others in itertools.combinations(range(1, 6), 2):
        rows = [0, *others]
        q = stats.norm(mu[rows], np.exp(logvar[rows] / 2)).pdf(z[0]).prod(axis=1)
        found.append(weights @ q)
    assert np.mean(found) == pytest.approx(np.exp(in_full(z[:1], mu, logvar)[0, 0]), rel=1e-12)


def test_of_the_whole_data_set_both_are_exact():
    mu, logvar, z = posteriors(0, 30, 3)
    weights = stratified_log_weights(30, 30)
    np.testing.assert_allclose(weights, -math.log(30))
    y, _ = code_density.forward(z, mu, logvar, weights)
    np.testing.assert_allclose(y, in_full(z, mu, logvar), rtol=1e-12)


def test_means_on_a_grid_with_one_variance_have_no_total_correlation():
    axis = np.linspace(-2, 2, 5)
    mu = np.stack(np.meshgrid(axis, axis, axis), -1).reshape(-1, 3)
    logvar = np.full_like(mu, -1.3)
    z = mu + np.exp(-0.65) * standard_normal(1, *mu.shape)
    y, _ = code_density.forward(z, mu, logvar, stratified_log_weights(125, 125))
    np.testing.assert_allclose(y[:, 0], y[:, 1], rtol=0, atol=1e-12)


def test_with_tiny_variances_it_is_that_of_the_correlated_gaussian_of_the_means():
    """TC -> -1/2 ln det corr, as N grows; here with posteriors of a tenth of the spread."""
    rng, N, rho, v = np.random.default_rng(2), 3000, 0.8, 0.01
    mu = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], N)
    logvar = np.full_like(mu, math.log(v))
    z = mu + math.sqrt(v) * rng.standard_normal(mu.shape)
    y, _ = code_density.forward(z, mu, logvar, stratified_log_weights(N, N))
    total_correlation = (y[:, 0] - y[:, 1]).mean()
    whole = np.array([[1 + v, rho], [rho, 1 + v]])
    expected = -0.5 * math.log(np.linalg.det(whole) / (1 + v) ** 2)
    assert total_correlation == pytest.approx(expected, abs=0.06)


def test_the_weights_on_the_diagonal_are_nearer_to_the_truth_than_the_published_ones():
    """Batches of 16 of 200: the mean of many, beside the full sum over all 200."""
    N, B, rng = 200, 16, np.random.default_rng(3)
    mu, logvar, _ = posteriors(4, N, 3)
    ours = stratified_log_weights(B, N)
    published = np.full((B, B), 1 / (B - 1))
    published.reshape(-1)[::B] = 1 / N  # a stride of B: the first column
    published.reshape(-1)[1::B] = (N - B + 1) / (N * (B - 1))
    published[B - 2, 0] = (N - B + 1) / (N * (B - 1))
    found, exact = {"ours": [], "published": []}, []
    for _ in range(200):
        rows = rng.choice(N, B, replace=False)
        z = mu[rows] + np.exp(logvar[rows] / 2) * rng.standard_normal((B, 3))
        exact.append(in_full(z, mu, logvar) @ [1, -1])
        for name, weights in (("ours", ours), ("published", np.log(published))):
            y, _ = code_density.forward(z, mu[rows], logvar[rows], weights)
            found[name].append(y @ [1, -1])
    truth = np.mean(exact)
    ours, published = (np.mean(each) for each in found.values())
    assert truth > 0.2
    assert abs(ours - truth) < 0.25
    assert published - truth > 0.2


def test_a_batch_larger_than_the_data_is_refused(refuses):
    with refuses(OptionError, "batch of 9", "8 examples"):
        stratified_log_weights(9, 8)
