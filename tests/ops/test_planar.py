"""The planar step against PyTorch, its numerical Jacobian, and the integral of what it makes."""

import numpy as np
import pytest

from minivae.engine.backend import get_backend
from minivae.errors import DtypeError, NonFiniteError, ShapeError
from minivae.ops import Planar, planar
from oracles import standard_normal


def oracle(torch, z, u, w, b):
    """Both results, by the determinant of the Jacobian that PyTorch finds."""

    def move(z, u, w, b):
        along = w @ u
        u_hat = u + (torch.nn.functional.softplus(along) - 1 - along) * w / (w @ w)
        return z + u_hat * torch.tanh(w @ z + b)

    if not len(z):
        return z
    rows = []
    for arguments in zip(z, u, w, b, strict=True):
        jacobian = torch.autograd.functional.jacobian(
            lambda point, rest=arguments[1:]: move(point, *rest), arguments[0], create_graph=True
        )
        rows.append(move(*arguments) * torch.linalg.slogdet(jacobian).logabsdet)
    return torch.stack(rows)


def steep(seed, rows, width):
    """Arguments of which half have w u below -1, so that u alone could not be undone."""
    z, u, w = standard_normal(seed, 3, rows, width)
    short = -np.linspace(1.1, 4, rows) - (w * u).sum(axis=1)
    u[::2] += (short / (w * w).sum(axis=1))[::2, None] * w[::2]
    return z, u, w, standard_normal(seed + 1, rows)


def test_w_u_is_brought_above_minus_one_and_nothing_else_is_moved():
    z, u, w, b = steep(0, 200, 16)
    assert ((w * u).sum(axis=1) < -1).sum() > 100
    _, (_, _, _, u_hat, *_) = planar.forward(z, u, w, b)
    along = (w * u).sum(axis=1)
    np.testing.assert_allclose((w * u_hat).sum(axis=1), np.logaddexp(0, along) - 1, rtol=1e-12)
    assert ((w * u_hat).sum(axis=1) > -1).all()
    across = w / np.sqrt((w * w).sum(axis=1, keepdims=True))
    moved = u_hat - u
    np.testing.assert_allclose(
        moved - (moved * across).sum(axis=1)[:, None] * across, 0, atol=1e-13
    )


@pytest.mark.parametrize("width", [1, 2, 7])
def test_the_log_determinant_is_that_of_the_numerical_jacobian(width):
    z, u, w, b = steep(3, 20, width)
    (_, logdet), _ = planar.forward(z, u, w, b)
    jacobian, h = np.empty((20, width, width)), 1e-5
    for j in range(width):
        step = h * np.eye(width)[j]
        (above, _), _ = planar.forward(z + step, u, w, b)
        (below, _), _ = planar.forward(z - step, u, w, b)
        jacobian[:, :, j] = (above - below) / (2 * h)
    sign, expected = np.linalg.slogdet(jacobian)
    assert (sign == 1).all()
    np.testing.assert_allclose(logdet, expected, rtol=0, atol=1e-8)


def test_no_two_points_are_moved_to_one():
    """Along w, the moved place rises with the place, however far below -1 w u is."""
    w, u = np.array([[1.5, 0.5]]), np.array([[-2.0, -1.0]])
    assert (w * u).sum() < -3
    at = np.linspace(-6, 6, 4001)[:, None] * w
    n = len(at)
    (moved, _), _ = planar.forward(at, u.repeat(n, 0), w.repeat(n, 0), np.full(n, 0.3))
    assert (np.diff(moved @ w[0]) > 0).all()


def test_the_density_after_three_steps_integrates_to_one():
    """q_K(z_K) = q_0(z_0) / det, summed over a grid of z_K, each taken back by bisection."""
    rng = np.random.default_rng(4)
    steps = [
        (rng.standard_normal((1, 2)) * 1.5, rng.standard_normal((1, 2)), rng.normal())
        for _ in range(3)
    ]
    steps[1] = (np.array([[-2.0, 0.4]]), np.array([[1.2, 0.1]]), 0.2)
    assert (steps[1][0] * steps[1][1]).sum() == pytest.approx(-2.36)
    side, width = 9.0, 601
    axis = np.linspace(-side, side, width)
    points = np.stack(np.meshgrid(axis, axis, indexing="ij"), -1).reshape(-1, 2)
    n, log_q = len(points), np.zeros(len(points))
    z = points
    for u, w, b in reversed(steps):
        _, (_, _, _, u_hat, _, c, *_) = planar.forward(z[:1], u, w, np.array([b]))
        # Along w: s' = s + c tanh(s + b) rises, so bisection finds s; the rest follows from it.
        target = z @ w[0]
        low, high = target - abs(c) - 1, target + abs(c) + 1
        for _ in range(50):
            s = (low + high) / 2
            above = s + c * np.tanh(s + b) > target
            low, high = np.where(above, low, s), np.where(above, s, high)
        z = z - u_hat * np.tanh(s + b)[:, None]
        (_, logdet), _ = planar.forward(z, u.repeat(n, 0), w.repeat(n, 0), np.full(n, b))
        log_q -= logdet
    log_q += -0.5 * (z * z).sum(axis=1) - np.log(2 * np.pi)
    assert np.exp(log_q).sum() * (axis[1] - axis[0]) ** 2 == pytest.approx(1, abs=2e-6)


def test_without_u_along_or_across_w_nothing_moves():
    """Where w u is ln(e - 1), c is w u; a u that is taken away from w leaves z as it is."""
    z, _, w, b = steep(5, 4, 3)
    along = np.log(np.e - 1)  # softplus of it is 1, so c is 0
    u = along * w / (w * w).sum(axis=1, keepdims=True)
    (moved, logdet), _ = planar.forward(z, u, w, b)
    np.testing.assert_allclose(moved, z, atol=1e-15)
    np.testing.assert_allclose(logdet, 0, atol=1e-15)


def test_a_singular_step_is_one_sentence(refuses):
    layer = Planar(dtype="float32", backend="numpy")
    z, u, w, b = (array.astype("float32") for array in steep(6, 3, 2))
    layer.forward(z, u, w, b)
    with np.errstate(all="ignore"), refuses(NonFiniteError, "singular", "w is 0"):
        layer.forward(z, u, 0 * w, b)
    with np.errstate(all="ignore"), refuses(NonFiniteError, "singular", "flattens"):
        layer.forward(0 * z, -100 * w, w, 0 * b)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("batch", "latent"), [(37, 13), (1, 1), (0, 4)])
def test_the_kernels_are_the_reference(dtype, batch, latent):
    call = get_backend("numba").call
    given = tuple(array.astype(dtype) for array in steep(7, batch, latent))
    (moved, logdet), cache = call(planar.forward, *given)
    (expected, expected_logdet), _ = planar.forward(*given)
    close = {"rtol": 0, "atol": 2e-5 if dtype == "float32" else 1e-12}
    np.testing.assert_allclose(moved, expected, **close)
    np.testing.assert_allclose(logdet, expected_logdet, **close)
    rng = np.random.default_rng(8)
    upstream = [rng.standard_normal(shape).astype(dtype) for shape in (moved.shape, logdet.shape)]
    found = call(planar.backward, *upstream, *cache)
    expected = planar.backward(*upstream, *planar.forward(*given)[1])
    for gradient, other in zip(found, expected, strict=True):
        assert gradient.dtype == dtype
        scale = np.abs(other).max(initial=1)
        np.testing.assert_allclose(gradient / scale, other / scale, **close)


def test_the_kernels_refuse_shapes_that_do_not_fit():
    call = get_backend("numba").call
    z, u, w, b = steep(9, 5, 3)
    (moved, logdet), cache = call(planar.forward, z, u, w, b)
    for bad in ((z[:4], u, w, b), (z, u[:, :2], w, b), (z, u, w, b[:4]), (z[0], u[0], w[0], b)):
        with pytest.raises(ShapeError):
            call(planar.forward, *bad)
    with pytest.raises(DtypeError):
        call(planar.forward, z, u, w, b.astype("float32"))
    for bad in ((moved[:4], logdet), (moved, logdet[:4]), (moved[:, :2], logdet)):
        with pytest.raises(ShapeError):
            call(planar.backward, *bad, *cache)
    with pytest.raises(DtypeError):
        call(planar.backward, moved, logdet.astype("float32"), *cache)
