"""A team leaves its helpers asleep where another program wants their cores."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from minivae import VAE
from minivae.engine.cpu import neighbours, team
from minivae.engine.cpu.blas import Blas
from minivae.engine.cpu.neighbours import IN_A_ROW, LONGEST, SHORTEST, WINDOW, Neighbours


class Clock:
    """Time, and what each thread has waited for, as a test sets them."""

    def __init__(self, monkeypatch):
        self.now, self.waited = 100.0, {1: 0, 2: 0}
        monkeypatch.setattr(neighbours.time, "perf_counter", lambda: self.now)
        monkeypatch.setattr(neighbours, "waits", lambda _: dict(self.waited))

    def pass_by(self, seconds, share):
        """Let so many seconds go by, in which thread 2 waits for that share of them."""
        self.now += seconds
        self.waited[2] += round(1e9 * seconds * share)


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_on_cores_of_its_own_a_team_is_never_alone(clock):
    beside = Neighbours([threading.Thread()])
    for _ in range(100):
        assert not beside.crowd()
        clock.pass_by(0.02, 0.06)


def test_beside_a_busy_program_it_is_alone_for_longer_each_time_and_then_tries_again(clock):
    beside = Neighbours([threading.Thread()])
    assert not beside.crowd()
    alone = []
    for _ in range(7):
        for _ in range(IN_A_ROW - 1):
            clock.pass_by(1.1 * WINDOW, 0.5)
            assert not beside.crowd()
        clock.pass_by(1.1 * WINDOW, 0.5)
        began = clock.now
        while beside.crowd():
            clock.pass_by(0.01, 1.0)  # a thread that sleeps may count as one that waits
        alone.append(clock.now - began)
    assert alone == pytest.approx([SHORTEST, 2, 4, LONGEST, LONGEST, LONGEST, LONGEST], abs=0.02)
    # The other program ends: once tried, the team stays, and the next pause is short again.
    clock.pass_by(1.1 * WINDOW, 0.0)
    assert not beside.crowd()
    assert beside.pause == SHORTEST


def test_once_in_a_while_is_no_crowd(clock):
    beside = Neighbours([threading.Thread()])
    for share in (0.0, 0.6, 0.6, 0.0, 0.6) * 5:
        clock.pass_by(1.1 * WINDOW, share)
        assert not beside.crowd()


def test_without_helpers_or_what_the_system_tells_there_is_no_crowd(clock):
    assert not Neighbours([]).crowd()
    clock.waited = {}
    beside = Neighbours([threading.Thread()])
    for _ in range(5):
        assert not beside.crowd()
        clock.now += WINDOW


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what threads wait for")
def test_the_system_tells_what_a_thread_waited_for_beside_a_program_on_its_core():
    mine = os.sched_getaffinity(0)
    core = {min(mine)}
    busy = subprocess.Popen(
        [sys.executable, "-c", "while True: pass"],
        preexec_fn=lambda: os.sched_setaffinity(0, core),
    )
    try:
        os.sched_setaffinity(0, core)
        me = threading.get_native_id()
        before, began = neighbours.waits([])[me], time.perf_counter()
        while time.perf_counter() - began < 0.3:
            pass
        assert neighbours.waits([])[me] - before > 0.2 * 0.3e9
    finally:
        os.sched_setaffinity(0, mine)
        busy.kill()
        busy.wait()


@pytest.mark.skipif(Blas.find() is None, reason="there is a team for OpenBLAS only")
def test_alone_or_with_helpers_a_step_gives_the_same_bits(monkeypatch):
    def gradient(crowded):
        monkeypatch.setattr(Neighbours, "crowd", lambda self: crowded)
        rng = np.random.default_rng(0)
        model = VAE(784, (400,), 20, rng=rng, backend="numba")
        x = (rng.random((128, 784)) < 0.5).astype("float32")
        with model.workspace:
            assert (len(team.helpers()[0]) == 0) or not crowded
            model.step(x, rng.standard_normal((128, 20)).astype("float32"))
        return model.params.grad.copy()

    assert np.array_equal(gradient(False), gradient(True))
