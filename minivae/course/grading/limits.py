"""What a submission may take, in all: time, memory and disk, of its own code and of the grader's.

A submission has one deadline. Its exercises share what is left of it, so that an endless loop in
the first leaves the others their part. The deadline holds for the grader, too: what a hostile
answer makes it compute is interrupted soon after, and ends, as a lack of memory does, in a sentence
and a grade.
"""

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ...engine.door import door
from ...errors import OptionError

SECONDS, SECONDS_OPEN = 60.0, 300.0
"""For a submission that is graded, and for a file of one's own, however many functions it has."""
GRACE = 2.0
"""Seconds by which the grader's own work may overrun, before it is interrupted."""
SHORTEST = 1e-3


class Overrun(BaseException):
    """The time is over, while the grader itself was at work."""


@door
@dataclass(frozen=True)
class Limits:
    """What a submission may take.

    Attributes
    ----------
    seconds : float
        Wall-clock time in all: for importing its files, for its exercises, and for what the grader
        makes of its answers.
    memory : int
        MB of address space, of a process that runs its code, and of what the grader adds for it.
    confine : bool
        Also take away files, sockets, signals and new processes, where the system allows it.
    insist : bool
        Whether to run the code where the system does not allow that.
    """

    seconds: float = SECONDS
    memory: int = 2048
    confine: bool = True
    insist: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= 3600:
            raise OptionError(f"the time limit is {self.seconds} s; give 1 to 3600 seconds.")
        if not 256 <= self.memory <= 2**20:
            raise OptionError(f"the memory limit is {self.memory} MB; give 256 MB or more.")


@dataclass(frozen=True)
class Span:
    """A part of the time.

    Attributes
    ----------
    seconds : float
        How long it was when it began.
    end : float
        When it ends, by `time.monotonic`.
    """

    seconds: float
    end: float

    @classmethod
    def of(cls, seconds: float) -> "Span":
        """The next so many seconds."""
        return cls(seconds, time.monotonic() + seconds)

    @property
    def left(self) -> float:
        """Seconds that are left of it."""
        return self.end - time.monotonic()

    def share(self, parts: int) -> "Span":
        """The first of equal parts of what is left."""
        return Span.of(max(self.left / max(parts, 1), SHORTEST))

    def later(self, seconds: float) -> "Span":
        """The same, moved to a later end."""
        return Span(self.seconds, self.end + seconds)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.left <= SHORTEST


@contextlib.contextmanager
def interrupted(left: Callable[[], float]) -> Iterator[None]:
    """Within this block, raise `Overrun` soon after `left()` seconds, which may become more."""
    thread, guard = threading.get_ident(), threading.Lock()
    done, sent = threading.Event(), threading.Event()

    def watch() -> None:
        while not done.wait(max(rest := left() + GRACE, SHORTEST)):
            with guard:
                if rest <= 0 and not done.is_set():
                    sent.set()
                    _raise_in(thread, Overrun)
                    return

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        with guard:
            done.set()
        if sent.is_set():
            # It may be on its way still, and cannot be taken back: Python 3.11 would go on looking
            # for it, and a function that is traced then never begins. So it is let in here.
            with contextlib.suppress(Overrun):
                for _ in range(100):
                    pass


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Let a thread raise an exception before its next step."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


_memory = threading.Lock()
_users = 0
_before: tuple[int, int] | None = None


@contextlib.contextmanager
def limited_memory(mb: int) -> Iterator[None]:
    """Within this block, this process may take so many MB more than it has now, on Linux.

    Where several threads are in such blocks, the first one's limit holds for all.
    """
    global _users, _before
    with _memory:
        _users += 1
        if _users == 1:
            _before = _limit_memory(mb)
    try:
        yield
    finally:
        with _memory:
            _users -= 1
            if _users == 0 and _before is not None:
                import resource

                resource.setrlimit(resource.RLIMIT_AS, _before)


def _limit_memory(mb: int) -> tuple[int, int] | None:
    """Set the limit; return the one before, or None where there is none to set."""
    try:
        import resource

        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = pages * resource.getpagesize() + mb * 2**20
        if soft != resource.RLIM_INFINITY and soft <= wanted:
            return None
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    except (ImportError, OSError, ValueError):
        return None
    return soft, hard
