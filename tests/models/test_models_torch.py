"""PyTorch as the oracle: the whole VAE's loss and gradients, the optimizers, clipping.

The same weights, data and noise go into a VAE written with PyTorch's own operations and
distributions; its gradients come from automatic differentiation. All in float64.
"""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae.engine.params import Params
from minivae.models import GAN, VAE, Autoencoder
from minivae.ops import LIKELIHOODS
from minivae.train.optim.adam import Adam, AdamW
from minivae.train.optim.momentum import Momentum
from minivae.train.optim.sgd import SGD
from oracles import oracle_of

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.oracle, pytest.mark.usefixtures("each_backend")]

F = torch.nn.functional
Normal = torch.distributions.Normal

PIXELS, LATENT, BATCH, LEVELS = 11, 3, 5, 4
RANGE = (-0.45, 0.4)
OPTIONS = {"gaussian": {"sigma": 0.6}, "categorical": {"levels": LEVELS}}
each_likelihood = pytest.mark.parametrize("likelihood", LIKELIHOODS)
each_depth = pytest.mark.parametrize("hidden", [(), (13, 7)], ids=str)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def make(likelihood="bernoulli", hidden=(13, 7), *, kind=VAE, **options):
    """A model with random weights and biases, and data for it."""
    rng = np.random.default_rng(7)
    if kind is VAE:
        options = {"logvar_range": RANGE} | options
    model = kind(
        PIXELS,
        hidden,
        LATENT,
        likelihood=likelihood,
        likelihood_options=OPTIONS.get(likelihood),
        rng=rng,
        dtype="float64",
        **options,
    )
    model.params.theta[...] = there(0.5 * rng.standard_normal(model.params.theta.size))
    pixels = rng.random((BATCH, PIXELS))
    if likelihood == "bernoulli":
        pixels = np.round(pixels)
    x = model.prepare(pixels)
    if kind is VAE:
        # Each dimension of logvar gets the mean 0 and the spread 0.5, so that RANGE cuts some off.
        model.encode(x)
        raw, *_ = model.encoder.clamp.saved()
        latent = raw.shape[1]
        W, b = model.encoder.heads.params["W"][:, latent:], model.encoder.heads.params["b"][latent:]
        W *= 0.5 / raw.std(axis=0)
        b[...] = 0.5 * (b - raw.mean(axis=0)) / raw.std(axis=0)
    return model, x


class Twin:
    """The same model in PyTorch, with copies of a model's weights."""

    def __init__(self, model):
        self.kind = model.likelihood.name
        self.activation = {"relu": torch.relu, "tanh": torch.tanh}[model.activation]
        self.free_bits = getattr(model, "free_bits", 0.0)
        self.weights = {
            name: torch.tensor(here(model.params[name]), requires_grad=True)
            for name in model.params
        }

    def linear(self, name, h):
        return F.linear(h, self.weights[f"{name}.W"].T, self.weights[f"{name}.b"])

    def mlp(self, prefix, h, *, activated):
        """Linear layers `prefix`.0, .1, ..., with activations between (and after) them."""
        names = [name[:-2] for name in self.weights if name.startswith(prefix) and name[-1] == "W"]
        for name in names:
            h = self.linear(name, h)
            if activated or name != names[-1]:
                h = self.activation(h)
        return h

    def nll(self, z, x):
        out = self.mlp("decoder.", z, activated=False)
        if self.kind == "categorical":
            split = (*x.shape[:-1], PIXELS, LEVELS)
            log_p = F.log_softmax(out.reshape(split), dim=-1)
            return -(x.reshape(split) * log_p).sum((-2, -1))
        if self.kind == "gaussian_shared":
            p = Normal(out, self.weights["likelihood.logvar"].exp().sqrt())
            return -p.log_prob(x).sum(-1)
        if self.kind == "gaussian_learned":
            mean, logvar = out.chunk(2, dim=-1)
            return -Normal(mean, logvar.exp().sqrt()).log_prob(x).sum(-1)
        return oracle_of(self.kind)(torch, out, x, **OPTIONS.get(self.kind, {}))

    def posterior(self, x):
        h = self.mlp("encoder.trunk.", x, activated=True)
        mu, logvar = self.linear("encoder.heads", h).chunk(2, dim=-1)
        return Normal(mu, torch.clamp(logvar, *RANGE).exp().sqrt())

    def elbo_loss(self, x, eps, beta):
        q = self.posterior(x)
        prior = Normal(torch.zeros_like(q.mean), torch.ones_like(q.mean))
        kl = torch.distributions.kl_divergence(q, prior).mean(0)
        self.open = int((kl > self.free_bits).sum())
        z = q.mean + q.stddev * eps
        return self.nll(z, x).mean() + beta * torch.clamp(kl, min=self.free_bits).sum()

    def importance_weighted_loss(self, x, eps):
        q = self.posterior(x)
        q = Normal(q.mean[:, None], q.stddev[:, None])
        z = q.mean + q.stddev * eps
        prior = Normal(torch.zeros_like(z), torch.ones_like(z))
        x = x[:, None].expand(-1, eps.shape[1], -1)
        w = -self.nll(z, x) + prior.log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
        return -(torch.logsumexp(w, dim=1) - np.log(eps.shape[1])).mean()

    def autoencoder_loss(self, x):
        return self.nll(self.mlp("encoder.", x, activated=False), x).mean()


def assert_same(model, terms, twin, loss):
    loss.backward()
    assert float(terms.loss) == pytest.approx(loss.item(), rel=1e-10)
    for name, weight in twin.weights.items():
        expected = weight.grad.numpy()
        scale = np.abs(expected).max()
        assert scale > 1e-6, name
        assert_allclose(
            model.params.grad_of(name), expected, rtol=0, atol=1e-10 * scale, err_msg=name
        )


@each_depth
@each_likelihood
def test_elbo_with_beta_and_free_bits(likelihood, hidden):
    model, x = make(likelihood, hidden, free_bits=0.35)
    noise = model.draw_noise(np.random.default_rng(1), BATCH)
    # Free bits between the KLs of the dimensions, so that some are gated and some are not.
    kl = np.sort(here(model.forward(x, noise).kl).mean(axis=0))
    model.free_bits = model.objective.free_bits = float(kl[:2].mean())
    terms = model.step(x, noise, beta=1.7)
    twin = Twin(model)
    loss = twin.elbo_loss(torch.tensor(here(x)), torch.tensor(here(noise)), 1.7)
    assert twin.open == LATENT - 1
    assert_same(model, terms, twin, loss)


@each_depth
@each_likelihood
@pytest.mark.parametrize("samples", [1, 4])
def test_importance_weighted(likelihood, hidden, samples):
    model, x = make(likelihood, hidden, samples=samples)
    noise = model.draw_noise(np.random.default_rng(2), BATCH)
    terms = model.step(x, noise)
    twin = Twin(model)
    loss = twin.importance_weighted_loss(torch.tensor(here(x)), torch.tensor(here(noise)))
    assert_same(model, terms, twin, loss)


@each_depth
@each_likelihood
def test_autoencoder(likelihood, hidden):
    model, x = make(likelihood, hidden, kind=Autoencoder)
    terms = model.step(x, None)
    twin = Twin(model)
    assert_same(model, terms, twin, twin.autoencoder_loss(torch.tensor(here(x))))


@each_depth
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_both_players_of_a_gan(likelihood, hidden):
    rng = np.random.default_rng(7)
    options = {"likelihood": likelihood, "label_smoothing": 0.15, "dtype": "float64"}
    model = GAN(PIXELS, hidden, LATENT, rng=rng, **options)
    model.params.theta[...] = there(0.5 * rng.standard_normal(model.params.theta.size))
    x, z = model.prepare(rng.random((BATCH, PIXELS))), model.draw_noise(rng, BATCH)
    contest = model.step(x, z)

    twin = Twin(model)
    fake = twin.mlp("generator.", torch.tensor(here(z)), activated=False)
    fake = torch.sigmoid(fake) if likelihood == "bernoulli" else fake

    def loss(data, label):
        logits = twin.mlp("discriminator.", data, activated=False)
        return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))

    d_loss = loss(torch.tensor(here(x)), 1 - 0.15) + loss(fake.detach(), 0.0)
    g_loss = loss(fake, 1.0)
    assert float(contest.d_loss.mean()) == pytest.approx(d_loss.item(), rel=1e-10)
    assert float(contest.g_loss.mean()) == pytest.approx(g_loss.item(), rel=1e-10)
    for player, theirs in (("discriminator", d_loss), ("generator", g_loss)):
        weights = {n: w for n, w in twin.weights.items() if n.startswith(player)}
        expected = torch.autograd.grad(theirs, list(weights.values()), retain_graph=True)
        for name, gradient in zip(weights, expected, strict=True):
            scale = float(gradient.abs().max())
            assert scale > 1e-6, name
            assert_allclose(
                model.params.grad_of(name), gradient, rtol=0, atol=1e-10 * scale, err_msg=name
            )


OPTIMIZERS = {
    "sgd": (SGD(0.02), lambda weights: torch.optim.SGD(weights, lr=0.02)),
    "momentum": (
        Momentum(0.02, rho=0.8),
        lambda weights: torch.optim.SGD(weights, lr=0.02, momentum=0.8),
    ),
    "adam": (
        Adam(0.01, beta1=0.8, beta2=0.95, eps=1e-6),
        lambda weights: torch.optim.Adam(weights, lr=0.01, betas=(0.8, 0.95), eps=1e-6),
    ),
    "adamw": (
        AdamW(0.01, weight_decay=0.3),
        lambda weights: torch.optim.AdamW(weights, lr=0.01, weight_decay=0.3),
    ),
}


def clip(weights, limit):
    """PyTorch's clipping, without the 1e-6 that it adds to the norm; whether it clipped."""
    norm = torch.nn.utils.clip_grad_norm_(weights, limit)
    if norm <= limit:
        return False
    for weight in weights:
        weight.grad *= (norm + 1e-6) / norm
    return True


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_twenty_steps_of_training(name, clip_norm):
    optimizer, build = OPTIMIZERS[name]
    optimizer = type(optimizer)(
        **{k: v for k, v in optimizer.config.items() if k != "kind"} | {"clip_norm": clip_norm}
    )
    model, x = make(activation="tanh")
    twin = Twin(model)
    start = here(model.params.theta).copy()
    theirs = build(list(twin.weights.values()))
    rng = np.random.default_rng(3)
    clipped = 0
    for _ in range(20):
        noise = model.draw_noise(rng, BATCH)
        model.step(x, noise)
        optimizer.step(model.params)

        theirs.zero_grad()
        twin.elbo_loss(torch.tensor(here(x)), torch.tensor(here(noise)), 1.0).backward()
        if clip_norm is not None:
            clipped += clip(list(twin.weights.values()), clip_norm)
        theirs.step()
    assert clip_norm is None or clipped > 0
    assert np.abs(here(model.params.theta) - start).max() > 0.02
    for weight_name, weight in twin.weights.items():
        assert_allclose(model.params[weight_name], weight.detach().numpy(), rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_clipping_alone(limit):
    rng = np.random.default_rng(4)
    params = Params({"W": (5, 7), "b": (7,)}, "float64")
    params.grad[...] = there(rng.standard_normal(params.grad.size))
    weights = [torch.zeros(5, 7, dtype=torch.float64), torch.zeros(7, dtype=torch.float64)]
    for weight, name in zip(weights, params, strict=True):
        weight.grad = torch.tensor(here(params.grad_of(name)))
    assert clip(weights, limit) == (limit == 0.5)
    SGD(1.0, clip_norm=limit).step(params)
    for weight, name in zip(weights, params, strict=True):
        assert_allclose(params.grad_of(name), weight.grad.numpy(), rtol=1e-12)
