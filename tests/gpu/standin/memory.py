"""What the stand-in counts, and the memory that it pretends to have."""

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np


class OutOfMemoryError(MemoryError):
    """What CuPy raises where the device's memory does not suffice, in its words."""

    def __init__(self, size: int, total: int, limit: int = 0) -> None:
        text = f"Out of memory allocating {size:,} bytes (allocated so far: {total:,} bytes"
        super().__init__(f"{text}, limit set to: {limit:,} bytes)." if limit else f"{text}).")


@dataclass
class Counts:
    """What happened on the device, by name and in order.

    Attributes
    ----------
    launched : list of str
        Whatever is queued on the device: kernels, products, fills, copies from device to device.
    read : list of str
        Waits of the host for a number from the device.
    uploaded : list of str
        Copies from the host to the device.
    """

    launched: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    uploaded: list[str] = field(default_factory=list)

    @property
    def launches(self) -> int:
        return len(self.launched)

    @property
    def reads(self) -> int:
        return len(self.read)

    @property
    def uploads(self) -> int:
        return len(self.uploaded)


_counting: list[Counts] = []


@contextmanager
def counting() -> Iterator[Counts]:
    """Count what happens in this block; blocks may lie in each other."""
    counts = Counts()
    _counting.append(counts)
    try:
        yield counts
    finally:
        _counting.pop()


def launch(name: str) -> None:
    for counts in _counting:
        counts.launched.append(name)


def read(name: str) -> None:
    for counts in _counting:
        counts.read.append(name)


def upload(name: str) -> None:
    for counts in _counting:
        counts.uploaded.append(name)


class _Pool:
    limit: int | None = None
    used = 0


@contextmanager
def memory_limit(size: int) -> Iterator[None]:
    """Within this block there is room for `size` bytes of new arrays on the device."""
    _Pool.limit, _Pool.used = size, 0
    try:
        yield
    finally:
        _Pool.limit = None


def allocated(host: np.ndarray) -> np.ndarray:
    """Enter a new array into the books.

    Raises
    ------
    OutOfMemoryError
        If it does not fit any more.
    """
    if _Pool.limit is not None and host.nbytes:
        size = -(-host.nbytes // 512) * 512
        if _Pool.used + size > _Pool.limit:
            raise OutOfMemoryError(size, _Pool.used)
        _Pool.used += size
        weakref.finalize(host, _free, size)
    return host


def _free(size: int) -> None:
    _Pool.used -= size
