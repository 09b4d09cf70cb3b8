"""Normal and Gumbel noise from uniform noise: distribution, kernel, and what a seed fixes."""

import numpy as np
import pytest

from minivae import get_backend
from minivae.engine.noise import from_uniform, gumbel, gumbel_from_uniform, normal

scipy_stats = pytest.importorskip("scipy.stats")
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "numba"])
DTYPES = pytest.mark.parametrize("dtype", ["float32", "float64"])


@BACKENDS
@DTYPES
def test_the_distribution_is_the_standard_normal(backend, dtype):
    n = 1_000_000
    z = normal(np.random.default_rng(0), (n,), dtype, get_backend(backend)).astype("float64")
    # Moments within 5 standard errors; the Kolmogorov-Smirnov distance below its 0.1 % point.
    for power, moment, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((z**power).mean() - moment) < 5 * np.sqrt(variance / n)
    assert scipy_stats.kstest(z, "norm").statistic < 1.95 / np.sqrt(n)


@BACKENDS
def test_the_two_of_a_pair_and_neighbouring_pairs_are_independent(backend):
    z = normal(np.random.default_rng(1), (500_000, 2), "float32", get_backend(backend))
    z = z.astype("float64")
    for a, b in ((z[:, 0], z[:, 1]), (z[1:, 0], z[:-1, 1]), (z[:, 0] ** 2 - 1, z[:, 1] ** 2 - 1)):
        scale = np.sqrt((a**2).mean() * (b**2).mean() / len(a))
        assert abs((a * b).mean()) < 5 * scale


def test_the_ends_of_the_uniform_range_are_finite():
    u = np.array([[0, 0], [1 - 2**-24, 0], [1 - 2**-24, 1 - 2**-24], [0.5, 0.25]], "float32")
    expected = [[0, 0], [np.sqrt(48 * np.log(2)), 0], [np.sqrt(48 * np.log(2)), 0]]
    expected.append([0, np.sqrt(2 * np.log(2))])
    for backend in ("numpy", "numba"):
        z = get_backend(backend).call(from_uniform, u.copy())
        np.testing.assert_allclose(z, expected, atol=5e-6)


@pytest.mark.parametrize("width", [1, 2, 5, 20])
def test_rows_drawn_at_once_and_one_after_the_other_are_the_same(width):
    backend = get_backend("numba")
    together = normal(np.random.default_rng(3), (9, 4, width), "float32", backend)
    rng = np.random.default_rng(3)
    parts = [normal(rng, (n, 4, width), "float32", backend) for n in (1, 5, 3)]
    np.testing.assert_array_equal(np.concatenate(parts), together)


@DTYPES
@pytest.mark.parametrize("shape", [(0,), (1,), (7, 3), (64, 20), (5, 3, 2)])
def test_the_kernel_is_its_reference_and_a_seed_fixes_the_noise(dtype, shape):
    drawn = {}
    for backend in ("numpy", "numba"):
        rng = np.random.default_rng(2)
        drawn[backend] = normal(rng, shape, dtype, get_backend(backend))
        again = normal(np.random.default_rng(2), shape, dtype, get_backend(backend))
        np.testing.assert_array_equal(drawn[backend], again)
        assert drawn[backend].shape == shape
        assert drawn[backend].dtype == dtype
        # As many uniform numbers are taken as there are normal ones, with an even width of rows.
        other = np.random.default_rng(2)
        other.random((*shape[:-1], shape[-1] + shape[-1] % 2), dtype=dtype)
        assert other.random() == rng.random()
    atol = {"float32": 3e-6, "float64": 1e-14}[dtype]
    np.testing.assert_allclose(drawn["numba"], drawn["numpy"], atol=atol)


@BACKENDS
@DTYPES
def test_gumbel_noise_has_its_distribution_and_no_infinite_end(backend, dtype):
    n = 200_000
    g = gumbel(np.random.default_rng(4), (n, 1), dtype, get_backend(backend)).astype("float64")
    assert scipy_stats.kstest(g.ravel(), "gumbel_r").statistic < 1.95 / np.sqrt(n)
    assert abs(g.mean() - np.euler_gamma) < 5 * np.pi / np.sqrt(6 * n)
    step = 2.0**-24 if dtype == "float32" else 2.0**-53
    ends = get_backend(backend).call(gumbel_from_uniform, np.array([0, 1 - step], dtype))
    np.testing.assert_allclose(ends, scipy_stats.gumbel_r.isf([step / 2, 1 - step]), rtol=1e-5)


def test_gumbel_noise_drawn_at_once_and_one_after_the_other_is_the_same():
    backend = get_backend("numba")
    together = gumbel(np.random.default_rng(3), (9, 4, 3), "float32", backend)
    rng = np.random.default_rng(3)
    parts = [gumbel(rng, (n, 4, 3), "float32", backend) for n in (1, 5, 3)]
    np.testing.assert_array_equal(np.concatenate(parts), together)
