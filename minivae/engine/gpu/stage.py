"""Noise and row numbers of several steps, moved to the device ahead of them."""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import ModuleType
from typing import Any

import numpy as np

from ..backend import Array


class Stage(threading.local):
    """What several steps need from the host, moved to the device through pinned memory.

    Inside a `with` block `put` writes into pinned memory, from which the device fetches it in its
    turn, without the host waiting for it. There are two halves of pinned memory, so that one can
    be filled while the device fetches from the other.
    """

    SIZE = 2**23
    """Bytes of a half."""
    STEPS = 64
    """Steps that are drawn at once, at most."""

    def __init__(self, cp: ModuleType, cupyx: ModuleType) -> None:
        self.cp, self.cupyx = cp, cupyx
        self.is_open = False
        self.halves: list[tuple[np.ndarray, Any]] = []  # pinned memory, and the end of its copy
        self.asked = 0

    def __enter__(self) -> "Stage":
        if not self.halves:
            for _ in range(2):
                pinned = self.cupyx.empty_pinned(self.SIZE, np.uint8)
                self.halves.append((pinned, self.cp.cuda.Event()))
        self.halves.reverse()
        self.pinned, self.fetched = self.halves[0]
        self.fetched.synchronize()  # at once, unless the device is two blocks behind
        self.there = self.cp.empty(self.SIZE, np.uint8)
        self.asked, self.is_open = 0, True
        return self

    def put(self, values: np.ndarray) -> Array | None:
        """Return `values` on the device; None if there is no room for them."""
        start = -(-self.asked // 256) * 256  # as CuPy aligns its arrays
        self.asked = stop = start + values.nbytes
        if stop > self.SIZE or not values.nbytes:
            return None
        halves: tuple[Array, Array] = (self.pinned, self.there)
        pinned, there = (h[start:stop].view(values.dtype).reshape(values.shape) for h in halves)
        pinned[...] = values
        there.set(pinned, stream=self.cp.cuda.get_current_stream())  # queued, not waited for
        return there

    def __exit__(self, *_: object) -> None:
        self.is_open = False
        self.fetched.record(self.cp.cuda.get_current_stream())
        del self.there  # the arrays that were put there keep it

    def ahead(self, draw: Callable, steps: Iterable) -> Iterator:
        """Yield `draw(step)` for each step; as many are drawn at once as there is room for."""
        steps = iter(steps)
        for first in steps:
            with self:
                block = [draw(first)]
                room = min(self.SIZE // max(self.asked, 1), self.STEPS)
                block += [draw(step) for step in islice(steps, max(room - 1, 0))]
            yield from block
