"""Patience: a change of a student's function may make a loop that goes on for ever."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any

PATIENCE = 0.3
"""Seconds that a changed function may take."""


@contextlib.contextmanager
def patience() -> Iterator[None]:
    """Within this block, stop what takes long: a change may let a loop go on for ever."""
    if not hasattr(signal, "setitimer"):
        yield
        return
    before = signal.signal(signal.SIGALRM, _stop)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _stop(number: int, frame: Any) -> None:
    raise TimeoutError("the changed function does not end")
