"""The catalogue: its gradients are right, and each wrong one is named, wherever it is planted."""

import math

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.diagnosis.catalogue import FUNCTIONS
from minivae.check.diagnosis.catalogue.norms import standardised
from minivae.check.diagnosis.mistakes import MISTAKES

EVERY = [*FUNCTIONS, standardised(1e-5)]
W = np.random.default_rng(4).standard_normal((4, 4)) / 2


def value(function, x):
    """The function's value in steps that a tape can follow, as a student would write it."""
    if function.name == "gelu":
        erf = np.vectorize(math.erf, otypes=[float])
        return 0.5 * x * (1 + erf(x / np.sqrt(2)))
    if function.name == "gelu (tanh approximation)":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    mean = x.mean(axis=-1, keepdims=True)
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    total = e.sum(axis=-1, keepdims=True)
    return {
        "tanh": lambda: np.tanh(x),
        "sigmoid": lambda: 1 / (1 + np.exp(-x)),
        "softplus": lambda: np.log1p(np.exp(x)),
        "silu": lambda: x / (1 + np.exp(-x)),
        "elu": lambda: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1),
        "softmax": lambda: e / total,
        "log-softmax": lambda: np.log(e / total),
        "log-sum-exp": lambda: np.log(np.exp(x).sum(axis=-1, keepdims=True)),
        "the standardised rows": lambda: (x - mean) / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5),
        "the rows of length 1": lambda: x / np.sqrt((x * x).sum(axis=-1, keepdims=True)),
    }[function.name]()


def planted(function, back):
    """The function of x @ W, times 2: its backward pass is right but for the function's."""

    def forward(x):
        u = x @ W
        return 2 * value(function, u), u

    def backward(dout, u):
        return back(2 * dout, u) @ W.T

    x = np.random.default_rng(8).standard_normal((5, 4))
    return check_gradients(forward, backward, {"x": x})


@pytest.mark.parametrize("function", EVERY, ids=lambda f: f.name)
def test_right_derivatives_are_right(function):
    report = planted(function, function.back)
    assert report.passed, str(report)
    assert report.error < 1e-8


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize("function", EVERY, ids=lambda f: f.name)
def test_every_wrong_derivative_is_named(function):
    unnamed = []
    for wrong in function.wrong:
        array = planted(function, wrong.back)["x"]
        keys = [diagnosis.key for diagnosis in array.diagnoses]
        if wrong.key not in keys[:2] or not array.diagnoses[0].residual < 1e-6:
            unnamed.append(f"{wrong.key}: {wrong.text} -> {keys}")
    assert len(unnamed) <= 0.1 * len(function.wrong), "\n".join(unnamed)


@pytest.mark.parametrize("function", EVERY, ids=lambda f: f.name)
def test_keys_and_texts(function):
    assert len(function.wrong) >= 3
    for wrong in function.wrong:
        assert wrong.key in MISTAKES
        assert "{" not in f"{wrong.text} {function.mend}".format(x="u", g="dy")
