"""Ctrl-C that waits until a step is whole.

Python raises `KeyboardInterrupt` between any two of its instructions: also after a block has ended
and before the first line of its `__exit__`, where no `finally` helps. What a step takes for its
time (the team of threads, BLAS's number of threads, the workspace) would then never be given back.
So inside `with held():` a signal is noted, and raised when the block has ended: a step later, which
is a millisecond or so. Who presses Ctrl-C a second time, because a step takes long, is not made
to wait; but inside `with held(firmly=True):` all signals wait: Numba's import and its compilation,
cut into halves, would leave these behind for the rest of the session.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

HELD = (signal.SIGTERM, signal.SIGINT)
"""Signals that wait, where Python handles them. What the system handles itself does not wait."""

# The C functions below Python's wrappers, which cost 5 microseconds a step for names of numbers.
_below: Any = getattr(signal, "_signal", signal)
_set: Callable = _below.signal
_get: Callable = _below.getsignal


class held:
    """Within this block, let signals wait until it ends; in other threads none are raised.

    Parameters
    ----------
    firmly : bool
        Let the second one wait too.
    """

    def __init__(self, firmly: bool = False) -> None:
        self.firmly = firmly
        self.handlers: dict[int, Callable] = {}
        self.came: list[int] = []

    def __enter__(self) -> "held":
        self.came = []
        here = threading.current_thread() is threading.main_thread()
        self.handlers = {n: f for n in HELD if here and callable(f := _get(n))}
        for number in self.handlers:
            _set(number, self._note)
        return self

    def _note(self, number: int, frame: Any) -> None:
        self.came.append(number)
        if len(self.came) > 1 and not self.firmly:
            self.handlers[number](number, frame)

    def __exit__(self, *_: object) -> None:
        # From the first handler that is back, this may be interrupted as anything may.
        waiting = list(self.handlers.items())
        try:
            while waiting:
                _set(*waiting.pop(0))
        finally:
            for number, handler in waiting:
                _set(number, handler)
        for number in self.came[:2]:  # a block around this one lets the second through
            signal.raise_signal(number)


class Terminated(KeyboardInterrupt):
    """What SIGTERM raises inside `with terminable():`."""


@contextmanager
def terminable() -> Iterator[None]:
    """Within this block, treat SIGTERM as Ctrl-C, so that nothing is left behind half-written."""

    def terminate(number: int, frame: Any) -> None:
        raise Terminated

    here = threading.current_thread() is threading.main_thread()
    if not here or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def exit_code(interrupt: KeyboardInterrupt) -> int:
    """What a command returns that was ended so: 128 and the signal's number, as shells have it."""
    number = signal.SIGTERM if isinstance(interrupt, Terminated) else signal.SIGINT
    return 128 + number
