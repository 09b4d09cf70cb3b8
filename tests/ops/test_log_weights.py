"""Log-weights against the densities that they are made of."""

import numpy as np
from scipy import stats

from minivae.engine.backend import get_backend
from minivae.errors import ShapeError
from minivae.ops.log_weights import forward
from oracles import standard_normal


def oracle(torch, nll, z, logvar, eps):
    """ln q of mu + sigma eps: the noise's density over the volume that it is spread to.

    With mu = 0; the density at a point that moves along with the mean does not depend on it.
    """
    Normal = torch.distributions.Normal
    sigma = logvar.exp().sqrt()[:, None]
    log_q = Normal(torch.zeros_like(sigma), sigma).log_prob(sigma * eps).sum(-1)
    log_p = Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z).sum(-1)
    return log_p - nll - log_q


def test_value_is_scipys():
    mu, logvar = standard_normal(13, 2, 4, 1, 3)
    eps, nll = standard_normal(14, 4, 5, 3), standard_normal(15, 4, 5)
    z = mu + np.exp(logvar / 2) * eps
    log_ratio = stats.norm.logpdf(z) - stats.norm.logpdf(z, mu, np.exp(logvar / 2))
    value, _ = forward(nll, z, logvar[:, 0], eps)
    np.testing.assert_allclose(value, log_ratio.sum(axis=-1) - nll, rtol=1e-12)


def test_what_does_not_fit_is_refused(refuses):
    nll, z, logvar = np.zeros((2, 3)), np.zeros((2, 3, 4)), np.zeros((2, 4))
    with refuses(ShapeError, "(3, 2)"):
        get_backend("numba").call(forward, nll.T, z, logvar, z)
