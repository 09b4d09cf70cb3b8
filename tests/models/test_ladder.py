"""A ladder VAE: one layer is the VAE, the merge's two ends, a linear ladder in closed form."""

import math

import numpy as np
import pytest
from scipy import stats

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import OptionError, StateError
from minivae.models import MODELS, VAE

LadderVAE = MODELS["ladder"]
pytestmark = pytest.mark.usefixtures("each_backend")


def make(cls=LadderVAE, shaken=True, **options):
    rng = np.random.default_rng(0)
    sizes = {"n_pixels": 7, "hidden": (5,), "latent": 3, "activation": "tanh", "dtype": "float64"}
    sizes |= {} if cls is VAE else {"above": (2,), "rung": 4}
    model = cls(**{**sizes, **options}, rng=rng)
    theta = here(model.params.theta)
    noise = np.random.default_rng(1).standard_normal(theta.shape)
    model.params.load(theta + 0.4 * noise * shaken)
    return model


def data(n=5):
    return there((np.random.default_rng(2).random((n, 7)) < 0.5).astype("float64"))


def normal(*shape):
    return there(np.random.default_rng(3).standard_normal(shape))


# ---- the limits ----


@pytest.mark.parametrize("options", [{}, {"free_bits": 0.3}, {"likelihood": "gaussian"}], ids=str)
def test_one_layer_is_the_vae_bit_for_bit(options):
    ours, plain = make(above=(), **options), make(VAE, **options)
    for name in plain.params:
        own = name.replace("encoder.heads", "encoder.heads.0.heads")
        ours.params[own][...] = plain.params[name]
    x, eps = data(), normal(5, 3)
    terms, expected = ours.step(x, eps, 0.7), plain.step(x, eps, 0.7)
    assert_array_equal(terms.loss, expected.loss)
    assert_array_equal(terms.nll, expected.nll)
    assert_array_equal(terms.kl, here(expected.kl).sum(axis=1))
    for name in plain.params:
        own = name.replace("encoder.heads", "encoder.heads.0.heads")
        assert_array_equal(ours.params.grad_of(own), plain.params.grad_of(name))
    assert set(ours.terms) == {"nll", "kl", "kl_1"}
    rng = np.random.default_rng
    assert_array_equal(ours.sample(3, rng(4)), plain.sample(3, rng(4)))
    assert_allclose(ours.reconstruct(x), plain.reconstruct(x), rtol=0, atol=0)


def test_where_the_datum_says_nothing_the_posterior_is_the_prior_and_costs_nothing():
    model, x, eps = make(logvar_range=(-30.0, 60.0)), data(), normal(5, 5)
    heads = model.encoder.heads[0].heads.params
    heads["W"][:, 3:], heads["b"][3:] = 0, 50  # the lower layer's log-variance
    terms = model.forward(x, eps)
    assert_allclose(terms.kl_1, 0, rtol=0, atol=1e-12)
    assert (here(terms.kl_2) > 0.01).all()


def test_where_the_prior_says_nothing_the_posterior_is_what_comes_from_below():
    model, x, eps = make(logvar_range=(-30.0, 60.0)), data(), normal(5, 5)
    net = model.priors.nets[0].heads.params
    net["W"][:, 3:], net["b"][3:] = 0, 50
    seen = model.encoder.forward(x)
    (_, posterior, _), _ = model._down(seen, eps)
    for have, want in zip(posterior, seen[0], strict=True):
        assert_allclose(have, want, rtol=0, atol=1e-12)


def test_the_mean_of_the_log_ratio_is_the_sum_of_the_kls():
    """Each layer's closed form against the density of the samples, over many of them."""
    model, x, rng = make(above=(2, 2)), data(2), np.random.default_rng(5)
    K = 6000
    eps = there(rng.standard_normal((2, K, 7)))
    rows = there(np.repeat(here(x), K, axis=0))
    terms = model.forward(rows, there(here(eps).reshape(2 * K, 7)))
    weights, nll = here(model.log_weights(x, eps)), here(terms.nll).reshape(2, K)
    difference = -(weights + nll) - here(terms.kl).reshape(2, K)
    error = difference.std(axis=1) / math.sqrt(K)
    assert (np.abs(difference.mean(axis=1)) < 4 * error).all()
    assert_allclose(terms.kl, sum(here(getattr(terms, f"kl_{i}")) for i in (1, 2, 3)), atol=1e-12)
    for i in (1, 2, 3):
        assert here(getattr(terms, f"kl_{i}")).min() >= 0


# ---- a linear ladder has a closed form ----


def linear_ladder():
    """p(z_2) = N(0, I), z_1 = z_2 W_2 + c + s_2 noise, x = z_1 W_1 + b + s_1 noise.

    The rungs' hidden units stay where a ReLU is a line, 100 above its kink.
    """
    rng, D, Z_1, Z_2, s_1, s_2 = np.random.default_rng(6), 4, 3, 2, 1.2, 0.5
    model = make(
        n_pixels=D,
        hidden=(),
        latent=Z_1,
        above=(Z_2,),
        rung=Z_2,
        activation="relu",
        likelihood="gaussian_shared",
        shaken=False,
    )
    W_1, b = rng.standard_normal((Z_1, D)), rng.standard_normal(D)
    W_2, c = rng.standard_normal((Z_2, Z_1)), rng.standard_normal(Z_1)
    model.decoder[0].params["W"][...], model.decoder[0].params["b"][...] = there(W_1), there(b)
    model.likelihood.params["logvar"][...] = 2 * math.log(s_1)
    net = model.priors.nets[0]
    net.trunk[0].params["W"][...], net.trunk[0].params["b"][...] = there(np.eye(Z_2)), 100
    net.heads.params["W"][...] = there(np.hstack([W_2, np.zeros((Z_2, Z_1))]))
    shift = np.full(Z_1, 2 * math.log(s_2))
    net.heads.params["b"][...] = there(np.concatenate([c - 100 * W_2.sum(axis=0), shift]))
    of_z_1 = W_2.T @ W_2 + s_2**2 * np.eye(Z_1)
    covariance = W_1.T @ of_z_1 @ W_1 + s_1**2 * np.eye(D)
    return model, stats.multivariate_normal(c @ W_1 + b, covariance), s_1


def test_the_likelihood_of_a_linear_ladder_is_the_closed_form():
    model, marginal, _ = linear_ladder()
    for heads, logvar in zip(model.encoder.heads, (2.0, 0.3), strict=True):  # wide, around 0
        heads.params["heads.W"][...] = 0
        heads.params["heads.b"][...] = there(np.repeat([0, logvar], heads.latent))
    x = marginal.rvs(3, random_state=7)
    eps = there(np.random.default_rng(8).standard_normal((3, 60_000, 5)))
    w = here(model.log_weights(there(x), eps)) - marginal.logpdf(x)[:, None]
    ratio = np.exp(w)
    error = ratio.std(axis=1) / math.sqrt(ratio.shape[1])
    assert (error < 0.1).all()
    assert (np.abs(ratio.mean(axis=1) - 1) < 4 * error).all()


def test_samples_come_down_the_ladder():
    """Their mean and covariance are those of the closed form, without the likelihood's noise."""
    model, marginal, s_1 = linear_ladder()
    x = here(model.sample(20_000, np.random.default_rng(9)))
    np.testing.assert_allclose(x.mean(axis=0), marginal.mean, atol=0.1)
    expected = marginal.cov - s_1**2 * np.eye(4)
    np.testing.assert_allclose(np.cov(x.T), expected, atol=0.05 * np.abs(expected).max())


# ---- a step in PyTorch ----


@pytest.mark.oracle
def test_a_step_is_pytorchs():
    torch = pytest.importorskip("torch")
    beta, free = 0.6, 0.2
    model, x, eps = make(free_bits=free), data(), normal(5, 5)
    terms = model.step(x, eps, beta)
    p = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    x, eps = torch.tensor(here(x)), torch.tensor(here(eps))

    def linear(name, h):
        return h @ p[f"{name}.W"] + p[f"{name}.b"]

    def gaussian(name, h):
        mu, logvar = linear(name, h).chunk(2, 1)
        return torch.distributions.Normal(mu, (logvar / 2).exp())

    h_1 = torch.tanh(linear("encoder.trunk.0", x))
    h_2 = torch.tanh(linear("encoder.up.0", h_1))
    q_2 = gaussian("encoder.heads.1.heads", h_2)
    z_2 = q_2.mean + q_2.stddev * eps[:, 3:]
    p_1 = gaussian("priors.nets.0.heads", torch.tanh(linear("priors.nets.0.trunk.0", z_2)))
    seen = gaussian("encoder.heads.0.heads", h_1)
    precision = 1 / seen.variance + 1 / p_1.variance
    mean = (seen.mean / seen.variance + p_1.mean / p_1.variance) / precision
    q_1 = torch.distributions.Normal(mean, precision**-0.5)
    z_1 = q_1.mean + q_1.stddev * eps[:, :3]
    divergence = torch.distributions.kl_divergence
    kl_1 = divergence(q_1, p_1)
    kl_2 = divergence(q_2, torch.distributions.Normal(torch.zeros_like(z_2), 1.0))
    logits = linear("decoder.1", torch.tanh(linear("decoder.0", z_1)))
    nll = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    kl = torch.cat([kl_1, kl_2], 1).mean(0)
    assert (kl < free).any()
    assert (kl > free).any()
    loss = nll.mean() + beta * torch.clamp(kl, min=free).sum()
    loss.backward()
    assert float(terms.loss) == pytest.approx(loss.item(), abs=1e-12)
    assert_allclose(terms.kl_1, kl_1.sum(1).detach().numpy(), rtol=0, atol=1e-12)
    assert_allclose(terms.kl_2, kl_2.sum(1).detach().numpy(), rtol=0, atol=1e-12)
    for name in model.params:
        assert_allclose(model.params.grad_of(name), p[name].grad.numpy(), rtol=0, atol=1e-12)


# ---- what it refuses ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"above": (5, 4, 3, 2, 1)}, ("above=(5, 4, 3, 2, 1)", "5 layers at most")),
        ({"above": (0,)}, ("above=(0,)", "at least 1")),
        ({"rung": 0}, ("rung", "at least 1")),
        ({"samples": 3}, ("samples",)),
        ({"free_bits": -1}, ("free_bits",)),
    ],
)
def test_what_it_does_not_take_is_one_sentence(refuses, options, words):
    with refuses(OptionError, *words):
        make(**options)


def test_a_backward_pass_without_a_forward_pass_is_refused(refuses):
    with refuses(StateError, "before forward"):
        make().backward()
