"""The operations that the doctor knows, with the wrong backward passes that people write.

One family of operations a file.
How they are compared with a student's function is told in `operations/`, never here.
"""

from ..operations.known import Known, Mutant, Values
from . import (
    activations,
    bounds,
    chains,
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
    bounds,
    norms,
    convs,
    others,
    chains,
]

KNOWN: list[Known] = [known for module in MODULES for known in module.KNOWN]
"""Every known operation."""

__all__ = ["KNOWN", "Known", "Mutant", "Values"]
