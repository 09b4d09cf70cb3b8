"""Files: read if they have an end, written whole or not at all, and never over what is there."""

import errno
import itertools
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from .errors import OptionError
from .interrupts import held

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
}
"""What is at a path, where it is no file."""


def open_file(path: str | Path) -> BufferedReader:
    """Open a file to read its bytes, if it is one.

    A pipe would be waited for until somebody writes into it, and a device may never end.

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file; `strerror` says what it is.
    """
    # Without O_NONBLOCK, opening a pipe waits; regular files know no such thing.
    given = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        kind = stat.S_IFMT(os.fstat(given).st_mode)
        if kind != stat.S_IFREG:
            what = f"it is {KINDS.get(kind, 'something else')}, not a file"
            raise OSError(errno.EINVAL, what, str(path))
        return os.fdopen(given, "rb")
    except BaseException:
        os.close(given)
        raise


def write_atomically(path: Path, write: Any) -> None:
    """Call `write(file)` on a temporary file beside `path`, then rename it to `path`."""
    if not path.name:
        raise OptionError("a file was to be written, but the path given has no name; give it one.")
    temporary = _beside(path)
    with held():
        try:
            with open(temporary, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, str(path)) from error
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """Give a temporary folder to write into, which becomes `folder` when the block ends well."""
    temporary = _beside(folder)
    try:
        temporary.mkdir()
        yield temporary
        temporary.rename(folder)
    except OSError as error:
        if not str(error.filename).startswith(str(temporary)):
            raise
        raise type(error)(error.errno, error.strerror, str(folder)) from error
    finally:
        with held():
            shutil.rmtree(temporary, ignore_errors=True)


def write_new_files(files: dict[Path, str]) -> None:
    """Write texts to files that do not exist yet, and make their folders: all of it, or none.

    Raises
    ------
    OSError
        If one exists by now, or cannot be written; then none of them is left, and no new folder.
    """
    made: list[Path] = []
    with held():
        try:
            for path, text in files.items():
                missing = (folder for folder in path.parents if not folder.exists())
                for folder in reversed(list(missing)):
                    folder.mkdir()
                    made.append(folder)
                # "x" opens only what does not exist, so even a file that came up meanwhile stays.
                with path.open("x", encoding="utf-8", newline="\n") as file:
                    made.append(path)
                    file.write(text)
        except BaseException:
            for path in reversed(made):
                path.rmdir() if path.is_dir() else path.unlink()
            raise


@contextmanager
def gone_if_it_fails(folder: Path) -> Iterator[Path]:
    """Within this block, write files into an empty folder; an error takes both away again."""
    try:
        yield folder
    except BaseException:
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
        raise


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def new_file(name: str | Path, *suffixes: str, option: str = "--out") -> Path:
    """Return the path of a file that can be made.

    Parameters
    ----------
    name : str or Path
        As the user gave it.
    *suffixes : str
        Its name must end in one of them.
    option : str
        What it was given as.

    Raises
    ------
    OptionError
        If it exists, its name ends in something else, or it may not be written there.
    """
    path = Path(name).expanduser()
    if path.suffix.lower() not in suffixes:
        wanted = " or ".join(suffixes)
        raise OptionError(f"{path} was given as {option}; its name must end in {wanted}.")
    refuse_what_exists(path, f"name another file with {option}, or delete it")
    check_parent(path, option)
    return path


def new_folder(name: str | Path, *, option: str = "--out") -> Path:
    """Return the path of a folder that can be made; `OptionError` as for `new_file`."""
    path = Path(name).expanduser()
    refuse_what_exists(path, f"name another folder with {option}, or delete it")
    check_parent(path, option)
    return path


def refuse_what_exists(path: Path, instead: str) -> None:
    """Raise `OptionError`, which says what to do instead, if there is anything at a path."""
    if os.path.lexists(path):
        raise OptionError(f"{path} exists already; {instead}.")


def check_parent(path: Path, option: str = "--out") -> None:
    """Refuse to write into a folder that is not there, or that may not be written."""
    if not path.parent.is_dir():
        raise OptionError(
            f"{path} was to be written, but there is no folder {path.parent}; make it first, or "
            f"name another place with {option}."
        )
    if not os.access(path.parent, os.W_OK):
        raise OptionError(
            f"{path} was to be written, but you may not write into {path.parent}; name another "
            f"place with {option}."
        )


def first_free(folder: Path, stem: str, suffix: str = "") -> Path:
    """Return the first of `<stem>-1<suffix>`, `<stem>-2<suffix>`, ... that is not there yet."""
    names = (folder / f"{stem}-{i}{suffix}" for i in itertools.count(1))
    return next(path for path in names if not path.exists())
