"""Signals that wait for the end of a block: none is lost, none comes inside, nothing stays held."""

import signal
import sys
import threading

import pytest
from threadpoolctl import threadpool_limits

from minivae.engine.cpu import team
from minivae.engine.cpu.blas import Blas
from minivae.engine.cpu.threads import Team
from minivae.engine.cpu.workspace import Workspace, _current, empty
from minivae.interrupts import held


@pytest.fixture(autouse=True)
def heeded():
    """A shell's background command is started with SIGINT ignored, and Python leaves it so."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_waits_for_the_end_of_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt), held():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_does_not_wait():
    done = []
    with pytest.raises(KeyboardInterrupt), held():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done == []
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_all_wait_the_second_one_does_too():
    done = []
    with pytest.raises(KeyboardInterrupt), held(firmly=True):  # noqa: PT012
        for _ in range(3):
            signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done == [1]
    done = []
    with pytest.raises(KeyboardInterrupt), held():  # noqa: PT012
        with held(firmly=True):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        done.append(2)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_block_in_a_block_hands_the_signal_on():
    done = []
    with pytest.raises(KeyboardInterrupt), held():  # noqa: PT012
        with held():
            signal.raise_signal(signal.SIGINT)
        done.append(1)
    assert done == [1]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_only_what_python_handles_waits():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_holds_nothing():
    found = []

    def look():
        with held():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]


def test_a_workspace_that_was_interrupted_can_be_used_again():
    workspace = Workspace()
    with pytest.raises(KeyboardInterrupt), workspace:  # noqa: PT012
        first = empty((3,), "float64")
        signal.raise_signal(signal.SIGINT)
    with workspace:
        assert empty((3,), "float64") is first
    assert empty((3,), "float64") is not first


@pytest.mark.skipif(Blas.find() is None, reason="NumPy has no OpenBLAS of its own")
def test_an_interrupt_at_any_line_of_a_step_loses_nothing():
    """The team, BLAS's threads, the workspace and the handlers come back, wherever it came."""
    blas, met, lines = Blas.find(), 0, 0
    with threadpool_limits(2):
        with Workspace(shared=True):  # the team is made
            pass
        while met == lines:
            lines = 0
            workspace = Workspace(shared=True)

            def press(frame, event, argument, at=met):
                nonlocal lines
                if "minivae" not in frame.f_code.co_filename:
                    return None
                if lines == at:
                    lines += 1
                    signal.raise_signal(signal.SIGINT)
                lines += lines < at
                return press

            before = sys.gettrace()
            sys.settrace(press)
            try:
                with workspace:
                    empty((3,), "float64")
                came = False
            except KeyboardInterrupt:
                came = True
            finally:
                sys.settrace(before)
            assert came == (lines == met + 1)
            assert (team._Steps.under_way, team._Steps.helped, team._now.team) == (0, None, None)
            assert (blas.get_threads(), workspace._depth, _current.workspace) == (2, 0, None)
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            met += 1
    assert met > 60


@pytest.mark.skipif(Blas.find() is None, reason="NumPy has no OpenBLAS of its own")
def test_an_interrupt_while_the_program_ends_leaves_no_thread_behind():
    made = Team(Blas.find(), 3)
    join = made.helpers[0].join

    def interrupted(timeout):
        signal.raise_signal(signal.SIGINT)
        join(timeout)

    made.helpers[0].join = interrupted
    made.wake()
    made.end()
    assert not any(helper.is_alive() for helper in made.helpers)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
