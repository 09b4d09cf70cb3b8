"""The OpenBLAS that NumPy brings: where its products are, and how many threads it may use."""

import ctypes
import functools
import os
from pathlib import Path
from typing import Any

import numpy as np


class Blas:
    """The OpenBLAS that NumPy computes with: its products, and how many threads it may use."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.get_threads = library.scipy_openblas_get_num_threads64_
        self.set_threads = library.scipy_openblas_set_num_threads64_
        self.gemm = {
            letter: address(getattr(library, f"scipy_cblas_{name}gemm64_"))
            for letter, name in (("f", "s"), ("d", "d"))
        }

    @staticmethod
    @functools.cache
    def find() -> "Blas | None":
        """The library in NumPy's folder, which NumPy has loaded; None where there is another.

        None on Windows too, whose system has no `sched_yield`.
        """
        if os.name != "posix":
            return None
        folder = Path(np.__file__).parent
        for place in (folder.parent / "numpy.libs", folder / ".dylibs"):
            for path in place.glob("libscipy_openblas64_*"):
                try:
                    return Blas(ctypes.CDLL(str(path)))
                except (OSError, AttributeError):
                    continue
        return None


def address(function: Any) -> int:
    """Address of a C function."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
