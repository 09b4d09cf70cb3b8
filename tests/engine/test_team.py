"""The team: the same numbers as one thread, whoever does which part, and nothing left behind."""

import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from minivae import VAE, Adam
from minivae.engine.cpu import team
from minivae.engine.cpu.blas import Blas
from minivae.engine.cpu.loop import loop
from minivae.engine.cpu.neighbours import Neighbours
from minivae.engine.cpu.team import COSTLY
from minivae.engine.cpu.threads import NAPS, Team
from minivae.engine.cpu.workspace import Workspace, empty
from minivae.train import Settings, Training, fit

pytestmark = pytest.mark.skipif(Blas.find() is None, reason="NumPy has no OpenBLAS of its own")

SHAPES = [  # M, K, N: by rows, by columns, turned, odd, thin
    (128, 784, 400),
    (20, 784, 200),
    (1000, 50, 200),
    (97, 301, 67),
    (2, 700, 800),
    (700, 900, 1),
    (1, 900, 700),
    (3, 4, 5),
]


@pytest.fixture(autouse=True)
def uncrowded(monkeypatch):
    """The helpers are asked also where other tests want their cores."""
    monkeypatch.setattr(Neighbours, "crowd", lambda self: False)


@pytest.fixture(params=[1, 2, 3], ids="{} threads".format)
def at_work(request, monkeypatch):
    """A team of that many threads that works for this thread."""
    made = Team(Blas.find(), request.param)
    monkeypatch.setattr(team._now, "team", made)
    made.wake()
    with threadpool_limits(1):
        yield made
    made.end()


def factors(rng, m, k, n, dtype, a_turned, b_turned):
    a = rng.standard_normal((k, m) if a_turned else (m, k)).astype(dtype)
    b = rng.standard_normal((n, k) if b_turned else (k, n)).astype(dtype)
    return a.T if a_turned else a, b.T if b_turned else b


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("a_turned", [False, True])
@pytest.mark.parametrize("b_turned", [False, True])
def test_products_are_those_of_numpy(at_work, dtype, a_turned, b_turned):
    rng = np.random.default_rng(0)
    for m, k, n in SHAPES:
        a, b = factors(rng, m, k, n, dtype, a_turned, b_turned)
        wide = np.full((m, n + 3), np.nan, dtype)  # rows that do not follow each other in memory
        out = team.matmul(a, b, wide[:, :n])
        expected = a.astype("float64") @ b.astype("float64")
        atol = 30 * np.finfo(dtype).eps * np.sqrt(k) * 10
        np.testing.assert_allclose(out, expected, atol=atol)
        assert np.isnan(wide[:, n:]).all()


def test_products_of_parts_of_arrays_and_of_other_numbers(at_work):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((200, 600)), rng.standard_normal((300, 500))
    for left, right in (
        (a[:, ::2], b),  # entries apart
        (a[::2, :300], b),  # rows apart
        (a[:, 300:], b[::-1]),  # backwards
        (a[:, :300], np.broadcast_to(b[:1], (300, 500))),
        (np.zeros(200, [("y", "u1"), ("x", "f8", (300,))])["x"], b),  # a field of records
        (np.rint(a[:, :300]).astype("int64"), np.rint(b).astype("int64")),
    ):
        left[...] = 1 if not left.any() else left
        out = np.empty((len(left), 500), left.dtype)
        np.testing.assert_allclose(team.matmul(left, right, out), left @ right, atol=1e-10)


def test_products_that_do_not_fit_are_refused_as_by_numpy(at_work):
    a, b = np.ones((200, 300)), np.ones((301, 400))
    with pytest.raises(ValueError, match="mismatch"):
        team.matmul(a, b, np.empty((200, 400)))
    with pytest.raises(ValueError, match="mismatch"):
        team.matmul(a, b[:300], np.empty((201, 400)))


def test_nan_and_infinity_pass_through_a_product(at_work):
    a, b = np.ones((150, 200), "float32"), np.ones((200, 300), "float32")
    a[7, 3], b[11, 200] = np.nan, np.inf
    out = team.matmul(a, b, np.full((150, 300), np.nan, "float32"))
    assert np.isnan(out[7]).all()
    assert np.isinf(np.delete(out[:, 200], 7)).all()
    assert (np.delete(np.delete(out, 7, 0), 200, 1) == 200).all()


def naps_of(helper):
    """How often a thread has gone to sleep for a moment, as the system counts."""
    status = Path(f"/proc/self/task/{helper.native_id}/status").read_text()
    return int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)", status)[1])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="no /proc here")
def test_the_threads_nap_during_a_step_and_sleep_after_it():
    made = Team(Blas.find(), 2)
    (helper,) = made.helpers
    made.wake()
    awake = naps_of(helper)
    for _ in range(1000):  # a step that needs no help for long: the thread stays within reach
        time.sleep(0.02)
        if naps_of(helper) > awake + 3 * NAPS:
            break
    assert naps_of(helper) > awake + 3 * NAPS
    made.rest()
    for _ in range(1000):
        before = naps_of(helper)
        time.sleep(0.2)
        if naps_of(helper) == before and not made.wanted[0].is_set():
            break
    time.sleep(0.5)
    assert naps_of(helper) == before
    made.wake()  # and comes again
    for _ in range(1000):
        time.sleep(0.02)
        if naps_of(helper) > before + NAPS:
            break
    assert naps_of(helper) > before + NAPS
    made.end()
    assert not helper.is_alive()


@loop
def doubled(x, y, by):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = by * x[i, j]


@loop
def summed(x, total):
    total[0] = 0
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            total[0, j] += x[i, j]


@pytest.mark.parametrize("rows", [0, 1, 2, 5, 4000])
def test_loops_in_parts(at_work, rows):
    x = np.random.default_rng(2).integers(0, 9, (rows, 8)).astype("float64")
    y, total = np.full_like(x, np.nan), np.empty(8)
    team.in_parts(doubled, (x, y), 2.0, least=0)
    team.sum_in_parts(summed, (x,), total, least=0)
    np.testing.assert_array_equal(y, 2 * x)
    np.testing.assert_array_equal(total, x.sum(axis=0))


@loop
def added(x, y, other):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] + other[j]


def test_the_same_loop_with_arguments_of_other_types(at_work):
    """What is handed over is read as what it is: bytes, floats, rows that are not contiguous."""
    x = np.random.default_rng(6).random((100, 8))
    numbers = np.arange(16)
    for other in (numbers[:8].astype("uint8"), numbers[:8].astype("float32"), numbers[::2] * 1.0):
        y = np.empty_like(x)
        team.in_parts(added, (x, y), other, least=0)
        np.testing.assert_array_equal(y, x + other)


def test_the_threads_of_a_team_end_with_it():
    made = Team(Blas.find(), 3)
    made.wake()
    made.matmul(np.ones((200, 300)), np.ones((300, 400)), np.empty((200, 400)))
    assert all(helper.is_alive() for helper in made.helpers)
    made.end()
    assert not any(helper.is_alive() for helper in made.helpers)


def test_whoever_does_a_part_the_numbers_are_the_same():
    """A team whose threads never come: the caller takes every order back."""
    rng = np.random.default_rng(3)
    a, b = factors(rng, 128, 300, 500, "float32", False, True)
    results = []
    for awake in (True, False):
        made = Team(Blas.find(), 2)
        if not awake:
            made.end()
        made.wake()
        results.append([made.matmul(a, b, np.empty((128, 500), "float32")) for _ in range(50)])
        made.end()
    for with_help, alone in zip(*results, strict=True):
        np.testing.assert_array_equal(with_help, alone)


def test_blas_has_its_threads_back_after_a_step_and_after_an_error():
    blas = Blas.find()
    with threadpool_limits(2):
        with Workspace(shared=True):
            assert blas.get_threads() == 1
        assert blas.get_threads() == 2
        with pytest.raises(ValueError, match="mine"), Workspace(shared=True):
            raise ValueError("mine")
        assert blas.get_threads() == 2
        with Workspace():
            assert blas.get_threads() == 2


def test_a_step_inside_a_step_leaves_the_outer_one_its_team():
    with threadpool_limits(2):
        with Workspace(shared=True):
            outer = team._now.team
            with Workspace(shared=True):
                assert team._now.team is outer
            assert team._now.team is outer
            assert Blas.find().get_threads() == 1
        assert team._now.team is None
        assert Blas.find().get_threads() == 2
        assert (team._Steps.under_way, team._Steps.helped) == (0, None)


def losses(steps=30):
    rng = np.random.default_rng(4)
    model, optimizer = VAE(300, (200,), 10, rng=rng, backend="numba"), Adam()
    x = (rng.random((100, 300)) < 0.3).astype("float32")
    return [
        (float(model.step(x, model.draw_noise(rng, 100)).loss), optimizer.step(model.params))[0]
        for _ in range(steps)
    ]


def test_two_trainings_at_the_same_time():
    """One has the helping threads, the others compute alone: the same numbers, bit for bit."""
    with threadpool_limits(2):
        alone, found = losses(), []
        threads = [threading.Thread(target=lambda: found.append(losses())) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 3
        assert found == [alone] * 3
        assert Blas.find().get_threads() == 2


ROWS = [2, 20, 100, 700]  # by rows and by columns, turned or not, in two parts and in four


@pytest.mark.parametrize("rows", ROWS)
def test_the_same_bits_with_any_number_of_threads(rows):
    rng = np.random.default_rng(6)
    pairs = [
        factors(rng, rows, 784, 500, "float32", *turned) for turned in ((0, 0), (0, 1), (1, 0))
    ]
    x = rng.standard_normal((rows, 4000)).astype("float32")
    found = []
    for threads in (1, 2, 3, 4, 8, 16):  # more than there are cores
        made = Team(Blas.find(), threads)
        made.wake()
        with threadpool_limits(1):
            total, out = np.empty(4000, "float32"), np.empty_like(x)
            products = [made.matmul(*pair, np.empty((rows, 500), "float32")) for pair in pairs]
            made.sum_in_parts(summed, (x,), total, [])
            made.in_parts(doubled, (x, out), [2.0])
        made.end()
        found.append([*products, total, out])
    np.testing.assert_array_equal(found[0][-1], 2 * x)
    np.testing.assert_allclose(found[0][-2], x.sum(axis=0), rtol=1e-4, atol=1e-3)
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_array_equal(one, other)


def test_a_training_is_the_same_with_any_number_of_threads(monkeypatch):
    monkeypatch.setattr(team, "free_cores", lambda: 16)
    found = []
    for threads in (1, 2, 4, 8, 16):
        team._of.cache_clear()
        with threadpool_limits(threads):
            rng = np.random.default_rng(7)
            model = VAE(784, (400,), 20, samples=3, rng=rng, backend="numba")
            data = (rng.random((300, 784)) < 0.2).astype("float32")
            training = Training(model, Adam(), rng, Settings(epochs=2, batch=128))
            fit(training, data[:200], data[200:], progress=False)
            assert len(team._of(Blas.find(), threads).helpers) == threads - 1
            found.append((model.params.theta.tobytes(), training.history))
    team._of.cache_clear()
    assert found == [found[0]] * 5


@pytest.mark.slow
def test_a_team_trains_as_the_reference_does():
    """200 steps of float32 with two threads, and on the backend "numpy": to 1e-4.

    With tanh: a ReLU near 0 may fall to one side here and to the other there, and NumPy with two
    threads then differs from NumPy with one by more than this.
    """
    histories = {}
    for backend in ("numpy", "numba"):
        rng = np.random.default_rng(5)
        model = VAE(784, (400,), 20, activation="tanh", rng=rng, backend=backend)
        optimizer = Adam()
        data = (rng.random((1280, 784)) < 0.2).astype("float32")
        with threadpool_limits(2):
            histories[backend] = []
            for step in range(200):
                x = data[step % 10 * 128 :][:128]
                histories[backend].append(model.step(x, model.draw_noise(rng, 128)).loss)
                optimizer.step(model.params)
    assert histories["numba"][-1] < 0.9 * histories["numba"][0]
    np.testing.assert_allclose(histories["numba"], histories["numpy"], rtol=1e-4)


def test_an_interrupt_while_a_step_begins_leaves_nothing_behind(monkeypatch):
    with threadpool_limits(2):
        monkeypatch.setattr(Team, "wake", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        workspace = Workspace(shared=True)
        with pytest.raises(KeyboardInterrupt), workspace:
            pass
        assert Blas.find().get_threads() == 2
        assert (team._Steps.under_way, team._Steps.helped) == (0, None)
        assert team._now.team is None
        outside = empty((3,), "float64")
        assert empty((3,), "float64") is not outside


PROGRAM = """
import os, sys
import numpy as np
from minivae import VAE, Adam, team
rng = np.random.default_rng(0)
model, optimizer = VAE(300, (200,), 10, rng=rng, backend="numba"), Adam()
x = (rng.random((100, 300)) < 0.3).astype("float32")
def train():
    for _ in range(20):
        model.step(x, model.draw_noise(rng, 100))
        optimizer.step(model.params)
train()
if sys.argv[1] == "fork":
    child = os.fork()
    train()  # the child has no threads, and does all parts itself
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
print("done")
"""


@pytest.mark.parametrize("how", ["plain", "fork"])
def test_a_program_that_trained_ends_well(how):
    command = [sys.executable, "-W", "ignore", "-c", PROGRAM, how]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\n", "")


def test_short_loops_stay_on_one_thread(at_work, monkeypatch):
    monkeypatch.setattr(at_work, "in_parts", lambda *_: pytest.fail("was divided"))
    x = np.ones((COSTLY // 8 - 1, 8))
    team.in_parts(doubled, (x, np.empty_like(x)), 2.0, least=COSTLY)
