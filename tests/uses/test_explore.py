"""Walks through a latent space: each function against its definition, SciPy and scikit-learn."""

import math

import numpy as np
import pytest
from scipy.spatial import geometric_slerp
from scipy.stats import norm
from sklearn.decomposition import PCA

from minivae import VAE, Autoencoder
from minivae.data.batches import by_rows
from minivae.engine.backend import get_backend
from minivae.errors import OptionError, ShapeError
from minivae.models.rows import manifold, quantile_grid
from minivae.train.evaluate import evaluate
from minivae.uses.explore import paths as explore

RNG = np.random.default_rng(0)
T = np.linspace(0, 1, 7)


def model(kind=VAE, latent=3, **options):
    options = {"likelihood": "gaussian", "dtype": "float64", **options}
    return kind(6, (5,), latent, activation="tanh", rng=np.random.default_rng(1), **options)


def identity(latent):
    """A linear VAE whose encoder's mean and whose decoder are the identity."""
    made = VAE(
        latent, (), latent, likelihood="gaussian", rng=np.random.default_rng(0), dtype="float64"
    )
    eye = made.backend.asarray(np.eye(latent), "float64")
    made.params.theta[...] = 0
    made.encoder.heads.params["W"][:, :latent] = eye
    made.decoder[0].params["W"][...] = eye
    return made


def host(made, array):
    """A copy of the model's array on the host."""
    return np.array(made.backend.to_host(array))


def angle(a, b):
    return math.acos(np.clip(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)), -1, 1))


def test_the_straight_line_is_a_weighted_mean():
    a, b = RNG.standard_normal((2, 5))
    line = explore.linear(a, b, T)
    np.testing.assert_allclose(line, [(1 - t) * a + t * b for t in T], rtol=1e-15)
    np.testing.assert_array_equal(line[[0, -1]], [a, b])


def test_the_arc_is_that_of_scipy_on_the_sphere():
    u, v = RNG.standard_normal((2, 6))
    u, v = u / np.linalg.norm(u), v / np.linalg.norm(v)
    np.testing.assert_allclose(explore.spherical(u, v, T), geometric_slerp(u, v, T), atol=1e-14)


def test_paths_are_the_same_on_every_backend(each_backend):
    on = get_backend("auto")
    a, b = RNG.standard_normal((2, 4))
    for path in explore.PATHS.values():
        found = path(*(on.asarray(z, "float64") for z in (a, b)), T)
        np.testing.assert_allclose(on.to_host(found), path(a, b, T), rtol=1e-13)


def test_the_arc_turns_evenly_and_its_length_goes_evenly_from_end_to_end():
    a, b = RNG.standard_normal((2, 20)) * [[1], [3]]
    arc = explore.spherical(a, b, T)
    np.testing.assert_allclose(arc[[0, -1]], [a, b], rtol=1e-13)
    lengths = np.linalg.norm(arc, axis=1)
    expected = (1 - T) * np.linalg.norm(a) + T * np.linalg.norm(b)
    np.testing.assert_allclose(lengths, expected, rtol=1e-13)
    np.testing.assert_allclose([angle(a, z) for z in arc[1:]], T[1:] * angle(a, b), rtol=1e-7)
    assert np.linalg.norm(explore.linear(a, b, T), axis=1).min() < lengths.min()


@pytest.mark.parametrize("b", [[2.0, 4.0], [0.0, 0.0]])
def test_the_arc_is_the_line_where_there_is_none(b):
    a, b = np.array([1.0, 2.0]), np.array(b)
    np.testing.assert_allclose(explore.spherical(a, b, T), explore.linear(a, b, T), rtol=1e-15)


def test_opposite_latents_have_no_arc(refuses):
    with refuses(OptionError, "opposite", "linearly"):
        explore.spherical(np.array([1.0, -2.0]), np.array([-2.0, 4.0]), T)


@pytest.mark.parametrize("path", explore.PATHS.values())
def test_a_path_leads_from_one_latent_to_another(refuses, path):
    with refuses(ShapeError, "(2, 3)", "(3,)"):
        path(np.zeros((2, 3)), np.zeros(3), T)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_paths_keep_the_dtype(dtype):
    a, b = RNG.standard_normal((2, 4)).astype(dtype)
    assert {path(a, b, T).dtype for path in explore.PATHS.values()} == {np.dtype(dtype)}


def test_an_interpolation_decodes_the_path_between_the_means(each_backend):
    made, x = model(), RNG.standard_normal((2, 6))
    mu, _ = made.encode(made.prepare(x))
    a, b = host(made, mu)
    for name, path in explore.PATHS.items():
        images = explore.interpolate(made, *x, n=5, path=name)
        z = made.backend.asarray(path(a, b, np.linspace(0, 1, 5)), "float64")
        np.testing.assert_allclose(images, host(made, made.decode(z)), rtol=1e-12)
    rebuilt = host(made, made.reconstruct(made.prepare(x)))
    np.testing.assert_allclose(images[[0, -1]], rebuilt, rtol=1e-10)


@pytest.mark.parametrize(("n", "path"), [(1, "linear"), (5, "cubic")])
def test_other_interpolations_are_refused(refuses, n, path):
    with refuses(OptionError, str(n), path, "linear, spherical"):
        explore.interpolate(model(), *np.zeros((2, 6)), n=n, path=path)


def test_data_of_another_width_are_refused(refuses):
    with refuses(ShapeError, "(2, 7)", "6"):
        explore.interpolate(model(), *np.zeros((2, 7)))
    with refuses(ShapeError, "0 data"):
        explore.means(model(), np.zeros((0, 6)))


def test_many_data_are_encoded_in_parts(monkeypatch):
    made, x = model(), RNG.standard_normal((11, 6))
    mu, _ = made.encode(x)
    whole = mu.copy(), made.decode(mu).copy(), explore.relevance(made, x)
    monkeypatch.setitem(by_rows.__wrapped__.__kwdefaults__, "rows", 4)
    np.testing.assert_allclose(explore.means(made, x), whole[0], rtol=1e-14)
    np.testing.assert_allclose(explore.decode(made, whole[0]), whole[1], rtol=1e-14)
    np.testing.assert_allclose(explore.relevance(made, x), whole[2], rtol=1e-14)


def test_relevance_is_the_mean_kl(each_backend):
    made, x = model(), RNG.standard_normal((9, 6))
    expected = evaluate(made, x, rng=np.random.default_rng(0))["kl_per_dim"]
    np.testing.assert_allclose(explore.relevance(made, x), expected, rtol=1e-12)


def test_relevance_of_an_autoencoder_is_the_variance_of_its_codes():
    made, x = model(Autoencoder), RNG.standard_normal((9, 6))
    np.testing.assert_allclose(explore.relevance(made, x), np.var(made.encode(x), axis=0))


def test_a_traversal_sets_one_entry_at_a_time(each_backend):
    made = identity(3)
    z = made.backend.asarray(np.array([0.1, 0.2, 0.3]), "float64")
    walks = explore.traverse(made, z, [-1, 5], dims=[2, 0])
    expected = [[[0.1, 0.2, -1], [0.1, 0.2, 5]], [[-1, 0.2, 0.3], [5, 0.2, 0.3]]]
    np.testing.assert_allclose(walks, expected, rtol=1e-15)
    assert explore.traverse(made, z, [0.0]).shape == (3, 1, 3)
    np.testing.assert_array_equal(host(made, z), [0.1, 0.2, 0.3])


def test_a_traversal_of_what_there_is_not_is_refused(refuses):
    with refuses(OptionError, "[3]", "0 to 2"):
        explore.traverse(identity(3), np.zeros(3), [0.0], dims=[3])


def test_the_grid_lies_at_the_quantiles_of_the_prior():
    grid = quantile_grid(5)
    quantiles = norm.ppf([0.1, 0.3, 0.5, 0.7, 0.9])
    np.testing.assert_allclose(grid[..., 0], np.tile(quantiles, (5, 1)), atol=1e-12)
    np.testing.assert_allclose(grid[..., 1], np.tile(quantiles[::-1, None], (1, 5)), atol=1e-12)


def test_the_manifold_is_the_decoded_grid(each_backend, refuses):
    np.testing.assert_allclose(manifold(identity(2), 4), quantile_grid(4), rtol=1e-15)
    with refuses(OptionError, "3 latent", "latent=2"):
        manifold(identity(3))


def test_an_attribute_is_the_difference_of_the_mean_latents(each_backend):
    having, lacking = RNG.standard_normal((5, 3)), RNG.standard_normal((4, 3))
    made = identity(3)
    d = explore.attribute(made, having, lacking)
    expected = having.mean(axis=0) - lacking.mean(axis=0)
    np.testing.assert_allclose(host(made, d), expected, rtol=1e-13)
    moved = explore.decode(made, explore.means(made, lacking) + d)
    np.testing.assert_allclose(moved.mean(axis=0), having.mean(axis=0), rtol=1e-12)


def test_the_principal_plane_is_that_of_scikit_learn():
    z = RNG.standard_normal((40, 5)) * [1, 4, 2, 0.5, 3]
    plane, directions, share = explore.principal_plane(z)
    pca = PCA(2).fit(z)
    np.testing.assert_allclose(abs(directions), abs(pca.components_), atol=1e-10)
    np.testing.assert_allclose(abs(plane), abs(pca.transform(z)), atol=1e-10)
    np.testing.assert_allclose(share, pca.explained_variance_ratio_, rtol=1e-10)
    assert directions[0, abs(directions[0]).argmax()] > 0
    np.testing.assert_allclose(plane, (z - z.mean(axis=0)) @ directions.T, atol=1e-12)


def test_the_principal_plane_of_one_point_many_times_has_no_share():
    assert explore.principal_plane(np.ones((4, 3)))[2].tolist() == [0, 0]


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (4,)])
def test_no_plane_goes_through_too_little(refuses, shape):
    with refuses(ShapeError, str(shape)):
        explore.principal_plane(np.zeros(shape))
