"""One operation a file: derivation, reference pair, layer, case."""

from ..engine.case import Case
from ..errors import OptionError
from . import (
    clamp,
    dense,
    dropout,
    fork,
    kl,
    linear,
    log_weights,
    logmeanexp,
    negative_elbo,
    reparameterize,
    split,
)
from .activations import base as activations
from .activations.base import ACTIVATIONS, Activation
from .clamp import Clamp
from .dense import Dense
from .dropout import Dropout
from .kl import KL
from .kl_between import KLBetween
from .likelihoods import bernoulli, categorical, gaussian
from .likelihoods.base import Likelihood
from .likelihoods.bernoulli import Bernoulli
from .likelihoods.categorical import Categorical
from .likelihoods.gaussian import Gaussian
from .likelihoods.gaussian_learned import GaussianLearned, GaussianShared
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
    fork,
    split,
    negative_elbo,
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
