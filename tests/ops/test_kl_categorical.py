"""The KL of categories from uniform ones: against SciPy, at its ends, and by Monte Carlo."""

import numpy as np
from scipy import special

from minivae.ops.kl_categorical import backward, forward


def oracle(torch, logits):
    Categorical = torch.distributions.Categorical
    uniform = Categorical(logits=torch.zeros_like(logits))
    return torch.distributions.kl_divergence(Categorical(logits=logits), uniform)


def test_it_is_scipys_relative_entropy():
    logits = 3 * np.random.default_rng(0).standard_normal((4, 5, 7))
    p = special.softmax(logits, axis=-1)
    expected = special.rel_entr(p, 1 / 7).sum(axis=-1)
    np.testing.assert_allclose(forward(logits)[0], expected, rtol=1e-12)


def test_its_ends_and_the_gradients_there():
    logits = np.zeros((1, 2, 6))
    logits[0, 1, 2] = 200  # a category that is certain
    logits[0, 0] = 3.7  # all alike
    kl, cache = forward(logits)
    np.testing.assert_allclose(kl, [[0, np.log(6)]], atol=1e-14)
    np.testing.assert_allclose(backward(np.ones_like(kl), *cache), 0, atol=1e-14)
    far = np.array([[[-1e4, 0, 1e4]]], "float32")
    kl, cache = forward(far)
    assert np.isfinite(kl).all()
    assert np.isfinite(backward(np.ones_like(kl), *cache)).all()


def test_monte_carlo_over_drawn_categories_gives_it():
    logits = np.array([0.9, -1.1, 0.2, 0.4])
    n = 200_000
    gumbel = np.random.default_rng(1).gumbel(size=(n, 4))
    drawn = (logits + gumbel).argmax(axis=1)
    ratio = special.log_softmax(logits)[drawn] + np.log(4)
    error = ratio.std() / np.sqrt(n)
    assert error < 0.002  # nats: the standard error
    assert abs(ratio.mean() - forward(logits[None, None])[0].item()) < 4 * error
