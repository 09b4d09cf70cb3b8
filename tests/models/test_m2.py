"""The VAE of few labels: its limits, the sum over the classes, the classifier, refusals."""

import math

import numpy as np
import pytest
from scipy import special

from arrays import assert_allclose, here, there
from minivae.data import Pixels
from minivae.data.labelled import labelled
from minivae.errors import OptionError, StateError
from minivae.models import VAE, ConditionalVAE
from minivae.models.m2 import FewLabelsVAE

PIXELS, Z, C, BATCH = 6, 2, 3, 5
NAMES = ("a", "b", "c")

pytestmark = pytest.mark.usefixtures("each_backend")


def make(names=NAMES, **options):
    """A model with random weights, rows without labels, noise, and one-hot labels."""
    rng = np.random.default_rng(2)
    how = {"hidden": (4,), "latent": Z, "activation": "tanh", "dtype": "float64"}
    model = FewLabelsVAE(PIXELS, labels=names, rng=rng, **how, **options)
    model.params.theta[...] = there(0.7 * rng.standard_normal(model.params.theta.size))
    pixels = np.round(rng.random((BATCH, PIXELS)))
    y = np.eye(len(names))[np.arange(BATCH) % len(names)]
    bare = model.prepare(np.concatenate([pixels, 0 * y], axis=1))
    return model, bare, model.draw_noise(rng, BATCH), there(y)


def with_labels(model, x, y):
    """The same rows with these labels."""
    return model.backend.xp.concatenate([x[:, :PIXELS], y], axis=1)


def conditional(model, **options):
    """A conditional VAE with the same weights."""
    how = {"hidden": (4,), "latent": Z, "activation": "tanh", "dtype": "float64"}
    rng = np.random.default_rng(0)
    other = ConditionalVAE(PIXELS, labels=model.labels, rng=rng, **how, **options)
    for name in other.params:
        other.params[name][...] = model.params[name]
    return other


def test_with_every_label_given_it_is_a_conditional_vae_and_ln_c():
    model, x, eps, y = make(label_weight=0.0)
    rows, other = with_labels(model, x, y), conditional(model)
    terms, expected = model.step(rows, eps, 1.3), other.step(rows, eps, 1.3)
    assert_allclose(terms.loss, float(expected.loss) + math.log(C), rtol=1e-12)
    assert_allclose(terms.bound, here(other.elbo(rows, eps)) - math.log(C), rtol=1e-12)
    for name in other.params:
        have, want = model.params.grad_of(name), other.params.grad_of(name)
        assert_allclose(have, want, rtol=1e-9, atol=1e-13, err_msg=name)
    assert_allclose(model.classifier.params.grad, 0, atol=1e-15)


@pytest.mark.parametrize("labelled", [True, False])
def test_with_one_class_it_is_a_vae(labelled):
    model, x, eps, y = make(names=("a",))
    rng = np.random.default_rng(0)
    how = {"hidden": (4,), "latent": Z, "activation": "tanh", "dtype": "float64"}
    vae = VAE(PIXELS, rng=rng, **how)
    for name in vae.params:
        mine = model.params[name]
        if mine.shape != vae.params[name].shape:  # the one class adds its row to the bias
            bias = name.replace("W", "b")
            model.params[bias][...] += mine[-1]
            mine = mine[:-1]
        vae.params[name][...] = mine
    for name in vae.params:
        if name.endswith("b"):
            vae.params[name][...] = model.params[name]
            weights = model.params[name.replace(".b", ".W")]
            if weights.shape != vae.params[name.replace(".b", ".W")].shape:
                weights[-1] = 0
    rows = with_labels(model, x, y) if labelled else x
    terms, expected = model.step(rows, eps), vae.step(x[:, :PIXELS], eps)
    assert_allclose(terms.loss, expected.loss, rtol=1e-12)
    assert_allclose(terms.kl, expected.kl, rtol=1e-10, atol=1e-14)
    for name in vae.params:
        have = model.params.grad_of(name)
        have = have[:-1] if have.shape != vae.params[name].shape else have
        assert_allclose(have, vae.params.grad_of(name), rtol=1e-9, atol=1e-13, err_msg=name)


def test_without_a_label_it_is_the_sum_over_the_classes():
    model, x, eps, _ = make()
    other = conditional(model)
    pi = special.softmax(here(model.classifier.forward(x[:, :PIXELS])), axis=1)
    by_hand = np.zeros(BATCH)
    for c in range(C):
        y = there(np.eye(C)[[c] * BATCH])
        L = -here(other.elbo(with_labels(model, x, y), eps)) + math.log(C)
        by_hand += pi[:, c] * (L + np.log(pi[:, c]))
    terms = model.forward(x, eps)
    assert_allclose(terms.loss, by_hand.mean(), rtol=1e-12)
    assert_allclose(terms.bound, -by_hand, rtol=1e-12)
    parts = here(terms.nll) + here(terms.kl).sum(axis=1) + here(terms.label_kl)
    np.testing.assert_allclose(parts, by_hand, rtol=1e-12)


@pytest.mark.oracle
def test_the_classifiers_gradient_is_pytorchs():
    torch = pytest.importorskip("torch")
    model, x, eps, y = make(label_weight=3.0)
    rows = with_labels(model, x, y)
    rows[1::2, PIXELS:] = 0
    other = conditional(model)
    L = []
    for c in range(C):
        each = with_labels(model, x, there(np.eye(C)[[c] * BATCH]))
        L.append(-here(other.elbo(each, eps)) + math.log(C))
    L, given = torch.tensor(np.array(L).T), torch.tensor(here(rows)[:, PIXELS:])
    names = [n for n in model.params if n.startswith("classifier")]
    w = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in names}
    data = torch.tensor(here(x)[:, :PIXELS])
    h = torch.tanh(data @ w["classifier.0.W"] + w["classifier.0.b"])
    log_pi = torch.log_softmax(h @ w["classifier.1.W"] + w["classifier.1.b"], dim=1)
    U = (log_pi.exp() * (L + log_pi)).sum(dim=1)
    known = given.sum(dim=1)
    loss = (1 - known) * U + (given * (L - 3 * log_pi)).sum(dim=1)
    loss.mean().backward()
    terms = model.step(rows, eps)
    assert_allclose(terms.loss, loss.mean().item(), rtol=1e-12)
    for name in names:
        assert_allclose(model.params.grad_of(name), w[name].grad.numpy(), rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("as_pixels", [False, True])
def test_as_many_labels_of_each_class_are_kept_and_the_seed_chooses_them(as_pixels, refuses):
    model, *_ = make(few_labels=7)
    pixels = np.random.default_rng(0).integers(0, 256, (60, PIXELS), dtype="u1")
    y = np.arange(60) % C
    x = Pixels(pixels) if as_pixels else pixels / 255
    rows = labelled(x, y, C)
    few, again, others = (model.learned_from(rows, seed)[:] for seed in (1, 1, 2))
    kept = few[:, PIXELS:].sum(axis=1) > 0
    assert np.bincount(y[kept]).tolist() == [3, 2, 2]
    np.testing.assert_array_equal(few[kept], rows[:][kept])
    np.testing.assert_array_equal(few[:, :PIXELS], rows[:][:, :PIXELS])
    np.testing.assert_array_equal(few, again)
    assert (few != others).any()
    assert make()[0].learned_from(rows, 1) is rows
    with refuses(OptionError, "class 'a' has 1 labels and 3", "--few-labels"):
        model.learned_from(rows[:3], 0)


def test_what_it_says_of_the_classes():
    model, x, *_ = make()
    own = here(model.classifier.forward(x[:, :PIXELS])).argmax(axis=1)
    right = here(with_labels(model, x, there(np.eye(C)[own])))
    assert model.also(right) == {"share of classes right": 1.0}
    right[0, PIXELS:] = np.roll(right[0, PIXELS:], 1)
    right[1, PIXELS:] = 0  # without a label it does not count
    assert model.also(right) == {"share of classes right": pytest.approx(3 / 4)}
    assert model.also(here(x)) == {}


def test_what_it_refuses(refuses):
    with refuses(OptionError, "few_labels=2", "3 classes", "at least one"):
        make(few_labels=2)
    with refuses(OptionError, "label_weight=-1.0"):
        make(label_weight=-1.0)
    model, *_ = make()
    with refuses(StateError, "before `forward`"):
        model.backward()
