"""What a process gives up before it runs a stranger's code.

Limits on memory, processor time and file size work on every POSIX system. On Linux more is given
up, without any privilege where the system allows it: all files but those of a list (`view.py`,
`landlock.py`), the rights of root, and all system calls but those of a list (`syscalls.py`). All of
it holds for good: the code that runs afterwards cannot take it back. What a system does not offer
is left out, and `lock` returns what was done, as it found it to be afterwards.
"""

import ctypes
import os
import platform
import struct
import sys

from . import landlock, syscalls, view
from .places import Places

NOBODY = 65534
FILE_BYTES = 2**20
OPEN_FILES = 256

SET_DUMPABLE, DROP_BOUND, NO_NEW_PRIVILEGES, AMBIENT, CLEAR_AMBIENT = 4, 24, 38, 47, 4
CAPABILITIES_VERSION = 0x20080522
CAPABILITIES = 64
"""More than there are; the bounding set refuses those beyond."""


def lock(
    scratch: str, memory_mb: int, cpu_seconds: int, places: Places, confine: bool = True
) -> list[str]:
    """Give up what can be given up; return the names of what was.

    Parameters
    ----------
    scratch : str
        The folder with the submission, which alone may be written.
    memory_mb, cpu_seconds : int
        Limits.
    places : Places
        What may be read.
    confine : bool
        Whether to give up more than what the limits say.
    """
    done = _limits(memory_mb, cpu_seconds)
    if not confine or not sys.platform.startswith("linux"):
        return done
    os.umask(0o022)
    libc = ctypes.CDLL(None, use_errno=True)
    machine = platform.machine()
    if view.enter(scratch, places, machine):
        done.append("view")
    _drop_bound(libc)
    if _become_nobody(places):
        done.append("nobody")
    libc.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(SET_DUMPABLE, 0, 0, 0, 0)
    if _drop_capabilities(libc):
        done.append("capabilities")
    if landlock.restrict(libc, scratch, places):
        done.append("landlock")
    if not syscalls.allow_only(libc, machine):
        import resource

        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        return [*done, "processes"]
    return [*done, "seccomp"]


def _limits(memory_mb: int, cpu_seconds: int) -> list[str]:
    """Limit memory, processor time, and the size and number of files."""
    try:
        import resource
    except ImportError:  # not a POSIX system
        return []
    wanted = {
        "RLIMIT_AS": ("memory", memory_mb * 2**20),
        "RLIMIT_CPU": ("cpu", cpu_seconds),
        "RLIMIT_FSIZE": ("file size", FILE_BYTES),
        "RLIMIT_NOFILE": ("open files", OPEN_FILES),
        "RLIMIT_CORE": ("core", 0),
        "RLIMIT_MSGQUEUE": ("message queues", 0),
    }
    done = []
    for name, (what, value) in wanted.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
            done.append(what)
        except (ValueError, OSError, AttributeError):
            continue  # macOS refuses some of these
    return done


def _become_nobody(places: Places) -> bool:
    """As root, become the user nobody, if nobody can still read what may be read."""
    if os.geteuid() != 0 or not all(map(_open_to_all, [os.__file__, *places.folders])):
        return False
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    return os.getresuid() == (NOBODY,) * 3


def _open_to_all(path: str) -> bool:
    """Whether every user can read a file or folder, and come to it."""
    if not os.stat(path).st_mode & 0o004:
        return False
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    while os.stat(folder).st_mode & 0o001:
        if folder == os.path.dirname(folder):
            return True
        folder = os.path.dirname(folder)
    return False


def _drop_bound(libc: ctypes.CDLL) -> None:
    """Forget, while it is still allowed, every right of root that a program could be given."""
    for capability in range(CAPABILITIES):
        libc.prctl(DROP_BOUND, capability, 0, 0, 0)
    libc.prctl(AMBIENT, CLEAR_AMBIENT, 0, 0, 0)


def _drop_capabilities(libc: ctypes.CDLL) -> bool:
    """Give up the rights of root that are in force, may be taken, or are handed on."""
    header = struct.pack("<Ii", CAPABILITIES_VERSION, 0)
    libc.capset(header, bytes(24))
    left = ctypes.create_string_buffer(b"?" * 24, 24)
    return libc.capget(header, left) == 0 and left.raw == bytes(24)
