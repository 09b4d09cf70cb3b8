"""One operation a file: derivation, reference pair, layer, case."""

from ..case import Case
from ..errors import OptionError
from . import (
    activations,
    bernoulli,
    categorical,
    clamp,
    dense,
    dropout,
    gaussian,
    kl,
    linear,
    log_weights,
    logmeanexp,
    reparameterize,
)
from .activations import ACTIVATIONS, Activation
from .bernoulli import Bernoulli
from .categorical import Categorical
from .clamp import Clamp
from .dense import Dense
from .dropout import Dropout
from .gaussian import Gaussian, GaussianLearned, GaussianShared
from .kl import KL, KLBetween
from .likelihood import Likelihood
from .linear import Linear
from .logmeanexp import LogMeanExp
from .reparameterize import Reparameterize

MODULES = [
    linear,
    activations,
    dense,
    clamp,
    reparameterize,
    kl,
    bernoulli,
    gaussian,
    categorical,
    log_weights,
    logmeanexp,
    dropout,
]

CASES: list[Case] = [case for module in MODULES for case in module.CASES]
"""The case of every operation."""

LIKELIHOODS: dict[str, type[Likelihood]] = {
    kind.name: kind for kind in (Bernoulli, Gaussian, GaussianShared, GaussianLearned, Categorical)
}


def find_case(name: str) -> Case:
    """Return the case of that name."""
    for case in CASES:
        if case.name == name:
            return case
    raise OptionError(
        f"no operation is called {name!r}; there are: {', '.join(case.name for case in CASES)}."
    )


__all__ = [
    "ACTIVATIONS",
    "CASES",
    "KL",
    "LIKELIHOODS",
    "Activation",
    "Bernoulli",
    "Case",
    "Categorical",
    "Clamp",
    "Dense",
    "Dropout",
    "Gaussian",
    "GaussianLearned",
    "GaussianShared",
    "KLBetween",
    "Likelihood",
    "Linear",
    "LogMeanExp",
    "Reparameterize",
    "find_case",
]
