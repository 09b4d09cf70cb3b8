"""Two cores, one step: the threads that a training step shares its work with.

A step is a chain of short operations: a matrix product takes 10 to 500 microseconds, a loop 2 to
200. To wake a sleeping thread takes 50, so a thread that is to help must be awake already, looking
at the place where work will appear. BLAS keeps such threads for its products; but they are of no
use to the loops in between, and for products of this size they lose time to each other: to divide
a product here, and let each thread call BLAS for its part, was measured 1.1 to 1.6 times as fast
(784-400-20 at batch 128: 1.30 ms a step for all products by BLAS's threads, 1.07 by the team's).

So during a step BLAS is told to use one thread, and the team's threads take parts of

* each matrix product: some of the rows of the result, or some of the columns where there are few
  rows (`matmul`);
* the long loops: some of the rows of their arrays (`in_parts`).

A thread of the team waits in compiled code without Python's lock (`slots.serve`), gives way to
whoever else wants its core, and goes to sleep within 50 ms of the last step. If it sleeps, or its
core is taken, the caller does all parts itself (and lets the others sleep for a while, beside a
program that wants their cores: `neighbours.py`). The work is divided in the same way whoever does
it, and also where there is one thread only, so the numbers do not depend on that: a seed gives the
same run, bit for bit, on one core and on eight, and beside another training.

There is a team where a step runs on the backend "numba" and NumPy's BLAS is the OpenBLAS that comes
with it, of as many threads as that BLAS may use (`OPENBLAS_NUM_THREADS`, or all cores) and there
are cores for, by the process's binding and its group's quota; elsewhere products are NumPy's and
loops use one thread. What is promised holds for one kind of processor: OpenBLAS has other products
for another.
"""

import functools
import os
import threading
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ...interrupts import held
from ..available import free_cores
from ..backend import Array
from .blas import Blas
from .loop import Loop
from .threads import Team, job_of

CHEAP, COSTLY = 150_000, 30_000
"""Entries for which two threads were measured to take as long as one, in a loop that adds and
multiplies, and in one with exponentials or from far memory."""


class _Now(threading.local):
    """The team that works for this thread's step, and the one that this thread is by itself."""

    team: Team | None = None
    alone: Team | None = None


_now = _Now()
_NO_SLOTS = np.zeros((0, 0), np.int64)


class _Steps:
    """The steps that are under way in this process; one of them has the helping threads."""

    lock = threading.Lock()
    under_way = 0
    helped: Team | None = None
    """The team of the step that is helped."""
    threads = 0
    """Threads that BLAS had before the first of them."""


@functools.cache
def _of(blas: Blas, threads: int) -> Team:
    """The team of that many threads at most, made when it is first wanted."""
    return Team(blas, min(threads, free_cores()))


def begin() -> Team | None:
    """Let a team work for this thread; return the one that already did.

    The threads help one step at a time: one that begins meanwhile does all parts itself. There is
    no team where NumPy has another BLAS.
    """
    before, blas = _now.team, Blas.find()
    if before is None and blas is not None:
        with _Steps.lock:
            if not _Steps.under_way:
                _Steps.threads = blas.get_threads()
            team = _of(blas, _Steps.threads) if _Steps.helped is None else None
            if team and not team.neighbours.crowd():
                team.wake()
            else:
                team, _now.alone = None, _now.alone or Team(blas, 1)
            blas.set_threads(1)
            _Steps.under_way += 1
            _Steps.helped = _Steps.helped or team
            _now.team = team or _now.alone
    return before


def end(before: Team | None) -> None:
    """Give the team back, unless it worked for this thread before `begin`."""
    team, _now.team = _now.team, before
    if before is None and team is not None:
        with _Steps.lock:
            _Steps.under_way -= 1
            if _Steps.helped is team:
                _Steps.helped = None
                team.rest()
            if not _Steps.under_way:
                team.blas.set_threads(_Steps.threads)


def _after_fork() -> None:
    """In a new process: the threads are gone, and so are the steps that other threads were in."""
    _of.cache_clear()
    _Steps.lock = threading.Lock()
    blas, mine = Blas.find(), _now.team
    if _Steps.under_way and mine is None and blas is not None:
        blas.set_threads(_Steps.threads)
    _Steps.under_way, _Steps.helped = int(mine is not None), mine


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def matmul(a: Array, b: Array, out: Array) -> Array:
    """Matrix product into `out`; within a step by all threads of the team."""
    team = _now.team
    return np.matmul(a, b, out=out) if team is None else team.matmul(a, b, out)


def current() -> Team | None:
    """The team that works for this thread, if a step is under way."""
    return _now.team


def helpers() -> tuple[np.ndarray, int]:
    """The slots of this thread's team, none outside of a step, and the address of `sched_yield`."""
    team = _now.team
    return (_NO_SLOTS, 0) if team is None else (team.slots, team.sched_yield)


def each_part(f: Loop, parts: int, given: tuple) -> None:
    """Call `f(part, parts, *given)` for each part; within a step, by the threads of the team.

    Parameters
    ----------
    f : Loop
        It is compiled for the types of `given` when it is first called for their dtype: each time
        they must be the same, contiguous arrays and numbers.
    parts : int
        How many, by the size of what is to be done alone.
    given : tuple
        First of it an array, of that dtype.
    """
    key = f, given[0].dtype.char
    if key not in _addresses:
        _addresses[key] = job_of(f, (0, 0, *given)).address
    slots, sched_yield = helpers()
    _compiled().in_parts(slots, _addresses[key], sched_yield, parts, *given)


_addresses: dict[tuple[Loop, str], int] = {}
"""Where the compiled functions are, by dtype."""


@functools.cache
def _compiled() -> ModuleType:
    """What hands work to the threads; it imports Numba."""
    with held(firmly=True):
        from . import slots

        return slots


def in_parts(f: Loop, arrays: Sequence[Array], *numbers: Any, least: int = CHEAP) -> None:
    """Call `f(*arrays, *numbers)`; within a step, and if they are long, in parts of their rows.

    Parameters
    ----------
    f : Loop
        A loop in which no row of the arrays depends on another.
    arrays : sequence of array, (B, ...)
        Contiguous, of one length.
    *numbers : number or array
        What each part is given whole.
    least : int
        Entries of the first array from which it is worth it.
    """
    team = _now.team
    if team is None or arrays[0].size < least:
        f(*arrays, *numbers)
    else:
        team.in_parts(f, arrays, numbers)


def sum_in_parts(
    f: Loop, arrays: Sequence[Array], total: Array, *numbers: Any, least: int = CHEAP
) -> None:
    """Like `in_parts`, for an f that also sums over rows; each part sums for itself.

    Parameters
    ----------
    f : Loop
        Called with one more array after `arrays`: (1, ...), where it is to write the sum.
    arrays : sequence of array, (B, ...)
        Contiguous, of one length.
    total : array
        Where the sum over all parts is written.
    *numbers : number or array
        What each part is given whole.
    least : int
        Entries of the first array from which it is worth it.
    """
    team = _now.team
    if team is None or arrays[0].size < least:
        f(*arrays, total[None], *numbers)
    else:
        team.sum_in_parts(f, arrays, total, numbers)
