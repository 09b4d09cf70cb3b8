"""A beta-TC-VAE: at weight 1 the VAE, at full batch exact, and a step in PyTorch."""

import math

import numpy as np
import pytest
from scipy import special, stats

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.cli.main import main
from minivae.errors import OptionError, StateError
from minivae.models import MODELS, VAE
from minivae.train.evaluate import evaluate
from minivae.train.runs import open_run

TCVAE = MODELS["tcvae"]
pytestmark = pytest.mark.usefixtures("each_backend")


def make(cls=TCVAE, **options):
    rng = np.random.default_rng(0)
    sizes = {"n_pixels": 7, "hidden": (5,), "latent": 3, "activation": "tanh", "dtype": "float64"}
    model = cls(**{**sizes, **options}, rng=rng)
    theta = here(model.params.theta)
    model.params.load(theta + 0.4 * np.random.default_rng(1).standard_normal(theta.shape))
    return model


def data(n=5):
    return there(np.random.default_rng(2).random((n, 7)))


def normal(*shape):
    return there(np.random.default_rng(3).standard_normal(shape))


@pytest.mark.parametrize("beta", [1.0, 0.4])
def test_at_weight_one_it_is_the_vae_bit_for_bit(beta):
    ours, plain, x, eps = make(tc=1, population=50), make(VAE), data(), normal(5, 3)
    terms, expected = ours.step(x, eps, beta), plain.step(x, eps, beta)
    for name in ("loss", "nll", "kl", "bound"):
        assert_array_equal(getattr(terms, name), getattr(expected, name))
    assert_array_equal(ours.params.grad, plain.params.grad)


@pytest.mark.parametrize("tc", [0.0, 6.0])
def test_at_another_weight_the_bound_is_that_of_the_vae_and_the_loss_is_not(tc):
    ours, plain, x, eps = make(tc=tc, population=50), make(VAE), data(), normal(5, 3)
    terms, expected = ours.forward(x, eps), plain.forward(x, eps)
    assert_array_equal(terms.bound, expected.bound)
    extra = (tc - 1) * here(terms.total_correlation).mean()
    assert abs(extra) > 1e-3
    assert float(terms.loss) == pytest.approx(float(expected.loss) + extra, abs=1e-12)
    rng = np.random.default_rng
    found = evaluate(ours, here(x), rng=rng(4))
    assert found["elbo"] == evaluate(plain, here(x), rng=rng(4))["elbo"]
    assert ours.held_out_loss(found) == pytest.approx(-found["elbo"], abs=1e-13)


def test_of_a_batch_that_is_the_data_set_the_total_correlation_is_the_full_sum():
    N = 30
    model, x, eps = make(population=N), data(N), normal(N, 3)
    mu, logvar = (here(array) for array in model.encode(x))
    z = mu + np.exp(logvar / 2) * here(eps)
    L = stats.norm(mu, np.exp(logvar / 2)).logpdf(z[:, None])
    together = special.logsumexp(L.sum(axis=2), axis=1) - math.log(N)
    apart = (special.logsumexp(L, axis=1) - math.log(N)).sum(axis=1)
    assert_allclose(model.forward(x, eps).total_correlation, together - apart, rtol=0, atol=1e-11)


@pytest.mark.oracle
def test_a_step_is_pytorchs():
    torch = pytest.importorskip("torch")
    N, B, beta = 50, 5, 0.7
    model, x, eps = make(tc=4, population=N), data(B), normal(B, 3)
    terms = model.step(x, eps, beta)
    p = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    x, eps = torch.tensor(here(x)), torch.tensor(here(eps))

    def linear(name, h):
        return h @ p[f"{name}.W"] + p[f"{name}.b"]

    h = torch.tanh(linear("encoder.trunk.0", x))
    mu, logvar = linear("encoder.heads", h).chunk(2, 1)
    q = torch.distributions.Normal(mu, (logvar / 2).exp())
    z = mu + (logvar / 2).exp() * eps
    prior = torch.distributions.Normal(torch.zeros_like(mu), 1.0)
    kl = torch.distributions.kl_divergence(q, prior).sum(1)
    L = q.log_prob(z[:, None])
    weights = torch.full((B, B), (N - 1) / N / (B - 1), dtype=mu.dtype)
    weights = (weights - torch.diag(torch.diag(weights)) + torch.eye(B, dtype=mu.dtype) / N).log()
    apart = (L + weights[:, :, None]).logsumexp(1).sum(1)
    total_correlation = (L.sum(2) + weights).logsumexp(1) - apart
    logits = linear("decoder.1", torch.tanh(linear("decoder.0", z)))
    nll = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    (nll.mean() + beta * (kl.mean() + 3 * total_correlation.mean())).backward()
    assert_allclose(terms.total_correlation, total_correlation.detach().numpy(), atol=1e-12)
    for name in model.params:
        assert_allclose(model.params.grad_of(name), p[name].grad.numpy(), rtol=0, atol=1e-12)


def test_the_command_tells_it_how_many_data_there_are(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = (
        "train digits8 --model tcvae --hidden 8 --latent 2 --limit 90 --epochs 1 --tc 3 --out run"
    )
    assert main(words.split()) == 0
    run = open_run("run").training
    assert run.model.population == 90
    assert {"total_correlation", "val_total_correlation"} <= set(run.history[0])
    capsys.readouterr()
    assert main(["evaluate", "run"]) == 0
    out = capsys.readouterr().out
    assert "Total correlation, estimated" in out
    assert "-nll - KL\n" in out


def test_what_it_does_not_take_is_one_sentence(refuses):
    for options, words in (
        ({"tc": -1}, ("tc=-1", "at least 0")),
        ({"population": 0}, ("population=0", "number of training data")),
        ({"free_bits": 1.0}, ("free_bits",)),
    ):
        with refuses(OptionError, *words):
            make(**options)
    with refuses(StateError, "before forward"):
        make().backward()
