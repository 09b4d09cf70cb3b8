"""Active units, and what the report says of the others."""

import numpy as np
import pytest

from minivae import VAE, Adam, Settings, Training, evaluate, fit
from minivae.data import load
from minivae.errors import ShapeError
from minivae.uses.quality.collapse import usage


def means(*deviations, n=1000):
    """Posterior means whose variances are exactly the squares of `deviations`."""
    x = np.random.default_rng(0).standard_normal((n, len(deviations)))
    return (x - x.mean(axis=0)) / x.std(axis=0) * np.array(deviations) + 3


def test_a_unit_is_active_if_its_mean_varies():
    used = usage(means(1, 0.11, 0.09, 0), np.array([1.0, 0.02, 0.001, 0.7]))
    np.testing.assert_allclose(used.variance, [1, 0.0121, 0.0081, 0], atol=1e-12)
    np.testing.assert_array_equal(used.active, [True, True, False, False])


@pytest.mark.parametrize(
    ("deviations", "kl", "words"),
    [
        ([1, 1], [1, 1], ["No posterior collapse", "all 2"]),
        ([1], [1], ["No posterior collapse", "its one latent dimension"]),
        ([1, 1, 0], [1, 1, 0], ["1 of 3 latent dimension (3) has collapsed", "usual"]),
        ([1, 0, 0, 0], [2, 0, 0, 0], ["3 of 4", "(2, 3, 4) have collapsed", "1 dimension pays"]),
        ([0, 0], [0, 0], ["All 2 latent dimensions have collapsed", "every sample looks alike"]),
        ([1, 0], [1, 0.4], ["(2) has a posterior that is not the prior", "0.40 nats"]),
    ],
)
def test_the_report_says_it_in_words(deviations, kl, words):
    report = usage(means(*deviations), np.array(kl, float)).report()
    for word in words:
        assert word in report
    assert ("collapsed" in report) == any(
        d == 0 and k == 0 for d, k in zip(deviations, kl, strict=True)
    )


def test_a_heavy_kl_collapses_a_real_model():
    digits = load("digits8")

    def trained(beta):
        rng = np.random.default_rng(0)
        model = VAE(64, (32,), 3, rng=rng)
        settings = Settings(epochs=12, batch=50, beta=beta)
        fit(Training(model, Adam(3e-3), rng, settings), digits.pixels_train, progress=False)
        kl = evaluate(model, digits.pixels_test, rng=rng)["kl_per_dim"]
        return usage(model.encode(model.prepare(digits.x_test))[0], kl)

    assert trained(1.0).active.all()
    collapsed = trained(100.0)
    assert not collapsed.active.any()
    assert "All 3 latent dimensions have collapsed" in collapsed.report()


def test_means_and_kls_must_fit(refuses):
    with refuses(ShapeError, "(1000, 2)", "(3,)"):
        usage(means(1, 1), np.zeros(3))


@pytest.mark.parametrize("n", [1, 4])
def test_few_examples_give_no_verdict(n):
    report = usage(np.zeros((n, 3)), np.full(3, 0.7)).report()
    assert f"{n} example" in report
    assert "too few" in report
