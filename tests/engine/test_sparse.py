"""Products by the entries that are not 0: the full product's numbers, whoever computes them."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minivae import VAE, Adam
from minivae.engine.backend import get_backend
from minivae.engine.cpu import sparse, team
from minivae.engine.cpu.blas import Blas
from minivae.engine.cpu.threads import Team
from minivae.engine.cpu.workspace import Workspace
from minivae.ops import dense, linear

pytestmark = pytest.mark.skipif(
    Blas.find() is None, reason="without NumPy's own OpenBLAS a step has no team"
)

SHAPES = [  # B, I, O: below 16 columns, odd, one row, one column, four parts
    (128, 784, 400),
    (97, 301, 67),
    (5000, 7, 64),
    (1, 4001, 301),
    (40, 2, 20_000),
    (1000, 1023, 200),
]
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


@pytest.fixture(autouse=True)
def small_ones_too(monkeypatch):
    monkeypatch.setattr(sparse, "LEAST_SPARSE", 0)


@pytest.fixture(params=[None, 1, 2, 3, 5, 8], ids="{} threads".format)
def at_work(request, monkeypatch):
    """A team of so many threads that works for this thread, or none at all."""
    if request.param is None:
        yield
        return
    made = Team(Blas.find(), request.param)
    monkeypatch.setattr(team._now, "team", made)
    made.wake()
    with threadpool_limits(1):
        yield
    made.end()


def thin(rng, B, I, density, dtype):
    """Data of which so much is not 0."""
    return ((rng.random((B, I)) < density) * rng.standard_normal((B, I))).astype(dtype)


def both(x, W, dy):
    """The two products of a layer, and whether they were taken by entries."""
    y, dW = np.full(dy.shape, np.nan, x.dtype), np.full(W.shape, np.nan, x.dtype)
    entries = sparse.multiply(x, W, y)
    assert sparse.multiply_turned(x, entries, dy, dW) is dW
    return y, dW, entries is not None


def close(have, want, of):
    """Equal to 20 roundings of sums of that many numbers of size 1."""
    atol = 20 * np.finfo(have.dtype).eps * max(10, np.sqrt(of))
    np.testing.assert_allclose(have, want, rtol=0, atol=atol)


@each_dtype
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_numbers_are_those_of_the_full_product(at_work, shape, dtype):
    rng = np.random.default_rng(0)
    B, I, O = shape
    x, W, dy = thin(rng, B, I, 0.15, dtype), rng.random((I, O)), rng.random((B, O))
    x[: B // 3] *= 0  # empty rows
    x[:, : I // 4] *= 0  # and columns
    y, dW, by_entries = both(x, W.astype(dtype), dy.astype(dtype))
    assert by_entries
    close(y, x.astype("float64") @ W, I)
    close(dW, x.astype("float64").T @ dy, B)


@each_dtype
@pytest.mark.parametrize(("density", "by_entries"), [(0, True), (0.2, True), (0.4, False), (1, 0)])
def test_the_density_decides(density, by_entries, dtype):
    rng = np.random.default_rng(1)
    x, W, dy = thin(rng, 60, 500, density, dtype), rng.random((500, 70)), rng.random((60, 70))
    y, dW, found = both(x, W.astype(dtype), dy.astype(dtype))
    assert found == by_entries
    close(y, x.astype("float64") @ W, 500)
    close(dW, x.astype("float64").T @ dy, 60)
    assert density or not (y.any() or dW.any())


def test_just_enough_and_one_too_many():
    x, W = np.zeros((100, 400), "float32"), np.ones((400, 64), "float32")
    dy = np.ones((100, 64), "float32")
    x.reshape(-1)[-int(sparse.FEW * x.size) :] = 2
    for by_entries in (True, False):
        y, dW, found = both(x, W, dy)
        assert found == by_entries
        np.testing.assert_array_equal(y[:, 0], x.sum(axis=1))
        np.testing.assert_array_equal(dW[:, 0], x.sum(axis=0))
        x[0, 0] = 2


def test_what_does_not_lie_row_after_row_is_multiplied_in_full():
    rng = np.random.default_rng(2)
    x, W, dy = thin(rng, 60, 500, 0.1, "float64"), rng.random((500, 70)), rng.random((60, 70))
    for other_x, other_W in (
        (np.asfortranarray(x), W),
        (np.repeat(x, 2, axis=1)[:, ::2], W),
        (x, np.asfortranarray(W)),
    ):
        y, dW, by_entries = both(other_x, other_W, dy)
        assert not by_entries
        np.testing.assert_allclose(y, x @ W)
        np.testing.assert_allclose(dW, x.T @ dy)
    y, wide = np.empty((60, 70)), np.full((500, 75), np.nan)
    entries = sparse.multiply(x, W, y)
    assert entries is not None
    sparse.multiply_turned(x, entries, np.asfortranarray(dy), wide[:, :70])
    np.testing.assert_allclose(wide[:, :70], x.T @ dy, atol=1e-12)
    assert np.isnan(wide[:, 70:]).all()


@each_dtype
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_zero_times_infinity_is_not_lost(at_work, bad, dtype):
    """A weight, a gradient or a datum that has overflowed shows wherever it does in full."""
    rng = np.random.default_rng(3)
    x, W, dy = thin(rng, 60, 500, 0.1, dtype), rng.random((500, 70)), rng.random((60, 70))
    W, dy = W.astype(dtype), dy.astype(dtype)
    x[:, 499] = 0  # a pixel that is 0 in every datum
    for name, place in (("W", (499, 3)), ("W", (0, 0)), ("dy", (59, 69)), ("dy", (2, 0))):
        arrays = {"W": W.copy(), "dy": dy.copy()}
        arrays[name][place] = bad
        with np.errstate(invalid="ignore"):
            y, dW, _ = both(x, **arrays)
            wanted = x @ arrays["W"], x.T @ arrays["dy"]
        for have, want in zip((y, dW), wanted, strict=True):
            np.testing.assert_array_equal(np.isnan(have), np.isnan(want))
            close(np.nan_to_num(have), np.nan_to_num(want), 500)
    x[5, 7] = bad
    y, dW, by_entries = both(x, W, dy)
    assert by_entries
    assert not np.isfinite(y[5]).any()
    assert np.isfinite(np.delete(y, 5, 0)).all()
    assert not np.isfinite(dW[7]).any()
    assert np.isfinite(np.delete(dW, 7, 0)).all()


@pytest.mark.parametrize("shape", [SHAPES[0], SHAPES[-1]], ids=str)
def test_the_same_bits_with_any_number_of_threads(shape):
    rng = np.random.default_rng(4)
    B, I, O = shape
    arrays = [thin(rng, B, I, 0.2, "float32"), *(rng.random(s) for s in ((I, O), (B, O)))]
    arrays = [array.astype("float32") for array in arrays]
    found = [both(*arrays)]
    for threads in (1, 2, 3, 4, 8, 16):
        made = Team(Blas.find(), threads)
        made.wake()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(team._now, "team", made)
            found += [both(*arrays) for _ in range(5)]
        made.end()
    for y, dW, _ in found[1:]:
        np.testing.assert_array_equal(y, found[0][0])
        np.testing.assert_array_equal(dW, found[0][1])


@pytest.mark.parametrize("operation", [linear, dense], ids=["linear", "dense"])
def test_a_layer_hands_its_entries_to_its_backward_pass(operation):
    rng = np.random.default_rng(5)
    call = get_backend("numba").call
    x, W = thin(rng, 60, 500, 0.1, "float64"), rng.standard_normal((500, 70))
    b, dy = rng.standard_normal(70), rng.standard_normal((60, 70))
    options = {"activation": "tanh"} if operation is dense else {}
    y, cache = call(operation.forward, x, W, b, **options)
    assert isinstance(cache[-1], sparse.Entries)
    expected, reference_cache = operation.forward(x, W, b, **options)
    np.testing.assert_allclose(y, expected, atol=1e-12)
    for have, want in zip(
        call(operation.backward, dy, *cache),
        operation.backward(dy, *reference_cache),
        strict=True,
    ):
        np.testing.assert_allclose(have, want, atol=1e-12)


def test_data_that_are_now_sparse_and_now_dense_train_as_the_reference_does():
    losses = {}
    for backend in ("numpy", "numba"):
        rng = np.random.default_rng(6)
        model, optimizer = VAE(300, (100,), 5, rng=rng, dtype="float64", backend=backend), Adam()
        losses[backend] = []
        for step in range(30):
            x = (rng.random((64, 300)) < (0.1 if step % 3 else 0.6)).astype("float64")
            losses[backend].append(float(model.step(x, model.draw_noise(rng, 64)).loss))
            optimizer.step(model.params)
    np.testing.assert_allclose(losses["numba"], losses["numpy"], rtol=1e-10)


def test_nothing_is_allocated_from_one_step_to_the_next():
    rng = np.random.default_rng(7)
    W, y, workspace = rng.random((300, 100)), np.empty((64, 100)), Workspace()
    seen = []
    for density in (0.1, 0.9, 0.2):
        x = thin(rng, 64, 300, density, "float64")
        with workspace:
            sparse.multiply(x, W, y)
        seen.append([array.ctypes.data for array in workspace.arrays])
    assert seen[0] == seen[1] == seen[2]
