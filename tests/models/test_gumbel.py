"""The categorical VAE: the same step in PyTorch, its bound by a sum over all codes, refusals."""

import itertools
import math

import numpy as np
import pytest
from scipy import special

from arrays import assert_allclose, here, there
from minivae import Adam, Settings, Training, load_checkpoint, save_checkpoint
from minivae.check import check_gradients
from minivae.errors import OptionError, ShapeError, StateError
from minivae.models.gumbel import CategoricalVAE
from minivae.train.evaluate import evaluate, log_likelihood
from minivae.train.loop import fit

PIXELS, Z, K, BATCH = 7, 2, 3, 4

each_backend = pytest.mark.usefixtures("each_backend")


def make(**options):
    """A small model with random weights, binary data for it, and Gumbel noise."""
    rng = np.random.default_rng(3)
    options = {"hidden": (5,), "latent": Z, "categories": K, "dtype": "float64"} | options
    model = CategoricalVAE(PIXELS, rng=rng, **options)
    model.params.theta[...] = there(0.7 * rng.standard_normal(model.params.theta.size))
    x = model.prepare(np.round(rng.random((BATCH, PIXELS))))
    return model, x, model.draw_noise(rng, BATCH)


def log_p(model, x):
    """ln q(c | x) and ln p(x, c) of all codes, (B, K^Z) each, by the model's halves alone."""
    logits = here(model.logits(x))
    log_pi = special.log_softmax(logits, axis=-1)
    log_q, log_joint = [], []
    for code in itertools.product(range(K), repeat=Z):
        one_hot = there(np.eye(K)[list(code)].reshape(1, -1).repeat(len(x), axis=0))
        a, data = here(model.decoder.forward(one_hot)), here(x)
        nll = (np.logaddexp(0, a) - data * a).sum(axis=1)
        log_joint.append(-nll - Z * math.log(K))
        log_q.append(sum(log_pi[:, z, c] for z, c in enumerate(code)))
    return np.array(log_q).T, np.array(log_joint).T


@each_backend
@pytest.mark.oracle
@pytest.mark.parametrize("straight_through", [False, True])
def test_the_same_step_in_pytorch(straight_through):
    torch = pytest.importorskip("torch")
    model, x, gumbel = make(straight_through=straight_through, tau=0.8, activation="tanh")
    w = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    data, noise = torch.tensor(here(x)), torch.tensor(here(gumbel))

    def dense(h, part, i):
        return h @ w[f"{part}.{i}.W"] + w[f"{part}.{i}.b"]

    logits = dense(torch.tanh(dense(data, "encoder", 0)), "encoder", 1).reshape(BATCH, Z, K)
    soft = torch.softmax((logits + noise) / 0.8, dim=-1)
    hard = torch.nn.functional.one_hot((logits + noise).argmax(dim=-1), K)
    y = soft + (hard - soft).detach() if straight_through else soft
    out = dense(torch.tanh(dense(y.reshape(BATCH, Z * K), "decoder", 0)), "decoder", 1)
    nll = torch.nn.functional.binary_cross_entropy_with_logits(out, data, reduction="none")
    q = torch.distributions.Categorical(logits=logits)
    uniform = torch.distributions.Categorical(logits=torch.zeros_like(logits))
    kl = torch.distributions.kl_divergence(q, uniform)
    loss = (nll.sum(dim=1) + 1.7 * kl.sum(dim=1)).mean()
    loss.backward()

    terms = model.step(x, gumbel, 1.7)
    assert_allclose(terms.loss, loss.item(), rtol=1e-12)
    assert_allclose(terms.kl, kl.detach(), rtol=1e-10)
    for name in model.params:
        expected = w[name].grad.numpy()
        assert_allclose(model.params.grad_of(name), expected, rtol=1e-9, atol=1e-12, err_msg=name)


@each_backend
def test_the_bound_is_that_of_a_sum_over_all_codes():
    model, x, _ = make()
    log_q, log_joint = log_p(model, x)
    np.testing.assert_allclose(special.logsumexp(log_q, axis=1), 0, atol=1e-12)
    elbo = (np.exp(log_q) * (log_joint - log_q)).sum(axis=1)
    log_px = special.logsumexp(log_joint, axis=1)
    assert (elbo < log_px).all()

    n = 20_000
    rows = there(here(x).repeat(n, axis=0))
    rng = np.random.default_rng(5)
    drawn = here(model.elbo(rows, model.draw_noise(rng, len(rows)))).reshape(BATCH, n)
    assert (np.abs(drawn.mean(axis=1) - elbo) < 4 * drawn.std(axis=1) / math.sqrt(n)).all()


@each_backend
def test_log_weights_are_those_of_the_codes_and_estimate_ln_p():
    model, x, _ = make()
    log_q, log_joint = log_p(model, x)
    rng = np.random.default_rng(6)
    noise = model.draw_importance_noise(rng, BATCH, 50)
    drawn = here((model.logits(x)[:, None] + noise).argmax(axis=-1))
    code = drawn @ (K ** np.arange(Z)[::-1])
    expected = np.take_along_axis(log_joint - log_q, code, axis=1)
    assert_allclose(model.log_weights(x, noise), expected, rtol=1e-10)
    n, log_px = 20_000, special.logsumexp(log_joint, axis=1)
    estimate = log_likelihood(model, here(x), rng=rng, samples=n)
    # The weights have the mean p(x); their variance, too, is a sum over the codes.
    relative = np.exp(special.logsumexp(2 * log_joint - log_q, axis=1) - 2 * log_px) - 1
    assert (np.abs(np.expm1(estimate - log_px)) < 4 * np.sqrt(relative / n)).all()


def test_a_certain_encoder_reads_and_writes_one_code():
    model, x, _ = make(hidden=())
    model.params["encoder.0.W"][...] = 0
    model.params["encoder.0.b"][...] = there(np.array([0, 60, 0, 60, 0, 0]))
    codes = model.codes(x)
    np.testing.assert_array_equal(codes, [[1, 0]] * BATCH)
    assert model.levels == K
    np.testing.assert_array_equal(model.reconstruct(x), model.decode_codes(codes))
    terms = model.forward(x, model.draw_noise(np.random.default_rng(0), BATCH))
    np.testing.assert_allclose(terms.kl, math.log(K), rtol=1e-12)


def test_equal_logits_cost_nothing():
    model, x, noise = make(hidden=())
    model.params["encoder.0.W"][...] = 0
    model.params["encoder.0.b"][...] = 0
    np.testing.assert_allclose(model.forward(x, noise).kl, 0, atol=1e-15)


def test_a_straight_through_gradient_is_checked_with_what_it_stops_held():
    model, *_ = make(straight_through=True, activation="tanh")
    report = check_gradients(model)
    assert report.passed
    assert "held where it is" in str(report)
    plain, *_ = make(activation="tanh")
    assert "held" not in str(check_gradients(plain))

    # What a difference of the loss itself says: categories do not move, so the slope is the KL's.
    model, x, noise = make(straight_through=True, activation="tanh")
    name, h = "encoder.1.b", 1e-6

    def loss(moved):
        model.params[name][0] += moved
        with model.params.rehearsal():
            value = float(model.forward(x, noise).loss)
        model.params[name][0] -= moved
        return value

    slope = (loss(h) - loss(-h)) / (2 * h)
    model.step(x, noise)
    whole = float(model.params.grad_of(name)[0])
    of_the_kl = float(here(model.kl.backward(there(np.full((BATCH, Z), 1 / BATCH))))[:, 0, 0].sum())
    assert abs(slope - of_the_kl) < 1e-8
    assert abs(whole - slope) > 1e-3


def test_the_temperature_is_one_of_the_run(tmp_path):
    def training():
        model, *_ = make(tau_rate=0.1, tau_min=0.1, dtype="float32")
        return Training(model, Adam(), np.random.default_rng(0), Settings(epochs=3, batch=2))

    whole, x = training(), np.round(np.random.default_rng(1).random((6, PIXELS))).astype("float32")
    path = tmp_path / "half.npz"
    save = lambda run: len(run.history) == 1 and save_checkpoint(path, run)  # noqa: E731
    fit(whole, x, x, after_epoch=save, progress=False)
    resumed, _ = load_checkpoint(path)
    fit(resumed, x, x, progress=False)
    for run in (whole, resumed):
        np.testing.assert_allclose(run.model.relax.temperature, math.exp(-0.9), rtol=1e-6)
    assert whole.history == resumed.history
    assert whole.history[-1]["val_loss"] == pytest.approx(
        whole.history[-1]["val_nll"] + whole.history[-1]["val_kl"]
    )


def test_an_evaluation_owes_nothing_to_the_temperature():
    model, x, _ = make()
    other, *_ = make(tau=7.0)
    numbers = [evaluate(m, here(x), rng=np.random.default_rng(2)) for m in (model, other)]
    assert numbers[0]["elbo"] == numbers[1]["elbo"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"tau": 0.0}, ("tau=0.0", "above 0")),
        ({"tau_min": 0.0}, ("tau_min=0.0", "above 0")),
        ({"tau": 0.2}, ("tau=0.2", "at most tau")),
        ({"tau_rate": -1.0}, ("rate of -1.0",)),
        ({"categories": 1}, ("categories=1", "at least 2")),
    ],
)
def test_options_that_cannot_be(refuses, options, words):
    with refuses(OptionError, *words):
        make(**options)


def test_what_it_refuses(refuses):
    model, x, noise = make()
    with refuses(OptionError, "uniform at any temperature"):
        model.sample(3, np.random.default_rng(0), temperature=0.5)
    with refuses(ShapeError, "a code is 2 categories"):
        model.decode_codes(there(np.zeros((3, 5), int)))
    model.forward(x, noise)
    with refuses(StateError, "draws categories"):
        model.backward()
    with refuses(OptionError, "cannot encode"):
        model.encode(x)
