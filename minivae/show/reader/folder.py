"""A folder of generated files that is replaced as a whole, and only if it holds nothing else."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

from ...errors import OptionError
from ...files import whole_folder

MANIFEST = ".minivae-read.json"
"""Lists the files that were generated, so that others are recognised."""


def check(out: Path) -> None:
    """Refuse a folder whose contents would be lost.

    Raises
    ------
    OptionError
        If `out` is a file, or holds files that `write` has not made.
    """
    if not os.path.lexists(out):
        return
    if not out.is_dir():
        raise OptionError(f"{out} exists and is no folder; name another one with --out.")
    made = set()
    if (out / MANIFEST).is_file():
        made = set(json.loads((out / MANIFEST).read_text(encoding="utf-8"))) | {MANIFEST}
    other = sorted(set(_files(out)) - made)
    if other:
        raise OptionError(
            f"{out} holds {other[0]}, which minivae read has not made, so the folder is left as "
            "it is; name a new one with --out."
        )


def write(out: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write into a new folder beside `out`, which then takes the place of `out`."""
    check(out)
    old = out.with_name(f".{out.name}.{os.getpid()}.old")
    try:
        with whole_folder(out) as new:
            fill(new)
            (new / MANIFEST).write_text(json.dumps(_files(new), indent=1), encoding="utf-8")
            check(out)  # what somebody has put there in the meantime stays
            if out.exists():
                out.rename(old)
    finally:
        if old.exists() and not out.exists():
            old.rename(out)
        shutil.rmtree(old, ignore_errors=True)


def _files(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()
    )
