"""A VAE with a VampPrior: one pseudo-input, the same one twice, all of the data, and samples."""

import math

import numpy as np
import pytest
from scipy import special, stats

from arrays import assert_allclose, here, there
from minivae.errors import OptionError, StateError
from minivae.models import MODELS
from minivae.ops import kl_between
from minivae.train.evaluate import evaluate, log_likelihood

VampVAE = MODELS["vamp"]
pytestmark = pytest.mark.usefixtures("each_backend")


def make(seed=0, **options):
    rng = np.random.default_rng(seed)
    sizes = {"n_pixels": 7, "hidden": (5,), "latent": 3, "activation": "tanh", "dtype": "float64"}
    model = VampVAE(**{**sizes, "pseudo_inputs": 4, **options}, rng=rng)
    theta = here(model.params.theta)
    model.params.load(theta + 0.4 * np.random.default_rng(seed + 1).standard_normal(theta.shape))
    return model


def data(n=5, D=7):
    return there(np.random.default_rng(2).random((n, D)))


def normal(*shape):
    return there(np.random.default_rng(3).standard_normal(shape))


def set_pseudo(model, u):
    """Make these (K, D) the pseudo-inputs."""
    model.encoder.pseudo.params["a"][...] = there(special.logit(here(u)))


def heads_of(model, x):
    return (here(array) for array in model.encode(x))


# ---- the limits ----


def test_with_one_pseudo_input_the_mean_kl_is_that_of_two_gaussians():
    model, x, rng = make(pseudo_inputs=1), data(), np.random.default_rng(4)
    (mu, logvar), (mu_p, logvar_p) = (
        heads_of(model, x),
        heads_of(model, model.encoder.pseudo_inputs()),
    )
    tiled = [np.tile(a, (5, 1)) for a in (mu_p, logvar_p)]
    expected = kl_between.between_forward(mu, logvar, *tiled)[0].sum(axis=1)
    kl = np.array(
        [here(model.forward(x, there(rng.standard_normal((5, 3)))).kl) for _ in range(3000)]
    )
    error = kl.std(axis=0) / math.sqrt(len(kl))
    assert (np.abs(kl.mean(axis=0) - expected) < 4 * error).all()
    assert (error < 0.1 * expected).all()


def test_of_the_one_pseudo_input_itself_the_kl_is_zero_whatever_is_drawn():
    model, x = make(pseudo_inputs=1), data(1)
    set_pseudo(model, x)
    for seed in range(3):
        eps = np.random.default_rng(seed).standard_normal((1, 3))
        assert_allclose(model.forward(x, there(eps)).kl, 0, rtol=0, atol=1e-12)


def test_the_same_pseudo_inputs_twice_change_nothing():
    once, twice, x, eps = make(), make(pseudo_inputs=8), data(), normal(5, 3)
    for name in once.params:
        values = here(once.params[name])
        twice.params[name][...] = there(np.tile(values, (2, 1)) if name.endswith(".a") else values)
    assert_allclose(twice.step(x, eps).kl, once.step(x, eps).kl, rtol=0, atol=1e-12)
    for name in once.params:
        have, want = (here(model.params.grad_of(name)) for model in (twice, once))
        have = have[:4] + have[4:] if name.endswith(".a") else have
        assert_allclose(have, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("seed", [0, 1])
def test_with_the_training_set_as_pseudo_inputs_the_mean_kl_is_the_mutual_information(seed):
    """I(x; z) = mean of ln q(z | x_n) - ln (1/N sum of q(z | x_m)), summed in full by SciPy."""
    N = 40
    model, x = make(seed, pseudo_inputs=N), data(N)
    set_pseudo(model, x)
    rng, found, expected = np.random.default_rng(5), [], []
    mu, logvar = heads_of(model, x)
    for _ in range(20):
        eps = rng.standard_normal((N, 3))
        found.append(here(model.forward(x, there(eps)).kl))
        z = mu + np.exp(logvar / 2) * eps
        each = stats.norm(mu, np.exp(logvar / 2)).logpdf(z[:, None]).sum(axis=2)
        expected.append(np.diag(each) - special.logsumexp(each, axis=1) + math.log(N))
    assert_allclose(found, expected, rtol=0, atol=1e-10)
    information, error = np.mean(expected), np.std(expected) / math.sqrt(20 * N)
    assert 0.05 < information < math.log(N) + 4 * error


def test_no_prior_of_the_family_is_better_than_the_data_s_own():
    """With other pseudo-inputs, as many, the mean KL is higher: the mean posterior is the best."""
    N = 40
    model, x, rng = make(pseudo_inputs=N), data(N), np.random.default_rng(6)
    eps = [there(rng.standard_normal((N, 3))) for _ in range(200)]
    means = []
    for u in (here(x), here(x)[rng.permutation(N)] ** 0.3, here(x)[:1].repeat(N, axis=0)):
        set_pseudo(model, u)
        means.append(np.mean([here(model.forward(x, noise).kl).mean() for noise in eps]))
    assert means[0] < means[1] - 0.01
    assert means[0] < means[2] - 0.01


# ---- samples ----


def test_samples_come_from_this_prior():
    """Mean and covariance of the mixture, which N(0, I) has not."""
    model, n = make(), 20_000
    mu, logvar = heads_of(model, model.encoder.pseudo_inputs())
    z = here(model.draw_latents(n, np.random.default_rng(7)))
    mean = mu.mean(axis=0)
    spread = np.exp(logvar).mean(axis=0) + (mu**2).mean(axis=0) - mean**2
    assert (np.abs(z.mean(axis=0) - mean) < 4 * np.sqrt(spread / n)).all()
    np.testing.assert_allclose(z.var(axis=0), spread, rtol=0.05)
    assert np.abs(mean).max() > 0.3
    narrow = here(model.draw_latents(50, np.random.default_rng(7), temperature=0))
    assert np.abs(narrow[:, None] - mu).sum(axis=2).min(axis=1).max() < 1e-12
    x = model.sample(3, np.random.default_rng(8))
    assert_allclose(x, model.decode(model.draw_latents(3, np.random.default_rng(8))), rtol=0)


def test_importance_sampling_with_one_sample_is_the_bound_and_more_are_tighter():
    model, x, eps = make(), data(), normal(5, 3)
    assert_allclose(model.log_weights(x, eps[:, None])[:, 0], model.elbo(x, eps), atol=1e-12)
    rng = np.random.default_rng(9)
    bounds = [log_likelihood(model, here(x), rng=rng, samples=k).mean() for k in (1, 10, 3000)]
    assert bounds[0] < bounds[2]
    elbo = np.mean([evaluate(model, here(x), rng=rng)["elbo"] for _ in range(200)])
    assert elbo < bounds[2]


# ---- a step in PyTorch ----


@pytest.mark.oracle
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_a_step_is_pytorchs(likelihood):
    torch = pytest.importorskip("torch")
    model, x, eps, beta = make(likelihood=likelihood), data(), normal(5, 3), 0.6
    terms = model.step(x, eps, beta)
    p = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    x, eps = torch.tensor(here(x)), torch.tensor(here(eps))

    def linear(name, h):
        return h @ p[f"{name}.W"] + p[f"{name}.b"]

    def encode(rows):
        h = torch.tanh(linear("encoder.gaussian.trunk.0", rows))
        mu, logvar = linear("encoder.gaussian.heads", h).chunk(2, 1)
        return torch.distributions.Normal(mu, (logvar / 2).exp())

    q = encode(x)
    z = q.mean + q.stddev * eps
    a = p["encoder.pseudo.a"]
    prior = encode(torch.sigmoid(a) if likelihood == "bernoulli" else a)
    log_p = prior.log_prob(z[:, None]).sum(2).logsumexp(1) - math.log(4)
    kl = q.log_prob(z).sum(1) - log_p
    out = linear("decoder.1", torch.tanh(linear("decoder.0", z)))
    if likelihood == "bernoulli":
        nll = torch.nn.functional.binary_cross_entropy_with_logits(out, x, reduction="none").sum(1)
    else:
        nll = -torch.distributions.Normal(out, model.likelihood.sigma).log_prob(x).sum(1)
    (nll.mean() + beta * kl.mean()).backward()
    assert_allclose(terms.kl, kl.detach().numpy(), rtol=0, atol=1e-12)
    for name in model.params:
        assert_allclose(model.params.grad_of(name), p[name].grad.numpy(), rtol=0, atol=1e-12)


# ---- what it refuses ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"pseudo_inputs": 0}, ("pseudo_inputs=0", "1 to 10,000")),
        ({"pseudo_inputs": 20_000}, ("pseudo_inputs=20000", "beside its data")),
        ({"likelihood": "categorical"}, ("categorical", "another likelihood")),
        ({"samples": 3}, ("samples",)),
    ],
)
def test_what_it_does_not_take_is_one_sentence(refuses, options, words):
    with refuses(OptionError, *words):
        make(**options)


def test_a_backward_pass_without_a_forward_pass_is_refused(refuses):
    with refuses(StateError, "before forward"):
        make().backward()
    with refuses(OptionError, "temperature"):
        make().sample(2, np.random.default_rng(0), temperature=-1)
