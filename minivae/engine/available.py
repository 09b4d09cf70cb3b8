"""What there is: memory, asked before something large is made, and cores for the team's threads.

A system promises memory that it does not have, and ends the process that uses it: no error is
raised that could be put into words. So what is large asks first.
"""

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutOfMemoryError

SMALL = 64 << 20
"""Bytes below which nobody asks."""

GROUPS = Path("/sys/fs/cgroup")
"""Where Linux keeps what a container may use."""


def free_memory() -> float:
    """Bytes that this process may still use, as far as the system says; infinity if it does not.

    The least of what the machine has left, what the process's groups may still take (a container,
    a batch job), and what its own limit leaves.
    """
    return min(_of_the_machine(), _of_the_groups(), _of_the_process())


@contextmanager
def memory_in_a_sentence(advice: str) -> Iterator[None]:
    """Within this block, say in a sentence with `advice` that memory was not enough.

    Raises
    ------
    OutOfMemoryError
        In the place of whatever says so on the host or on a device.
    """
    try:
        yield
    except MemoryError as error:
        detail = str(error.__cause__ or error).rstrip(".") or "the system gave none"
        raise OutOfMemoryError(f"not enough memory ({detail}); {advice}.") from error


def free_cores() -> int:
    """Cores that this process may use: those it is bound to, or fewer by its groups' quota.

    A thread beyond a quota does not help: the system stops all of them for the rest of the period.
    """
    bound = getattr(os, "sched_getaffinity", None)
    cores = len(bound(0)) if bound else os.cpu_count() or 1
    for folder, old in _groups("cpu"):
        if old:
            words = [_text(folder / f"cpu.cfs_{name}_us") for name in ("quota", "period")]
        else:
            words = _text(folder / "cpu.max").split()
        if len(words) == 2 and all(word.strip().isdigit() for word in words):
            cores = min(cores, int(words[0]) // max(int(words[1]), 1))
    return max(cores, 1)


def require_memory(need: int, what: str, advice: str) -> None:
    """Refuse what needs more memory than there is, before it is made.

    Parameters
    ----------
    need : int
        Bytes.
    what : str
        What needs them, and why.
    advice : str
        What to do instead.

    Raises
    ------
    OutOfMemoryError
        If less is free.
    """
    if need < SMALL:
        return
    free = free_memory()
    if need > free:
        raise OutOfMemoryError(
            f"{what} would take {in_words(need)} of memory, but {in_words(free)} are free; "
            f"{advice}."
        )


def in_words(n_bytes: float) -> str:
    """A number of bytes as people say it: "3.2 GB"."""
    units = ["TB", "GB", "MB", "kB", "bytes"]
    while (unit := units.pop()) != "TB" and n_bytes >= 1000:
        n_bytes /= 1000
    return f"{n_bytes:,.0f} {unit}" if n_bytes >= 100 else f"{n_bytes:.3g} {unit}"


def _of_the_machine() -> float:
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return math.inf


def _of_the_groups() -> float:
    free = math.inf
    for folder, old in _groups("memory"):
        names = ("memory.max", "memory.current", "inactive_file")
        if old:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        limit, used = (_text(folder / name).strip() for name in names[:2])
        if limit.isdigit() and used.isdigit():
            lines = _text(folder / "memory.stat").splitlines()
            stat = dict(line.split(" ", 1) for line in lines)
            free = min(free, int(limit) - int(used) + int(stat.get(names[2], 0)))
    return max(free, 0)


def _groups(kind: str) -> Iterator[tuple[Path, bool]]:
    """Folders of the groups that this process is in, and whether they are of the old form."""
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds and kind not in kinds.split(","):
            continue
        root = GROUPS / kinds
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            yield folder, bool(kinds)
            if folder == root:
                break


def _of_the_process() -> float:
    try:
        import resource
    except ImportError:  # no POSIX
        return math.inf
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    pages = _text(Path("/proc/self/statm")).split()
    if limit == resource.RLIM_INFINITY or not pages:
        return math.inf
    return max(limit - int(pages[0]) * resource.getpagesize(), 0)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError:
        return ""
