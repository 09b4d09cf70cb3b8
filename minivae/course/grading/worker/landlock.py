"""Landlock: the kernel itself refuses files that are not on a list (Linux 5.13 or newer).

It needs no privilege, and stands behind the view where there is one, and in its place where there
is none.
"""

import ctypes
import os
import struct

from .places import DEVICES, Places

CREATE, ADD, RESTRICT = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1, 2, 4, 8, 1 << 14
READ = EXECUTE | READ_FILE | READ_FOLDER


def restrict(libc: ctypes.CDLL, scratch: str, places: Places) -> bool:
    """Allow to read the places and to write the scratch folder, and no other file."""
    version = libc.syscall(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
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
    rules = libc.syscall(CREATE, handled, ctypes.c_size_t(size), ctypes.c_uint32(0))
    if rules < 0:
        return False
    try:
        for folder, hidden in places.folders.items():
            if not hidden:
                _allow(libc, rules, folder, READ)
                continue
            _allow(libc, rules, folder, READ_FOLDER)  # names of what it holds, and no content
            for name in os.listdir(folder):
                if name not in hidden:
                    _allow(libc, rules, os.path.join(folder, name), READ)
        for file in places.files:
            _allow(libc, rules, file, READ)
        for path in DEVICES:
            _allow(libc, rules, path, READ | WRITE_FILE)
        _allow(libc, rules, scratch, (1 << bits) - 1)
        return libc.syscall(RESTRICT, rules, ctypes.c_uint32(0)) == 0
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, access: int) -> None:
    try:
        opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):
            access &= EXECUTE | READ_FILE | WRITE_FILE | TRUNCATE  # a file has no entries
        rule = struct.pack("<Qi", access, opened)
        libc.syscall(ADD, rules, ctypes.c_int(1), rule, ctypes.c_uint32(0))
    finally:
        os.close(opened)
