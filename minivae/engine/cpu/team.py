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
whoever else wants its core, and goes to sleep when nothing comes for a while. If it sleeps, or its
core is taken, the caller does all parts itself: the work is divided in the same way whoever does
it, so the numbers do not depend on that.

There is a team where a step runs on the backend "numba", NumPy's BLAS is the OpenBLAS that comes
with it, and that BLAS may use more than one thread (`OPENBLAS_NUM_THREADS`, or all cores);
elsewhere products are NumPy's and loops use one thread.
"""

import atexit
import ctypes
import functools
import hashlib
import os
import threading
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..backend import Array
from .blas import Blas, _address
from .loop import OPTIONS, Loop, kept_on_disk

LEAST_PRODUCT = 500_000
"""Multiplications for which two threads were measured to take as long as one."""
CHEAP, COSTLY = 150_000, 30_000
"""Entries for which they were, in a loop that adds and multiplies, and in one with exponentials or
from far memory."""
PART_PRODUCT, PART_LOOP = 2_000_000, 30_000
"""Multiplications, and entries, of which each part should have as many where there are more than
two threads; not measured, for the machine had two cores."""
FEW_ROWS = 96
"""Below that many rows, the columns of a product are divided: BLAS wants rows to work on."""
TURN_BELOW = 256
"""Up to that many rows, `a W'` is computed as the transpose of `W a'`, which BLAS does 1.1 (128
rows) to 1.8 (20 rows) times as fast: it copies the second factor into an order of its own, and the
many rows of W are slower to copy than the few of a."""
LOOKS, NAPS = 500_000, 10_000
"""Looks at its slot after which a thread begins to take naps, some milliseconds; and naps after
which it goes to sleep, a second or two. To wake a thread from its sleep takes 10 ms, since Python's
lock is seldom free."""


class Team:
    """Threads that take parts of a step's work; the thread that asks for them counts as one.

    Parameters
    ----------
    blas : Blas
        Whose products they compute.
    threads : int
        How many, at least 1.
    """

    def __init__(self, blas: Blas, threads: int) -> None:
        from . import memory, slots  # these import Numba

        self.compiled, self.blas, self.threads = slots, blas, threads
        system = ctypes.CDLL(None)
        self.sched_yield, self.usleep = _address(system.sched_yield), _address(system.usleep)
        self.slots = np.zeros((threads - 1, memory.WORDS), np.int64)
        self.wanted = [threading.Event() for _ in self.slots]
        self.ended, self.ended_word = False, memory.ENDED
        self.scratch: dict[str, np.ndarray] = {}
        self.products: dict[str, tuple[int, int, int]] = {}
        self.jobs: dict[tuple, tuple[Loop, int, Any]] = {}
        if threads > 1:
            slots.serve.compile_for(*[0] * 5)
        self.helpers = [
            threading.Thread(target=self._help, args=pair, daemon=True)
            for pair in zip(self.slots, self.wanted, strict=True)
        ]
        for helper in self.helpers:
            helper.start()
        atexit.register(self.end)

    def _help(self, slot: np.ndarray, wanted: threading.Event) -> None:
        while True:
            wanted.wait()
            wanted.clear()
            if self.ended:
                return
            self.compiled.serve(slot.ctypes.data, self.sched_yield, self.usleep, LOOKS, NAPS)

    def end(self) -> None:
        """Let the threads go; a program that ends must not leave one in compiled code."""
        self.ended = True
        self.slots[:, self.ended_word] = 1
        for wanted, helper in zip(self.wanted, self.helpers, strict=True):
            wanted.set()
            helper.join(timeout=1)

    def wake(self) -> None:
        """Let the threads look at their slots."""
        for wanted in self.wanted:
            if not wanted.is_set():
                wanted.set()

    def matmul(self, a: Array, b: Array, out: Array) -> Array:
        """Matrix product of a (M, K) and b (K, N) into out (M, N)."""
        m, n = out.shape
        k = len(b)
        dtype = out.dtype
        char = dtype.char
        of_one_kind = a.dtype is b.dtype is dtype and char in self.blas.gemm
        work = m * n * k
        if work < LEAST_PRODUCT or not of_one_kind:
            return np.matmul(a, b, out=out)
        cblas, product_job, turned_job = self.products.get(char) or self._make_products(out)
        parts = self._parts(work // PART_PRODUCT)
        as_given = not b.flags.f_contiguous or a.flags.f_contiguous
        if m <= TURN_BELOW and min(n, k) >= 100 and not as_given:
            turned = self._scratch(n, m, dtype)
            more, job, multiply = (turned,), turned_job, self.compiled.multiply_turned
        else:
            more, job, multiply = (m >= FEW_ROWS,), product_job, self.compiled.multiply
        if not multiply(self.slots, job, self.sched_yield, cblas, a, b, out, parts, *more):
            np.matmul(a, b, out=out)
        return out

    def _parts(self, wanted: int) -> int:
        """How many parts to make of work: what is wanted, but two at least, as far as they go."""
        return min(self.threads, max(2, wanted))

    def _make_products(self, out: Array) -> tuple[int, int, int]:
        """Addresses of BLAS's product, and of what a slot holds to call it."""
        char, number = out.dtype.char, out.dtype.type(1)
        plain = (0, (0,) * 11, number)
        turned = (*plain, out[:1], out[:, :1])
        self.products[char] = (
            self.blas.gemm[char],
            self._job(self.compiled.one_product, char, plain)[1],
            self._job(self.compiled.one_turned, char, turned)[1],
        )
        return self.products[char]

    def _scratch(self, rows: int, columns: int, dtype: np.dtype) -> np.ndarray:
        """Memory for a result that is needed for a moment."""
        have = self.scratch.get(dtype.char)
        if have is None or have.size < rows * columns:
            have = self.scratch[dtype.char] = np.empty(rows * columns, dtype)
        return have[: rows * columns].reshape(rows, columns)

    def in_parts(self, f: Loop, arrays: Sequence[Array], numbers: Sequence[Any]) -> None:
        """Call `f(*arrays, *numbers)` with as many parts of the arrays as there are threads."""
        n = self._parts(arrays[0].size // PART_LOOP)
        if n == 1:
            f(*arrays, *numbers)
            return
        parts = [(*(array[_part(array, i, n)] for array in arrays), *numbers) for i in range(n)]
        key = tuple(map(_kind, parts[1]))
        share, function, _ = self._job(f, key, parts[1])
        share(self.slots, function, self.sched_yield, parts[0], tuple(parts[1:]))

    def _job(self, f: Loop, key: tuple, arguments: Any) -> tuple[Loop, int, Any]:
        """Return `slots.share` for f, and the address of f as a C function; made once."""
        if (f, key) not in self.jobs:
            self.jobs[f, key] = self._make_job(f, arguments)
        return self.jobs[f, key]

    def _make_job(self, f: Loop, arguments: Any) -> tuple[Loop, int, Any]:
        import numba

        kind = numba.typeof(arguments)
        job = self.compiled.job
        made = types.FunctionType(job.__code__, {**job.__globals__, "f": f.compiled, "kind": kind})
        made.__module__ = f.__module__
        # The name in the cache; the types are not seen by what Numba compares.
        digest = hashlib.sha256(f"{f.fingerprint()} {kind}".encode()).hexdigest()[:8]
        made.__qualname__ = f"{f.__name__}_job_{digest}"
        options = {"error_model": OPTIONS["error_model"]}
        cfunc = functools.partial(numba.cfunc, numba.void(numba.int64), **options)
        compiled = kept_on_disk(cfunc, made)
        return self.compiled.share.using(f=f), compiled.address, compiled


def _kind(argument: Any) -> Any:
    """What Numba's type of an argument depends on."""
    if hasattr(argument, "dtype"):
        return argument.dtype.char, argument.ndim, argument.flags.c_contiguous
    return type(argument)


def _part(array: Array, i: int, of: int) -> slice:
    """Rows of part i of an array."""
    n = len(array)
    return slice(i * n // of, (i + 1) * n // of)


class _Now(threading.local):
    """The team that works for this thread's step."""

    team: Team | None = None


_now = _Now()


class _Step:
    """Which step of the process has the team: one at a time."""

    lock = threading.Lock()
    threads = 0
    """Threads that BLAS had before this step."""


@functools.cache
def _of(threads: int) -> Team:
    """The team of that many threads at most, made when it is first wanted."""
    if hasattr(os, "sched_getaffinity"):
        threads = min(threads, len(os.sched_getaffinity(0)))
    return Team(Blas.find(), threads)


def begin() -> Team | None:
    """Let the team work for this thread; return the one that already did.

    There is none to work where NumPy has another BLAS, or while it works for another thread: that
    step then computes alone, and its numbers differ by rounding.
    """
    before, blas = _now.team, Blas.find()
    if before is None and blas is not None and _Step.lock.acquire(blocking=False):
        try:
            _Step.threads = blas.get_threads()
            team = _of(_Step.threads)
            blas.set_threads(1)
            team.wake()
            _now.team = team
        finally:
            if _now.team is None:  # interrupted
                _release(blas)
    return before


def end(before: Team | None) -> None:
    """Give the team back, unless it worked for this thread before `begin`."""
    team, _now.team = _now.team, before
    if before is None and team is not None:
        _release(team.blas)


def _release(blas: Blas) -> None:
    try:
        blas.set_threads(_Step.threads)
    finally:
        _Step.lock.release()


def _after_fork() -> None:
    """In a new process: the threads are gone, and so is the step that another thread was in."""
    _of.cache_clear()
    if _now.team is None and _Step.lock.locked():
        _Step.lock = threading.Lock()
        Blas.find().set_threads(_Step.threads)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def matmul(a: Array, b: Array, out: Array) -> Array:
    """Matrix product into `out`; within a step by all threads of the team."""
    team = _now.team
    return np.matmul(a, b, out=out) if team is None else team.matmul(a, b, out)


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
    if team is None or team.threads == 1 or arrays[0].size < least:
        f(*arrays, total[None], *numbers)
        return
    n = team._parts(arrays[0].size // PART_LOOP)
    partial = np.empty((n, *total.shape), total.dtype)
    team.in_parts(f, (*arrays, partial), numbers)
    np.add(partial[0], partial[1], out=total)
    for row in partial[2:]:
        total += row
