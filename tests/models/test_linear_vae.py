r"""The linear VAE is probabilistic PCA, so its optimum is known in closed form.

With $p(x \mid z) = N(W z + b, s^2 I)$ the data have the marginal density $N(b, W W^\top + s^2 I)$.
Let $l_1 \ge l_2 \ge \dots$ be the eigenvalues of the data's covariance and $U$ its eigenvectors.
The likelihood is highest at (Tipping and Bishop 1999, section 3.2)

    b = mean of the data,   s^2 = mean of the D - Z smallest eigenvalues,
    W = U_Z (L_Z - s^2 I)^(1/2) R,   with any rotation R,

where it is, per datum, -1/2 (D ln 2 pi + sum of the ln l_i, i <= Z, + (D - Z) ln s^2 + D). The
posterior is N(M^-1 W^T (x - b), s^2 M^-1) with M = W^T W + s^2 I. It is diagonal for R = I, so an
encoder with a diagonal covariance can be the posterior, and then the ELBO is the log-likelihood
(Lucas, Tucker, Grosse and Norouzi 2019). Here W is (Z, D), as in the code: the transpose of the
papers'.
"""

import math

import numpy as np
import pytest
from scipy import stats

from arrays import assert_allclose, here, there
from minivae.models import VAE
from minivae.train.evaluate import evaluate, log_likelihood
from minivae.train.loop import fit
from minivae.train.optim.adam import Adam
from minivae.train.settings import Settings, Training

pytestmark = [pytest.mark.usefixtures("each_backend"), pytest.mark.slow]

D, Z, N = 6, 2, 400


@pytest.fixture(scope="module")
def data():
    """Two strong directions, different ones, in noise, away from the origin."""
    rng = np.random.default_rng(3)
    directions, _ = np.linalg.qr(rng.standard_normal((D, Z)))
    x = rng.standard_normal((N, Z)) * [2.5, 1.2] @ directions.T
    return x + 0.8 * rng.standard_normal((N, D)) + rng.standard_normal(D)


@pytest.fixture(scope="module")
def optimum(data):
    """Eigenvalues, largest first, with their eigenvectors, s^2, and the highest likelihood."""
    values, vectors = np.linalg.eigh(np.cov(data.T, bias=True))
    values, vectors = values[::-1], vectors[:, ::-1]
    s2 = values[Z:].mean()
    log_p = -0.5 * (
        D * math.log(2 * math.pi) + np.log(values[:Z]).sum() + (D - Z) * math.log(s2) + D
    )
    assert (-np.diff(values)[:Z] > 0.5).all(), "eigenvalues that are well apart"
    return values, vectors, s2, log_p


def linear_vae(**options):
    rng = np.random.default_rng(1)
    return VAE(D, (), Z, likelihood="gaussian_shared", rng=rng, dtype="float64", **options)


def set_to(model, W, b, s2, mean_weights, mean_bias, variances):
    """Write the decoder N(z W + b, s2) and the encoder N(x V + v, diag(variances))."""
    model.decoder[0].params["W"][...] = there(W)
    model.decoder[0].params["b"][...] = there(b)
    model.likelihood.params["logvar"][...] = math.log(s2)
    heads = model.encoder.heads.params
    heads["W"][...] = there(np.hstack([mean_weights, np.zeros_like(mean_weights)]))
    heads["b"][...] = there(np.concatenate([mean_bias, np.log(variances)]))


def at_the_optimum(data, optimum, rotation=None, **options):
    """The closed-form optimum, with the best diagonal encoder for it."""
    values, vectors, s2, _ = optimum
    rotation = np.eye(Z) if rotation is None else rotation
    W = rotation.T @ (vectors[:, :Z] * np.sqrt(values[:Z] - s2)).T
    b = data.mean(axis=0)
    inverse = np.linalg.inv(W @ W.T + s2 * np.eye(Z))
    model = linear_vae(**options)
    # The best diagonal encoder has the diagonal of the posterior's precision M / s2.
    variances = s2 / np.diag(W @ W.T + s2 * np.eye(Z))
    set_to(model, W, b, s2, W.T @ inverse, -b @ W.T @ inverse, variances)
    return model


def marginal_log_likelihood(model, x):
    """The model's own ln p(x), (N,), by SciPy."""
    W, b = here((model.decoder[0].params["W"], model.decoder[0].params["b"]))
    s2 = math.exp(float(model.likelihood.params["logvar"][0]))
    return stats.multivariate_normal(b, W.T @ W + s2 * np.eye(D)).logpdf(x)


def exact_elbo(model, x):
    """The ELBO (N,) with the expectation over z taken in closed form."""
    W, b = here((model.decoder[0].params["W"], model.decoder[0].params["b"]))
    s2 = math.exp(float(model.likelihood.params["logvar"][0]))
    mu, logvar = here(model.encode(there(x)))
    square = ((x - mu @ W - b) ** 2).sum(axis=1) + np.exp(logvar) @ (W * W).sum(axis=1)
    nll = 0.5 * (square / s2 + D * math.log(2 * math.pi * s2))
    return -nll - 0.5 * (mu**2 + np.exp(logvar) - 1 - logvar).sum(axis=1)


# ---- at the optimum ----


def test_elbo_at_the_closed_form_optimum_is_the_log_likelihood(data, optimum):
    log_p = optimum[-1]
    model = at_the_optimum(data, optimum)
    marginal = marginal_log_likelihood(model, data)
    assert marginal.mean() == pytest.approx(log_p, abs=1e-10)
    assert_allclose(exact_elbo(model, data), marginal, rtol=0, atol=1e-10)


def test_importance_weights_at_the_optimum_are_all_the_same(data, optimum):
    # q is the posterior, so p(x, z) / q(z | x) = p(x) for every z: a bound without variance.
    model = at_the_optimum(data, optimum, samples=50)
    marginal = marginal_log_likelihood(model, data)
    x = there(data)
    mu, logvar = model.encode(x)
    noise = model.draw_noise(np.random.default_rng(0), N)
    w, _ = model.objective.log_weights(x, mu, logvar, noise)
    assert_allclose(w, np.repeat(marginal[:, None], 50, axis=1), rtol=0, atol=1e-10)
    assert_allclose(model.elbo(x, noise), marginal, rtol=0, atol=1e-10)
    assert -float(model.forward(x, noise).loss) == pytest.approx(optimum[-1], abs=1e-10)
    for samples, rows in [(1, 5000), (5, 5000), (40, 7)]:
        estimate = log_likelihood(
            model, data, rng=np.random.default_rng(1), samples=samples, rows=rows
        )
        assert_allclose(estimate, marginal, rtol=0, atol=1e-10)


def four_points(model, x):
    """Mean of bound and gradient over the noise (1, 1), (1, -1), (-1, 1), (-1, -1).

    All four together have the moments of a normal up to the third, and loss and gradient of the
    linear VAE are squares of the noise, so these are the exact expectations.
    """
    bounds, gradients = [], []
    for signs in [(1, 1), (1, -1), (-1, 1), (-1, -1)]:
        noise = np.tile(np.array(signs, "float64"), (len(x), 1))
        terms = model.step(there(x), there(noise))
        bounds.append(here(terms.bound))
        gradients.append(here(model.params.grad).copy())
    return np.mean(bounds, axis=0), np.mean(gradients, axis=0)


def test_expected_bound_and_gradient_at_the_optimum(data, optimum):
    model = at_the_optimum(data, optimum)
    bound, gradient = four_points(model, data)
    assert_allclose(bound, marginal_log_likelihood(model, data), rtol=0, atol=1e-10)
    assert np.abs(gradient).max() < 1e-10
    # A step away from it, the bound is lower and the gradient is there.
    for name in model.params:
        value = model.params[name]
        before = value.copy()
        value.reshape(-1)[0] += 0.1
        lower, gradient = four_points(model, data)
        assert lower.mean() < optimum[-1] - 1e-4, name
        assert np.abs(gradient).max() > 1e-2, name
        assert_allclose(lower, exact_elbo(model, data), rtol=0, atol=1e-10)
        value[...] = before


def test_after_a_rotation_the_bound_is_strictly_lower(data, optimum):
    # The likelihood is the same, but the posterior is no longer diagonal.
    c, s = math.cos(0.5), math.sin(0.5)
    model = at_the_optimum(data, optimum, rotation=np.array([[c, -s], [s, c]]))
    marginal = marginal_log_likelihood(model, data)
    assert marginal.mean() == pytest.approx(optimum[-1], abs=1e-10)
    gap = marginal - exact_elbo(model, data)
    # KL of the best diagonal Gaussian from a Gaussian with precision P: 1/2 ln(prod P_jj / det P).
    W = here(model.decoder[0].params["W"])
    precision = W @ W.T / optimum[2] + np.eye(Z)
    expected = 0.5 * (np.log(np.diag(precision)).sum() - np.linalg.slogdet(precision)[1])
    assert expected > 0.05
    assert_allclose(gap, expected, rtol=0, atol=1e-10)


# ---- by training ----


def test_training_reaches_the_closed_form_optimum(data, optimum):
    *_, s2, log_p = optimum
    model = linear_vae()
    epochs, first, last = 600, 5e-2, 1e-4
    optimizer = Adam(first)

    def decay(training):
        optimizer.lr = first * (last / first) ** (len(training.history) / epochs)

    training = Training(
        model, optimizer, np.random.default_rng(4), Settings(epochs=epochs, batch=50)
    )
    start = marginal_log_likelihood(model, data).mean()
    fit(training, data, after_epoch=decay, progress=False)

    reached = marginal_log_likelihood(model, data).mean()
    assert start < log_p - 1
    assert log_p - 1e-3 < reached <= log_p + 1e-12
    elbo = exact_elbo(model, data).mean()
    assert log_p - 1e-3 < elbo <= reached + 1e-12
    # What the engine reports for it is the same, exactly, and up to the noise of its samples.
    assert four_points(model, data)[0].mean() == pytest.approx(elbo, abs=1e-10)
    reported = [
        evaluate(model, data, rng=np.random.default_rng(seed))["elbo"] for seed in range(200)
    ]
    error = np.std(reported) / math.sqrt(len(reported))
    assert error < 0.01
    assert abs(np.mean(reported) - elbo) < 4 * error

    # And the parameters are the closed form's, up to order and signs of the latent dimensions.
    assert math.exp(float(model.likelihood.params["logvar"][0])) == pytest.approx(s2, rel=0.02)
    W = here(model.decoder[0].params["W"])
    gram = W @ W.T
    values = optimum[0]
    assert_allclose(np.sort(np.diag(gram))[::-1], values[:Z] - s2, rtol=0.02)
    assert abs(gram[0, 1]) < 0.05
    assert_allclose(model.decoder[0].params["b"], data.mean(axis=0), atol=0.02)
