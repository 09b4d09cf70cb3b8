"""The scratch folder: a copy of the submission, in which it runs and which ends with it."""

import contextlib
import itertools
import os
import shutil
import tempfile
from pathlib import Path

from .files import copies_of, source_of
from .words import StudentError


def new_scratch() -> Path:
    """Make an empty folder that no link leads to."""
    return Path(tempfile.mkdtemp(prefix="minivae-")).resolve()


def copy_submission(scratch: Path, path: Path, top: Path | None, *, alone: bool) -> Path:
    """Copy a file and what it imports, so that nothing is lost when it deletes or overwrites it.

    Returns
    -------
    Path
        The copy of the file.
    """
    places = copies_of(path, top, alone=alone)
    for file, place in places.items():
        target = scratch / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if file.suffix == ".ipynb":
            target = target.with_suffix(".py")
            try:
                target.write_text(source_of(file), encoding="utf-8")
            except (ValueError, RecursionError):
                raise StudentError("it is no notebook of the format 4") from None
        else:
            shutil.copyfile(file, target)
        target.chmod(0o644)
    for folder in (scratch, *(d for d in scratch.rglob("*") if d.is_dir())):
        folder.chmod(0o777)
    return (scratch / places[path.resolve()]).with_suffix(".py")


def taken(folder: Path) -> int:
    """Bytes of the files in a folder, as far as it can be read."""
    total = 0
    for top, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(top, name)).st_size
    return total


def remove(folder: Path) -> None:
    """Remove a folder, however deep, and whatever its owner has forbidden.

    What lies in a folder inside is moved to the top before that folder goes, so that no path gets
    long; links are removed, and not followed.
    """
    names = map(str, itertools.count())
    with contextlib.suppress(OSError):
        while entries := list(os.scandir(folder)):
            for entry in entries:
                if not entry.is_dir(follow_symlinks=False):
                    os.unlink(entry.path)
                    continue
                os.chmod(entry.path, 0o700)
                for inner in list(os.scandir(entry.path)):
                    if inner.is_dir(follow_symlinks=False):
                        os.chmod(inner.path, 0o700)
                    free = next(n for n in names if not os.path.lexists(folder / f".{n}"))
                    os.rename(inner.path, folder / f".{free}")
                os.rmdir(entry.path)
        os.rmdir(folder)
