"""Fréchet distance, precision and recall: closed forms, SciPy and scikit-learn as oracles."""

import numpy as np
import pytest
from scipy.linalg import sqrtm
from sklearn.neighbors import NearestNeighbors

from minivae.errors import DataError, OptionError, ShapeError
from minivae.uses.quality.measures import frechet_distance, measure, nearest, precision_recall


def two_sets(seed=0, n=200, m=150, width=7):
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(2, width, width))
    return rng.normal(size=(n, width)) @ mix[0], rng.normal(size=(m, width)) @ mix[1] + 0.7


def by_scipy(a, b):
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    difference = a.mean(axis=0) - b.mean(axis=0)
    root = sqrtm(cov_a @ cov_b)
    return difference @ difference + np.trace(cov_a + cov_b - 2 * root.real)


@pytest.mark.parametrize("seed", range(3))
def test_frechet_is_scipys(seed):
    real, generated = two_sets(seed)
    distance = frechet_distance(real, generated)
    assert distance == pytest.approx(by_scipy(real, generated), rel=1e-9)
    assert distance == pytest.approx(frechet_distance(generated, real), rel=1e-9)
    assert distance > 1


def test_frechet_of_fewer_examples_than_features():
    # The covariances are singular, where sqrtm is no oracle: its root of the product is not real.
    # Turning both sets in the same way changes no distance, and filling up with zeros does not.
    rng = np.random.default_rng(4)
    real, generated = two_sets(1, n=5, m=4)
    turn, _ = np.linalg.qr(rng.normal(size=(7, 7)))
    distance = frechet_distance(real, generated)
    assert frechet_distance(real @ turn, generated @ turn) == pytest.approx(distance, rel=1e-6)
    wider = [np.pad(x, ((0, 0), (0, 3))) for x in (real, generated)]
    assert frechet_distance(*wider) == pytest.approx(distance, rel=1e-6)


def test_frechet_in_closed_form():
    real, _ = two_sets(2)
    assert frechet_distance(real, real) == pytest.approx(0, abs=1e-9)
    # A shift s gives |s|^2; a scale c gives (c - 1)^2 tr(C) beside the shift of the mean.
    assert frechet_distance(real, real + 2) == pytest.approx(4 * 7, rel=1e-9)
    centred = real - real.mean(axis=0)
    expected = (3 - 1) ** 2 * np.trace(np.cov(real.T))
    assert frechet_distance(centred, 3 * centred) == pytest.approx(expected, rel=1e-9)
    # One feature: (m1 - m2)^2 + (s1 - s2)^2.
    a, b = real[:, :1], 5 * real[:, 1:2] - 1
    expected = (a.mean() - b.mean()) ** 2 + (a.std(ddof=1) - b.std(ddof=1)) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9)


def by_sklearn(points, support, k):
    finder = NearestNeighbors(n_neighbors=k).fit(support)
    radius = finder.kneighbors()[0][:, -1]  # without the points themselves
    distances = np.sqrt(((points[:, None] - support) ** 2).sum(-1))
    return (distances <= radius).any(axis=1).mean()


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("n", [40, 700])  # below and above the rows that are measured at once
def test_precision_and_recall_are_sklearns(n, k):
    rng = np.random.default_rng(3)
    real, generated = rng.normal(size=(n, 2)), rng.normal(size=(90, 2)) + 1.2
    precision, recall = precision_recall(real, generated, k)
    assert precision == by_sklearn(generated, real, k)
    assert recall == by_sklearn(real, generated, k)
    assert 0 < precision < 1
    assert 0 < recall < 1


def test_precision_and_recall_where_they_are_known():
    left = np.random.default_rng(5).random((50, 2))
    right = left + 10
    assert precision_recall(left, left) == (1, 1)
    assert precision_recall(left, right) == (0, 0)
    # What generates only half of what there is, is precise and forgets the other half; what
    # generates twice as much remembers everything.
    assert precision_recall(np.concatenate([left, right]), left) == (1, 0.5)
    assert precision_recall(left, np.concatenate([left, right])) == (0.5, 1)


def test_a_ball_reaches_to_the_kth_neighbour_and_holds_it():
    line = np.array([[0.0], [1.0], [3.0], [7.0]])
    inside = [[-1.0], [-0.5]]
    outside = [[11.5], [-3.5], [15.5]]
    # Radii with k = 1: 1, 1, 2, 4: from -1 to 11.
    points = np.array([*inside, [11.0], *outside[:1], [-1.5]])
    precision, _ = precision_recall(line, points, k=1)
    assert precision == 3 / 5


def test_nearest_is_sklearns():
    x, among = two_sets(6, n=620, m=80)
    distance, index = NearestNeighbors(n_neighbors=1).fit(among).kneighbors(x)
    found, at = nearest(x, among)
    np.testing.assert_array_equal(found, index[:, 0])
    np.testing.assert_allclose(at, distance[:, 0], rtol=1e-9)


def test_measure_is_the_three():
    real, generated = two_sets(7)
    quality = measure(real, generated, k=2)
    assert quality.frechet == frechet_distance(real, generated)
    assert (quality.precision, quality.recall) == precision_recall(real, generated, 2)


def test_what_cannot_be_measured_is_refused(refuses):
    real, generated = two_sets()
    with refuses(ShapeError, "(200, 7)", "(150, 6)"):
        frechet_distance(real, generated[:, :6])
    with refuses(ShapeError, "real features of shape (1, 7)", "at least 2"):
        frechet_distance(real[:1], generated)
    with refuses(ShapeError, "generated features of shape (3, 7)", "at least 4"):
        precision_recall(real, generated[:3])
    with refuses(OptionError, "k=0"):
        precision_recall(real, generated, 0)
    with refuses(DataError, "generated", "NaN"):
        measure(real, np.where(generated > 2, np.nan, generated))
