"""Something done for each of many items by several processes, each by itself.

What comes out is the same as from one process, in the same order. An item that fails, or ends its
process, gives its reason in the place of a result and the others go on. No more than two items a
process are under way, so that the memory does not grow with their number.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from ..errors import OptionError


def each(
    function: Callable[[Any], Any], items: Iterable[Any], jobs: int
) -> Iterator[tuple[Any, Any]]:
    """Yield each item with what the function makes of it, or the exception that it raised.

    Parameters
    ----------
    function : callable
        Of one item; with several processes it must be one that can be pickled.
    items : iterable
        What it is called with.
    jobs : int
        Processes; with 1, this one.
    """
    if jobs == 1:
        yield from ((item, _outcome(function, item)) for item in items)
        return
    under_way: deque[tuple[Any, Future]] = deque()
    pool = _pool(jobs)
    try:
        for item in items:
            if len(under_way) == 2 * jobs:
                first, future = under_way.popleft()
                result, pool = _collect(function, first, future, under_way, pool, jobs)
                yield first, result
            under_way.append((item, _submit(pool, function, item)))
        while under_way:
            first, future = under_way.popleft()
            result, pool = _collect(function, first, future, under_way, pool, jobs)
            yield first, result
    finally:
        if under_way:  # Ctrl-C, or nobody wants the rest
            for process in multiprocessing.active_children():
                if process.pid is not None:
                    os.kill(process.pid, signal.SIGINT)
        pool.shutdown(wait=True, cancel_futures=True)


def checked_jobs(wanted: int | None, otherwise: int) -> int:
    """Return the number of processes that was asked for, or another if none was.

    Raises
    ------
    OptionError
        If it is not from 1 to 64.
    """
    if wanted is not None and not 1 <= wanted <= 64:
        raise OptionError(f"--jobs {wanted} was given; give 1 to 64.")
    return otherwise if wanted is None else wanted


def _collect(
    function: Callable[[Any], Any],
    item: Any,
    future: Future,
    under_way: deque[tuple[Any, Future]],
    pool: ProcessPoolExecutor,
    jobs: int,
) -> tuple[Any, ProcessPoolExecutor]:
    """Wait for one result; where a process has died, do this item again in one of its own."""
    error = future.exception()
    if not isinstance(error, BrokenProcessPool):
        return (future.result() if error is None else error), pool
    # All that were under way are lost, and one of them is the reason.
    pool.shutdown()
    with _pool(1) as own:
        again = own.submit(_uninterrupted, function, item)
        error = again.exception()
    died = ChildProcessError("the process that worked on it has died")
    result = died if isinstance(error, BrokenProcessPool) else error or again.result()
    pool = _pool(jobs)
    lost = list(under_way)
    under_way.clear()
    under_way.extend((i, _submit(pool, function, i)) for i, _ in lost)
    return result, pool


def _submit(pool: ProcessPoolExecutor, function: Callable[[Any], Any], item: Any) -> Future:
    """Hand an item on; where a process has died just now, it is lost like those under way."""
    try:
        return pool.submit(_uninterrupted, function, item)
    except BrokenProcessPool as error:
        lost: Future = Future()
        lost.set_exception(error)
        return lost


def _pool(jobs: int) -> ProcessPoolExecutor:
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # of what is started from here on: the cores are shared
    # Not forked: a copy of this process would have its threads' locks, but not its threads.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=_wait_calmly)


def _wait_calmly() -> None:
    """Let Ctrl-C end what a process does, but not say anything of one that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _uninterrupted(function: Callable[[Any], Any], item: Any) -> Any:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return _outcome(function, item)
    except KeyboardInterrupt:
        return None
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _outcome(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except Exception as error:
        return error
