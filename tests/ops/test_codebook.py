"""The codebook: nearest codes, moving averages as k-means, dead codes, and what it refuses."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.cluster.vq import vq

from arrays import assert_allclose, assert_array_equal, here, there
from minivae.errors import OptionError
from minivae.ops import Codebook
from minivae.ops.codebook import ENOUGH, forward, perplexity

each_backend = pytest.mark.usefixtures("each_backend")


def oracle(torch, E, z):
    return E[torch.cdist(z, E[None]).argmin(dim=-1)]


def book(codes, width=2, **options):
    rng = np.random.default_rng(0)
    return Codebook(codes, width, rng=rng, dtype="float64", **options)


def vectors(n=60, width=2):
    """Vectors (n / 3, 3, width) in three heaps away from the origin."""
    rng = np.random.default_rng(1)
    heaps = rng.standard_normal((3, width)) * 3 + 5
    return heaps + 0.3 * rng.standard_normal((n // 3, 3, width))


def step(layer, z, u=None):
    """One step of training on z; e."""
    with layer.params.training:
        e = layer(z)
        layer.carry(z, there(np.zeros(len(layer.E)) if u is None else u))
    return here(e)


def test_the_nearest_code_is_scipys_also_far_from_the_origin():
    rng = np.random.default_rng(2)
    z, E = rng.standard_normal((4, 25, 3)), rng.standard_normal((17, 3))
    _, (k, _) = forward(z, E)
    np.testing.assert_array_equal(k.reshape(-1), vq(z.reshape(-1, 3), E)[0])
    far = np.float32(1e4)
    _, (moved, _) = forward((z + far).astype("float32"), (E + far).astype("float32"))
    assert (moved == k).mean() > 0.97  # the digits that float32 has there


@each_backend
def test_one_code_becomes_the_mean_in_one_step():
    layer, z = book(1, averaged=True, decay=0.0), there(vectors())
    step(layer, z)
    mean = here(z).reshape(-1, 2).mean(axis=0)
    assert_allclose(layer.E, mean[None], rtol=1e-12)
    e = here(layer(z))
    error = ((here(z) - e) ** 2).sum(axis=-1).mean()
    assert error == pytest.approx(here(z).reshape(-1, 2).var(axis=0).sum(), rel=1e-12)
    assert layer.of_epoch()["perplexity"] == 1


@each_backend
@pytest.mark.parametrize("decay", [0.0, 0.9])
def test_the_first_step_is_one_of_lloyds_whatever_the_decay(decay):
    layer, z = book(4, averaged=True, decay=decay), there(vectors())
    layer.start(z)
    layer.E[3] = 1e3  # stands for nothing
    before = here(layer.E).copy()
    rows = here(z).reshape(-1, 2)
    nearest, _ = vq(rows, before)
    step(layer, z)
    lloyd = np.stack([rows[nearest == k].mean(axis=0) if k < 3 else before[3] for k in range(4)])
    assert_allclose(layer.E, lloyd, rtol=1e-5)


def test_without_a_memory_the_distortion_never_rises():
    layer, z = book(5, averaged=True, decay=0.0), vectors()
    layer.start(z)
    errors = [((z - step(layer, z)) ** 2).sum() for _ in range(12)]
    assert all(b <= a * (1 + 1e-9) for a, b in pairwise(errors))
    assert errors[-1] < 0.9 * errors[0]


def test_constant_vectors_are_found_and_smoothing_is_not_kept():
    layer, z = book(2, averaged=True, decay=0.9), np.full((3, 2, 2), 4.0)
    layer.E[1] = -50
    for _ in range(300):
        step(layer, z)
    assert_allclose(layer.E, [[4, 4], [-50, -50]], rtol=1e-5)
    # The counts are those of the vectors, without an epsilon for each step.
    assert_allclose(layer.params.carried_of("N"), [6, 0], rtol=1e-9, atol=1e-12)


@each_backend
@pytest.mark.parametrize("averaged", [True, False])
def test_a_dead_code_is_put_on_a_vector_and_counted(averaged):
    layer = book(3, averaged=averaged, decay=0.5, least=0.1)
    z, u = there(vectors()), np.array([0.1, 0.2, 0.999])
    layer.start(z)
    layer.E[2] = 1e3
    for _ in range(ENOUGH - 1):
        step(layer, z, u)
    assert float(here(layer.E)[2, 0]) == 1e3  # few steps tell too little
    step(layer, z, u)
    assert_allclose(layer.E[2], here(z).reshape(-1, 2)[-1], rtol=1e-12)
    step(layer, z, u)
    assert here(layer.numbers == 2).any()
    found = layer.of_epoch()
    assert found["reseeded"] == 1
    assert layer.of_epoch() == {"perplexity": 1, "reseeded": 0}  # of nothing


def test_the_perplexity_is_that_of_the_whole_epoch():
    layer = book(2)
    layer.E[...] = [[0, 0], [10, 10]]
    for heap in (0.0, 10.0):  # each step sees one code alone
        step(layer, np.full((2, 3, 2), heap))
    assert layer.of_epoch()["perplexity"] == pytest.approx(2)
    assert perplexity(np.array([1, 1, 1, 0, 1])) == pytest.approx(4)


def test_an_evaluation_carries_nothing_on():
    layer, z = book(3), vectors()
    layer(z)
    assert_array_equal(layer.params.carried, 0)


@pytest.mark.parametrize(
    "options", [{"codes": 0}, {"codes": 3, "decay": 1.0}, {"codes": 3, "least": -0.1}]
)
def test_what_no_codebook_is(refuses, options):
    with refuses(OptionError, "codes of 2 numbers"):
        book(**options)


def test_more_codes_than_vectors(refuses):
    with refuses(OptionError, "61 codes", "60 vectors", "--codes"):
        book(61).start(vectors())
