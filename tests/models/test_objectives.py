"""The two bounds: their values against SciPy, their gradients, and how they are ordered."""

import math

import numpy as np
import pytest
from scipy import special, stats

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import OptionError, ShapeError, StateError
from minivae.models.objectives import ELBO, ImportanceWeighted
from minivae.ops import LIKELIHOODS, Linear, find_case
from minivae.ops.negative_elbo import CASES
from minivae.train.schedule import BetaSchedule

pytestmark = pytest.mark.usefixtures("each_backend")

B, D, Z, K = 5, 3, 2, 7
LEVELS = 4


def make(likelihood="bernoulli", seed=0, **options):
    """A decoder with random weights, a likelihood with random parameters, and data for it."""
    rng = np.random.default_rng(seed)
    layer = LIKELIHOODS[likelihood](dtype="float64", **options)
    decoder = Linear(Z, layer.output_width(D), rng=rng, dtype="float64")
    decoder.params["b"][...] = there(rng.standard_normal(layer.output_width(D)))
    layer.params.theta[...] = 0.3
    pixels = rng.random((B, D))
    if likelihood == "bernoulli":
        pixels = np.round(pixels)
    return decoder, layer, there(layer.encode_data(pixels))


def heads(seed=1):
    rng = np.random.default_rng(seed)
    return there(rng.standard_normal((B, Z))), there(0.7 * rng.standard_normal((B, Z)) - 0.2)


def noise(*shape, seed=2):
    return there(np.random.default_rng(seed).standard_normal(shape))


# ---- the operation: nll and kl to the loss ----


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("sizes", [{}, {"B": 1, "Z": 5}, {"B": 7, "Z": 3}], ids=str)
def test_gradient_is_the_numerical_one(case, sizes):
    arguments = case.draw(np.random.default_rng(3), sizes)
    _, cache = case.forward(**arguments, **case.options)
    dloss, h = -1.3, 1e-5
    gradients = case.gradients(dloss, cache)
    for name, value in arguments.items():
        expected = np.empty(value.shape)
        for at in np.ndindex(value.shape):
            up, down = value.copy(), value.copy()
            up[at] += h
            down[at] -= h
            high, _ = case.forward(**{**arguments, name: up}, **case.options)
            low, _ = case.forward(**{**arguments, name: down}, **case.options)
            expected[at] = dloss * (high - low) / (2 * h)
        assert gradients[name].shape == value.shape
        scale = np.abs(expected).max()
        assert scale > 1e-3
        assert_allclose(gradients[name], expected, rtol=0, atol=1e-7 * scale)
    gate = gradients["kl"] != 0
    assert not gate[:, 0].any(), "the first dimension lies below the free bits"
    assert gate[:, 1:].all()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtype_stays_and_nothing_is_changed(case, dtype):
    arguments = case.draw(np.random.default_rng(4), dtype=dtype)
    for value in arguments.values():
        value.flags.writeable = False
    loss, cache = case.forward(**arguments, **case.options)
    assert loss.shape == ()
    assert loss.dtype == dtype
    first = case.gradients(0.7, cache)
    again = case.gradients(0.7, cache)
    twice = case.gradients(1.4, cache)
    for name, gradient in first.items():
        assert gradient.dtype == dtype
        assert_array_equal(gradient, again[name])
        assert_array_equal(2 * gradient, twice[name])


def test_loss_in_numbers():
    (case,) = CASES
    nll = np.array([10.0, 20.0])
    kl = np.array([[0.1, 1.0], [0.3, 3.0]])  # means 0.2 and 2
    loss, cache = case.forward(nll, kl)
    assert loss == pytest.approx(15 + 0.2 + 2, rel=1e-15)
    dnll, dkl = case.backward(1.0, *cache)
    assert_allclose(dnll, [1 / 2, 1 / 2])
    assert_allclose(dkl, np.full((2, 2), 1 / 2))

    loss, cache = case.forward(nll, kl, beta=4.0, free_bits=0.5)
    assert loss == pytest.approx(15 + 4 * (0.5 + 2), rel=1e-15)
    dnll, dkl = case.backward(1.0, *cache)
    assert_allclose(dnll, [1 / 2, 1 / 2])
    assert_allclose(dkl, [[0, 2], [0, 2]])


def test_free_bits_look_at_the_mean_of_the_batch_not_at_the_example():
    (case,) = CASES
    kl = np.array([[0.0], [2.0]])  # the mean, 1, is above; the first example alone is below
    loss, cache = case.forward(np.zeros(2), kl, free_bits=0.8)
    assert loss == 1.0
    assert_array_equal(case.backward(1.0, *cache)[1], [[0.5], [0.5]])


def test_free_bits_of_zero_change_nothing():
    decoder, likelihood, x = make()
    mu, logvar = heads()
    eps = noise(B, Z)
    terms = ELBO(decoder, likelihood).forward(x, mu, logvar, eps)
    assert float(terms.loss) == pytest.approx(-float(terms.bound.mean()), rel=1e-14)


# ---- the terms against SciPy ----


def log_likelihoods(name, layer, out, x):
    """Sum over the dimensions of ln p(x | out), by SciPy; else by the pair, which has an oracle."""
    if name == "bernoulli":
        return stats.bernoulli.logpmf(x, special.expit(out)).sum(-1)
    if name == "gaussian":
        return stats.norm.logpdf(x, out, layer.sigma).sum(-1)
    if name == "gaussian_shared":
        return stats.norm.logpdf(x, out, math.exp(0.3 / 2)).sum(-1)
    if name == "gaussian_learned":
        return stats.norm.logpdf(x, out[..., :D], np.exp(out[..., D:] / 2)).sum(-1)
    if name == "categorical":
        split = (*out.shape[:-1], D, LEVELS)
        p = special.softmax(out.reshape(split), axis=-1)
        return stats.multinomial.logpmf(x.reshape(*x.shape[:-1], D, LEVELS), 1, p).sum(-1)
    rows = find_case(name).forward(out.reshape(-1, D), x.reshape(-1, D))
    return -rows[0].reshape(out.shape[:-1])


OPTIONS = {"gaussian": {"sigma": 0.6}, "categorical": {"levels": LEVELS}}


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_log_weights_are_the_densities_of_scipy(name):
    decoder, likelihood, x = make(name, **OPTIONS.get(name, {}))
    mu, logvar = heads()
    eps = noise(B, K, Z)
    objective = ImportanceWeighted(decoder, likelihood)
    w, nll = objective.log_weights(x, mu, logvar, eps)
    assert w.shape == nll.shape == (B, K)

    terms = objective.forward(x, mu, logvar, eps)
    W, b = here((decoder.params["W"], decoder.params["b"]))
    x, mu, logvar, eps, w, nll = here((x, mu, logvar, eps, w, nll))
    sigma = np.exp(logvar / 2)[:, None]
    z = mu[:, None] + sigma * eps
    out = z @ W + b
    log_p_x = log_likelihoods(name, likelihood, out, np.repeat(x[:, None], K, axis=1))
    log_p_z = stats.norm.logpdf(z).sum(-1)
    log_q_z = stats.norm.logpdf(z, mu[:, None], sigma).sum(-1)
    assert_allclose(nll, -log_p_x, rtol=1e-12)
    assert_allclose(w, log_p_x + log_p_z - log_q_z, rtol=1e-12, atol=1e-12)

    bound = special.logsumexp(w, axis=1) - math.log(K)
    assert_allclose(terms.bound, bound, rtol=1e-12)
    assert_allclose(terms.nll, -log_p_x.mean(axis=1), rtol=1e-12)
    assert float(terms.loss) == pytest.approx(-bound.mean(), rel=1e-12)


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_elbo_is_the_densities_of_scipy(name):
    decoder, likelihood, x = make(name, **OPTIONS.get(name, {}))
    mu, logvar = heads()
    eps = noise(B, Z)
    terms = ELBO(decoder, likelihood, free_bits=0.4).forward(x, mu, logvar, eps, beta=1.7)
    W, b = here((decoder.params["W"], decoder.params["b"]))
    x, mu, logvar, eps = here((x, mu, logvar, eps))
    z = mu + np.exp(logvar / 2) * eps
    out = z @ W + b
    nll = -log_likelihoods(name, likelihood, out, x)
    kl = 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar)
    assert_allclose(terms.nll, nll, rtol=1e-12)
    assert_allclose(terms.kl, kl, rtol=1e-12)
    assert_allclose(terms.bound, -nll - kl.sum(axis=1), rtol=1e-12)
    loss = nll.mean() + 1.7 * np.maximum(kl.mean(axis=0), 0.4).sum()
    assert float(terms.loss) == pytest.approx(loss, rel=1e-12)


def test_kl_per_dimension_is_the_integral():
    decoder, likelihood, x = make()
    mu, logvar = heads()
    terms = ELBO(decoder, likelihood).forward(x, mu, logvar, noise(B, Z))
    assert terms.kl.shape == (B, Z)
    mu, logvar = here((mu, logvar))
    nodes, weights = np.polynomial.hermite_e.hermegauss(20)  # exact: the logarithms are squares
    for at in np.ndindex(B, Z):
        q = stats.norm(mu[at], math.exp(logvar[at] / 2))
        z = q.mean() + q.std() * nodes
        integral = weights @ (q.logpdf(z) - stats.norm.logpdf(z)) / math.sqrt(2 * math.pi)
        assert float(terms.kl[at]) == pytest.approx(integral, abs=1e-12)


# ---- gradients with respect to the heads ----


@pytest.mark.parametrize("kind", ["elbo", "importance-weighted"])
def test_the_branches_are_added(kind):
    decoder, likelihood, x = make()
    mu, logvar = heads()
    if kind == "elbo":
        objective, eps, beta = ELBO(decoder, likelihood, free_bits=0.1), noise(B, Z), 2.3
    else:
        objective, eps, beta = ImportanceWeighted(decoder, likelihood), noise(B, K, Z), 1.0

    def loss(mu, logvar):
        return float(objective.forward(x, mu, logvar, eps, beta).loss)

    loss(mu, logvar)
    dmu, dlogvar = objective.backward()
    h = 1e-5
    for at in np.ndindex(B, Z):
        step = np.zeros((B, Z))
        step[at] = h
        step = there(step)
        by_mu = (loss(mu + step, logvar) - loss(mu - step, logvar)) / (2 * h)
        by_logvar = (loss(mu, logvar + step) - loss(mu, logvar - step)) / (2 * h)
        assert float(dmu[at]) == pytest.approx(by_mu, abs=1e-9)
        assert float(dlogvar[at]) == pytest.approx(by_logvar, abs=1e-9)


def test_with_one_sample_the_gradient_is_the_elbos_in_expectation():
    # One example many times over, each with its own noise: row n of dmu is N times row n's share
    # of the gradient. The two gradients differ in each row, since one has the KL in closed form
    # and the other its sample, but not in the mean.
    N = 20_000
    decoder, likelihood, x = make()
    mu, logvar = heads()
    rows = [there(np.repeat(here(array)[:1], N, axis=0)) for array in (x, mu, logvar)]
    eps = noise(N, Z)
    elbo, sampled = ELBO(decoder, likelihood), ImportanceWeighted(decoder, likelihood)
    elbo.forward(*rows, eps)
    closed_form = elbo.backward()
    sampled.forward(*rows, eps[:, None])
    drawn = sampled.backward()
    for a, b in zip(closed_form, drawn, strict=True):
        difference = here(N * (a - b))
        error = difference.std(axis=0) / math.sqrt(N)
        assert (error > 1e-4).all(), "the two must differ row by row"
        assert (error < 0.03).all(), "or the comparison would have no power"
        assert (np.abs(difference.mean(axis=0)) < 4 * error).all()


# ---- the bounds are ordered ----


def test_bound_rises_with_the_number_of_samples():
    decoder, likelihood, x = make()
    mu, logvar = heads()
    objective, repeats = ImportanceWeighted(decoder, likelihood), 2000
    rows = [there(np.repeat(here(array), repeats, axis=0)) for array in (x, mu, logvar)]
    means, errors = [], []
    for samples in (1, 2, 5, 20):
        eps = noise(B * repeats, samples, Z, seed=samples)
        bound = here(objective.forward(*rows, eps).bound).reshape(B, repeats).mean(axis=0)
        means.append(bound.mean())
        errors.append(bound.std() / math.sqrt(repeats))
    for i in range(3):
        margin = math.hypot(errors[i], errors[i + 1])
        assert means[i + 1] - means[i] > 4 * margin, (means, errors)

    # With one sample the mean is the ELBO's.
    elbo = ELBO(decoder, likelihood).forward(*rows, noise(B * repeats, Z, seed=30)).bound
    elbo = here(elbo).reshape(B, repeats).mean(axis=0)
    margin = math.hypot(errors[0], elbo.std() / math.sqrt(repeats))
    assert abs(means[0] - elbo.mean()) < 4 * margin

    # And none of them passes the integral that they bound.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    z = 8 * np.stack(np.meshgrid(nodes, nodes), axis=-1)  # the square from -8 to 8
    out = z @ here(decoder.params["W"]) + here(decoder.params["b"])
    prior = stats.norm.pdf(z).prod(-1)
    densities = [stats.bernoulli.pmf(row, special.expit(out)).prod(-1) * prior for row in here(x)]
    evidence = [math.log(64 * weights @ density @ weights) for density in densities]
    exact = np.mean(evidence)
    assert means[0] + 4 * errors[0] < exact
    assert means[3] < exact + 4 * errors[3]
    assert exact - means[3] < (exact - means[0]) / 4


def test_more_of_the_same_samples_never_lower_the_bound():
    # The mean over groups of the log-mean-exp of each group: Jensen's inequality, sample by sample.
    decoder, likelihood, x = make()
    objective = ImportanceWeighted(decoder, likelihood)
    w = here(objective.log_weights(x, *heads(), noise(B, 64, Z))[0])
    grouped = [
        (special.logsumexp(w.reshape(B, -1, size), axis=2) - math.log(size)).mean(axis=1)
        for size in (1, 4, 16, 64)
    ]
    assert (np.diff(grouped, axis=0) > 0).all()
    assert_allclose(objective.forward(x, *heads(), noise(B, 64, Z)).bound, grouped[-1], rtol=1e-12)


# ---- refusals ----


def test_backward_before_forward_is_refused(refuses):
    decoder, likelihood, _ = make()
    for kind in (ELBO, ImportanceWeighted):
        with refuses(StateError, kind.__name__, "before forward"):
            kind(decoder, likelihood).backward()


def test_noise_of_another_shape_is_refused(refuses):
    decoder, likelihood, x = make()
    mu, logvar = heads()
    with refuses(ShapeError, "eps", "(5, 3)"):
        ELBO(decoder, likelihood).forward(x, mu, logvar, noise(B, 3))
    for shape in [(B, Z), (B + 1, K, Z), (B, K, Z + 1), (B, K, Z, 1)]:
        with refuses(ShapeError, "eps", str(shape), "K, "):
            ImportanceWeighted(decoder, likelihood).forward(x, mu, logvar, noise(*shape))


def test_options_that_make_no_sense_are_refused(refuses):
    decoder, likelihood, x = make()
    for bits in (-0.1, float("nan")):
        with refuses(OptionError, "free_bits"):
            ELBO(decoder, likelihood, free_bits=bits)
    with refuses(OptionError, "beta=0.5"):
        ImportanceWeighted(decoder, likelihood).forward(x, *heads(), noise(B, K, Z), beta=0.5)


def test_a_numpy_float_as_beta_does_not_change_the_dtype():
    rng = np.random.default_rng(0)
    likelihood = LIKELIHOODS["bernoulli"]()
    objective = ELBO(Linear(Z, D, rng=rng), likelihood)
    x, mu, logvar, eps = (there(np.ones((B, n)), "float32") for n in (D, Z, Z, Z))
    terms = objective.forward(x, mu, logvar, eps, beta=np.float64(0.3))
    dmu, dlogvar = objective.backward()
    assert {array.dtype.name for array in (terms.loss, terms.bound, dmu, dlogvar)} == {"float32"}


# ---- beta while training ----


def test_beta_at_each_step():
    assert [BetaSchedule(1.5)(step) for step in (0, 1, 100)] == [1.5, 1.5, 1.5]
    linear = BetaSchedule(2.0, "linear", period=4)
    assert [linear(step) for step in range(7)] == [0, 0.5, 1, 1.5, 2, 2, 2]
    cyclical = BetaSchedule(2.0, "cyclical", period=4)
    assert [cyclical(step) for step in range(10)] == [0, 1, 2, 2, 0, 1, 2, 2, 0, 1]
    odd = BetaSchedule(1.0, "cyclical", period=5)
    assert_allclose([odd(step) for step in range(6)], [0, 0.4, 0.8, 1, 1, 0])


def test_a_schedule_that_makes_no_sense_is_refused(refuses):
    with refuses(OptionError, "'cosine'", "linear"):
        BetaSchedule(1.0, "cosine")
    with refuses(OptionError, "beta=nan"):
        BetaSchedule(float("nan"), "linear", 1)
    for beta, period in [(-1.0, 1), (1.0, 0)]:
        with refuses(OptionError, f"beta={beta}", f"period={period}"):
            BetaSchedule(beta, "linear", period)
