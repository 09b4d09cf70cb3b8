"""The continuous Bernoulli against mpmath, quadrature, PyTorch's distribution and its own draws."""

import math

import mpmath as mp
import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from arrays import assert_allclose, here, there
from minivae.engine.backend import get_backend
from minivae.ops import ContinuousBernoulli
from minivae.ops.likelihoods.continuous_bernoulli import (
    NEAR,
    REST,
    SLOPE,
    backward,
    forward,
    logit_of,
    mean_of,
)
from oracles import same, standard_normal, values

each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])

SIZES_OF_A = [0, 1e-30, 1e-12, 1e-6, 1e-3, 0.1, 0.49999, 0.5, 0.50001, 0.6, 1, 3, 10, 30, 88.5]
LOGITS = np.array([sign * a for sign in (1, -1) for a in [*SIZES_OF_A, 100, 720, 1e4, 1e30]])
"""Near 0, on both sides of where the series ends, and far out."""


def oracle(torch, logits, x):
    """PyTorch's, which has a series of its own for probabilities from 0.499 to 0.501."""
    return -torch.distributions.ContinuousBernoulli(logits=logits).log_prob(x).sum(-1)


def exact(a, x):
    """Nll and mean at one logit, to 40 digits."""
    with mp.workdps(40):
        a, x = mp.mpf(float(a)), mp.mpf(float(x))
        if abs(a) < 1e-20:
            return a * (mp.mpf(1) / 2 - x), mp.mpf(1) / 2
        right = mp.log(-mp.expm1(-abs(a)) / abs(a))
        return (a * (1 - x) if a > 0 else -a * x) + right, -1 / mp.expm1(-a) - 1 / a


def test_formula():
    a, x = sp.symbols("a x", real=True)
    nll = sp.log((sp.exp(a) - 1) / a) - x * a
    logits, data = 4 * standard_normal(1, 4, 5), mean_of(3 * standard_normal(2, 4, 5))
    assert abs(logits).min() < NEAR < abs(logits).max()
    dnll = standard_normal(1, 4)
    value, cache = forward(logits, data)
    same(value, values(nll, a=logits, x=data).sum(axis=1))
    derived = values(sp.diff(nll, a), a=logits, x=data)
    same(backward(dnll, *cache), dnll[:, None] * derived)


def test_the_series_has_the_bernoulli_numbers_and_ends_below_rounding():
    n = len(SLOPE)
    numbers = [sp.bernoulli(2 * k) / sp.factorial(2 * k) for k in range(1, n + 2)]
    halved = [float(b / (2 * k)) for k, b in enumerate(numbers[:n], 1)]
    np.testing.assert_array_equal(SLOPE, [float(b) for b in numbers[:n]])
    np.testing.assert_allclose(REST, halved, rtol=1e-15)
    assert abs(numbers[n]) * NEAR ** (2 * n + 1) < 1.1e-17
    assert abs(numbers[n]) / (2 * n + 2) * NEAR ** (2 * n + 2) < 3.5e-19


@pytest.mark.usefixtures("each_backend")
@each_dtype
@pytest.mark.parametrize("x", [0, 0.3, 1])
def test_nll_and_gradient_are_exact_near_zero_and_far_out(dtype, x):
    """Within 4 roundings of the larger of the number and 1; the mean within 4 roundings of 1."""
    logits, data = LOGITS.astype(dtype)[:, None], np.full((len(LOGITS), 1), x, dtype)
    call = get_backend("auto").call
    nll, cache = call(forward, there(logits), there(data))
    slope = call(backward, there(np.ones(len(LOGITS), dtype)), *cache)
    expected = [exact(a, t) for a, t in zip(logits[:, 0], data[:, 0], strict=True)]
    close = {"rtol": 4 * np.finfo(dtype).eps, "atol": 4 * np.finfo(dtype).eps}
    assert_allclose(nll, [float(e) for e, _ in expected], **close)
    means = np.array([float(m - mp.mpf(float(data[0, 0]))) for _, m in expected])
    assert_allclose(slope, means[:, None], **close)


def test_a_black_pixel_keeps_the_digits_of_its_mean():
    logits = np.array([-1e2, -1e4, -1e12])
    np.testing.assert_allclose(mean_of(logits), [1e-2, 1e-4, 1e-12], rtol=1e-15)


@pytest.mark.parametrize("a", [-40, -3, -0.51, -0.49, 0, 1e-7, 0.3, 2, 25])
def test_the_density_integrates_to_one_and_has_the_mean(a):
    def density(x):
        return math.exp(-forward(np.array([[float(a)]]), np.array([[x]]))[0][0])

    assert integrate.quad(density, 0, 1, epsabs=1e-13)[0] == pytest.approx(1, abs=1e-12)
    mean = integrate.quad(lambda x: x * density(x), 0, 1, epsabs=1e-13)[0]
    assert mean_of(np.array([float(a)]))[0] == pytest.approx(mean, abs=1e-12)


@pytest.mark.oracle
def test_pytorch_loses_digits_where_its_series_ends():
    """Outside of its `lims` PyTorch divides by 1 - 2 p: 1e-13 at the logit 0.0041, not 1e-16."""
    torch = pytest.importorskip("torch")
    a, x = np.linspace(0.00401, 0.0045, 200)[:, None], np.full((200, 1), 0.3)
    assert (1 / (1 + np.exp(-a)) > 0.501).all()
    nll = forward(a, x)[0]
    theirs = oracle(torch, torch.tensor(a), torch.tensor(x)).numpy()
    right = np.array([float(exact(number, 0.3)[0]) for number in a[:, 0]])
    assert abs(nll - right).max() < 5e-16
    assert 1e-14 < abs(theirs - right).max() < 1e-12
    inside = torch.tensor([[0.003]], dtype=torch.float64)
    series = torch.distributions.ContinuousBernoulli(logits=inside).mean
    assert float(series) == pytest.approx(float(exact(0.003, 0)[1]), abs=1e-15)


@pytest.mark.usefixtures("each_backend")
@each_dtype
def test_extreme_logits_cost_no_more_than_they_must(dtype):
    a = there(np.array([[1e4, -1e4, 1e4, -1e4, 0]]), dtype)
    x = there(np.array([[1, 0, 0, 1, 0.25]]), dtype)
    layer = ContinuousBernoulli(dtype=dtype)
    assert_allclose(layer.forward(a, x), [2e4 - 4 * math.log(1e4)], rtol=1e-6)
    slope = [[-1e-4, 1e-4, 1 - 1e-4, 1e-4 - 1, 0.25]]
    assert_allclose(layer.backward(there(np.ones(1), dtype)), slope, atol=1e-7)


@each_dtype
def test_the_logit_of_a_mean_is_the_inverse(dtype):
    mean = np.concatenate([[1e-14, 1e-9, 1e-5, 1e-3], np.linspace(0.01, 0.99, 197)])
    mean = np.append(mean, [0.5 - 1e-9, 0.5, 0.5 + 1e-9, 0.999]).astype(dtype)
    logit = logit_of(mean)
    assert logit.dtype == dtype
    again = [float(exact(a, 0)[1]) for a in logit]
    np.testing.assert_allclose(again, mean, rtol=10 * np.finfo(dtype).eps)


def test_the_bias_is_the_best_constant():
    """No other logits have a lower nll of the data that the mean is of."""
    x = np.random.default_rng(3).beta(0.4, 2, (50, 6))
    bias = ContinuousBernoulli().bias_for(x.mean(axis=0))
    _, cache = forward(np.broadcast_to(bias, x.shape), x)
    np.testing.assert_allclose(backward(np.ones(50), *cache).sum(axis=0), 0, atol=1e-12)
    ends = ContinuousBernoulli().bias_for(np.array([0.0, 1.0]))
    np.testing.assert_array_equal(ends, [-1000, 1000])


@pytest.mark.usefixtures("each_backend")
@each_dtype
def test_draws_have_the_distribution(dtype):
    n, logits = 20_000, np.array([-30, -3, -0.4, 0, 1e-9, 0.6, 8])
    likelihood = ContinuousBernoulli(dtype=dtype)
    x = here(likelihood.draw(there(np.tile(logits, (n, 1)), dtype), np.random.default_rng(16)))
    assert 0 <= x.min() < x.max() <= 1
    error = x.std(axis=0) / math.sqrt(n)
    expected = np.array([float(exact(a, 0)[1]) for a in logits])
    assert (abs(x.mean(axis=0) - expected) < 5 * error).all()
    for a, drawn in zip(logits, x.T, strict=True):
        distribution = (lambda t, a=a: np.expm1(a * t) / np.expm1(a)) if a else "uniform"
        assert stats.kstest(drawn.astype(float), distribution).pvalue > 1e-3


@each_dtype
def test_a_draw_is_the_inverse_distribution_function_even_at_the_ends(dtype):
    class Given(np.random.Generator):
        def random(self, shape):
            return np.broadcast_to([0, 0.25, 0.75, 1 - 2**-53], shape)

    likelihood = ContinuousBernoulli(dtype=dtype, backend="numpy")
    x = likelihood.draw(
        np.repeat(LOGITS.astype(dtype)[:, None], 4, axis=1), Given(np.random.PCG64())
    )
    eps = np.finfo(dtype).eps
    assert 0 <= x.min() < x.max() <= 1
    assert (np.diff(x, axis=1) >= 0).all()
    some = (abs(LOGITS) > 1e-8) & (abs(LOGITS) < 20)
    with mp.workdps(40):
        for a, row in zip(LOGITS.astype(dtype)[some], x[some], strict=True):
            u = [mp.expm1(mp.mpf(float(a)) * mp.mpf(float(t))) / mp.expm1(float(a)) for t in row]
            np.testing.assert_allclose(np.array(u[1:3], float), [0.25, 0.75], rtol=40 * eps)
    nearly_uniform = abs(LOGITS) < 1e-11
    np.testing.assert_allclose(x[nearly_uniform, 1:3], [[0.25, 0.75]] * 6, rtol=1e-11)


@pytest.mark.usefixtures("each_backend")
@each_dtype
def test_the_perfect_output_of_black_and_white_is_finite_and_no_worse_than_the_models(dtype):
    likelihood = ContinuousBernoulli(dtype=dtype)
    x = there(np.array([[[0, 1, 0, 1, 0, 0.25]]]), dtype)
    out = there(np.array([[[-5, 5, 7, 3000, -4000, 0]]]), dtype)
    perfect = likelihood.perfect(out, x)
    quarter = float(here(logit_of(there(np.array([0.25]), dtype)))[0])
    assert_allclose(perfect, [[[-1000, 1000, -1000, 3000, -4000, quarter]]], rtol=1e-6)
    deviance = likelihood.forward(out, x) - likelihood.forward(perfect, x)
    assert float(here(deviance)[0, 0]) > 0


def test_grey_data_have_a_likelihood():
    likelihood = ContinuousBernoulli()
    assert (likelihood.data_width(6), likelihood.output_width(6)) == (6, 6)
    assert (likelihood.binary, likelihood.real) == (False, False)
    assert likelihood.note(np.array([[0.0, 0.5, 1.0]])) == ""
