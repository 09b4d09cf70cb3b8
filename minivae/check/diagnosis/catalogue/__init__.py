"""The operations that the doctor knows, with the wrong backward passes that people write.

One file for a family: forward values, right gradients, and rows (key, text, wrong gradient).
How they are compared with somebody's code is never said here, but in `operations/`.
"""

from ..operations.known import Known, Mutant, Values
from . import (
    activations,
    convs,
    densities,
    gaussian,
    kl,
    kl_between,
    likelihoods,
    linear,
    norms,
    others,
    softmaxes,
)

MODULES = [
    linear,
    activations,
    gaussian,
    kl,
    kl_between,
    likelihoods,
    densities,
    softmaxes,
    norms,
    convs,
    others,
]

KNOWN: list[Known] = [known for module in MODULES for known in module.KNOWN]
"""Every known operation."""

__all__ = ["KNOWN", "Known", "Mutant", "Values"]
