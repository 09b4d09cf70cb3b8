"""The VAE of sequences: all strings, PyTorch, the plain VAE, a language model, what is heard."""

import itertools

import numpy as np
import pytest

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.data.alphabet import END, PADDING
from minivae.errors import DataError, OptionError, ShapeError, StateError
from minivae.models import MODELS, VAE
from minivae.models.sequence_decoder import before
from minivae.train.evaluate import evaluate, log_likelihood

SequenceVAE = MODELS["sequence"]
ALPHABET = (PADDING, "a", "b", END)
KINDS = ("gru", "conv", "mlp")
each_kind = pytest.mark.parametrize("kind", KINDS)
pytestmark = pytest.mark.usefixtures("each_backend")


def make(kind="gru", steps=5, seed=0, **options):
    """A model with random weights and biases."""
    rng = np.random.default_rng(seed)
    sizes = {"hidden": (6,), "latent": 2, "activation": "tanh", "states": 4, "embedding": 3}
    given = {**sizes, "alphabet": ALPHABET, "decoder_kind": kind, "dtype": "float64", **options}
    model = SequenceVAE(steps, **given, rng=rng)
    theta = here(model.params.theta)
    model.params.load(theta + 0.5 * np.random.default_rng(seed + 1).standard_normal(theta.shape))
    return model


def strings(most):
    """All strings of a and b up to a length, ended and padded to most + 1 steps."""
    every = [s for n in range(most + 1) for s in itertools.product((1, 2), repeat=n)]
    return np.array([[*s, 3] + [0] * (most - len(s)) for s in every], float)


def cut_off(model):
    """Let the posterior be the prior, and the decoder have nothing of the code."""
    model.encoder.heads.params["W"][...] = 0
    model.encoder.heads.params["b"][...] = 0
    model.decoder.start.params["W"][...] = 0
    model.decoder.gru.params["W"][model.embedding :] = 0


def normal(*shape, seed=5):
    return there(np.random.default_rng(seed).standard_normal(shape))


# ---- probabilities ----


@each_kind
@pytest.mark.parametrize("most", [0, 1, 4])
def test_for_any_code_all_strings_and_the_longer_ones_make_one(kind, most):
    model, x = make(kind, most + 1), strings(most)
    z = there(np.tile([0.7, -1.2], (len(x), 1)))
    data = model.prepare(x)
    model._tell(data, None)
    nll = here(model.likelihood.forward(model.decoder.forward(z), data))
    no_end = np.array(list(itertools.product((1.0, 2.0), repeat=most + 1)))
    data = model.prepare(no_end)
    model._tell(data, None)
    longer = here(
        model.likelihood.forward(model.decoder.forward(z[:1].repeat(len(no_end), 0)), data)
    )
    assert np.exp(-nll).sum() + np.exp(-longer).sum() == pytest.approx(1, abs=1e-13)


def test_a_collapsed_one_is_a_language_model_and_its_bound_is_exact():
    model, x = make(), strings(4)
    cut_off(model)
    one = evaluate(model, x, rng=np.random.default_rng(1))
    assert one["kl"] == 0
    estimate = log_likelihood(model, x, rng=np.random.default_rng(2), samples=7)
    assert -estimate.mean() == pytest.approx(one["nll"], rel=1e-13)
    other = evaluate(model, x, rng=np.random.default_rng(3))
    assert other["nll"] == pytest.approx(one["nll"], rel=1e-14)


def test_drawn_strings_are_as_frequent_as_probable():
    model, x, n = make(steps=3), strings(2), 20000
    z = there(np.tile([0.3, 1.0], (n, 1)))
    u = there(np.random.default_rng(0).random((n, 3)))
    drawn = here(model.symbols(z, u))
    data = model.prepare(x)
    model._tell(data, None)
    p = np.exp(-here(model.likelihood.forward(model.decoder.forward(z[: len(x)]), data)))
    for row, expected in zip(x, p, strict=True):
        share = (drawn == row).all(axis=1).mean()
        assert share == pytest.approx(expected, abs=4 * np.sqrt(expected / n) + 1e-9)


# ---- what else it must equal ----


def test_decoded_at_once_it_is_the_vae_with_this_likelihood_bit_for_bit():
    how = {"hidden": (6,), "latent": 2, "activation": "tanh", "dtype": "float64"}
    plain = VAE(
        5,
        likelihood="tokens",
        likelihood_options={"levels": 3},
        rng=np.random.default_rng(0),
        **how,
    )
    model = SequenceVAE(
        5, alphabet=ALPHABET, decoder_kind="mlp", rng=np.random.default_rng(0), **how
    )
    assert_array_equal(model.params.theta, plain.params.theta)
    rows = model.draw_rows(np.random.default_rng(1), 7)
    eps = normal(7, 2)
    assert float(model.step(model.prepare(rows), eps).loss) == float(
        plain.step(plain.prepare(rows), eps).loss
    )
    assert_array_equal(model.params.grad, plain.params.grad)


@pytest.mark.oracle
@pytest.mark.parametrize("word_dropout", [0.0, 0.4, 1.0])
def test_a_step_is_pytorchs(word_dropout):
    torch = pytest.importorskip("torch")
    F = torch.nn.functional
    model = make(word_dropout=word_dropout)
    rows = model.draw_rows(np.random.default_rng(1), 6).astype(int)
    noise = model.draw_noise(np.random.default_rng(2), 6)
    loss = float(model.step(model.prepare(rows.astype(float)), noise, 0.7).loss)

    w = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    e = torch.tensor(here(noise))
    hot = F.one_hot(torch.tensor(rows), 4)[..., 1:].double()
    h = torch.tanh(hot.reshape(6, -1) @ w["encoder.trunk.0.W"] + w["encoder.trunk.0.b"])
    mu, logvar = (h @ w["encoder.heads.W"] + w["encoder.heads.b"]).split(2, dim=1)
    z = mu + (logvar / 2).exp() * e[:, :2]
    heard = torch.cat([torch.zeros(6, 1, dtype=torch.long), torch.tensor(rows)[:, :-1]], dim=1)
    if word_dropout == 1:
        heard = heard * 0
    elif word_dropout:
        hidden = torch.distributions.Normal(0, 1).cdf(e[:, 2:]) < word_dropout
        heard = torch.where(hidden, 0, heard)
    state = torch.tanh(z @ w["decoder.start.W"] + w["decoder.start.b"])
    given = torch.cat([w["decoder.embedding.E"][heard], z[:, None].expand(6, 5, 2)], dim=2)
    zeros = torch.zeros(8, dtype=torch.float64)
    flat = [w["decoder.gru.W"].T, w["decoder.gru.U"].T, w["decoder.gru.b"]]
    flat = [f.contiguous() for f in (*flat, torch.cat([zeros, w["decoder.gru.c"]]))]
    y, _ = torch._VF.gru(given, state[None], flat, True, 1, 0.0, False, False, True)
    logits = y @ w["decoder.head.W"] + w["decoder.head.b"]
    target = torch.where(torch.tensor(rows) > 0, torch.tensor(rows) - 1, -100)
    nll = F.cross_entropy(logits.transpose(1, 2), target, ignore_index=-100, reduction="none")
    kl = torch.distributions.kl_divergence(
        torch.distributions.Normal(mu, (logvar / 2).exp()), torch.distributions.Normal(0.0, 1.0)
    )
    want = (nll.sum(1) + 0.7 * kl.sum(1)).mean()
    assert loss == pytest.approx(want.item(), rel=1e-13)
    want.backward()
    for name, tensor in w.items():
        assert_allclose(
            model.params.grad_of(name), tensor.grad.numpy(), rtol=0, atol=1e-13, err_msg=name
        )


# ---- what is heard ----


def test_no_step_hears_itself_or_what_comes_after():
    model = make()
    rows = model.draw_rows(np.random.default_rng(3), 6)
    rows[:, 3:] = 0
    z, found = normal(6, 2), []
    for later in (rows, np.where(np.arange(5) >= 2, 1.0, rows)):
        model._tell(model.prepare(later), None)
        found.append(here(model.decoder.forward(z)).reshape(6, 5, 3).copy())
    assert_array_equal(found[0][:, :3], found[1][:, :3])
    assert (found[0][:, 3:] != found[1][:, 3:]).any(axis=(1, 2)).all()


def test_with_all_words_dropped_nothing_is_heard():
    model = make(word_dropout=1.0)
    z, found = normal(6, 2), []
    for seed in (0, 1):
        rows = model.draw_rows(np.random.default_rng(seed), 6)
        model._tell(model.prepare(rows), None)
        found.append(here(model.decoder.forward(z)).reshape(6, 5, 3).copy())
    assert_array_equal(*found)
    assert_allclose(model.logits(z), found[0], rtol=1e-13)


def test_words_are_dropped_in_training_alone_and_so_many_of_them():
    model = make(word_dropout=0.3, steps=40)
    rng = np.random.default_rng(4)
    x = model.prepare(rng.integers(1, 3, size=(200, 40)).astype(float))
    noise = model.draw_noise(rng, 200)
    assert noise.shape == (200, 2 + 40)
    model.step(x, noise)
    share = (here(model.decoder.heard)[:, 1:] == 0).mean()
    assert share == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / 7800))
    model.forward(x, noise)
    assert here(model.decoder.heard)[:, 1:].all()


@each_kind
def test_it_says_what_it_would_say_had_it_been_told_that(kind):
    model, z = make(kind), normal(6, 2)
    logits, said = here(model.decode(z)).copy(), here(model.symbols(z)).copy()
    assert logits.shape == (6, 5, 4)
    assert (logits[..., 0] == -np.inf).all()
    greedy = logits.argmax(axis=-1)
    if kind == "gru":
        model.decoder.given(before(there(greedy, "int64")))
    told = here(model.decoder.forward(z)).reshape(6, 5, 3)
    np.testing.assert_allclose(logits[..., 1:], told, rtol=1e-12)
    for row, full in zip(said, greedy, strict=True):
        ends = np.flatnonzero(full == 3)
        n = ends[0] + 1 if len(ends) else 5
        assert row.tolist() == [*full[:n], *[0] * (5 - n)]


def test_before_each_step_is_the_one_before():
    k = np.array([[1, 2, 3, 0]])
    assert before(k).tolist() == [[0, 1, 2, 3]]
    assert before(k, np.array([[1, 0, 1, 1]])).tolist() == [[0, 0, 2, 3]]
    assert k.tolist() == [[1, 2, 3, 0]]


def test_importance_samples_hear_the_same_and_a_mean_of_them_is_tighter():
    model = make(samples=3)
    rows = model.draw_rows(np.random.default_rng(5), 4)
    x, eps = model.prepare(rows), normal(4, 3, 2)
    w = here(model.log_weights(x, eps)).copy()
    for k in range(3):
        np.testing.assert_allclose(w[:, k], here(model.log_weights(x, eps[:, k : k + 1]))[:, 0])
    terms = model.forward(x, eps)
    assert_allclose(terms.bound, np.log(np.exp(w).mean(axis=1)), rtol=1e-12)


# ---- refusals ----


def test_what_it_does_not_take_is_one_sentence(refuses):
    with refuses(DataError, "alphabet", PADDING):
        make(alphabet=("a", "b"))
    with refuses(OptionError, "word_dropout=0.5", "'conv'"):
        make("conv", word_dropout=0.5)
    with refuses(OptionError, "word_dropout=1.5"):
        make(word_dropout=1.5)
    with refuses(OptionError, "decoder_kind='lstm'"):
        make("lstm")
    with refuses(OptionError, "likelihood='bernoulli'"):
        make(likelihood="bernoulli")
    model = make()
    with refuses(DataError, "whole numbers"):
        model.prepare(np.full((2, 5), 0.5))
    with refuses(ShapeError, "(2, 6)"):
        model.prepare(np.ones((2, 6)))
    with refuses(StateError, "given"):
        make().decoder.forward(normal(2, 2))
    with refuses(OptionError, "n=0"):
        model.sample(0, np.random.default_rng(0))
    assert "gru, 3 symbols" in repr(model)
