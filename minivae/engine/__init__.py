"""What an operation stands on: backends, parameters, layers, cases, initial weights, noise.

Nothing here knows what is computed with it: operations, models and their training are elsewhere.
The forms for one kind of machine are apart, in `cpu/` and `gpu/`. The names that most operations
need are handed on here, so that one line imports them.
"""

from .backend import Array, Backend, Indices, Real, array_module, erf, get_backend, kernel
from .case import SIZES, Case, away_from
from .cpu.loop import Loop, loop, same_dtype, together
from .cpu.team import CHEAP, COSTLY, in_parts, matmul, sum_in_parts
from .cpu.workspace import empty
from .door import door
from .gpu import device  # noqa: F401 (makes the backend "cuda" known)
from .gpu.kernels import Elementwise, Reduction
from .init import INITIALISERS, logit
from .kinds import Count, Whole
from .layer import Layer

__all__ = [
    "CHEAP",
    "COSTLY",
    "INITIALISERS",
    "SIZES",
    "Array",
    "Backend",
    "Case",
    "Count",
    "Elementwise",
    "Indices",
    "Layer",
    "Loop",
    "Real",
    "Reduction",
    "Whole",
    "array_module",
    "away_from",
    "door",
    "empty",
    "erf",
    "get_backend",
    "in_parts",
    "kernel",
    "logit",
    "loop",
    "matmul",
    "same_dtype",
    "sum_in_parts",
    "together",
]
