"""A file system of its own: a process sees what it may read, and an empty folder to write in.

In a mount namespace, a fresh root is put together in memory: the folders of the list are bound into
it, read-only, and the submission is copied into a folder of limited size. Then it becomes the root,
and nothing else has a name any more: no home, no `/proc`, no shared memory. The namespace ends with
the process, and takes with it all that was written, however deep. Root can make one; other users
can where the system lets them make a user namespace.
"""

import ctypes
import os
import shutil
import struct

from .messages import SCRATCH_BYTES
from .places import DEVICES, Places

NEW_MOUNTS, NEW_USER = 0x00020000, 0x10000000
NEW_OTHERS = 0x08000000 | 0x40000000 | 0x04000000
"""Namespaces of shared memory and semaphores, of networks, and of the machine's name."""
READ_ONLY, NO_SETUID, NO_DEVICES = 1, 2, 4
REMOUNT, BIND, RECURSIVE, PRIVATE = 32, 4096, 16384, 1 << 18
DETACH = 2
MOUNT_SETATTR = 442
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
SCRATCH_FILES = 4096


class System:
    """The calls of the C library, which raise `OSError` where they fail."""

    def __init__(self) -> None:
        self.libc = ctypes.CDLL(None, use_errno=True)

    def call(self, name: str, *arguments: object) -> int:
        """Call a function that returns -1 where it fails."""
        result = getattr(self.libc, name)(*arguments)
        if result == -1:
            number = ctypes.get_errno()
            raise OSError(number, f"{name}: {os.strerror(number)}")
        return result

    def mount(self, source: str, target: str, kind: str, flags: int, options: str = "") -> None:
        """Mount something."""
        texts = [text.encode() for text in (source, target, kind, options)]
        self.call("mount", *texts[:3], ctypes.c_ulong(flags), texts[3])

    def protect(self, target: str, attributes: int) -> None:
        """Add attributes to a mount and all below it; none that it has is taken away."""
        wanted = struct.pack("<QQQQ", attributes, 0, 0, 0)
        self.call(
            "syscall", ctypes.c_long(MOUNT_SETATTR), AT_FDCWD, target.encode(), AT_RECURSIVE,
            wanted, ctypes.c_size_t(len(wanted)),
        )  # fmt: skip


def enter(scratch: str, places: Places, machine: str) -> bool:
    """Make the view, and go into it; False, with all as it was, where the system does not let us.

    Parameters
    ----------
    scratch : str
        The folder with the submission; it keeps its name.
    places : Places
        What may be read.
    machine : str
        The kind of processor, by which system calls are numbered.
    """
    if machine not in PIVOT_ROOT:
        return False
    system = System()
    try:
        _new_namespaces(system)
        system.mount("", "/", "", RECURSIVE | PRIVATE)
        root = os.path.join(scratch, ".root")
        os.mkdir(root)
        system.mount("view", root, "tmpfs", NO_SETUID | NO_DEVICES, "size=1m,mode=755")
        _fill(system, root, scratch, places)
        os.chdir(root)
        system.call("syscall", ctypes.c_long(PIVOT_ROOT[machine]), b".", b".")
        system.call("umount2", b".", DETACH)
        os.chdir("/")
        system.mount("view", "/", "", REMOUNT | BIND | READ_ONLY | NO_SETUID | NO_DEVICES)
        os.chdir(scratch)
    except OSError:
        os.chdir(scratch)
        return False
    return True


def _new_namespaces(system: System) -> None:
    """Leave the shared ones; who is not root does so as the only user of a user namespace."""
    if os.geteuid() == 0:
        try:
            return void(system.call("unshare", NEW_MOUNTS | NEW_OTHERS))
        except OSError:
            pass  # root in a container that may not mount
    user, group = os.geteuid(), os.getegid()
    system.call("unshare", NEW_USER | NEW_MOUNTS | NEW_OTHERS)
    lines = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, line in lines.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(line)


def void(result: int) -> None:
    """Drop a result that says nothing."""


def _fill(system: System, root: str, scratch: str, places: Places) -> None:
    """Bind what may be read, and copy the submission."""
    for folder in sorted(places.folders):  # an outer one before those inside
        target = root + folder
        os.makedirs(target, exist_ok=True)
        system.mount(folder, target, "", BIND | RECURSIVE)
        system.protect(target, READ_ONLY | NO_SETUID | NO_DEVICES)
        for name in places.folders[folder]:
            hidden = os.path.join(target, name)
            if os.path.isdir(hidden):
                system.mount("hidden", hidden, "tmpfs", NO_SETUID | NO_DEVICES, "size=64k,mode=755")
    for file in (*places.files, *DEVICES):
        if os.path.exists(file):
            target = root + file
            os.makedirs(os.path.dirname(target), exist_ok=True)
            with open(target, "w"):
                pass
            system.mount(file, target, "", BIND)
            if file not in DEVICES:
                system.protect(target, READ_ONLY | NO_SETUID | NO_DEVICES)
    os.makedirs(root + scratch)
    size = f"size={SCRATCH_BYTES},nr_inodes={SCRATCH_FILES},mode=777"
    system.mount("scratch", root + scratch, "tmpfs", NO_SETUID | NO_DEVICES, size)
    own = os.path.basename(root)
    shutil.copytree(
        scratch, root + scratch, dirs_exist_ok=True, ignore=lambda *_: [own], symlinks=True
    )
