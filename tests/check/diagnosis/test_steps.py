"""The tape: its gradients are right, and mistakes at its steps are named for unknown functions."""

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.tape import record
from minivae.check.tape.trace import Traced
from minivae.check.verdict.numerical import numerical_gradient

N = np.random.default_rng(5).standard_normal
A, C, POSITIVE = N((3, 4)), N((4, 5)), np.abs(N((3, 4))) + 0.5
INDEX = np.array([2, 0, 2])

STEPS = {
    "arithmetic": lambda x: (x + 2) * (1 - x) / (3 + x**2) - (-x),
    "broadcast": lambda x: x * x[0] + x[:, :1],
    "exponentials": lambda x: np.exp(x) + np.expm1(-x) + np.log1p(x**2) + np.exp2(x),
    "logarithms": lambda x: np.log(x * x + 1) + np.log2(x * x + 2) + np.log10(x * x + 3),
    "roots": lambda x: np.sqrt(x * x + 1) + np.reciprocal(x * x + 1) + np.square(x),
    "trigonometry": lambda x: np.sin(x) * np.cos(x) + np.arctan(x) + np.sinh(x) + np.cosh(x),
    "tanh": np.tanh,
    "absolute": lambda x: np.abs(x) * x,
    "extremes": lambda x: np.maximum(x, 0.1) + np.minimum(x, x.T.mean()) + np.logaddexp(x, 0),
    "powers": lambda x: (x * x + 1.0) ** (x + 0.3),
    "products": lambda x: x @ C + np.dot(x, C) + np.matmul(x, C),
    "vectors": lambda x: x[0] @ C + np.outer(x[0], x[1]) @ np.ones(4) @ C,
    "sums": lambda x: x.sum(axis=0) + x.mean() + np.sum(x, axis=1, keepdims=True).mean(axis=0),
    "deviations": lambda x: (x - x.mean(0)) / np.sqrt(x.var(axis=0) + 1e-3) + x.std() + np.var(x),
    "largest": lambda x: np.exp(x - x.max(axis=1, keepdims=True)) + np.min(x) + np.amax(x, axis=0),
    "shapes": lambda x: x.reshape(2, 6) @ x.ravel()[:6] + np.reshape(x, (-1, 2)).T[:, 2],
    "axes": lambda x: x.T @ A + np.transpose(x) @ A + x.swapaxes(0, 1) @ A,
    "squeezing": lambda x: np.squeeze(x[:, None, :]) + np.expand_dims(x, 0)[0] + x.squeeze(),
    "places": lambda x: x[INDEX] * x[1:2] + x[:, ::-1][[0, 1, 2]],
    "choice": lambda x: np.where(A > 0, x * x, np.exp(x)) + np.clip(x, -0.5, 0.5) + x.clip(0, 9),
    "joining": lambda x: np.concatenate([x, x * x], axis=1).sum(1) + np.stack([x, x]).sum((0, 2)),
    "stacking": lambda x: np.vstack([x, 2 * x])[2:5] + np.hstack([x, x])[:, 2:6],
    "copies": lambda x: np.repeat(x, 2, axis=0)[1:4] + np.broadcast_to(x[0], (3, 4)) + x.copy(),
    "einsum": lambda x: np.einsum("ij,jk->ik", x, C) + np.einsum("ij->i", x)[:, None],
    "casts": lambda x: x.astype(float) * np.float64(2.0) + np.copy(x),
}


def filled(x):
    y = np.zeros((3, 5))
    for i in range(3):
        y[i] = x[i] @ C
        y[i, 0] += x[i, 1] ** 2
    y *= 2
    y += x[:, :1]
    return y


STEPS["filling"] = filled
STEPS["padding"] = lambda x: np.pad(x, 1) * 2 + np.pad(x, ((2, 0), (1, 1)))


@pytest.mark.parametrize("name", STEPS)
def test_gradient_of_a_tape(name):
    x, f = N((3, 4)), STEPS[name]
    dy = N(np.shape(f(x)))
    tape = record(lambda arguments: [f(arguments["x"])], {"x": x})
    assert tape is not None
    assert np.array_equal(tape.nodes[tape.outputs[0]].value, f(x))
    found = tape.adjoints({tape.outputs[0]: dy})[tape.arguments["x"]]
    right = numerical_gradient(lambda value: np.sum(dy * f(value)), x, analytic=False)
    assert np.abs(found - right.values).max() < 1e-7 * np.abs(right.values).max()


def test_what_is_not_known_ends_the_tape():
    assert record(lambda a: [np.sort(a["x"])], {"x": A}) is None
    assert record(lambda a: [np.linalg.inv(a["x"])], {"x": N((3, 3))}) is None
    assert record(lambda a: 1 / 0, {"x": A}) is None
    assert np.zeros is not None
    assert not isinstance(np.zeros(3), Traced)


def test_plain_number_is_found_by_its_value():
    tape = record(lambda a: [np.asarray(float((a["x"] ** 2).sum()))], {"x": A})
    found = tape.adjoints({tape.outputs[0]: np.ones(())})[tape.arguments["x"]]
    assert np.allclose(found, 2 * A, rtol=1e-12)


def keys(report, name):
    return [diagnosis.key for diagnosis in report[name].diagnoses]


def attention(q, k, v, mistake=""):
    """An operation that the library does not have, with its right and its wrong gradients."""

    def forward(q, k, v):
        s = q @ k.T / np.sqrt(q.shape[1])
        e = np.exp(s - s.max(axis=1, keepdims=True))
        p = e / e.sum(axis=1, keepdims=True)
        return p @ v, (q, k, v, p)

    def backward(dout, cache):
        q, k, v, p = cache
        dp = dout @ v.T
        inner = (dp * p).sum(axis=1, keepdims=True)
        ds = p * (dp - inner)
        root = 1.0 if mistake == "root" else np.sqrt(q.shape[1])
        return ds @ k / root, ds.T @ q / root, p.T @ dout

    return forward, backward, {"q": q, "k": k, "v": v}


def test_a_mistake_in_attention():
    inputs = N((4, 3)), N((4, 3)), N((4, 5))
    forward, backward, named = attention(*inputs)
    assert check_gradients(forward, backward, named).passed
    forward, backward, named = attention(*inputs, mistake="root")
    report = check_gradients(forward, backward, named)
    assert "factor" in keys(report, "q")[:2], str(report)


def test_texts_name_the_step():
    def forward(x, w):
        h = np.tanh(x @ w)
        return h * h + h, (x, w, h)

    def backward(dout, cache):
        x, w, h = cache
        d = dout * 2 * h * (1 - h * h)
        return d @ w.T, x.T @ d

    report = check_gradients(forward, backward, {"x": N((3, 4)), "w": N((4, 5))})
    assert "overwritten_branch" in keys(report, "w")
    assert "tanh(x @ w)" in report["w"].diagnoses[0].text
