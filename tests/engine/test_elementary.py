"""The polynomials against float64, over their whole ranges; the stated errors are asserted."""

import numpy as np
import pytest

from minivae.engine.cpu import elementary
from minivae.engine.cpu.loop import Loop, loop


@loop
def over(x, y):
    for i in range(x.size):
        y[i] = function(x[i])


function = elementary.exp


def applied(name, x):
    y = np.empty_like(x)
    over.using(function=getattr(elementary, name))(x, y)
    return y


FUNCTIONS = {
    "exp": (np.exp, -87.3, 88.3, 1e-7),
    "exp_minus": (lambda x: np.exp(-np.abs(x)), -87.3, 87.3, 1e-7),
    "expm1": (np.expm1, -87.3, 88.3, 3e-7),
    "tanh": (np.tanh, -30, 30, 5e-7),
    "log1p": (np.log1p, 0, 1, 2e-7),
    "log": (np.log, 1e-37, 1e37, 2e-7),
    "sigmoid": (lambda x: np.where(x > 0, 1, np.exp(x)) / (1 + np.exp(-np.abs(x))), -87, 87, 3e-7),
}
each = pytest.mark.parametrize("name", FUNCTIONS)


def points(low, high):
    """A million points, dense near 0 too, where a difference cancels."""
    spread = np.linspace(low, high, 500_000)
    near = np.geomspace(1e-30, min(high, 1), 250_000)
    below = -near if low < 0 else near
    return np.concatenate([spread, near, below]).astype("float32")


@each
def test_relative_error_in_float32(name):
    exact, low, high, bound = FUNCTIONS[name]
    x = points(low, high)
    expected = exact(x.astype("float64"))
    error = np.abs(applied(name, x) - expected)
    nonzero = expected != 0
    assert (error[nonzero] / np.abs(expected[nonzero])).max() < bound
    assert not error[~nonzero].any()


turn = elementary.turn


@loop
def turned(v, cos, sin):
    for i in range(v.size):
        cos[i], sin[i] = turn(v[i])


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 1e-6), ("float64", 1e-15)])
def test_absolute_error_of_cos_and_sin(dtype, bound):
    v = np.linspace(-0.5, 0.5, 1_000_001).astype(dtype)
    cos, sin = np.empty_like(v), np.empty_like(v)
    turned(v, cos, sin)
    angle = 2 * np.pi * v.astype("float64")
    assert np.abs(cos - np.cos(angle)).max() < bound
    assert np.abs(sin - np.sin(angle)).max() < bound


@each
def test_float64_is_the_c_librarys(name):
    exact, low, high, _ = FUNCTIONS[name]
    x = np.linspace(low, high, 1001)
    np.testing.assert_allclose(applied(name, x), exact(x), rtol=1e-14)


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_nan_stays_nan(name, dtype):
    assert np.isnan(applied(name, np.array([np.nan], dtype))).all()


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [("exp", 0, np.inf), ("expm1", -1, np.inf), ("tanh", -1, 1), ("sigmoid", 0, 1)],
)
def test_at_infinity(name, low, high):
    x = np.array([-np.inf, -1e4, 1e4, np.inf], "float32")
    np.testing.assert_allclose(applied(name, x), [low, low, high, high], atol=2e-38)


def test_a_loop_keeps_its_python_text_and_knows_its_parts():
    assert isinstance(elementary.tanh, Loop)
    assert set(elementary.tanh.parts()) == {"_power"}
    again = over.using(function=elementary.tanh)
    assert again.fingerprint() != over.fingerprint()
    y = np.zeros(3)
    over.function(np.arange(3.0), y)  # the text runs as plain Python too
    np.testing.assert_allclose(y, np.exp(np.arange(3.0)))
