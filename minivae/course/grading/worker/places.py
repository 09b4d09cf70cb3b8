"""What a student's process may read: Python's own library, NumPy, minivae, and what a rubric adds.

The list says what may be read; whatever is not on it may not be, wherever it lies. So a place that
others write into, such as the folder of the installed packages or the one above minivae, is not on
it as a whole: only packages in it are, each by its name.
"""

import contextlib
import ctypes
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
SYSTEM = ("/etc/localtime",)
LIBRARIES = ("numpy", "scipy", "numba", "llvmlite")
"""Installed packages that may be imported: what courses compute with, and what minivae needs."""
OTHERS = ("site-packages", "dist-packages")
"""Folders inside Python's own in which anybody's packages lie."""
HIDDEN = ("course",)
"""Folders of minivae that no student needs: the exercises with their solutions, and the grader."""


@dataclass
class Places:
    """What may be read.

    Attributes
    ----------
    folders : dict of str to tuple of str
        Each folder that may be read, and the folders in it that may not.
    files : list of str
        Single files.
    packages : dict of str to str
        Name of each package that may be imported -> its folder.
    """

    folders: dict[str, tuple[str, ...]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    packages: dict[str, str] = field(default_factory=dict)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find the packages of the list, without a folder that would have to be searched."""
        folder = self.packages.get(name)
        if folder is None or path is not None:
            return None
        return importlib.util.spec_from_file_location(
            name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
        )


def places(minivae: str, installed: str, more: Sequence[str] = ()) -> Places:
    """Collect what may be read.

    Parameters
    ----------
    minivae, installed : str
        The folder of minivae, and the one that NumPy is installed in.
    more : sequence of str
        Names of further packages that are installed there.
    """
    found = Places(files=[file for file in SYSTEM if os.path.isfile(file)])
    names = {sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), *_dynamic()}
    for folder in filter(os.path.isdir, names):
        found.folders[folder] = tuple(n for n in OTHERS if os.path.isdir(os.path.join(folder, n)))
    archive = next((path for path in sys.path if path.endswith(".zip")), "")
    found.files += [archive] if os.path.isfile(archive) else []
    found.folders[minivae] = HIDDEN
    found.packages["minivae"] = minivae
    for name in (*LIBRARIES, *more):
        folder = os.path.join(installed, name)
        if name.isidentifier() and os.path.isfile(os.path.join(folder, "__init__.py")):
            found.packages[name] = folder
            beside = f"{folder}.libs"  # the libraries that a wheel brings along
            found.folders |= {f: () for f in (folder, beside) if os.path.isdir(f)}
    return found


def _dynamic() -> list[str]:
    """The folder of the compiled modules of Python's own library."""
    return [path for path in sys.path if os.path.basename(path) == "lib-dynload"]


def load_libraries() -> None:
    """Load what the compiled modules of Python's own library need of the system's libraries.

    A library that is loaded is not opened again, so its folder need not be readable later on.
    """
    for folder in filter(os.path.isdir, _dynamic()):
        for name in sorted(os.listdir(folder)):
            if name.endswith(".so"):
                with contextlib.suppress(OSError):
                    ctypes.CDLL(os.path.join(folder, name))
