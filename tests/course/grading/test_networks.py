"""Networks and layers that need more than their arguments: a cost, layers, an optimizer, time."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from minivae.check.verdict.conventions.implied import COSTS, Implied
from minivae.course.grading import search

ROWS = """
import numpy as np

def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)

class Net:
    def __init__(self, input_size, hidden_size, output_size):
        self.W1 = np.random.randn(input_size, hidden_size)
        self.b1 = np.zeros(hidden_size)
        self.W2 = np.random.randn(hidden_size, output_size)
        self.b2 = np.zeros(output_size)

    def forward(self, X):
        self.h = np.tanh(X @ self.W1 + self.b1)
        self.p = softmax(self.h @ self.W2 + self.b2)
        return self.p

    def backward(self, X, y):
        dz = self.p.copy()
        dz[np.arange(len(X)), y] -= 1
        dz /= len(X)
        self.dW2, self.db2 = self.h.T @ dz, dz.sum(axis=0)
        dh = dz @ self.W2.T * (1 - self.h**2)
        self.dW1, self.db1 = X.T @ dh, dh.sum(axis=0)
"""
COLUMNS = """
import numpy as np

class Net:
    def __init__(self, n_in, n_hidden, n_out, lr=0.1):
        self.W1, self.b1 = 0.4 * np.random.randn(n_hidden, n_in), np.zeros((n_hidden, 1))
        self.W2, self.b2 = 0.4 * np.random.randn(n_out, n_hidden), np.zeros((n_out, 1))
        self.lr = lr

    def forward(self, X):
        self.Z1 = self.W1 @ X + self.b1
        self.A1 = np.maximum(0, self.Z1)
        self.A2 = 1 / (1 + np.exp(-(self.W2 @ self.A1 + self.b2)))
        return self.A2

    def backward(self, X, Y):
        m = X.shape[1]
        dZ2 = self.A2 - Y
        dZ1 = self.W2.T @ dZ2 * (self.Z1 > 0)
        self.W2 -= self.lr * dZ2 @ self.A1.T / m
        self.b2 -= self.lr * dZ2.sum(axis=1, keepdims=True) / m
        self.W1 -= self.lr * dZ1 @ X.T / m
        self.b1 -= self.lr * dZ1.sum(axis=1, keepdims=True) / m
"""
PAIR = """
import numpy as np

def forward_propagation(X, parameters):
    W1, b1, W2, b2 = (parameters[n] for n in ("W1", "b1", "W2", "b2"))
    A1 = np.tanh(parameters["W1"] @ X + parameters["b1"])
    A2 = parameters["W2"] @ A1 + parameters["b2"]
    return A2, {"A1": A1, "A2": A2}

def compute_cost_with_regularization(A2, Y, lambd):
    return np.sum((A2 - Y) ** 2) + lambd

def backward_propagation(parameters, cache, X, Y):
    dZ2 = cache["A2"] - Y
    dZ1 = parameters["W2"].T @ dZ2 * (1 - cache["A1"] ** 2)
    return {
        "dW1": dZ1 @ X.T, "db1": dZ1.sum(axis=1, keepdims=True),
        "dW2": dZ2 @ cache["A1"].T, "db2": dZ2.sum(axis=1, keepdims=True),
    }
"""
NETWORKS = {
    "the mean cross-entropy": (ROWS, "(1 - self.h**2)", "(1 - self.h)"),
    "the mean binary cross-entropy": (COLUMNS, "* (self.Z1 > 0)", "* self.Z1"),
    "half the summed squares": (PAIR, '(1 - cache["A1"] ** 2)', 'cache["A1"]'),
}


@pytest.mark.parametrize("cost", NETWORKS)
def test_a_network_is_checked_by_the_cost_that_nobody_wrote(graded, cost):
    source, right, wrong = NETWORKS[cost]
    exercise = graded(source).exercises[0]
    assert exercise.verdict == "right, but"
    assert f"no cost is written; these are the gradients of {cost}" in " ".join(
        str(exercise).split()
    )
    exercise = graded(source.replace(right, wrong)).exercises[0]
    assert exercise.verdict == "wrong"
    gradients = {a.name: a.verdict for a in exercise.reports[0].arrays}
    assert gradients == {"W1": "wrong", "b1": "wrong", "W2": "right", "b2": "right"}


def test_a_network_with_the_gradients_of_no_usual_cost_is_not_called_wrong(graded):
    source = ROWS.replace("dz /= len(X)", "dz = dz * self.p")
    exercise = graded(source).exercises[0]
    assert exercise.verdict == "not checked"
    assert "those of no usual cost" in exercise.problem


@pytest.mark.parametrize("way", range(len(COSTS)))
def test_rows_and_columns_have_the_same_cost(way):
    rng = np.random.default_rng(way)
    p, x, labels = rng.dirichlet(np.ones(4), 3), rng.standard_normal((3, 5)), np.array([2, 0, 3])
    hot, cost = np.eye(4)[labels], Implied(way)
    expected = cost(p, hot, x)
    assert np.isclose(cost(p, labels, x), expected, rtol=1e-14)
    assert np.isclose(cost(p.T, hot.T, x.T), expected, rtol=1e-14)
    assert np.isclose(cost(p.T, labels, x.T), expected, rtol=1e-14)


LAYER = """
import numpy as np

class Dense:
    def __init__(self, units):
        self.units, self.optimizer, self.params = units, None, {"W": None, "b": None}

    def build(self, input_shape):
        self.params["W"] = np.random.randn(input_shape[-1], self.units)
        self.params["b"] = np.zeros((1, self.units))

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.params["W"] + self.params["b"]

    def backward(self, grads, learning_rate):
        dW, db = self.inputs.T @ grads, grads.sum(axis=0, keepdims=True)
        dx = grads @ self.params["W"].T
        self.optimizer.update(self, {"dW": dW, "db": db}, learning_rate)
        return dx
"""


def test_an_optimizer_that_nobody_gave_takes_the_step(graded):
    exercise = graded(LAYER).exercises[0]
    assert exercise.verdict == "right"
    assert {a.name for a in exercise.reports[0].arrays} == {"inputs", "W", "b"}
    assert graded(LAYER.replace("grads.sum(axis=0", "grads.mean(axis=0")).verdict == "wrong"


def test_what_raises_is_not_mended_by_leaving_it_out(graded):
    source = LAYER.replace("self.optimizer.update", "self.schedule.update")
    source = source.replace("self.units,", "self.schedule = None\n        self.units,", 1)
    assert graded(source).verdict == "not checked"


MLP = """
import numpy as np

class MLP:
    def __init__(self, input_size, output_size, hiddens, activations, weight_init_fn, criterion):
        sizes = [input_size, *hiddens, output_size]
        self.W = [weight_init_fn(a, b) for a, b in zip(sizes[:-1], sizes[1:])]
        self.dW = [np.zeros_like(W) for W in self.W]
        self.activations, self.criterion = activations, criterion

    def forward(self, x):
        self.inputs = []
        for W, activation in zip(self.W, self.activations):
            self.inputs.append(x)
            x = activation(x @ W)
        self.output = x
        return x

    def backward(self, labels):
        self.criterion(self.output, labels)
        delta = self.criterion.derivative()
        for i in reversed(range(len(self.W))):
            delta = delta * self.activations[i].derivative()
            self.dW[i] = self.inputs[i].T @ delta
            delta = delta @ self.W[i].T
"""


def test_activations_and_a_criterion_are_stood_in_for(graded):
    exercise = graded(MLP).exercises[0]
    assert exercise.verdict == "right, but"
    assert "the summed cross-entropy" in " ".join(str(exercise).split())
    assert graded(MLP.replace("delta * self.act", "2 * delta * self.act")).verdict == "not checked"


def test_it_is_said_where_there_was_no_time_for_all_inputs(graded, monkeypatch):
    """One guess is credible and wrong; whether another one agrees, nobody has had time to see."""
    clock = itertools.chain([0.0, 0.0], itertools.repeat(1e6))
    monkeypatch.setattr(search, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    exercise = graded("""
import numpy as np

def linear_forward(x, W):
    return x @ W, (x, W)

def linear_backward(dout, cache):
    x, W = cache
    return dout @ W.T, 2 * x.T @ dout
""").exercises[0]
    assert exercise.verdict == "not checked"
    assert search.LATE in exercise.problem


GUESSES = {
    "an axis that is put in by a reshape": """
class Weighted:
    def forward(self, hs, a):
        N, T, H = hs.shape
        self.cache = hs, a.reshape(N, T, 1)
        return (hs * self.cache[1]).sum(axis=1)

    def backward(self, dc):
        hs, ar = self.cache
        N, T, H = hs.shape
        dt = dc.reshape(N, 1, H).repeat(T, axis=1)
        return dt * ar, (dt * hs).sum(axis=2)
""",
    "axes like those of the argument beside": """
class Both:
    def forward(self, encoded, hs):
        N, T, H = hs.shape
        self.cache = encoded, hs
        return np.einsum("nth,nth->nt", encoded, hs)

    def backward(self, dy):
        encoded, hs = self.cache
        return dy[:, :, None] * hs, dy[:, :, None] * encoded
""",
    "one axis under two names": """
class EmbeddingDot:
    def __init__(self, weight):
        self.params, self.grads = [weight], [np.zeros_like(weight)]

    def forward(self, h, idx):
        self.cache = h, idx
        return np.sum(self.params[0][idx] * h, axis=1)

    def backward(self, dout):
        h, idx = self.cache
        self.grads[0][...] = 0
        np.add.at(self.grads[0], idx, dout[:, None] * h)
        return dout[:, None] * self.params[0][idx]
""",
    "a number by its name": """
def penalty_loss(x, W, regularization_strength):
    loss = 0.5 * np.sum((x @ W.T) ** 2) + regularization_strength * np.sum(W * W)
    return loss, x @ W.T @ W, (x @ W.T).T @ x + 2 * regularization_strength * W
""",
    "a table of positions": """
class Shifted:
    def __init__(self, d_model):
        self.W, self.pe = np.random.randn(d_model, 3), np.arange(40.0)[:, None] * 0.1

    def forward(self, x):
        self.x = x + self.pe[: len(x)]
        return self.x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T
""",
}


@pytest.mark.parametrize("kind", GUESSES)
def test_more_inputs_are_guessed(graded, kind):
    exercise = graded("import numpy as np\n" + GUESSES[kind]).exercises[0]
    assert exercise.verdict == "right", str(exercise)


def test_a_small_constant_is_seen_in_a_class_that_is_called(graded):
    source = """
import numpy as np

class Loss:
    def forward(self, x, t):
        self.p, self.t = np.exp(x) / np.exp(x).sum(axis=1, keepdims=True), t
        return -np.sum(np.log(self.p[np.arange(len(t)), t] + 1e-7)) / len(t)

    def backward(self, dout=1):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dx * dout / len(self.t)

class LossOverTime:
    def forward(self, xs, ts):
        N, T, V = xs.shape
        self.layers = [Loss() for _ in range(T)]
        return sum(l.forward(xs[:, t], ts[:, t]) for t, l in enumerate(self.layers))

    def backward(self, dout=1):
        return np.stack([layer.backward(dout) for layer in self.layers], axis=1)
"""
    assert {e.name: e.verdict for e in graded(source).exercises}["LossOverTime"] in (
        "right",
        "right, but",
    )


def test_an_argument_has_as_many_axes_as_its_gradient(graded):
    exercise = graded("""
import numpy as np

def scale_forward(A, b):
    return A * b, (A, b)

def scale_backward(dout, cache):
    A, b = cache
    return dout * b, np.sum(dout * A, axis=tuple(range(A.ndim - 1)), keepdims=True)
""").exercises[0]
    assert exercise.verdict == "right", str(exercise)
