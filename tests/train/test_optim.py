"""The update rules in numbers, clipping, and what an optimizer refuses."""

import math

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.engine.backend import get_backend
from minivae.engine.params import Params
from minivae.errors import CheckpointError, NonFiniteError, OptionError
from minivae.train.optim import OPTIMIZERS
from minivae.train.optim.adam import Adam, AdamW
from minivae.train.optim.guard import check_finite
from minivae.train.optim.momentum import Momentum
from minivae.train.optim.sgd import SGD

pytestmark = pytest.mark.usefixtures("each_backend")

EVERY = [SGD(0.1), Momentum(0.1, rho=0.8), Adam(0.1), AdamW(0.1, weight_decay=0.3)]
every_optimizer = pytest.mark.parametrize("kind", OPTIMIZERS)


def make(theta, grad, dtype="float64"):
    """Params `a` (1,) and `W` (2, ...) that hold these numbers."""
    params = Params({"a": (1,), "W": (2, (len(theta) - 1) // 2)}, dtype)
    params.theta[...] = there(here(theta), dtype)
    params.grad[...] = there(grad, dtype)
    return params


def step(optimizer, params):
    """A step, and what a device has to say of it."""
    optimizer.step(params)
    optimizer.settle(params)


def build(kind, lr=0.1, **options):
    return OPTIMIZERS[kind](lr=lr, **options)


# ---- the rules, in numbers ----


def test_sgd_in_numbers():
    params = make([1.0, 2.0, 3.0], [0.5, -1.0, 0.0])
    SGD(0.1).step(params)
    assert_allclose(params.theta, [0.95, 2.1, 3.0], rtol=1e-15)


def test_momentum_in_numbers():
    params = make([1.0, 2.0, 3.0], [0.5, -1.0, 0.0])
    optimizer = Momentum(0.1, rho=0.8)
    optimizer.step(params)  # v = g
    assert_allclose(params.theta, [0.95, 2.1, 3.0], rtol=1e-15)
    params.grad[...] = there([1.0, 1.0, 2.0])
    optimizer.step(params)  # v = 0.8 v + g = 1.4, 0.2, 2
    assert_allclose(params.theta, [0.81, 2.08, 2.8], rtol=1e-15)
    assert_allclose(optimizer.state["v"], [1.4, 0.2, 2.0], rtol=1e-15)


@pytest.mark.parametrize("weight_decay", [0.0, 0.3])
def test_adam_in_numbers(weight_decay):
    lr, b1, b2, eps = 0.1, 0.6, 0.7, 0.01
    optimizer = AdamW(lr, weight_decay, beta1=b1, beta2=b2, eps=eps)
    if not weight_decay:
        optimizer = Adam(lr, b1, b2, eps)
    params = make([1.0, 2.0, 3.0], 0)
    x, m, v = 2.0, 0.0, 0.0  # the second entry, by hand
    for t, g in enumerate([0.5, -2.0, 1.5], start=1):
        params.grad[...] = there([0.0, g, -g])
        optimizer.step(params)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        x = x - lr * weight_decay * x
        x = x - lr * (m / (1 - b1**t)) / (math.sqrt(v / (1 - b2**t)) + eps)
        assert float(params.theta[1]) == pytest.approx(x, rel=1e-14)
    assert optimizer.t == 3
    # No gradient, no update but the decay.
    assert float(params.theta[0]) == pytest.approx((1 - lr * weight_decay) ** 3, rel=1e-14)


def test_adams_first_step_is_the_learning_rate_whatever_the_gradients_size():
    # The bias correction at t = 1 leaves g / (|g| + eps).
    params = make(np.zeros(5), [1e-4, -1e-2, 1.0, -1e2, 1e4])
    Adam(0.01).step(params)
    assert_allclose(params.theta, [-0.01, 0.01, -0.01, 0.01, -0.01], rtol=2e-4)


def test_adam_under_a_constant_gradient_keeps_that_step():
    params = make([0.0, 0.0, 0.0], [3.0, -0.2, 0.0])
    optimizer = Adam(0.01, eps=1e-12)
    for _ in range(50):
        optimizer.step(params)
    assert_allclose(params.theta, [-0.5, 0.5, 0.0], rtol=1e-9)


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda optimizer: optimizer.kind)
def test_it_goes_down_to_the_minimum(optimizer):
    # L = 2 (x - 3)^2 + 0.5 (x + 1)^2 for two entries; AdamW's decay pulls towards 0.
    target, curvature = np.array([3.0, -1.0, 0.0]), np.array([4.0, 1.0, 2.0])
    params = make([0.0, 0.0, 5.0], 0)
    fresh = type(optimizer)(
        **{name: value for name, value in optimizer.config.items() if name != "kind"}
    )
    for step in range(1500):
        fresh.lr = optimizer.lr * 0.995**step
        params.grad[...] = there(curvature * (here(params.theta) - target))
        fresh.step(params)
    theta = here(params.theta)
    if optimizer.kind == "adamw":
        assert (np.abs(theta) <= np.abs(target) + 1e-3).all()
        assert np.abs(theta - target).max() < 1
    else:
        assert_allclose(params.theta, target, atol=1e-3)


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_and_views_stay(kind, dtype):
    params = make([1, 2, 3], [1, 1, 1], dtype)
    theta, W = params.theta, params["W"]
    optimizer = build(kind, clip_norm=np.float64(1.0))
    for _ in range(2):
        optimizer.step(params)
    assert params.theta is theta
    assert theta.dtype == dtype
    assert W[0, 0] == theta[1] != 2
    for name in optimizer.moments:
        assert optimizer.state[name].dtype == dtype
        assert optimizer.state[name].shape == (3,)


# ---- the norm and clipping ----


@every_optimizer
def test_clipping_scales_the_whole_gradient(kind):
    params, clipped = make([1, 2, 3], [0, 3, 4]), make([1, 2, 3], [0, 0.6, 0.8])
    build(kind, clip_norm=1.0).step(params)
    build(kind).step(clipped)
    assert_allclose(params.grad, [0, 0.6, 0.8], rtol=1e-15)
    assert_allclose(params.theta, clipped.theta, rtol=1e-15)


def test_a_gradient_below_the_limit_is_not_clipped():
    params = make([1, 2, 3], [0, 3, 4])
    SGD(0.1, clip_norm=6.0).step(params)
    assert_array_equal(params.grad, [0, 3, 4])


def test_the_norm():
    assert check_finite(make([0, 0, 0], [0, 3, 4])) == 5
    assert check_finite(make([0, 0, 0], [0, 0, 0])) == 0
    assert check_finite(Params({})) == 0


@pytest.mark.parametrize(("dtype", "large"), [("float32", 1e25), ("float64", 1e200)])
@pytest.mark.parametrize("copies", [1, 100])
def test_squares_that_overflow_are_no_infinity(dtype, large, copies, refuses):
    grad = np.tile([0, 3 * large, 0, 0, 4 * large, 0], copies)
    params = make(np.zeros(len(grad) + 1), [0, *grad], dtype)
    norm = check_finite(params)
    assert norm == pytest.approx(5 * large * math.sqrt(copies), rel=1e-6)
    if dtype == "float64" and not get_backend("auto").waits:
        # A device sums the squares in float64, and nobody waits to mend what overflows there.
        with refuses(NonFiniteError, "squares are too large", "unchanged"):
            step(SGD(1.0, clip_norm=5.0), params)
        return
    SGD(1.0, clip_norm=5.0).step(params)
    expected = -np.tile([0, 3, 0, 0, 4, 0], copies) / math.sqrt(copies)
    assert_allclose(params.theta[1:], expected, rtol=1e-6)


# ---- what is not finite is refused ----


@every_optimizer
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("index", "name"), [(0, "'a'"), (3, "'W'")])
def test_a_gradient_that_is_not_finite_is_refused(kind, dtype, bad, index, name, refuses):
    params = make([1, 2, 3, 4, 5], [1, 1, 1, 1, 1], dtype)
    optimizer = build(kind, clip_norm=0.5)
    optimizer.step(params)
    theta = params.theta.copy()
    state = {key: value.copy() for key, value in optimizer.state.items()}
    params.grad[index] = bad
    with refuses(NonFiniteError, name, str(bad), "1 of 5", "unchanged"):
        step(optimizer, params)
    assert_array_equal(params.theta, theta)
    np.testing.assert_equal(here(optimizer.state), here(state))
    assert optimizer.t == 1

    # Once the gradient is mended, the run goes on as if nothing had happened.
    other = make(theta, [2, 1, 1, 1, 1], dtype)
    untroubled = build(kind, clip_norm=0.5)
    untroubled.load_state(1, state, other)
    params.grad[...] = other.grad
    optimizer.step(params)
    untroubled.step(other)
    assert_array_equal(params.theta, other.theta)


def test_the_first_bad_parameter_is_named(refuses):
    params = make([1, 2, 3, 4, 5], [1, 1, math.nan, math.inf, 1])
    with refuses(NonFiniteError, "'W'", "nan", "2 of 5"):
        check_finite(params)


# ---- configuration and state ----


@pytest.mark.parametrize("optimizer", EVERY, ids=lambda optimizer: optimizer.kind)
def test_config_builds_it_again(optimizer):
    config = optimizer.config
    again = OPTIMIZERS[config.pop("kind")](**config)
    assert type(again) is type(optimizer)
    assert again.config == optimizer.config
    assert set(config) == set(optimizer.hyperparameters)


@every_optimizer
def test_state_is_taken_over_and_not_shared(kind):
    params = make([1, 2, 3], [1, -1, 0.5])
    first, second = build(kind), build(kind)
    first.step(params)
    second.load_state(first.t, first.state, params)
    copy = make(params.theta, [0.3, 2, 1])
    second.step(copy)
    for name in first.moments:
        assert not get_backend("auto").xp.shares_memory(first.state[name], second.state[name])
    params.grad[...] = copy.grad
    first.step(params)
    assert_array_equal(params.theta, copy.theta)


@every_optimizer
def test_a_state_that_does_not_fit_is_refused(kind, refuses):
    params = make([1, 2, 3], [1, 1, 1])
    optimizer = build(kind)
    optimizer.step(params)
    state, t = dict(optimizer.state), optimizer.t
    right = {name: np.ones(3) for name in optimizer.moments}
    short = {name: np.ones(2) for name in optimizer.moments}
    more = {**right, "velocity": np.ones(3)}
    for bad in [more, *([short, {}] if right else [])]:
        with refuses(CheckpointError, type(optimizer).__name__):
            optimizer.load_state(5, bad, params)
    if right:
        with refuses(CheckpointError):
            optimizer.load_state(0, right, params)
    for bad_t in (-1, "5", 1.5, None):
        with refuses(CheckpointError, f"t={bad_t!r}"):
            optimizer.load_state(bad_t, right, params)
    assert optimizer.t == t
    assert optimizer.state == state


@every_optimizer
def test_options_that_make_no_sense_are_refused(kind, refuses):
    for lr in (0, -1, math.nan, math.inf):
        with refuses(OptionError, f"lr={lr}"):
            build(kind, lr=lr)
    for clip_norm in (0, -1.0, math.nan):
        with refuses(OptionError, f"clip_norm={clip_norm}"):
            build(kind, clip_norm=clip_norm)


def test_options_of_single_rules_are_refused(refuses):
    for rho in (-0.1, 1.0, math.nan):
        with refuses(OptionError, f"rho={rho}"):
            Momentum(0.1, rho=rho)
    for bad in ({"beta1": 1.0}, {"beta2": -0.1}, {"eps": 0.0}):
        with refuses(OptionError, "beta1", "beta2", "eps"):
            Adam(0.1, **bad)
    with refuses(OptionError, "beta1=nan"):
        Adam(0.1, beta1=math.nan)
    for weight_decay in (-0.1, math.nan):
        with refuses(OptionError, f"weight_decay={weight_decay}"):
            AdamW(0.1, weight_decay)


def test_adam_refuses_a_gradient_whose_square_overflows(refuses):
    params = Params({"w": (2,)})
    params.grad[...] = there([1e22, 1], "float32")
    with refuses(NonFiniteError, "too large for float32"):
        step(Adam(0.1), params)
    assert params.theta.tolist() == [0, 0]
    Adam(0.1, clip_norm=1.0).step(params)
    assert np.isfinite(params.theta).all()
