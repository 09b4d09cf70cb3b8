"""What a process gives up before it runs a stranger's code.

Limits on memory, processor time and file size work on every POSIX system. On Linux, without any
privilege, two things more: *seccomp* takes away system calls (new processes, signals to others,
sockets, tracing), and *Landlock* takes away files (only the Python installation can be read, only
the scratch folder be written). Root also becomes nobody. All of it holds for good: the code that
runs afterwards cannot take it back. What a system does not offer is left out, and `lock` returns
what it did.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterable

NOBODY = 65534
FILE_BYTES = 2**20
OPEN_FILES = 256

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_DUMPABLE = 38, 22, 4
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
READ, WRITE = 0b1101, 0b0010  # execute, read file, read folder; write file

# The Linux system calls that are refused: (number on x86-64, number on AArch64 or None).
REFUSED = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "socket": (41, 198),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setaffinity": (203, 122),
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3 = 435
PRLIMIT = {"x86_64": 302, "aarch64": 261}
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE_THREAD = 0x10000


def lock(scratch: str, memory_mb: int, cpu_seconds: int, confine: bool = True) -> list[str]:
    """Give up what can be given up; return the names of what was."""
    done = _limits(memory_mb, cpu_seconds)
    if not confine or not sys.platform.startswith("linux"):
        return done
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    if _become_nobody():
        done.append("nobody")
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        if _landlock(libc, scratch):
            done.append("landlock")
        if _seccomp(libc):
            done.append("seccomp")
    if "seccomp" not in done:
        import resource

        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        done.append("processes")
    return done


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
    }
    done = []
    for name, (what, value) in wanted.items():
        try:
            resource.setrlimit(getattr(resource, name), (value, value))
            done.append(what)
        except (ValueError, OSError, AttributeError):
            continue  # macOS refuses some of these
    return done


def _become_nobody() -> bool:
    """As root, become the user nobody, if nobody can still read the Python installation."""
    if os.geteuid() != 0:
        return False
    import numpy

    for path in (os.__file__, numpy.__file__):
        folder = os.path.dirname(os.path.realpath(path))
        while True:
            if not os.stat(folder).st_mode & 0o001:
                return False
            if folder == os.path.dirname(folder):
                break
            folder = os.path.dirname(folder)
    try:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    except OSError:
        return False
    return True


def _landlock(libc: ctypes.CDLL, scratch: str) -> bool:
    """Allow to read the Python installation and to write the scratch folder, and no other file."""
    version = libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    if version < 1:
        return False
    bits = {1: 13, 2: 14, 3: 15, 4: 15}.get(version, 16)  # kinds of file access it knows
    handled = struct.pack(
        "<QQQ",
        (1 << bits) - 1,
        0b11 if version >= 4 else 0,  # TCP: bind, connect
        0b11 if version >= 6 else 0,  # abstract sockets and signals of others
    )
    size = 8 if version < 4 else 16 if version < 6 else 24
    rules = libc.syscall(LANDLOCK_CREATE, handled, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        for path in _readable():
            _allow(libc, rules, path, READ)
        for path in ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"):
            _allow(libc, rules, path, READ | WRITE)
        _allow(libc, rules, scratch, (1 << bits) - 1)
        return libc.syscall(LANDLOCK_RESTRICT, rules, ctypes.c_uint32(0)) == 0
    finally:
        os.close(rules)


def _readable() -> Iterable[str]:
    """Folders and files that Python and its packages need."""
    prefixes = [sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix]
    system = ["/usr", "/lib", "/lib64", "/opt", "/etc/ld.so.cache", "/etc/localtime", "/nix/store"]
    return {path for path in [*prefixes, *sys.path, *system] if path not in ("", "/")}


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            access &= 0b111 | 1 << 14  # a file has no entries
        rule = struct.pack("<Qi", access, opened)
        libc.syscall(LANDLOCK_ADD, rules, ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(opened)


def _seccomp(libc: ctypes.CDLL) -> bool:
    """Refuse the system calls of the list, by a filter program of the kernel's packet filter.

    An instruction is (code, jump if true, jump if false, constant); jumps count what is skipped.
    """
    machine = platform.machine()
    if machine not in ARCH or sys.maxsize < 2**32:
        return False
    load, equal, at_least, bit, give = 0x20, 0x15, 0x35, 0x45, 0x06
    refuse, allow = 0x50000 | errno.EPERM, 0x7FFF0000
    column = 0 if machine == "x86_64" else 1
    numbers = [pair[column] for pair in REFUSED.values() if pair[column] is not None]
    program = [
        (load, 0, 0, 4),  # the architecture of the call
        (equal, 1, 0, ARCH[machine]),
        (give, 0, 0, refuse),
        (load, 0, 0, 0),  # the number of the call
        (at_least, 0, 1, 0x40000000),  # a second numbering, x32
        (give, 0, 0, refuse),
        (equal, 0, 1, CLONE3),
        (give, 0, 0, 0x50000 | errno.ENOSYS),  # so that a thread is made by clone
    ]
    for number in numbers:
        program += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    program += [
        (equal, 0, 4, CLONE[machine]),
        (load, 0, 0, 16),  # its flags
        (bit, 1, 0, CLONE_THREAD),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
        (equal, 0, 3, PRLIMIT[machine]),
        (load, 0, 0, 16),  # whose limits
        (equal, 1, 0, 0),
        (give, 0, 0, refuse),
        (give, 0, 0, allow),
    ]
    code = b"".join(struct.pack("<HBBI", *step) for step in program)
    filters = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(filters))
    return libc.prctl(PR_SET_SECCOMP, 2, header, 0, 0) == 0
