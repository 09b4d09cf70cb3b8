"""Evaluation: the batch size is nobody's business, and the long estimate is right and small."""

import math
import tracemalloc

import numpy as np
import pytest
from scipy import special, stats

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.data import Pixels
from minivae.data.batches import batches
from minivae.engine.backend import get_backend
from minivae.engine.noise import normal
from minivae.errors import OptionError, ShapeError
from minivae.models import VAE, Autoencoder
from minivae.ops import LIKELIHOODS
from minivae.train.evaluate import evaluate, log_likelihood

pytestmark = pytest.mark.usefixtures("each_backend")

N, PIXELS, LATENT = 101, 6, 3
TOLERANCE = {"float32": 1e-6, "float64": 1e-12}
each_dtype = pytest.mark.parametrize("dtype", TOLERANCE)


def make(dtype="float64", likelihood="bernoulli", kind=VAE, **options):
    """A model with random weights, and grey data."""
    rng = np.random.default_rng(0)
    model = kind(PIXELS, (8,), LATENT, likelihood=likelihood, rng=rng, dtype=dtype, **options)
    model.params.theta[...] = there(0.5 * rng.standard_normal(model.params.theta.size), dtype)
    return model, rng.random((N, PIXELS)).astype(dtype)


def rng():
    return np.random.default_rng(5)


# ---- evaluate ----


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
@pytest.mark.parametrize("samples", [None, 3])
@each_dtype
def test_every_batch_size_gives_the_same(dtype, samples, likelihood):
    model, x = make(dtype, likelihood, samples=samples)
    whole = evaluate(model, x, rng=rng(), batch=N)
    for batch in (1, 7, 500):
        parts = evaluate(model, x, rng=rng(), batch=batch)
        assert parts.keys() == whole.keys()
        for name, number in whole.items():
            assert_allclose(
                parts[name], number, rtol=TOLERANCE[dtype], err_msg=f"{name}, batch {batch}"
            )


@pytest.mark.parametrize("batch", [1, 7, 500, N])
def test_every_batch_size_gives_the_same_for_an_autoencoder(batch):
    model, x = make("float32", kind=Autoencoder)
    whole = evaluate(model, x, rng=rng(), batch=N)
    assert evaluate(model, x, rng=rng(), batch=batch)["nll"] == pytest.approx(
        whole["nll"], rel=1e-6
    )


def test_evaluation_is_deterministic_and_changes_no_weight():
    model, x = make("float32")
    theta = model.params.theta.tobytes()
    numbers = [evaluate(model, x, rng=rng(), batch=7) for _ in range(2)]
    np.testing.assert_equal(numbers[0], numbers[1])
    assert model.params.theta.tobytes() == theta
    other = evaluate(model, x, rng=np.random.default_rng(6))
    assert other["nll"] != numbers[0]["nll"], "the noise comes from the generator that is given"
    assert other["kl"] == pytest.approx(numbers[0]["kl"], rel=1e-6), "the KL needs no noise"


@pytest.mark.parametrize("samples", [None, 3])
def test_the_numbers_are_means_over_examples(samples):
    model, x = make(samples=samples)
    noise = model.draw_noise(rng(), N)
    terms = model.forward(model.prepare(x), noise)
    numbers = evaluate(model, x, rng=rng(), batch=7)  # 14 batches of 7 and one of 3
    assert numbers["nll"] == pytest.approx(float(terms.nll.mean()), rel=1e-12)
    assert_allclose(numbers["kl_per_dim"], terms.kl.mean(axis=0), rtol=1e-12)
    assert numbers["kl"] == pytest.approx(float(terms.kl.sum(axis=1).mean()), rel=1e-12)
    assert numbers["elbo"] == pytest.approx(-numbers["nll"] - numbers["kl"], rel=1e-12)
    assert numbers["bound"] == pytest.approx(float(terms.bound.mean()), rel=1e-12)
    if samples is None:
        assert numbers["bound"] == pytest.approx(numbers["elbo"], rel=1e-12)
        assert numbers["elbo"] == pytest.approx(-float(terms.loss), rel=1e-12)
    else:
        assert numbers["bound"] > numbers["elbo"]
    assert all(isinstance(numbers[name], float) for name in ("nll", "kl", "elbo", "bound"))


def test_beta_and_free_bits_are_no_part_of_it():
    model, x = make()
    pressed, _ = make(free_bits=2.0)
    plain, bits = evaluate(model, x, rng=rng()), evaluate(pressed, x, rng=rng())
    np.testing.assert_equal(plain, bits)


def test_an_autoencoder_has_a_reconstruction_term_alone():
    model, x = make(kind=Autoencoder)
    numbers = evaluate(model, x, rng=rng())
    assert numbers["nll"] == pytest.approx(float(model.forward(there(x)).nll.mean()), rel=1e-12)
    assert numbers["kl"] == 0
    assert numbers["kl_per_dim"].shape == (0,)
    assert math.isnan(numbers["elbo"])
    assert math.isnan(numbers["bound"])


def test_batches_cover_every_row_once():
    for n, batch in [(10, 3), (9, 3), (1, 5), (5, 1)]:
        rows = [np.arange(n)[part] for part in batches(n, batch)]
        assert_array_equal(np.concatenate(rows), np.arange(n))
        assert {len(part) for part in rows[:-1]} <= {batch}
    assert list(batches(0, 3)) == []


def test_what_cannot_be_evaluated_is_refused(refuses):
    model, x = make()
    with refuses(OptionError, "0 examples"):
        evaluate(model, x[:0], rng=rng())
    for batch in (0, -1):
        with refuses(OptionError, f"batch={batch}"):
            evaluate(model, x, rng=rng(), batch=batch)
    with refuses(ShapeError, "(101, 5)", "(N, 6)"):
        evaluate(model, x[:, :5], rng=rng())


# ---- log_likelihood ----


@each_dtype
def test_estimate_does_not_depend_on_the_chunks(dtype):
    model, x = make(dtype)
    whole = log_likelihood(model, x, rng=rng(), samples=50, rows=50 * N)
    assert whole.shape == (N,)
    assert whole.dtype == np.float64
    for rows in (1, 7, 49, 50, 51, 333):
        if rows == 1:
            parts = log_likelihood(model, x[:5], rng=rng(), samples=50, rows=rows)
            assert_allclose(parts, whole[:5], rtol=10 * TOLERANCE[dtype])
        else:
            parts = log_likelihood(model, x, rng=rng(), samples=50, rows=rows)
            assert_allclose(parts, whole, rtol=10 * TOLERANCE[dtype])


def test_estimate_is_the_log_mean_of_the_weights():
    model, x = make()
    samples = 20
    eps = normal(rng(), (N, samples, LATENT), "float64", get_backend("numpy"))
    mu, logvar = here(model.encode(there(x)))
    z = mu[:, None] + np.exp(logvar / 2)[:, None] * eps
    p = here(model.decode(there(z.reshape(-1, LATENT)))).reshape(N, samples, PIXELS)
    log_p_x = (x[:, None] * np.log(p) + (1 - x[:, None]) * np.log(1 - p)).sum(-1)
    log_p_z = stats.norm.logpdf(z).sum(-1)
    log_q_z = stats.norm.logpdf(z, mu[:, None], np.exp(logvar / 2)[:, None]).sum(-1)
    expected = special.logsumexp(log_p_x + log_p_z - log_q_z, axis=1) - math.log(samples)
    for rows in (7, 5000):
        estimate = log_likelihood(model, x, rng=rng(), samples=samples, rows=rows)
        assert_allclose(estimate, expected, rtol=1e-12)


def test_bytes_are_evaluated_as_the_floats_that_they_stand_for():
    values = np.random.default_rng(0).integers(0, 256, (23, 6), dtype=np.uint8)
    x = Pixels(values, 255)
    model = VAE(6, (5,), 2, rng=rng())
    ours, theirs = (evaluate(model, data, rng=rng(), batch=5) for data in (x, np.asarray(x)))
    np.testing.assert_equal(ours, theirs)
    ours, theirs = (
        log_likelihood(model, data, rng=rng(), samples=4, rows=20) for data in (x, np.asarray(x))
    )
    assert_array_equal(ours, theirs)


def test_estimate_is_the_integral_over_the_prior():
    # One latent dimension: ln p(x) by quadrature.
    generator = np.random.default_rng(1)
    model = VAE(4, (5,), 1, rng=generator, dtype="float64")
    model.params.theta[...] = there(generator.standard_normal(model.params.theta.size))
    # An encoder that is wider than the posterior wherever it lies: the weights then vary little.
    heads = model.encoder.heads.params
    heads["W"][...] *= 0.1
    heads["b"][...] = there([0.0, 1.0])
    x = np.round(generator.random((6, 4)))
    z = np.linspace(-9, 9, 4001)[:, None]
    p = here(model.decode(there(z)))
    density = np.stack([stats.bernoulli.pmf(row, p).prod(axis=1) for row in x])
    exact = np.log((density * stats.norm.pdf(z[:, 0])).sum(axis=1) * (z[1, 0] - z[0, 0]))
    estimate = log_likelihood(model, x, rng=rng(), samples=200_000, rows=50_000)
    assert_allclose(estimate, exact, atol=0.01)
    # With one sample it is an ELBO, which is lower in the mean over the noise.
    noise = rng()
    low = np.stack([log_likelihood(model, x, rng=noise, samples=1) for _ in range(200)])
    error = low.mean(axis=1).std() / np.sqrt(len(low))
    assert low.mean() < estimate.mean() - 3 * error


def test_estimate_takes_weights_that_no_exponential_can_hold():
    # ln p(x) is about -10^5: exp of it is 0 in any dtype.
    model, x = make("float32", "gaussian", likelihood_options={"sigma": 0.003})
    estimate = log_likelihood(model, x, rng=rng(), samples=30, rows=7)
    assert np.isfinite(estimate).all()
    assert estimate.max() < -1000
    together = log_likelihood(model, x, rng=rng(), samples=30, rows=5000)
    assert_allclose(estimate, together, rtol=1e-5)


def test_five_thousand_samples_fit_into_a_small_memory():
    generator = np.random.default_rng(2)
    model = VAE(784, (400,), 20, rng=generator)
    x = generator.random((1, 784), dtype=np.float32)
    tracemalloc.start()
    try:
        estimate = log_likelihood(model, x, rng=rng(), samples=5000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert np.isfinite(estimate).all()
    assert peak < 0.2e9  # bytes: 8 arrays of 5000 x 784 float32 are 0.13e9

    # In smaller chunks it is less, and more images do not make it more.
    tracemalloc.start()
    try:
        log_likelihood(model, np.repeat(x, 3, axis=0), rng=rng(), samples=5000, rows=500)
        _, small_peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert small_peak < 0.03e9


def test_what_has_no_likelihood_is_refused(refuses):
    model, x = make()
    for samples, rows, word in [(0, 10, "samples=0"), (10, 0, "rows=0")]:
        with refuses(OptionError, word):
            log_likelihood(model, x, rng=rng(), samples=samples, rows=rows)
    autoencoder, _ = make(kind=Autoencoder)
    with refuses(OptionError, "'autoencoder'", "VAE"):
        log_likelihood(autoencoder, x, rng=rng())
    with refuses(ShapeError, "(N, 6)"):
        log_likelihood(model, x[:, :5], rng=rng())
