"""PyTorch as the oracle: the value and, by its automatic differentiation, the gradients."""

import math

import numpy as np
import pytest

from minivae.ops import CASES

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.oracle

F = torch.nn.functional
Normal = torch.distributions.Normal


def normal(mu, logvar):
    return Normal(mu, logvar.exp().sqrt(), validate_args=False)


def standard_normal(like):
    return Normal(torch.zeros_like(like), torch.ones_like(like))


def log_q_of_sample(logvar, eps):
    """ln q of mu + sigma eps for each sample: the noise's density over the volume it is spread to.

    With mu = 0; the density at a point that moves along with the mean does not depend on it.
    """
    sigma = logvar.exp().sqrt()[:, None]
    return Normal(torch.zeros_like(sigma), sigma).log_prob(sigma * eps).sum(-1)


ORACLES = {
    "linear": lambda x, W, b: F.linear(x, W.T, b),
    "dense_relu": lambda x, W, b, activation: F.relu(F.linear(x, W.T, b)),
    "dense_tanh": lambda x, W, b, activation: torch.tanh(F.linear(x, W.T, b)),
    "relu": lambda x: F.relu(x),
    "leaky_relu": lambda x, slope: F.leaky_relu(x, negative_slope=slope),
    "tanh": lambda x: torch.tanh(x),
    "sigmoid": lambda x: torch.sigmoid(x),
    "softplus": lambda x: F.softplus(x),
    "silu": lambda x: F.silu(x),
    "gelu": lambda x: F.gelu(x),
    "clamp": lambda x, low, high: torch.clamp(x, low, high),
    "reparameterize": lambda mu, logvar, eps: torch.addcmul(mu, logvar.exp().sqrt(), eps),
    "kl": lambda mu, logvar: torch.distributions.kl_divergence(
        normal(mu, logvar), standard_normal(mu)
    ),
    "kl_between": lambda mu_q, logvar_q, mu_p, logvar_p: torch.distributions.kl_divergence(
        normal(mu_q, logvar_q), normal(mu_p, logvar_p)
    ),
    "bernoulli": lambda logits, x: F.binary_cross_entropy_with_logits(
        logits, x, reduction="none"
    ).sum(-1),
    "gaussian": lambda mean, x, sigma: -Normal(mean, sigma).log_prob(x).sum(-1),
    "gaussian_shared": lambda mean, logvar, x: -normal(mean, logvar).log_prob(x).sum(-1),
    "gaussian_learned": lambda mean, logvar, x: F.gaussian_nll_loss(
        mean, x, logvar.exp(), full=True, eps=0, reduction="none"
    ).sum(-1),
    "categorical": lambda logits, x: F.cross_entropy(
        logits.transpose(1, 2), x.argmax(-1), reduction="none"
    ).sum(-1),
    "log_weights": lambda nll, z, logvar, eps: (
        standard_normal(z).log_prob(z).sum(-1) - nll - log_q_of_sample(logvar, eps)
    ),
    "logmeanexp": lambda w: torch.logsumexp(w, -1) - math.log(w.shape[-1]),
    "fork": lambda x, n: torch.stack([x] * n, 1),
    "split": lambda x, at: torch.cat([x[:, at:], x[:, :at]], 1),
    "dropout": lambda x, mask, keep: torch.where(mask == 1, x / keep, torch.zeros_like(x)),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_every_operation_has_an_oracle():
    assert set(ORACLES) == {case.name for case in CASES}


@pytest.mark.parametrize("sizes", [{}, {"B": 5, "I": 7, "O": 3, "D": 13, "Z": 11, "K": 2, "L": 3}])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_value_and_gradients_are_pytorchs(case, sizes):
    rng = np.random.default_rng(10)
    arguments = case.draw(rng, sizes)
    y, cache = case.forward(**arguments, **case.options)
    dy = rng.standard_normal(y.shape)
    gradients = case.gradients(dy, cache)

    tensors = {
        name: torch.tensor(array, requires_grad=name in case.vary)
        for name, array in arguments.items()
    }
    expected = ORACLES[case.name](**tensors, **case.options)
    expected.backward(torch.tensor(dy))

    assert y.shape == tuple(expected.shape)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    for name in case.vary:
        np.testing.assert_allclose(
            gradients[name], tensors[name].grad.numpy(), rtol=1e-10, atol=1e-12, err_msg=name
        )
