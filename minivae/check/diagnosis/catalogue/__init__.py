"""Functions of one array that students differentiate by heart, with the wrong derivatives.

They are sought wherever a tape has their values, however they are written there; see
`steps/composed.py`. Nothing here knows a layer, a loss or somebody's code.
"""

from . import activations, norms, softmaxes
from .function import Function, Wrong

FUNCTIONS: list[Function] = [
    function for module in (activations, softmaxes, norms) for function in module.FUNCTIONS
]
"""Every known function."""

__all__ = ["FUNCTIONS", "Function", "Wrong"]
