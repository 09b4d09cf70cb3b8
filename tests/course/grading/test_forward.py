"""Forward mistakes that are seen beside a right gradient, and conventions that are none."""

import numpy as np
import pytest

from minivae.course.grading.forward import forward_doubt

N = np.random.default_rng(2).standard_normal
MU, LOGVAR, X, P = N((4, 2)), N((4, 2)), N((4, 3)), 0.5 + 0.2 * np.tanh(N((4, 3)))


def doubt(name, function, **arguments):
    return forward_doubt(name, arguments, lambda values: np.asarray(function(**values)))


def kl(mu, logvar):
    return 0.5 * (mu**2 + np.exp(logvar) - logvar - 1)


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda mu, logvar: -kl(mu, logvar).sum(), "its sign is flipped; a KL is never below 0"),
        (lambda mu, logvar: 0.5 * (mu**2 + np.exp(logvar) + logvar - 1).sum(1), "wrong sign"),
        (lambda mu, logvar: 0.5 * (mu**2 + np.exp(logvar) - logvar).sum(1), "-1 is missing"),
        (lambda mu, logvar: kl(mu, 2 * logvar).mean(), "for a head that is log sigma"),
        (lambda mu, logvar: (np.sin(mu) - logvar).sum(), "a KL is never below 0"),
    ],
)
def test_a_wrong_kl(function, said):
    assert said in doubt("gauss_kl", function, mu=MU, logvar=LOGVAR)


@pytest.mark.parametrize(
    ("name", "function", "head"),
    [
        ("kl", lambda mu, logvar: kl(mu, logvar).sum(), "logvar"),
        ("kl_loss", lambda mu, logvar: 4 * kl(mu, logvar).mean(), "logvar"),
        ("kl_free_bits", lambda mu, logvar: np.maximum(kl(mu, logvar), 0.2).sum(), "logvar"),
        ("negative_kl", lambda mu, logvar: -kl(mu, logvar).sum(1), "logvar"),
        ("kl", lambda mu, sigma: kl(mu, np.log(sigma**2)).sum(), "sigma"),
        ("kl", lambda mu, log_std: kl(mu, 2 * log_std).sum(), "log_std"),
        ("reverse_kl", lambda mu, lv: (0.5 * (lv + (1 + mu**2) / np.exp(lv) - 1)).sum(), "lv"),
        ("gradient_of_kl", lambda mu, s: 1 / 0, "s"),
    ],
)
def test_another_convention_of_a_kl_is_no_mistake(name, function, head):
    assert doubt(name, function, **{"mu": MU, head: np.abs(LOGVAR)}) == ""


@pytest.mark.parametrize(
    ("function", "head", "said"),
    [
        (lambda mu, logvar, eps: mu + np.exp(logvar) * eps, "logvar", "write exp(logvar / 2)"),
        (lambda mu, logvar, eps: mu + np.exp(logvar / 2) * eps, "logvar", ""),
        (lambda mu, var, eps: mu + var * eps, "var", "write sqrt(var)"),
        (lambda mu, var, eps: mu + np.sqrt(var) * eps, "var", ""),
        (lambda mu, log_sigma, eps: mu + np.exp(log_sigma) * eps, "log_sigma", ""),
        (lambda mu, sigma, eps: mu + sigma * eps, "sigma", ""),
    ],
)
def test_a_sampler_that_takes_the_variance(function, head, said):
    found = doubt("reparameterize", function, **{"mu": MU, head: np.abs(LOGVAR), "eps": N((4, 2))})
    assert said in found
    assert bool(found) == bool(said)


def test_noise_of_its_own_does_not_hide_the_variance():
    eps = N((4, 2))  # the same in every call
    found = doubt("sample", lambda mu, lv: mu + np.exp(lv) * eps, mu=MU, lv=LOGVAR)
    assert found.startswith("its standard deviation is exp(lv), which is the variance")


def square(x, x_hat):
    return (x_hat - x) ** 2


def cross_entropy(x, x_hat):
    return -(x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat))


@pytest.mark.parametrize("terms", [square, cross_entropy])
@pytest.mark.parametrize(
    ("reconstruction", "divergence", "said"),
    [
        (lambda t: t.sum() / len(t), lambda k: k.sum(), "the KL is summed over the batch"),
        (lambda t: t.sum(), lambda k: k.sum(1).mean(), "the reconstruction is summed over the b"),
        (lambda t: t.mean(), lambda k: k.sum(1).mean(), "a beta of D"),
        (lambda t: t.sum(1).mean(), lambda k: k.mean(), "a beta of 1/Z"),
        (lambda t: t.sum(1).mean(), lambda k: -k.sum(1).mean(), "different signs"),
        (lambda t: t.sum(1).mean(), lambda k: k.sum(1).mean(), ""),
        (lambda t: 0.5 * t.sum(), lambda k: 4 * k.sum(), ""),
        (lambda t: -t.sum(1).mean(), lambda k: -k.sum(1).mean(), ""),
        (lambda t: t.mean(), lambda k: 0.001 * k.mean(), ""),
    ],
)
def test_sums_and_means_of_a_loss(terms, reconstruction, divergence, said):
    found = doubt(
        "vae_loss",
        lambda x, x_hat, mu, logvar: reconstruction(terms(x, x_hat)) + divergence(kl(mu, logvar)),
        x=np.abs(np.tanh(X)), x_hat=P, mu=MU, logvar=LOGVAR,
    )  # fmt: skip
    assert said in found
    assert bool(found) == bool(said)


def log_sum(w, axis=1):
    return np.log(np.exp(w).sum(axis))


@pytest.mark.parametrize(
    ("function", "wrong"),
    [
        (lambda log_w: log_sum(log_w), True),
        (lambda log_w: -log_sum(log_w).mean(), True),
        (lambda log_w: log_sum(log_w).sum(), True),
        (lambda log_w: log_sum(log_w, 0).mean(), True),
        (lambda log_w: log_sum(log_w) - np.log(log_w.shape[1]), False),
        (lambda log_w: (log_sum(log_w) - np.log(log_w.shape[1])).sum(), False),
        (lambda log_w: log_w.mean(), False),
    ],
)
def test_a_bound_without_log_K(function, wrong):
    assert ("subtract log K" in doubt("iwae_bound", function, log_w=N((4, 5)))) == wrong


def test_a_bound_with_noise_and_other_names():
    def bound(mu, logvar, eps):
        z = mu[:, None] + np.exp(logvar / 2)[:, None] * eps
        return log_sum(-np.sum(z**2, axis=2)).mean()

    assert "log K" in doubt("iwae", bound, mu=MU, logvar=LOGVAR, eps=N((4, 6, 2)))
    assert doubt("log_sum_exp", log_sum, w=N((4, 5))) == ""
