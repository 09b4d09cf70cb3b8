"""Files that are written whole or not at all, and never over one that is there."""

import os
from pathlib import Path
from typing import Any

from .errors import OptionError


def write_atomically(path: Path, write: Any) -> None:
    """Call `write(file)` on a temporary file beside `path`, then rename it to `path`."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
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


def fresh_file(out: str, suffix: str) -> Path:
    """Return `out` as the path of a file that is not there yet.

    Raises
    ------
    OptionError
        If it exists, or its name ends in something else than `suffix`.
    """
    path = Path(out).expanduser()
    if path.suffix.lower() != suffix:
        raise OptionError(f"{path} was given as --out; its name must end in {suffix}.")
    if path.exists():
        raise OptionError(f"{path} exists already; name another file with --out, or delete it.")
    return path


def check_parent(path: Path) -> None:
    """Refuse to write into a folder that is not there, or that may not be written."""
    if not path.parent.is_dir():
        raise OptionError(
            f"{path} was to be written, but there is no folder {path.parent}; make it first, or "
            "name another place with --out."
        )
    if not os.access(path.parent, os.W_OK):
        raise OptionError(
            f"{path} was to be written, but you may not write into {path.parent}; name another "
            "place with --out."
        )
