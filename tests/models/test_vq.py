"""The VQ-VAE and its prior over codes: limits, sums over all grids, PyTorch, what is refused."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from arrays import assert_allclose, assert_array_equal, here, there
from minivae import Adam, Settings, Training
from minivae.check import check_gradients
from minivae.errors import OptionError, ShapeError
from minivae.models import Autoencoder
from minivae.models.code_prior import CodePrior
from minivae.models.vq import VQVAE
from minivae.train.evaluate import evaluate, log_likelihood
from minivae.train.loop import fit

PIXELS, D, P, K, BATCH = 7, 2, 3, 4, 5

each_backend = pytest.mark.usefixtures("each_backend")


def make(**options):
    """A small model with random weights, and binary data for it."""
    rng = np.random.default_rng(3)
    options = {"hidden": (5,), "latent": D, "slots": P, "codebook": K, "dtype": "float64"} | options
    options = {"activation": "tanh", "prior_width": 3} | options
    model = VQVAE(PIXELS, rng=rng, **options)
    model.params.theta[...] = there(0.7 * rng.standard_normal(model.params.theta.size))
    if model.book.averaged:
        model.book.E[...] = there(rng.standard_normal(model.book.E.shape))
    return model, model.prepare(np.round(rng.random((BATCH, PIXELS)))), there(rng.random(K))


def prior(grid=(2, 2), codes=3, width=4, layers=2):
    """A prior with random weights."""
    how = {"rng": np.random.default_rng(1), "dtype": "float64"}
    made = CodePrior(grid, codes, width, layers, **how)
    made.params.theta[...] = there(np.random.default_rng(2).standard_normal(made.params.theta.size))
    return made


def all_grids(made):
    return there(np.array(list(itertools.product(range(made.K), repeat=made.P))))


# ---- the prior ----


@each_backend
@pytest.mark.parametrize("grid", [(2, 2), (1, 4)])
@pytest.mark.parametrize(("width", "layers"), [(0, 2), (4, 1), (4, 2), (4, 4)])
def test_the_prior_of_all_grids_adds_up_to_one_and_is_what_is_drawn(grid, width, layers):
    made = prior(grid, width=width, layers=layers)
    p = np.exp(-here(made.nll(all_grids(made))).sum(axis=1))
    assert len(p) == 81
    assert p.sum() == pytest.approx(1, abs=1e-12)
    assert p.max() > 3 / 81  # it says something
    n = 4000
    drawn = here(made.draw(there(np.random.default_rng(5).gumbel(size=(n, 4, 3))), 1.0))
    counts = np.bincount(drawn @ [27, 9, 3, 1], minlength=81)
    often = p * n > 5
    observed = [*counts[often], counts[~often].sum()]
    expected = [*p[often] * n, p[~often].sum() * n]
    assert stats.chisquare(observed, expected).pvalue > 1e-3
    greedy = here(made.draw(there(np.random.default_rng(6).gumbel(size=(9, 4, 3))), 0.0))
    assert (greedy == greedy[0]).all()


@each_backend
def test_a_place_knows_nothing_of_itself_and_of_what_comes_later():
    made = prior((3, 3))
    codes = there(np.random.default_rng(0).integers(3, size=(1, 9)))
    logits = here(made.forward(made.one_hot(codes))).copy()
    for place in range(9):
        other = codes.copy()
        other[0, place] = (other[0, place] + 1) % 3
        changed = here(made.forward(made.one_hot(other)))
        assert_array_equal(changed[:, : place + 1], logits[:, : place + 1])
        if place < 8:
            assert np.abs(changed - logits).max() > 1e-3


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_each_layer_sees_a_row_further_up(layers):
    made = prior((6, 2), width=16, layers=layers)
    codes = there(np.zeros((1, 12), int))
    logits = here(made.forward(made.one_hot(codes))).copy()
    codes[0, 0] = 1
    changed = here(made.forward(made.one_hot(codes))) - logits
    rows = np.abs(changed).reshape(6, -1).max(axis=1) > 0
    np.testing.assert_array_equal(rows, np.arange(6) <= layers)


def test_without_convolutions_the_best_is_the_entropy_of_each_place():
    made, rng = prior(width=0), np.random.default_rng(0)
    codes = np.stack(
        [rng.choice(3, size=500, p=p) for p in rng.dirichlet(np.full(3, 5.0), 4)], axis=1
    )
    frequency = np.stack([np.bincount(c, minlength=3) for c in codes.T]) / 500
    made.params["b"][...] = np.log(frequency)
    entropies = [stats.entropy(f) for f in frequency]
    np.testing.assert_allclose(made.nll(codes).mean(axis=0), entropies, rtol=1e-12)
    made.backward(np.full((500, 4), 1 / 500))
    np.testing.assert_allclose(made.params.grad, 0, atol=1e-12)  # it is the best


def test_an_untrained_prior_is_uniform():
    model = VQVAE(PIXELS, rng=np.random.default_rng(0), slots=P, codebook=K)
    x = model.prepare(np.eye(PIXELS))
    terms = model.forward(x, model.draw_noise(np.random.default_rng(0), PIXELS))
    np.testing.assert_allclose(terms.kl, math.log(K), rtol=1e-6)
    assert float(terms.kl.sum(axis=1)[0]) == pytest.approx(P * math.log(K), rel=1e-6)


# ---- the model ----


@each_backend
def test_where_every_vector_is_a_code_it_is_an_autoencoder():
    model, x, u = make(codebook=BATCH * P)
    plain = Autoencoder(
        PIXELS, (5,), P * D, activation="tanh", rng=np.random.default_rng(0), dtype="float64"
    )
    for name in plain.params:
        plain.params[name][...] = model.params[name]
    model.book.E[...] = model.vectors(x).reshape(-1, D)
    u = there(np.zeros(BATCH * P))
    with model.params.rehearsal():
        terms = model.forward(x, u)
        model.backward()
    expected = plain.step(x, None)
    assert_allclose(terms.quantisation, 0, atol=1e-25)
    assert_allclose(terms.nll, expected.nll, rtol=1e-12)
    for name in plain.params:
        assert_allclose(
            model.params.grad_of(name), plain.params.grad_of(name), rtol=1e-9, atol=1e-13
        )


@each_backend
@pytest.mark.oracle
@pytest.mark.parametrize("by", ["averages", "loss"])
def test_the_same_step_in_pytorch(by):
    torch = pytest.importorskip("torch")
    model, x, u = make(codebook_by=by, commitment=0.6, prior_width=0)
    w = {n: torch.tensor(here(model.params[n]), requires_grad=True) for n in model.params}
    data, E = torch.tensor(here(x)), w.get("book.E", torch.tensor(here(model.book.E)))

    def mlp(h, part):
        h = torch.tanh(h @ w[f"{part}.0.W"] + w[f"{part}.0.b"])
        return h @ w[f"{part}.1.W"] + w[f"{part}.1.b"]

    z = mlp(data, "encoder").reshape(BATCH, P, D)
    k = torch.cdist(z, E[None].expand(BATCH, K, D)).argmin(dim=-1)
    e = E[k]
    out = mlp((z + (e - z).detach()).reshape(BATCH, -1), "decoder")
    nll = torch.nn.functional.binary_cross_entropy_with_logits(out, data, reduction="none")
    log_prior = torch.log_softmax(w["prior.b"], dim=-1)[torch.arange(P), k]
    loss = nll.sum(dim=1) - log_prior.sum(dim=1)
    loss = loss + 0.6 * ((z - e.detach()) ** 2).sum(dim=(1, 2))
    if by == "loss":
        loss = loss + ((z.detach() - e) ** 2).sum(dim=(1, 2))
    loss.mean().backward()

    with model.params.rehearsal():
        terms = model.forward(x, u)
        model.backward()
    assert_array_equal(model.codes(x), k)
    assert_allclose(terms.loss, loss.mean().item(), rtol=1e-12)
    for name in model.params:
        expected = w[name].grad.numpy()
        assert_allclose(model.params.grad_of(name), expected, rtol=1e-9, atol=1e-12, err_msg=name)


def test_the_gradient_does_not_hang_on_the_size_of_the_batch():
    model, x, u = make(codebook_by="loss", commitment=3.0)
    gradients = []
    for rows in (x, np.concatenate([x, x, x])):
        with model.params.rehearsal():
            model.forward(rows, u)
            model.backward()
        gradients.append(model.params.grad.copy())
    np.testing.assert_allclose(gradients[0], gradients[1], rtol=1e-9, atol=1e-14)


def test_a_check_holds_what_is_stopped():
    model, *_ = make(codebook_by="loss")
    report = check_gradients(model)
    assert report.passed
    assert "held where it is" in str(report)


def test_the_bound_is_one():
    model, x, u = make()
    bound = model.elbo(x, u)
    grids = np.array(list(itertools.product(range(K), repeat=P)))
    log_joint = -model.prior.nll(grids).sum(axis=1)
    out = model.decoder.forward(model.book.E[grids].reshape(len(grids), -1))
    nll = (np.logaddexp(0, out)[:, None] - x * out[:, None]).sum(axis=2)
    log_px = np.log(np.exp(log_joint[:, None] - nll).sum(axis=0))
    assert (bound < log_px).all()
    own = (model.codes(x) @ (K ** np.arange(P)[::-1])).astype(int)
    np.testing.assert_allclose(bound, log_joint[own] - nll[own, np.arange(BATCH)], rtol=1e-10)
    numbers = evaluate(model, x, rng=np.random.default_rng(0))
    assert numbers["elbo"] == pytest.approx(bound.mean(), rel=1e-12)
    assert numbers["elbo"] == pytest.approx(-numbers["nll"] - numbers["kl"], rel=1e-12)
    estimate = log_likelihood(model, x, rng=np.random.default_rng(0), samples=3)
    np.testing.assert_allclose(estimate, bound, rtol=1e-12)


def test_a_run_begins_on_the_data_and_counts_its_codes():
    model = VQVAE(PIXELS, (6,), D, slots=P, codebook=K, rng=np.random.default_rng(0))
    x = np.round(np.random.default_rng(1).random((12, PIXELS))).astype("float32")
    z = model.vectors(model.prepare(x[:4])).reshape(-1, D).copy()
    model.step(model.prepare(x[:4]), model.draw_noise(np.random.default_rng(0), 4))
    # The first step of averages is one of k-means, from codes on the vectors.
    nearest = ((z[:, None] - z[np.arange(K) * 12 // K]) ** 2).sum(axis=2).argmin(axis=1)
    means = [z[nearest == k].mean(axis=0) for k in range(K)]
    np.testing.assert_allclose(model.book.E, means, rtol=1e-4, atol=1e-6)

    run = Training(model, Adam(), np.random.default_rng(0), Settings(epochs=2, batch=4))
    fit(run, x, x, progress=False)
    assert all(1 <= record["perplexity"] <= K for record in run.history)
    assert all(record["reseeded"] == 0 for record in run.history)
    said = model.also(x)
    assert said["nats per code of independent places"] <= math.log(K)
    assert said["nats per code under the prior"] > 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"commitment": -1.0}, ("commitment=-1.0",)),
        ({"prior_layers": 0}, ("prior_layers=0", "at least 1 layer")),
        ({"slots": 0}, ("slots=0", "at least 1")),
        ({"codebook": 0}, ("0 codes",)),
        ({"decay": 1.0}, ("decay of 1.0", "[0, 1)")),
    ],
)
def test_options_that_cannot_be(refuses, options, words):
    with refuses(OptionError, *words):
        make(**options)


def test_what_it_refuses(refuses):
    model, x, u = make(codebook=BATCH * P + 1)
    with refuses(OptionError, "16 codes", "15 vectors", "larger batch"):
        model.step(x, u)
    with refuses(ShapeError, "an example has 3"):
        model.decode_codes(np.zeros((2, 4), int))
    with refuses(OptionError, "temperature=-1.0"):
        model.sample(2, np.random.default_rng(0), temperature=-1.0)
    with refuses(OptionError, "4 x 4 places", "--slots"):
        how = {"slots": 5, "network": "conv", "channels": (3,)}
        VQVAE((8, 8), latent=D, rng=np.random.default_rng(0), **how)
