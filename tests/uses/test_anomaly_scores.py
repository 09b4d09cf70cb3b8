"""The scores against their definitions, and the parts against the scores."""

import numpy as np
import pytest
from scipy import integrate, special, stats

from arrays import here, there
from minivae.data import Pixels
from minivae.models import VAE
from minivae.ops import LIKELIHOODS
from minivae.train.evaluate import log_likelihood
from minivae.uses.anomaly.scores import SCORES, explain, score

pytestmark = pytest.mark.usefixtures("each_backend")

N, D, Z, K = 13, 6, 3, 5


def make(likelihood="bernoulli", dtype="float64", latent=Z, **options):
    """A model with random weights, grey data and noise."""
    rng = np.random.default_rng(0)
    options["likelihood_options"] = {"sigma": 0.6} if likelihood == "gaussian" else {}
    model = VAE(D, (8,), latent, likelihood=likelihood, rng=rng, dtype=dtype, **options)
    model.params.theta[...] = there(0.5 * rng.standard_normal(model.params.theta.size), dtype)
    return model, rng.random((N, D)).astype(dtype), rng.standard_normal((K, latent))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_scores_are_what_they_say(likelihood):
    model, x, eps = make(likelihood)
    scores = score(model, x, eps)
    assert list(scores) == list(SCORES)
    for i in range(N):
        row = np.repeat(x[i : i + 1], K, axis=0)
        terms = model.forward(model.prepare(row), there(eps))
        assert scores["reconstruction"][i] == pytest.approx(here(terms.nll).mean(), rel=1e-12)
        assert scores["kl"][i] == pytest.approx(here(terms.kl)[0].sum(), rel=1e-12)
        assert scores["neg_elbo"][i] == pytest.approx(-here(terms.bound).mean(), rel=1e-12)
    assert np.all(scores["neg_log_px"] < scores["neg_elbo"] + 3)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-12)])
def test_the_last_is_the_evaluation_s_log_likelihood(dtype, tolerance):
    model, x, _ = make(dtype=dtype)
    eps = here(model.normal(np.random.default_rng(7), (40, Z)))
    scores = score(model, x, eps)
    for i in range(N):
        rng = np.random.default_rng(7)
        expected = log_likelihood(model, x[i : i + 1], rng=rng, samples=40)[0]
        assert scores["neg_log_px"][i] == pytest.approx(-expected, rel=tolerance)


def test_with_many_samples_it_is_the_integral():
    # One latent dimension: p(x) by quadrature over the prior. The encoder is near the prior, so
    # that 20,000 samples reach everywhere.
    model, x, _ = make(latent=1)
    model.encoder.params.theta[...] *= 0.1

    def joint(z, row):
        mean = here(model.decode(there(np.full((1, 1), z))))[0]
        log_p = (special.xlogy(row, mean) + special.xlogy(1 - row, 1 - mean)).sum()
        return np.exp(log_p) * stats.norm.pdf(z)

    eps = np.random.default_rng(0).standard_normal((20_000, 1))
    estimate = score(model, x[:3], eps)["neg_log_px"]
    exact = [-np.log(integrate.quad(joint, -8, 8, args=(row,))[0]) for row in x[:3]]
    np.testing.assert_allclose(estimate, exact, atol=0.02)


def test_a_row_s_score_is_its_own_affair():
    model, x, eps = make("gaussian_learned")
    scores = score(model, x, eps)
    order = np.random.default_rng(0).permutation(N)
    mixed, alone = score(model, x[order], eps), score(model, x[4:5], eps)
    for name in SCORES:
        np.testing.assert_allclose(mixed[name], scores[name][order], rtol=1e-12)
        assert alone[name][0] == pytest.approx(scores[name][4], rel=1e-12)


def test_pixels_score_as_their_floats():
    model, _, eps = make(dtype="float32")
    pixels = Pixels(np.random.default_rng(0).integers(0, 256, (N, D), dtype=np.uint8))
    for name, values in score(model, pixels, eps).items():
        np.testing.assert_array_equal(values, score(model, np.asarray(pixels), eps)[name])


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float64", 1e-10)])
def test_the_deviance_leaves_out_what_a_perfect_reconstruction_costs(dtype, tolerance):
    model, x, eps = make(dtype=dtype)
    x[:, 0], x[:, 1] = 0, 1
    entropy = special.entr(x.astype(float)).sum(axis=1) + special.entr(1.0 - x).sum(axis=1)
    scores = score(model, x, eps)
    expected = scores["reconstruction"] - entropy
    np.testing.assert_allclose(scores["deviance"], expected, rtol=tolerance, atol=tolerance)
    scores = score(model, (x > 0.5).astype(dtype), eps)
    np.testing.assert_allclose(scores["deviance"], scores["reconstruction"], rtol=tolerance)


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_shared", "categorical"])
def test_the_deviance_of_other_likelihoods(likelihood):
    model, x, eps = make(likelihood)
    sd = 0.6
    if likelihood == "gaussian_shared":
        sd = float(np.exp(here(model.likelihood.params["logvar"])[0] / 2))
    # A perfect reconstruction is at the density's peak; a level of probability 1 costs nothing.
    least = 0 if likelihood == "categorical" else -D * stats.norm.logpdf(0, scale=sd)
    scores = score(model, x, eps)
    np.testing.assert_allclose(scores["deviance"], scores["reconstruction"] - least, rtol=1e-10)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_parts_add_up_to_the_deviance(likelihood):
    model, x, eps = make(likelihood)
    parts, rebuilt = explain(model, x, eps, rows=5)
    assert parts.shape == rebuilt.shape == (N, D)
    np.testing.assert_allclose(parts.sum(axis=1), score(model, x, eps)["deviance"], rtol=1e-10)
    assert parts.min() > -1e-12


def test_each_part_is_that_value_s():
    model, x, eps = make("gaussian_learned")
    parts, rebuilt = explain(model, x, eps)
    mu, logvar = here(model.encode(there(x)))
    expected, means = 0, 0
    for e in eps:
        out = here(model.decoder.forward(there(mu + np.exp(logvar / 2) * e)))
        mean, sd = out[:, :D], np.exp(out[:, D:] / 2)
        expected = expected + ((x - mean) / sd) ** 2 / 2 / K
        means = means + mean / K
    np.testing.assert_allclose(parts, expected, rtol=1e-11)
    np.testing.assert_allclose(rebuilt, means, rtol=1e-11)


@pytest.mark.parametrize("likelihood", ["gaussian", "gaussian_shared", "gaussian_learned"])
def test_what_overflows_is_infinitely_anomalous(likelihood):
    model, x, eps = make(likelihood, "float32")
    x[2] = np.finfo("f4").max
    with np.errstate(all="warn"):
        scores = score(model, x, eps)
        parts, _ = explain(model, x, eps)
    assert scores["neg_elbo"][2] == np.inf
    assert scores["neg_log_px"][2] == np.inf
    assert not any(np.isnan(values).any() for values in scores.values())
    assert np.isfinite(np.delete(scores["neg_log_px"], 2)).all()
    assert not np.isnan(parts).any()
