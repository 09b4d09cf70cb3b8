"""A strict stand-in for CuPy, on the CPU.

`cupy` and `cupyx` take the place of the modules of these names: `make_backend(cupy, cupyx)`. They
have only what the real ones have, refuse what those refuse, and some of what those do quietly; and
they execute the bodies of kernels, compiled by g++. `counting` and `memory_limit` watch them.
"""

from . import cupy, cupyx
from .device import PinnedMemoryError
from .kernels import RaceError
from .memory import Counts, counting, memory_limit

__all__ = [
    "Counts",
    "PinnedMemoryError",
    "RaceError",
    "counting",
    "cupy",
    "cupyx",
    "memory_limit",
]
