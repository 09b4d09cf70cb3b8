"""A VAE with a flow posterior: the limits in which it is a VAE, and one in which it is exact."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from arrays import assert_allclose, here, there
from minivae.errors import OptionError, StateError
from minivae.models import MODELS, VAE
from minivae.train.evaluate import evaluate, log_likelihood

FlowVAE = MODELS["flow"]
pytestmark = pytest.mark.usefixtures("each_backend")

KINDS = (
    {"flow": "planar"},
    {"flow": "autoregressive"},
    {"flow": "autoregressive", "flow_hidden": (6,)},
)
each_kind = pytest.mark.parametrize("options", KINDS, ids=str)


def make(cls=FlowVAE, seed=0, **options):
    rng = np.random.default_rng(seed)
    sizes = {"n_pixels": 7, "hidden": (5,), "latent": 3, "activation": "tanh", "dtype": "float64"}
    return cls(**{**sizes, **options}, rng=rng)


def shaken(model, seed=1, by=0.3):
    """The same model away from its start, where the flow is the identity or near to it."""
    theta = here(model.params.theta)
    rng = np.random.default_rng(seed)
    model.params.load(theta + by * rng.standard_normal(theta.shape))
    return model


def with_its_weights(flow_vae, **options):
    """A VAE with the trunk, the heads and the decoder of a flow VAE."""
    vae = make(VAE, **options)
    ours = {name: here(flow_vae.params[name]) for name in flow_vae.params}
    for name in vae.params:
        known = name if name in ours else name.replace("encoder.heads", "encoder.gaussian.heads")
        vae.params[name][...] = there(ours[known])
    return vae


def data(n=5, D=7):
    return there((np.random.default_rng(2).random((n, D)) < 0.5).astype("float64"))


def normal(*shape):
    return there(np.random.default_rng(3).standard_normal(shape))


# ---- where nothing moves, it is the VAE ----


def test_at_its_start_a_planar_flow_is_the_vae_with_a_sampled_kl():
    """One importance sample is the ELBO of one sample, and so is a flow that moves nothing."""
    model, x, eps = make(flows=4), data(), normal(5, 3)
    vae = with_its_weights(model, samples=1)
    terms, plain = model.step(x, eps), vae.step(x, eps[:, None])
    assert_allclose(terms.bound, plain.bound, rtol=0, atol=1e-13)
    assert_allclose(terms.nll, plain.nll, rtol=0, atol=1e-13)
    for name in vae.params:
        own = name.replace("encoder.heads", "encoder.gaussian.heads")
        assert_allclose(model.params.grad_of(own), vae.params.grad_of(name), rtol=0, atol=1e-13)
    assert np.abs(here(model.params.grad_of("encoder.contexts.W"))).max() > 1e-4
    assert_allclose(model.reconstruct(x), vae.reconstruct(x), rtol=0, atol=1e-13)


def test_with_open_gates_an_autoregressive_flow_is_the_vae():
    model, x, eps = make(flow="autoregressive", flows=3), data(), normal(5, 3)
    for step in range(3):
        model.params[f"encoder.flow.{step}.0.b"][3:] = 60
    plain = with_its_weights(model, samples=1).forward(x, eps[:, None])
    assert_allclose(model.forward(x, eps).bound, plain.bound, rtol=0, atol=1e-12)


def test_the_mean_of_the_sampled_kl_of_the_identity_is_the_closed_form():
    model, x, rng = make(flows=2), data(), np.random.default_rng(4)
    kl = here(with_its_weights(model).forward(x, normal(5, 3)).kl).sum(axis=1)
    eps = there(rng.standard_normal((5, 4000, 3)))
    ratio, _ = model._weigh(x, eps)
    sampled = -here(ratio)
    assert (sampled < 0).any()
    error = sampled.std(axis=1) / math.sqrt(4000)
    assert (np.abs(sampled.mean(axis=1) - kl) < 4 * error).all()


# ---- what a flow is ----


@each_kind
def test_the_log_determinant_of_the_whole_flow_is_the_numerical_one(options):
    model, x, h = shaken(make(flows=3, **options)), data(2), 1e-5
    *_, c = model.encoder.forward(x)
    flow, z = model.encoder.flow, here(normal(2, 3))
    logdet, jacobian = here(flow.forward(there(z), c)[1]), np.empty((2, 3, 3))
    for j in range(3):
        ends = [here(flow.forward(there(z + s * np.eye(3)[j]), c)[0]) for s in (h, -h)]
        jacobian[:, :, j] = (ends[0] - ends[1]) / (2 * h)
    assert_allclose(logdet, np.linalg.slogdet(jacobian)[1], rtol=0, atol=1e-9)
    assert np.abs(here(logdet)).min() > 1e-3


def test_an_autoregressive_step_sees_only_what_lies_before_and_the_next_what_lies_behind():
    model = shaken(make(flow="autoregressive", flows=2, flow_hidden=(7, 5), latent=4))
    for number, triangle in enumerate((np.tril, np.triu)):
        step, jacobian = model.encoder.flow.steps[number], np.empty((4, 4))
        c = normal(1, step.n_context)
        for i in range(4):
            step.forward(normal(1, 4), c)
            jacobian[i] = here(step.backward(there(np.eye(4)[i : i + 1]), normal(1) * 0)[0])
        assert_allclose(jacobian, triangle(jacobian), rtol=0, atol=0)
        assert (np.abs(triangle(jacobian)) > 1e-9).sum() == 10


def test_the_posterior_that_it_says_it_has_is_the_one_that_it_draws_from():
    """E_q[p(z) / q(z)] = 1: the density is a density, and that of the samples, on one example."""
    for options in KINDS:
        model = shaken(make(flows=3, latent=2, **options), by=0.2)
        model.encoder.gaussian.heads.params["b"][2:] += 2  # wider than p, so that it covers it
        eps = there(np.random.default_rng(5).standard_normal((1, 40_000, 2)))
        ratio = np.exp(here(model._weigh(data(1), eps)[0])[0])
        error = ratio.std() / math.sqrt(len(ratio))
        assert error < 0.05
        assert abs(ratio.mean() - 1) < 4 * error


# ---- on probabilistic PCA it is the posterior ----


def rotated_pca(D=6, Z=3):
    """A linear decoder whose posterior is not diagonal, and the linear flow that is this posterior.

    The posterior is N(M^-1 W (x - b), S) with S = s2 M^-1, M = W W' + s2 I, W (Z, D). With
    S = L L', the flow has to turn z_0, whose standard deviations are s_j = L_jj / g with the gate
    g, by T = L diag(1 / s) = g diagonal: z = g z_0 + (1 - g) A z_0, so A = (T - g I) / (1 - g).
    """
    rng, s2, gate = np.random.default_rng(6), 0.4, 0.7
    W, b = rng.standard_normal((Z, D)), rng.standard_normal(D)
    M = W @ W.T + s2 * np.eye(Z)
    L = np.linalg.cholesky(s2 * np.linalg.inv(M))
    T = L * gate / np.diag(L)
    model = make(
        n_pixels=D,
        hidden=(),
        latent=Z,
        likelihood="gaussian_shared",
        flow="autoregressive",
        flows=1,
    )
    model.decoder[0].params["W"][...], model.decoder[0].params["b"][...] = there(W), there(b)
    model.likelihood.params["logvar"][...] = math.log(s2)
    to_z_0 = W.T @ np.linalg.inv(M) @ np.linalg.inv(T).T
    heads, step = model.encoder.gaussian.heads.params, model.encoder.flow.steps[0].layers[0].params
    heads["W"][...] = there(np.hstack([to_z_0, np.zeros((D, Z))]))
    heads["b"][...] = there(np.concatenate([-b @ to_z_0, 2 * np.log(np.diag(L) / gate)]))
    A = (T - gate * np.eye(Z)) / (1 - gate)
    step["W"][...] = there(np.hstack([A.T, np.zeros((Z, Z))]))
    step["b"][...] = there(np.concatenate([np.zeros(Z), np.full(Z, math.log(gate / (1 - gate)))]))
    x = rng.standard_normal((8, Z)) @ W + b + math.sqrt(s2) * rng.standard_normal((8, D))
    log_p = stats.multivariate_normal(b, W.T @ W + s2 * np.eye(D)).logpdf(x)
    precision = M / s2
    short = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    return model, x, log_p, short


def test_the_linear_autoregressive_posterior_reaches_log_p_with_every_sample():
    model, x, log_p, short = rotated_pca()
    assert short > 0.1, "no diagonal posterior comes near"
    for seed in range(5):
        eps = there(np.random.default_rng(seed).standard_normal((8, 3)))
        assert_allclose(model.elbo(there(x), eps), log_p, rtol=0, atol=1e-11)
    gradients = 0  # its mean over noise of +1 and -1 is the exact one, for it is a square of it
    for signs in itertools.product((1.0, -1.0), repeat=3):
        model.step(there(x), there(np.tile(signs, (8, 1))))
        gradients = gradients + here(model.encoder.params.grad) / 8
    assert np.abs(gradients).max() < 1e-10, "the best posterior has no slope"
    rng = np.random.default_rng(7)
    assert_allclose(log_likelihood(model, x, rng=rng, samples=3), log_p, rtol=0, atol=1e-11)
    assert evaluate(model, x, rng=rng)["elbo"] == pytest.approx(log_p.mean(), abs=1e-11)
    model.params["encoder.flow.0.0.W"][0, 1] += 0.3
    lower = np.mean([evaluate(model, x, rng=rng)["elbo"] for _ in range(50)])
    assert lower < log_p.mean() - 0.01


def test_a_kl_that_happens_to_be_negative_is_not_held_at_zero():
    """The mean over a batch of one sample each, whose gradient a maximum with 0 would lose."""
    model, x = shaken(make(flows=1)), data(1)
    noise = (there(np.random.default_rng(seed).standard_normal((1, 3))) for seed in range(100))
    eps = next(eps for eps in noise if float(here(model.forward(x, eps).kl)[0]) < -0.1)
    terms, whole = model.step(x, eps), here(model.params.grad).copy()
    assert float(terms.loss) == pytest.approx(float(here(terms.nll + terms.kl)[0]), abs=1e-13)
    model.step(x, eps, 0.0)
    assert np.abs(whole - here(model.params.grad)).max() > 0.01


# ---- a step in PyTorch ----


@pytest.mark.oracle
@each_kind
def test_a_step_is_pytorchs(options):
    torch = pytest.importorskip("torch")
    model, x, eps, beta = shaken(make(flows=2, **options)), data(4), normal(4, 3), 0.6
    terms = model.step(x, eps, beta)
    p = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    x, eps = torch.tensor(here(x)), torch.tensor(here(eps))

    def linear(name, h, mask=1):
        return h @ (p[f"{name}.W"] * mask) + p[f"{name}.b"]

    h = torch.tanh(linear("encoder.trunk.0", x))
    mu, logvar = linear("encoder.gaussian.heads", h).chunk(2, 1)
    c = linear("encoder.contexts", h)
    q = torch.distributions.Normal(mu, (logvar / 2).exp())
    z = mu + (logvar / 2).exp() * eps
    log_q = q.log_prob(z).sum(1)
    for number, step in enumerate(model.encoder.flow.steps):
        own, c = c[:, : step.n_context], c[:, step.n_context :]
        if options["flow"] == "planar":
            u, w, b = own[:, :3], own[:, 3:6], own[:, 6]
            along, squares = (u * w).sum(1), (w * w).sum(1)
            u = u + ((torch.nn.functional.softplus(along) - 1 - along) / squares)[:, None] * w
            a = (w * z).sum(1) + b
            log_q = log_q - torch.log((1 + (1 - torch.tanh(a) ** 2) * (u * w).sum(1)).abs())
            z = z + u * torch.tanh(a)[:, None]
            continue
        masks = [torch.tensor(here(layer.mask)) for layer in step.layers]
        h = linear(f"encoder.flow.{number}.0", z, masks[0]) + own
        for i, mask in enumerate(masks[1:], 1):
            h = linear(f"encoder.flow.{number}.{i}", torch.nn.functional.elu(h), mask)
        m, s = h.chunk(2, 1)
        gate = torch.sigmoid(s)
        z = gate * z + (1 - gate) * m
        log_q = log_q - gate.log().sum(1)
    kl = log_q - torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1)
    logits = linear("decoder.1", torch.tanh(linear("decoder.0", z)))
    nll = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    (nll.mean() + beta * kl.mean()).backward()
    assert_allclose(terms.kl, kl.detach().numpy(), rtol=0, atol=1e-12)
    assert_allclose(terms.nll, nll.detach().numpy(), rtol=0, atol=1e-12)
    for name in model.params:
        assert_allclose(model.params.grad_of(name), p[name].grad.numpy(), rtol=0, atol=1e-12)


# ---- what it refuses ----


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flow": "radial"}, ("flow='radial'", "planar, autoregressive")),
        ({"flows": 0}, ("flows=0", "use a VAE")),
        ({"flow_hidden": (4,)}, ("flow_hidden=(4,)", "no network")),
        ({"flow": "autoregressive", "flow_hidden": (0,)}, ("flow_hidden=(0,)", "at least 1")),
        ({"samples": 3}, ("samples",)),
        ({"free_bits": 1.0}, ("free_bits",)),
    ],
)
def test_what_it_does_not_take_is_one_sentence(refuses, options, words):
    with refuses(OptionError, *words):
        make(**options)


def test_a_backward_pass_without_a_forward_pass_is_refused(refuses):
    with refuses(StateError, "before forward"):
        make().backward()
    model = make()
    model.forward(data(), normal(5, 3))
    model.log_weights(data(), normal(5, 2, 3))
    with refuses(StateError, "before forward"):
        model.backward()
