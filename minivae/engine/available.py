"""How much memory there still is, asked before something large is made.

A system promises memory that it does not have, and ends the process that uses it: no error is
raised that could be put into words. So what is large asks first.
"""

import math
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
    for line in _text(Path("/proc/self/cgroup")).splitlines():
        _, kinds, path = line.split(":", 2)
        if kinds not in ("", "memory"):
            continue
        root = GROUPS / kinds
        names = ("memory.max", "memory.current", "inactive_file")
        if kinds:
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            limit, used = (_text(folder / name).strip() for name in names[:2])
            if limit.isdigit() and used.isdigit():
                stat = dict(
                    words.split(" ", 1) for words in _text(folder / "memory.stat").splitlines()
                )
                free = min(free, int(limit) - int(used) + int(stat.get(names[2], 0)))
            if folder == root:
                break
    return max(free, 0)


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
