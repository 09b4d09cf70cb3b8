"""Whether somebody else wants the cores that a team's threads are on.

Two threads beside one other program that computes, on two cores: one of the three is always set
aside, for some milliseconds each time, and the other thread of the team waits for its part. Steps
then took 1.4 times as long as those of one thread, which had a core to itself.

Linux counts for each thread how long it was ready to run but had no core (`/proc/self/task/N/
schedstat`, the second number, nanoseconds). On cores of its own a thread of the team waits for 0 to
6 in a hundred of the time, beside another program for 35 to 90. So every 100 ms of steps these
numbers are read (30 microseconds); where a thread waited for a fifth of the time, three times in a
row, the team rests and the calling thread does all parts alone, for a second at first, then for
twice as long each time that nothing has changed. Once is not enough: BLAS's own threads keep their
cores for some 100 ms after a product outside of a step, those of other libraries for 200. Whoever
computes a part, the bits are the same (`threads.py`).

Elsewhere than on Linux nothing is known, and nobody is crowded.
"""

import threading
import time
from collections.abc import Sequence

WINDOW = 0.1
"""Seconds between two readings."""
CROWDED = 0.2
"""Share of the time that a thread waited for a core, from which on the others are left alone."""
IN_A_ROW = 3
"""Readings that must say so."""
SHORTEST, LONGEST = 1.0, 8.0
"""Seconds for which they are, at first and at most."""


class Neighbours:
    """What is known of those who compute beside a team.

    Parameters
    ----------
    helpers : sequence of threading.Thread
        The threads of the team, without the one that asks for them.
    """

    def __init__(self, helpers: Sequence[threading.Thread]) -> None:
        self.helpers = helpers
        self.read_at, self.waited = 0.0, dict[int, int]()
        self.crowded = 0
        self.alone_until, self.pause = 0.0, SHORTEST

    def crowd(self) -> bool:
        """Whether the step that begins now is better done by the calling thread alone."""
        now = time.perf_counter()
        if not self.helpers or now < self.alone_until:
            return bool(self.helpers)
        if now - self.read_at < WINDOW:
            return False
        before, since = self.waited, now - self.read_at
        self.read_at, self.waited = now, waits([thread.native_id or 0 for thread in self.helpers])
        if since > 4 * WINDOW or not before:  # there was something else than steps meanwhile
            self.crowded = 0
            return False
        lost = max((ns - before.get(thread, ns) for thread, ns in self.waited.items()), default=0)
        self.crowded = self.crowded + 1 if lost > CROWDED * 1e9 * since else 0
        if self.crowded == 0:
            self.pause = SHORTEST
        elif self.crowded == IN_A_ROW:
            self.alone_until, self.waited, self.crowded = now + self.pause, {}, 0
            self.pause = min(2 * self.pause, LONGEST)
        return now < self.alone_until


def waits(others: Sequence[int]) -> dict[int, int]:
    """Nanoseconds for which this thread and others were ready but had no core, by their numbers."""
    found = {}
    for thread in (threading.get_native_id(), *others):
        try:
            with open(f"/proc/self/task/{thread}/schedstat", encoding="ascii") as file:
                found[thread] = int(file.read().split()[1])
        except (OSError, IndexError, ValueError):  # another system, or a thread that has ended
            continue
    return found
