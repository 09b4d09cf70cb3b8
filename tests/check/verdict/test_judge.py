"""What a verdict means: evidence, purpose and conventions, each beside a mistake of its kind."""

import numpy as np
import pytest

from minivae.check import check_gradients
from minivae.check.verdict.compare import compare
from minivae.check.verdict.conventions.source import purpose_of
from minivae.check.verdict.leaps import jumps
from minivae.check.verdict.numerical import Derivative

RNG = np.random.default_rng(5)
X = RNG.standard_normal((4, 3))


def verdicts(report):
    return {array.name: array.verdict for array in report.arrays}


# --- evidence


@pytest.mark.parametrize(("w", "verdict"), [(0.0, "not checked"), (0.7, "wrong")])
def test_agreement_is_no_evidence_where_all_weights_are_zero(w, verdict):
    def forward(x, w):
        return x @ w, (x, w)

    def backward(dout, cache):
        x, w = cache
        return 5 * dout @ w.T, x.T @ dout  # five times too much, which is 0 where w is

    report = check_gradients(forward, backward, {"x": X, "w": np.full((3, 2), w)})
    assert verdicts(report) == {"x": verdict, "w": "right"}
    assert report.verdict == verdict
    if verdict == "not checked":
        assert "does not change with x at these numbers" in report["x"].reason


class Zeros:
    """Weights that start at zero are drawn anew, where a mistake shows."""

    factor = 1

    def __init__(self):
        self.w = np.zeros((3, 2))

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, dout):
        self.dw = self.x.T @ dout
        return self.factor * dout @ self.w.T


class WrongZeros(Zeros):
    factor = 5


class LateZeros(Zeros):
    """The same, made by the first forward pass."""

    def __init__(self):
        pass

    def forward(self, x):
        if not hasattr(self, "w"):
            self.w = np.zeros((3, 2))
        return super().forward(x)


class WrongLateZeros(LateZeros):
    factor = 5


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [(Zeros, "right"), (WrongZeros, "wrong"), (LateZeros, "right"), (WrongLateZeros, "wrong")],
)
def test_weights_of_zero_are_drawn_anew(kind, verdict):
    report = check_gradients(kind, inputs={"x": X})
    assert verdicts(report) == {"x": verdict, "w": "right"}


def test_forward_that_ignores_its_input_is_not_checked():
    def forward(x):
        return np.ones_like(x), x

    report = check_gradients(forward, lambda dout, x: 0 * dout, {"x": X})
    assert report.verdict == "not checked"
    assert report["x"].silent
    report = check_gradients(forward, lambda dout, x: 2 * dout, {"x": X})
    assert report.verdict == "wrong"


def test_a_gradient_that_cancels_to_zero_is_evidence():
    """A bias before a mean is taken off: the output depends on it, and its gradient is 0."""

    def forward(x, b):
        h = x + b
        return (h - h.mean(axis=0)) ** 3, h - h.mean(axis=0)

    def backward(dout, d):
        dh = 3 * dout * d**2
        dh = dh - dh.mean(axis=0)
        return dh, dh.sum(axis=0)

    inputs = {"x": X, "b": RNG.standard_normal(3)}
    assert check_gradients(forward, backward, inputs).verdict == "right"
    wrong = check_gradients(forward, lambda d, c: (backward(d, c)[0], d.sum(axis=0)), inputs)
    assert verdicts(wrong) == {"x": "right", "b": "wrong"}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_forward_without_numbers_is_not_checked(value):
    def forward(x):
        return np.where(x < 0, value, x), x

    report = check_gradients(forward, lambda dout, x: 7 * dout, {"x": X})
    assert report.verdict == "not checked"
    assert "NaN or infinity" in report["x"].reason
    assert check_gradients(forward, lambda dout, x: 7 * dout, {"x": abs(X)}).verdict == "wrong"


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_one_entry_that_is_no_number_is_wrong_also_where_none_was_drawn(value):
    x = RNG.standard_normal(400)

    for bad in (0, 123, 399):

        def backward(dout, x, bad=bad):
            dx = 2 * dout * x
            dx[bad] = value
            return dx

        report = check_gradients(lambda x: (x**2, x), backward, {"x": x}, max_entries=5)
        assert report["x"].verdict == "wrong"


def test_entries_that_could_not_be_told_from_wrong_ones_are_not_right():
    x = np.array([0.3, -0.2, 1.0])
    numerical = Derivative(np.array([1.0, np.nan, np.nan]), np.zeros(3), "", 1)
    check = compare("x", x, np.ones(3), numerical, 1e-6)
    assert check.verdict == "right"
    blank = Derivative(np.full(3, np.nan), np.zeros(3), "", 1)
    assert compare("x", x, np.ones(3), blank, 1e-6).verdict == "not checked"


class Overlooked:
    """Its parameter, and the gradient of it, are called as nobody calls them."""

    def __init__(self):
        self._theta = np.array([0.5, -1.0, 2.0])

    def forward(self, x):
        self.x = x
        return x * self._theta

    def backward(self, dout):
        self.steepness = 7 * (dout * self.x).sum(axis=0)
        return dout * self._theta


class Found(Overlooked):
    def __init__(self):
        self.theta = self._theta = np.array([0.5, -1.0, 2.0])

    def forward(self, x):
        self._theta = self.theta
        return super().forward(x)

    def backward(self, dout):
        self.dtheta = (dout * self.x).sum(axis=0)
        return dout * self.theta


class WithoutParameters(Overlooked):
    def __init__(self):
        pass

    def forward(self, x):
        self._theta = np.array([0.5, -1.0, 2.0])
        return super().forward(x)


def test_parameters_that_were_not_found_are_not_checked():
    report = check_gradients(Overlooked, inputs={"x": X})
    assert verdicts(report) == {"x": "right", "_theta": "not checked"}
    assert "_theta changes the output" in report["_theta"].reason
    assert report.verdict == "not checked"
    assert check_gradients(Found, inputs={"x": X}).verdict == "right"
    assert check_gradients(WithoutParameters, inputs={"x": X}).verdict == "right"


class NumberForParameter:
    """Its slope is a number, which has a gradient that nothing was compared with."""

    def __init__(self):
        self.slope = 0.25

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.slope * x)

    def backward(self, dout):
        self.dslope = float(np.sum(7 * dout * self.x))
        return dout * np.where(self.x > 0, 1, self.slope)


def test_a_parameter_that_is_a_number_is_not_passed_over():
    report = check_gradients(NumberForParameter, inputs={"x": X})
    assert verdicts(report) == {"x": "right", "slope": "not checked"}


# --- purpose


def threshold_pair(through):
    def forward(z):
        return np.sign(z), z

    def backward(dout, z):
        return through(dout, z)

    return forward, backward


@pytest.mark.parametrize(
    "through",
    [lambda d, z: d, lambda d, z: 0 * d, lambda d, z: d * (abs(z) < 1), lambda d, z: 3 * d],
    ids=["straight through", "zero", "clipped", "three times"],
)
def test_steps_are_not_checked(through):
    report = check_gradients(*threshold_pair(through), {"z": X})
    assert report.verdict == "not checked"
    assert "the output jumps where z moves" in report["z"].reason


def test_kinks_are_no_steps():
    def forward(z):
        return np.maximum(z, 0) + abs(z - 0.2), z

    def backward(dout, z):
        return dout * ((z > 0) + np.sign(z - 0.2))

    assert check_gradients(forward, backward, {"z": X}).verdict == "right"
    report = check_gradients(forward, lambda dout, z: 2 * backward(dout, z), {"z": X})
    assert report.verdict == "wrong"


def test_rounding_to_float32_is_no_step():
    def forward(z):
        return np.tanh(z).astype(np.float32), z

    report = check_gradients(forward, lambda dout, z: dout * np.tanh(z), {"z": X})
    assert report.verdict == "wrong"


def test_only_the_argument_that_is_stepped_on_is_excused():
    def forward(z, w):
        return np.round(z) * w, (z, w)

    def backward(dout, cache):
        z, w = cache
        return dout * w, 2 * dout * np.round(z)

    report = check_gradients(forward, backward, {"z": 3 * X, "w": X[::-1].copy()})
    assert verdicts(report) == {"z": "not checked", "w": "wrong"}


def pull_forward(z, e):
    """Pull e towards z, where stop_gradient(z) is meant."""
    return np.sum((z - e) ** 2), z - e


def plain_forward(z, e):
    return np.sum((z - e) ** 2), z - e


def pull_backward(dout, d):
    return 0 * d, -2 * dout * d


def test_a_stopped_gradient_is_not_checked_where_the_source_says_so():
    inputs = {"z": X, "e": X[::-1].copy()}
    report = check_gradients(pull_forward, pull_backward, inputs)
    assert verdicts(report) == {"z": "not checked", "e": "right"}
    assert '"stop_grad" in the source' in report["z"].reason
    assert check_gradients(plain_forward, pull_backward, inputs)["z"].verdict == "wrong"


def test_what_a_function_is_called_says_nothing_of_its_purpose():
    def detach_forward(z):
        return z**2, z

    assert purpose_of([detach_forward]).stopped == ""
    assert purpose_of([pull_forward]).stopped == "stop_grad"
    assert purpose_of([np.sin]).epsilon == 0


# --- conventions


def layer(x, W, b):
    return x @ W + b, (x, W)


def layer_backward(factor_x, factor_w, factor_b):
    def backward(dout, cache):
        x, W = cache
        m = len(x)
        each = {"m": 1 / m, "1": 1.0, "m + 1": 1 / (m + 1)}
        return (
            each[factor_x] * dout @ W.T,
            each[factor_w] * x.T @ dout,
            each[factor_b] * dout.sum(axis=0),
        )

    return backward


LAYER = {"x": X, "W": RNG.standard_normal((3, 5)), "b": RNG.standard_normal(5)}


@pytest.mark.parametrize(
    ("factors", "verdict"),
    [
        (("1", "1", "1"), "right"),
        (("1", "m", "m"), "right, but"),
        (("1", "m", "1"), "wrong"),
        (("m", "m", "m"), "wrong"),
        (("m", "1", "1"), "wrong"),
        (("1", "m + 1", "m + 1"), "wrong"),
    ],
)
def test_a_mean_in_all_parameters_of_a_layer_is_a_convention(factors, verdict):
    report = check_gradients(layer, layer_backward(*factors), LAYER)
    assert report.verdict == verdict, str(report)
    if factors == ("m", "m", "m"):  # with each layer the factor would be there once more
        assert set(verdicts(report).values()) == {"wrong"}
    strict = check_gradients(layer, layer_backward(*factors), LAYER, strict=True)
    assert strict.verdict == ("right" if verdict == "right" else "wrong")


def test_the_mean_may_be_over_columns_and_says_how_many():
    def forward(A, W):
        return W @ A, (A, W)

    def backward(dZ, cache):
        A, W = cache
        return W.T @ dZ, dZ @ A.T / A.shape[1]

    report = check_gradients(forward, backward, {"A": X, "W": RNG.standard_normal((5, 4))})
    assert verdicts(report) == {"A": "right", "W": "right, but"}
    assert "times 1/3, where 3 is the number of examples" in report["W"].reason


def test_a_loss_has_no_such_convention():
    def loss(x, W):
        return 0.5 * np.sum((x @ W) ** 2), (x, W)

    def backward(dout, cache):
        x, W = cache
        return dout * x @ W @ W.T, dout * x.T @ (x @ W) / len(x)

    report = check_gradients(loss, backward, {"x": X, "W": RNG.standard_normal((3, 2))})
    assert verdicts(report) == {"x": "right", "W": "wrong"}


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "right, but"), (1.001, "wrong")])
def test_a_small_constant_may_be_left_out(factor, verdict):
    def loss(p):
        return -np.sum(np.log(p + 1e-7)), p

    p = np.linspace(0.01, 0.9, 7)
    report = check_gradients(loss, lambda dout, p: -factor * dout / p, {"p": p})
    assert report.verdict == verdict
    assert check_gradients(loss, lambda dout, p: -dout / (p + 1e-7), {"p": abs(X)}).passed


# --- the doctor's own failures


def test_a_doctor_that_fails_leaves_the_verdict(monkeypatch):
    from minivae.check import gradients

    def broken(*args):
        raise RuntimeError("no idea")

    monkeypatch.setattr(gradients, "diagnose", broken)
    report = check_gradients(lambda x: (x**2, x), lambda d, x: d * x, {"x": X})
    assert report.verdict == "wrong"
    assert report.crash.startswith("RuntimeError: no idea at test_judge.py:")
    assert "the verdict stands" in str(report)
    assert report.to_dict()["crash"] == report.crash


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x: float(np.sign(x).sum()), True),
        (lambda x: float(np.argmax(x)), True),
        (lambda x: float(np.floor(4 * x).sum() + x.sum()), True),
        (lambda x: float(abs(x).sum()), False),
        (lambda x: float(np.tanh(30 * x).sum()), False),
        (lambda x: float(np.log(abs(x) + 1).max()), False),
        (lambda x: 1.0, False),
    ],
)
def test_jumps(f, expected):
    assert jumps(f, X) is expected
