"""The classifier: its gradient by differences and by PyTorch, and that it learns."""

import numpy as np
import pytest

from arrays import assert_allclose, here, there
from minivae import Adam, Settings, Training, fit
from minivae.data import load
from minivae.data.labelled import labelled
from minivae.errors import OptionError, ShapeError, StateError
from minivae.models.classifier import Classifier

D, HIDDEN, C, B = 5, (7, 3), 4, 11


def make(activation="tanh"):
    rng = np.random.default_rng(0)
    model = Classifier(D, HIDDEN, C, activation=activation, rng=rng, dtype="float64")
    model.params.theta[...] = there(rng.standard_normal(model.params.theta.size))
    x, y = rng.standard_normal((B, D)), rng.integers(0, C, B)
    return model, x, y


def test_the_loss_is_minus_the_log_of_the_true_classes_probability(each_backend):
    model, x, y = make()
    e = np.exp(here(model.logits(there(x))))
    p = e / e.sum(axis=1, keepdims=True)
    terms = model.forward(there(labelled(x, y, C)))
    assert_allclose(terms.nll, -np.log(p[np.arange(B), y]), rtol=1e-12)
    assert float(here(terms.loss)) == pytest.approx(here(terms.nll).mean(), rel=1e-12)
    assert terms.kl.shape == (B, 0)


def test_the_gradient_is_the_numerical_one(each_backend):
    model, x, y = make()
    rows = there(labelled(x, y, C))
    model.step(rows, None)
    gradient, theta = here(model.params.grad).copy(), here(model.params.theta).copy()

    def loss(i, step):
        moved = theta.copy()
        moved[i] += step
        model.params.load(moved)
        return float(here(model.forward(rows).loss))

    numerical = [(loss(i, 1e-5) - loss(i, -1e-5)) / 2e-5 for i in range(theta.size)]
    np.testing.assert_allclose(gradient, numerical, rtol=1e-6, atol=1e-9)
    assert np.abs(gradient).min() > 1e-6  # none was compared with nothing


@pytest.mark.oracle
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_loss_and_gradient_are_pytorchs(each_backend, activation):
    torch = pytest.importorskip("torch")
    model, x, y = make(activation)
    terms = model.step(there(labelled(x, y, C)), None)
    weights = {
        name: torch.tensor(here(model.params[name]), requires_grad=True) for name in model.params
    }
    h = torch.tensor(x)
    for i in range(2):
        h = getattr(torch, activation)(h @ weights[f"body.{i}.W"] + weights[f"body.{i}.b"])
    logits = h @ weights["head.W"] + weights["head.b"]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
    loss.backward()
    assert_allclose(model.features(there(x)), h.detach().numpy(), rtol=1e-12)
    assert float(here(terms.loss)) == pytest.approx(loss.item(), rel=1e-12)
    for name, weight in weights.items():
        expected = weight.grad.numpy()
        assert np.abs(expected).max() > 1e-4
        assert_allclose(model.params.grad_of(name), expected, rtol=1e-10, atol=1e-14, err_msg=name)


def train(seed=0, epochs=6):
    digits = load("digits8")
    rng = np.random.default_rng(seed)
    model = Classifier(64, (32, 16), 10, rng=rng)
    rows = labelled(digits.pixels_train, digits.y_train, 10)
    test = labelled(digits.pixels_test, digits.y_test, 10)
    training = Training(model, Adam(5e-3), rng, Settings(epochs=epochs, batch=50))
    return fit(training, rows, test, progress=False), digits


def test_it_learns_by_the_loop_of_all_models():
    training, digits = train()
    losses = [record["val_loss"] for record in training.history]
    assert losses[-1] < losses[0] / 2
    accuracy = training.model.accuracy(digits.pixels_test, digits.y_test)
    assert accuracy > 0.88
    assert accuracy == np.mean(training.model.predict(digits.x_test) == digits.y_test)
    assert training.model.embed(digits.pixels_test).shape == (297, 16)
    again, _ = train()
    np.testing.assert_array_equal(training.model.params.theta, again.model.params.theta)


def test_what_it_cannot_take_is_refused(refuses):
    model, x, y = make()
    with refuses(ShapeError, "(11, 6)", "(N, 5)"):
        model.prepare(np.zeros((11, 6)))
    with refuses(OptionError, "hidden=()"):
        Classifier(5, (), 3, rng=np.random.default_rng(0))
    with refuses(StateError, "before forward"):
        model.backward()
    model.forward(labelled(x, y, C))
    model.features(x)  # another pass: what backward would go back through is gone
    with refuses(StateError, "before forward"):
        model.backward()


def test_a_classifier_of_images(refuses):
    digits = load("digits8")
    rng = np.random.default_rng(0)
    options = {"network": "conv", "channels": (8,), "norm": "batch"}
    model = Classifier((8, 8), (16,), 10, rng=rng, **options)
    assert repr(model).startswith("Classifier(64-conv8-16-10, relu, batch norm")
    rows = labelled(digits.x_train[:500], digits.y_train[:500], 10)
    before = model.accuracy(digits.x_test, digits.y_test)
    fit(Training(model, Adam(0.01), rng, Settings(epochs=4, batch=32)), rows, progress=False)
    assert model.accuracy(digits.x_test, digits.y_test) > max(0.8, before)
    assert model.embed(digits.x_test[:3]).shape == (3, 16)
    with refuses(ShapeError, "takes images"):
        Classifier(64, (16,), 10, rng=rng, **options)
