"""The system calls that a student's code may use, as a program for the kernel's packet filter.

What is on the list is what Python and NumPy need to compute, to read, to write in their folder and
to run threads. All else is refused, also what no one has thought of: new processes, signals,
sockets, shared memory, tracing, mounts, other users' rights, other programs.
"""

import ctypes
import errno
import struct
import sys

# Number on x86-64, and on AArch64, which has only the newer ones.
ALLOWED = {
    "read": (0, 63), "write": (1, 64), "open": (2, None), "close": (3, 57), "stat": (4, None),
    "fstat": (5, 80), "lstat": (6, None), "poll": (7, None), "lseek": (8, 62), "mmap": (9, 222),
    "mprotect": (10, 226), "munmap": (11, 215), "brk": (12, 214), "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139), "pread64": (17, 67),
    "pwrite64": (18, 68), "readv": (19, 65), "writev": (20, 66), "access": (21, None),
    "pipe": (22, None), "select": (23, None), "sched_yield": (24, 124), "mremap": (25, 216),
    "mincore": (27, 232), "madvise": (28, 233), "dup": (32, 23), "dup2": (33, None),
    "nanosleep": (35, 101), "getitimer": (36, 102), "alarm": (37, None), "setitimer": (38, 103),
    "getpid": (39, 172), "exit": (60, 93), "uname": (63, 160), "flock": (73, 32),
    "fsync": (74, 82), "fdatasync": (75, 83), "truncate": (76, 45), "ftruncate": (77, 46),
    "getdents": (78, None), "getcwd": (79, 17), "chdir": (80, 49), "fchdir": (81, 50),
    "rename": (82, None), "mkdir": (83, None), "rmdir": (84, None), "creat": (85, None),
    "unlink": (87, None), "readlink": (89, None), "chmod": (90, None), "fchmod": (91, 52),
    "umask": (95, 166), "gettimeofday": (96, 169), "getrlimit": (97, 163), "getrusage": (98, 165),
    "sysinfo": (99, 179), "times": (100, 153), "getuid": (102, 174), "getgid": (104, 176),
    "geteuid": (107, 175), "getegid": (108, 177), "getppid": (110, 173), "getgroups": (115, 158),
    "getresuid": (118, 148), "getresgid": (120, 150), "sigaltstack": (131, 132),
    "statfs": (137, 43), "fstatfs": (138, 44), "arch_prctl": (158, None), "gettid": (186, 178),
    "time": (201, None), "futex": (202, 98), "sched_getaffinity": (204, 123),
    "getdents64": (217, 61), "set_tid_address": (218, 96), "restart_syscall": (219, 128),
    "fadvise64": (221, 223), "clock_gettime": (228, 113), "clock_getres": (229, 114),
    "clock_nanosleep": (230, 115), "exit_group": (231, 94), "openat": (257, 56),
    "mkdirat": (258, 34), "newfstatat": (262, 79), "unlinkat": (263, 35), "renameat": (264, 38),
    "readlinkat": (267, 78), "fchmodat": (268, 53), "faccessat": (269, 48), "pselect6": (270, 72),
    "ppoll": (271, 73), "set_robust_list": (273, 99), "utimensat": (280, 88), "dup3": (292, 24),
    "pipe2": (293, 59), "renameat2": (316, 276), "getrandom": (318, 278), "membarrier": (324, 283),
    "statx": (332, 291), "rseq": (334, 293), "close_range": (436, 436), "faccessat2": (439, 439),
}  # fmt: skip
CLONE, CLONE_THREAD = {"x86_64": 56, "aarch64": 220}, 0x10000
ASKED = {
    "ioctl": ((16, 29), (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)),
    "fcntl": ((72, 25), (0, 1, 2, 3, 4, 5, 6, 7, 1030)),
}
"""Calls of which some are allowed, by their second argument: what kind of file it is, and how much
can be read; flags, locks and copies, but not who gets a signal when there is something to read."""
PRLIMIT = {"x86_64": 302, "aarch64": 261}
NEWER = 424
"""From this number on, both processors count alike; programs expect that these are missing."""
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
SECCOMP, FILTER = 22, 2

LOAD, EQUAL, AT_LEAST, BIT, GIVE = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, REFUSE, MISSING = 0x7FFF0000, 0x50000 | errno.EPERM, 0x50000 | errno.ENOSYS
ARGUMENTS = 16
"""Where the arguments of a call begin; each has 8 bytes, of which the lower 4 come first."""


def program(machine: str) -> list[tuple[int, int, int, int]]:
    """The filter's instructions.

    Each is (code, jump if true, jump if false, constant); jumps count what is skipped.
    """
    column = 0 if machine == "x86_64" else 1
    steps = [
        (LOAD, 0, 0, 4),  # the architecture of the call
        (EQUAL, 1, 0, ARCH[machine]),
        (GIVE, 0, 0, REFUSE),
        (LOAD, 0, 0, 0),  # the number of the call
        (AT_LEAST, 0, 1, 0x40000000),  # a second numbering, x32
        (GIVE, 0, 0, REFUSE),
    ]
    for pair in ALLOWED.values():
        if pair[column] is not None:
            steps += [(EQUAL, 0, 1, pair[column]), (GIVE, 0, 0, ALLOW)]
    steps += [
        (EQUAL, 0, 4, CLONE[machine]),  # a thread, but no process
        (LOAD, 0, 0, ARGUMENTS),
        (BIT, 1, 0, CLONE_THREAD),
        (GIVE, 0, 0, REFUSE),
        (GIVE, 0, 0, ALLOW),
        (EQUAL, 0, 8, PRLIMIT[machine]),  # to read one's own limits, not to set any
        (LOAD, 0, 0, ARGUMENTS),
        (EQUAL, 0, 5, 0),
        (LOAD, 0, 0, ARGUMENTS + 16),
        (EQUAL, 0, 3, 0),
        (LOAD, 0, 0, ARGUMENTS + 20),
        (EQUAL, 0, 1, 0),
        (GIVE, 0, 0, ALLOW),
        (GIVE, 0, 0, REFUSE),
    ]
    for numbers, asked in ASKED.values():
        steps += [
            (EQUAL, 0, 2 + 2 * len(asked), numbers[column]),
            (LOAD, 0, 0, ARGUMENTS + 8),
        ]
        for question in asked:
            steps += [(EQUAL, 0, 1, question), (GIVE, 0, 0, ALLOW)]
        steps.append((GIVE, 0, 0, REFUSE))
    return [*steps, (AT_LEAST, 0, 1, NEWER), (GIVE, 0, 0, MISSING), (GIVE, 0, 0, REFUSE)]


def allow_only(libc: ctypes.CDLL, machine: str) -> bool:
    """Refuse all other system calls from now on; False where the kernel cannot."""
    if machine not in ARCH or sys.maxsize < 2**32:
        return False
    steps = program(machine)
    code = b"".join(struct.pack("<HBBI", *step) for step in steps)
    filters = ctypes.create_string_buffer(code, len(code))
    header = struct.pack("<HxxxxxxQ", len(steps), ctypes.addressof(filters))
    return libc.prctl(SECCOMP, FILTER, header, 0, 0) == 0
