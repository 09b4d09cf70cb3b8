"""The threads of a team, and how they divide a matrix product or a loop among them.

What a team is for is told in `team.py`; what its threads run, in `slots.py`. Into how many parts
something is divided depends on its size alone, never on how many threads there are: a sum over two
parts is rounded otherwise than one over three. So the same run gives the same bits on one core and
on eight; where there are more parts than threads, each thread does several.

What n threads can bring. With products that take P on one thread, loops that take L, and all that
one thread does by itself S (Python between the calls, short loops, the noise), a step takes about

    T(n) = S + P / min(n, p) + L / min(n, p, m) + 0.005 ms for each divided product,

where p is the number of parts, and m how many threads keep the memory busy: all of them for arrays
in the caches, one for others on the machine that was measured (26 GB/s with one thread, 24 with
two). The 0.005 ms are half the time of `LEAST_PRODUCT`. Of 784-400-20 at batch 128, P is 0.87 of
the step on one core with AVX-512. p is 2 below `FOUR_PRODUCT` and `FOUR_LOOP`: there a third thread
brings nothing, so at batch 128 sixteen cores are as fast as two, and from 640 rows on as fast as
four. More parts cost those with few cores: BLAS copies the factor that all parts share once for
each. A part that keeps 50 million multiplications, a millisecond, bears an order and a copy.
Whoever has 16 cores measures `minivae bench --threads 1,2,4,8,16 --batch 2048`, and then the same
with 8 parts from twice `FOUR_PRODUCT` on. Another number of parts gives other roundings, on every
machine.
"""

import atexit
import ctypes
import functools
import hashlib
import threading
import types
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...interrupts import held
from ..backend import Array
from .blas import Blas, address
from .loop import OPTIONS, Loop, import_numba, kept_on_disk
from .neighbours import Neighbours
from .recorded import run

LEAST_PRODUCT = 500_000
"""Multiplications for which two threads were measured to take as long as one."""
FOUR_PRODUCT, FOUR_LOOP = 200_000_000, 2_000_000
"""Multiplications, and entries, from which on there are four parts instead of two. Four parts of a
product cost one thread 2 to 4 in a hundred (batch 1024), two nothing that could be measured; more
would let more threads help, but was not measured, for the machine had two cores."""
FEW_ROWS = 96
"""Below that many rows, the columns of a product are divided: BLAS wants rows to work on."""
TURN_BELOW = 256
"""Up to that many rows, `a W'` is computed as the transpose of `W a'`, which BLAS does 1.1 (128
rows) to 1.8 (20 rows) times as fast: it copies the second factor into an order of its own, and the
many rows of W are slower to copy than the few of a."""
LOOKS, NAPS = 500_000, 100
"""Looks at its slot after which a thread begins to take naps, some milliseconds; and naps after
which it goes to sleep if no step is under way: within 50 ms of the last. To wake a thread from its
sleep takes up to 10 ms, since Python's lock is seldom free."""


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
        with held(firmly=True):
            from . import memory, slots  # these import Numba

        self.compiled, self.blas, self.threads = slots, blas, threads
        system = ctypes.CDLL(None)
        self.sched_yield, self.usleep = address(system.sched_yield), address(system.usleep)
        self.slots = np.zeros((threads - 1, memory.WORDS), np.int64)
        self.wanted = [threading.Event() for _ in self.slots]
        self.ended, self.ended_word, self.under_way = False, memory.ENDED, memory.UNDER_WAY
        self.scratch: dict[str, np.ndarray] = {}
        self.products: dict[str, tuple[int, int, int]] = {}
        self.jobs: dict[tuple, tuple[Loop, int]] = {}
        if threads > 1:
            slots.serve.compile_for(*[0] * 5)
        self.helpers = [
            threading.Thread(target=self._help, args=pair, daemon=True)
            for pair in zip(self.slots, self.wanted, strict=True)
        ]
        for helper in self.helpers:
            helper.start()
        self.neighbours = Neighbours(self.helpers)
        atexit.register(self.end)

    def _help(self, slot: np.ndarray, wanted: threading.Event) -> None:
        while True:
            wanted.wait()
            if self.ended:
                return
            self.compiled.serve(slot.ctypes.data, self.sched_yield, self.usleep, LOOKS, NAPS)
            wanted.clear()
            if slot[self.under_way] or self.ended:  # a step began, or the end came, meanwhile
                wanted.set()

    def end(self) -> None:
        """Let the threads go; a program that ends must not leave one in compiled code."""
        with held(firmly=True) as signals:
            self.ended = True
            self.slots[:, self.ended_word] = 1
            for wanted, helper in zip(self.wanted, self.helpers, strict=True):
                wanted.set()
                helper.join(timeout=1)
            signals.came.clear()  # the program ends already

    def wake(self) -> None:
        """Let the threads look at their slots, until `rest`."""
        self.slots[:, self.under_way] = 1
        for wanted in self.wanted:
            if not wanted.is_set():
                wanted.set()

    def rest(self) -> None:
        """Let the threads go to sleep when they have looked for a while."""
        self.slots[:, self.under_way] = 0

    def matmul(self, a: Array, b: Array, out: Array) -> Array:
        """Matrix product of a (M, K) and b (K, N) into out (M, N)."""
        m, n = out.shape
        k = len(b)
        dtype = out.dtype
        char = dtype.char
        of_one_kind = a.dtype is b.dtype is dtype and char in self.blas.gemm
        work = m * n * k
        if work < LEAST_PRODUCT or not of_one_kind:
            return run(np.matmul, a, b, out)
        cblas, product_job, turned_job = self.products.get(char) or self._make_products(out)
        parts = 4 if work >= FOUR_PRODUCT else 2
        as_given = not b.flags.f_contiguous or a.flags.f_contiguous
        if m <= TURN_BELOW and min(n, k) >= 100 and not as_given:
            turned = self._scratch(n, m, dtype)
            more, job, multiply = (turned,), turned_job, self.compiled.multiply_turned
        else:
            more, job, multiply = (m >= FEW_ROWS,), product_job, self.compiled.multiply
        if not multiply(self.slots, job, self.sched_yield, cblas, a, b, out, parts, *more):
            run(np.matmul, a, b, out)
        return out

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
        """Call `f(*arrays, *numbers)` with parts of the rows of the arrays."""
        n = 4 if arrays[0].size >= FOUR_LOOP else 2
        parts: list[list] = [[] for _ in range(n)]
        for array in arrays:
            rows = len(array)
            for i, part in enumerate(parts):
                part.append(array[i * rows // n : (i + 1) * rows // n])
        given = tuple([(*part, *numbers) for part in parts])
        key = tuple([_kind(argument) for argument in given[1]])
        share, function = self._job(f, key, given[1])
        share(self.slots, function, self.sched_yield, given)

    def sum_in_parts(
        self, f: Loop, arrays: Sequence[Array], total: Array, numbers: Sequence[Any]
    ) -> None:
        """Like `in_parts`, with one more array, in which each part writes a row of its own."""
        n = 4 if arrays[0].size >= FOUR_LOOP else 2
        partial = np.empty((n, *total.shape), total.dtype)
        self.in_parts(f, (*arrays, partial), numbers)
        run(np.add, partial[0], partial[1], total)
        for row in partial[2:]:
            run(np.add, total, row, total)

    def _job(self, f: Loop, key: tuple, arguments: Any) -> tuple[Loop, int]:
        """Return `slots.share` for f, and the address of f as a C function; made once."""
        job = self.jobs.get((f, key))
        if job is None:
            job = self.compiled.share.using(f=f), job_of(f, arguments).address
            self.jobs[f, key] = job
        return job


def job_of(f: Loop, arguments: Any) -> Any:
    """Compile f as a C function that takes the address of such arguments, as they lie in memory."""
    from . import slots

    numba, job = import_numba(), slots.job
    kind = numba.typeof(arguments)
    if (f, kind) not in _JOBS:
        made = types.FunctionType(job.__code__, {**job.__globals__, "f": f.compiled, "kind": kind})
        made.__module__ = f.__module__
        # The name in the cache; the types are not seen by what Numba compares.
        digest = hashlib.sha256(f"{f.fingerprint()} {kind}".encode()).hexdigest()[:8]
        made.__qualname__ = f"{f.__name__}_job_{digest}"
        options = {"error_model": OPTIONS["error_model"]}
        cfunc = functools.partial(numba.cfunc, numba.void(numba.int64), **options)
        _JOBS[f, kind] = kept_on_disk(cfunc, made)
    return _JOBS[f, kind]


_JOBS: dict[tuple[Loop, Any], Any] = {}
"""What `job_of` has made; it stays, for other threads may be in it."""


def _kind(argument: Any) -> Any:
    """What Numba's type of an argument depends on."""
    if isinstance(argument, np.ndarray):
        return argument.dtype.char, argument.ndim, argument.flags.c_contiguous
    return type(argument)
