"""The conditional VAE: gradients by differences and by PyTorch, and what the label does."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae import VAE, Adam, Settings, Training, evaluate, fit, log_likelihood
from minivae.data import load
from minivae.data.labelled import labelled
from minivae.errors import OptionError, ShapeError, StateError
from minivae.models import ConditionalVAE
from minivae.train.checkpoint import load_checkpoint, save_checkpoint

D, HIDDEN, Z, B = 5, (7,), 3, 11
LABELS = ("ant", "bee", "cat", "dog")
C = len(LABELS)


def make(likelihood="bernoulli", hidden=HIDDEN, **options):
    rng = np.random.default_rng(0)
    model = ConditionalVAE(
        D,
        hidden,
        Z,
        labels=LABELS,
        activation="tanh",
        likelihood=likelihood,
        rng=rng,
        dtype="float64",
        **options,
    )
    model.params.theta[...] = there(0.5 * rng.standard_normal(model.params.theta.size))
    x, y = rng.integers(0, 2, (B, D)).astype("float64"), np.arange(B) % C
    rows = model.prepare(labelled(x, y, C))
    return model, rows, model.draw_noise(rng, B)


KINDS = {
    "elbo": {},
    "two_layers": {"hidden": (7, 2)},
    "linear": {"hidden": ()},
    "importance": {"samples": 4},
    "categorical": {"likelihood": "categorical"},
    "gaussian": {"likelihood": "gaussian_learned"},
}
each_kind = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


@each_kind
def test_the_gradient_is_the_numerical_one(each_backend, options):
    model, rows, noise = make(**options)
    beta = 1.0 if "samples" in options else 1.7
    model.step(rows, noise, beta)
    gradient, theta = here(model.params.grad).copy(), here(model.params.theta).copy()

    def loss(i, step):
        moved = theta.copy()
        moved[i] += step
        model.params.load(moved)
        return float(here(model.forward(rows, noise, beta).loss))

    numerical = np.array([(loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5 for i in range(theta.size)])
    scale = np.abs(numerical).max()
    assert scale > 0.1
    np.testing.assert_allclose(gradient, numerical, rtol=0, atol=1e-8 * scale)
    of_labels = here(model.params.grad_of("decoder.0.W"))[Z:]
    assert (np.abs(of_labels).max(axis=1) > 1e-3).all()  # each class has its bias, and learns it


@pytest.mark.oracle
@pytest.mark.parametrize("samples", [None, 4])
def test_loss_and_gradient_are_pytorchs(each_backend, samples):
    torch = pytest.importorskip("torch")
    Normal = torch.distributions.Normal
    model, rows, noise = make(samples=samples)
    terms = model.step(rows, noise)

    w = {name: torch.tensor(here(model.params[name]), requires_grad=True) for name in model.params}
    given, eps = torch.tensor(here(rows)), torch.tensor(here(noise))
    x, y = given[:, :D], given[:, D:]
    if samples is None:
        eps = eps[:, None]
    h = torch.tanh(given @ w["encoder.trunk.0.W"] + w["encoder.trunk.0.b"])
    mu, logvar = (h @ w["encoder.heads.W"] + w["encoder.heads.b"]).chunk(2, dim=1)
    q = Normal(mu[:, None], (logvar / 2).exp()[:, None])
    z = q.mean + q.stddev * eps
    beside = torch.cat([z, y[:, None].expand(-1, z.shape[1], -1)], dim=2)
    h = torch.tanh(beside @ w["decoder.0.W"] + w["decoder.0.b"])
    logits = h @ w["decoder.1.W"] + w["decoder.1.b"]
    expanded = x[:, None].expand_as(logits)
    log_p = -torch.nn.functional.binary_cross_entropy_with_logits(
        logits, expanded, reduction="none"
    ).sum(-1)
    prior = Normal(torch.zeros_like(mu), torch.ones_like(mu))
    if samples is None:
        posterior = Normal(mu, (logvar / 2).exp())
        bound = log_p[:, 0] - torch.distributions.kl_divergence(posterior, prior).sum(1)
    else:
        log_w = log_p + Normal(0.0, 1.0).log_prob(z).sum(-1) - q.log_prob(z).sum(-1)
        bound = torch.logsumexp(log_w, dim=1) - np.log(samples)
    (-bound.mean()).backward()

    assert_allclose(terms.bound, bound.detach().numpy(), rtol=1e-10)
    for name, weight in w.items():
        expected = weight.grad.numpy()
        assert np.abs(expected).max() > 1e-4
        assert_allclose(model.params.grad_of(name), expected, rtol=1e-9, atol=1e-12, err_msg=name)


def test_without_weights_of_the_label_it_is_a_vae():
    model, rows, noise = make()
    plain = VAE(D, HIDDEN, Z, activation="tanh", rng=np.random.default_rng(0), dtype="float64")
    for name, into in (("encoder.trunk.0.W", D), ("decoder.0.W", Z)):
        model.params[name][into:] = 0
    for name in plain.params:
        plain.params[name][...] = model.params[name][: plain.params[name].shape[0]]
    terms, expected = model.step(rows, noise), plain.step(rows[:, :D], noise)
    np.testing.assert_allclose(terms.bound, expected.bound, rtol=1e-12)
    for name in plain.params:
        rows_of_plain = plain.params[name].shape[0]
        np.testing.assert_allclose(
            model.params.grad_of(name)[:rows_of_plain], plain.params.grad_of(name), rtol=1e-10
        )


def test_the_label_is_a_bias_of_its_class():
    model, _, _ = make()
    z = np.random.default_rng(1).standard_normal((B, Z))
    y = model.one_hot(np.full(B, 2))
    decoded = model.decode(z, y)
    W = model.params["decoder.0.W"]
    h = np.tanh(z @ W[:Z] + W[Z + 2] + model.params["decoder.0.b"])
    logits = h @ model.params["decoder.1.W"] + model.params["decoder.1.b"]
    np.testing.assert_allclose(decoded, 1 / (1 + np.exp(-logits)), rtol=1e-12)


def test_log_likelihood_is_that_of_the_weights_given_the_label(each_backend):
    model, rows, _ = make()
    host = here(rows)
    found = log_likelihood(model, host, rng=np.random.default_rng(3), samples=50, rows=13)
    mu, logvar = (here(head) for head in model.encode(rows))
    eps = np.concatenate(
        [  # as `log_likelihood` draws them: example by example, in parts of 13
            np.concatenate(
                [
                    here(model.normal(rng, (1, min(13, 50 - start), Z)))
                    for start in range(0, 50, 13)
                ],
                axis=1,
            )
            for rng in [np.random.default_rng(3)]
            for _ in range(B)
        ]
    )
    z = mu[:, None] + np.exp(logvar / 2)[:, None] * eps
    expected = np.empty(B)
    for n in range(B):
        y = np.broadcast_to(host[n, D:], (50, C))
        p = here(model.decode(there(z[n]), there(y)))
        log_p = np.where(host[n, :D] == 1, np.log(p), np.log1p(-p)).sum(1)
        log_q = (-(eps[n] ** 2) - logvar[n]).sum(1) / 2
        log_w = log_p - (z[n] ** 2).sum(1) / 2 - log_q
        expected[n] = np.log(np.mean(np.exp(log_w)))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    bound = evaluate(model, host, rng=np.random.default_rng(4))["elbo"]
    assert found.mean() > bound


@pytest.fixture(scope="module")
def trained():
    digits = load("digits8")
    rng = np.random.default_rng(0)
    model = ConditionalVAE(64, (64,), 4, labels=tuple("0123456789"), rng=rng)
    training = Training(model, Adam(3e-3), rng, Settings(epochs=25, batch=50))
    rows = [
        labelled(x, y, 10)
        for x, y in (
            (digits.pixels_train, digits.y_train),
            (digits.pixels_test, digits.y_test),
        )
    ]
    return fit(training, *rows, progress=False)


def test_it_generates_the_class_that_is_asked_for(trained):
    digits = load("digits8")
    means = np.array([digits.x_train[digits.y_train == k].mean(axis=0) for k in range(10)])
    model = trained.model
    for label in range(10):
        x = model.sample(40, np.random.default_rng(label), temperature=0.7, label=label)
        nearest = ((x[:, None] - means) ** 2).sum(-1).argmin(axis=1)
        assert (nearest == label).mean() > 0.7, label


def test_a_wrong_label_costs(trained):
    digits = load("digits8")
    bounds = [
        evaluate(
            trained.model,
            labelled(digits.pixels_test, (digits.y_test + shift) % 10, 10),
            rng=np.random.default_rng(0),
        )["elbo"]
        for shift in range(2)
    ]
    assert bounds[0] > bounds[1] + 1


def test_without_a_label_the_classes_take_turns(trained):
    model = trained.model
    in_turns = model.sample(20, np.random.default_rng(5))
    threes = model.sample(20, np.random.default_rng(5), label="3")
    np.testing.assert_array_equal(in_turns[3::10], threes[3::10])
    assert np.abs(in_turns[4] - threes[4]).max() > 0.1


def test_a_checkpoint_brings_it_back(trained, tmp_path):
    save_checkpoint(tmp_path / "c.npz", trained)
    again, _ = load_checkpoint(tmp_path / "c.npz")
    assert type(again.model) is ConditionalVAE
    assert again.model.labels == tuple("0123456789")
    assert again.model.config == trained.model.config
    np.testing.assert_array_equal(again.model.params.theta, trained.model.params.theta)


def test_what_it_cannot_take_is_refused(refuses):
    model, rows, noise = make()
    rng = np.random.default_rng(0)
    with refuses(ShapeError, "(3, 5)", "4 classes", "append the labels"):
        model.prepare(np.zeros((3, 5)))
    with refuses(OptionError, "without labels"):
        model.decode(np.zeros((3, Z)))
    with refuses(OptionError, "no class 'eel'", "ant, bee, cat, dog"):
        model.sample(3, rng, label="eel")
    with refuses(OptionError, "no class 4"):
        model.find(4)
    with refuses(OptionError, "no class -1"):
        model.find(-1)
    with refuses(OptionError, "n=0"):
        model.sample(0, rng)
    with refuses(OptionError, "a name for each class"):
        ConditionalVAE(D, labels=("a", "b", "a"), rng=rng)
    with refuses(OptionError, "a name for each class"):
        ConditionalVAE(D, labels=(), rng=rng)
    with refuses(StateError, "before `given`"):
        labels = ("a", "b")
        ConditionalVAE(D, (3,), 2, labels=labels, rng=rng).decoder.forward(np.zeros((1, 2), "f4"))
    with refuses(ShapeError, "labels of 2 examples"):
        model.decode(np.zeros((3, Z)), model.one_hot(np.array([0, 1])))
    model.forward(rows, noise)
    model.sample(2, rng)
    with refuses(StateError, "before forward"):
        model.backward()
    assert model.find("dog") == model.find(3) == 3
