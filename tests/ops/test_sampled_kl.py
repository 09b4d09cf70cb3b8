"""The KL by one sample: its mean is the closed form, and it is 0 where q is p."""

import numpy as np
import pytest

from minivae.ops import kl, log_mixture, sampled_kl
from oracles import standard_normal


def oracle(torch, log_p, logvar, eps):
    sigma = (logvar / 2).exp()
    q = torch.distributions.Normal(torch.zeros_like(sigma), sigma, validate_args=False)
    return q.log_prob(sigma * eps).sum(1) - log_p


@pytest.mark.parametrize("seed", [0, 1])
def test_its_mean_over_the_noise_is_the_closed_form(seed):
    mu, logvar = standard_normal(seed, 2, 1, 3)
    eps = standard_normal(seed + 2, 20_000, 3)
    zero = np.zeros((1, 3))
    log_p, _ = log_mixture.forward(mu + np.exp(logvar / 2) * eps, zero, zero)
    found, _ = sampled_kl.forward(log_p, np.repeat(logvar, len(eps), axis=0), eps)
    error = found.std() / np.sqrt(len(eps))
    assert abs(found.mean() - kl.forward(mu, logvar)[0].sum()) < 4 * error
    assert error < 0.05


def test_where_q_is_p_it_is_zero_at_every_sample():
    (mu, logvar), eps = standard_normal(4, 2, 1, 3), standard_normal(5, 50, 3)
    log_p, _ = log_mixture.forward(mu + np.exp(logvar / 2) * eps, mu, logvar)
    found, _ = sampled_kl.forward(log_p, np.repeat(logvar, 50, axis=0), eps)
    np.testing.assert_allclose(found, 0, atol=1e-13)
