"""One operation a file: derivation, reference pair, kernels, layer, case.

What users choose by name has a folder: `activations/` and `likelihoods/`. Nothing lists the files:
a new one is found (`registry.py`), and its case, its layer and its module are names of this
package, as `ops.CASES`, `ops.Linear` and `ops.linear` are.
Nothing here draws noise, holds data or knows a model: whatever an operation needs, it is given.
"""

from typing import TYPE_CHECKING, Any

from ..engine.case import Case
from ..engine.door import door
from ..errors import OptionError
from . import registry
from .activations import ACTIVATIONS, Activation
from .likelihoods.base import Likelihood

if TYPE_CHECKING:  # a type checker does not look into folders; what it is not told is Any to it
    from .clamp import Clamp as Clamp
    from .dense import Dense as Dense
    from .dropout import Dropout as Dropout
    from .kl import KL as KL
    from .kl_between import KLBetween as KLBetween
    from .likelihoods.bernoulli import Bernoulli as Bernoulli
    from .likelihoods.categorical import Categorical as Categorical
    from .likelihoods.gaussian import Gaussian as Gaussian
    from .likelihoods.gaussian_learned import GaussianLearned as GaussianLearned
    from .likelihoods.gaussian_shared import GaussianShared as GaussianShared
    from .linear import Linear as Linear
    from .logmeanexp import LogMeanExp as LogMeanExp
    from .reparameterize import Reparameterize as Reparameterize

    def __getattr__(name: str) -> Any: ...


_FOUND = registry.modules_in(__name__)

MODULES = [module for module in _FOUND if hasattr(module, "CASES")]
"""The modules of the operations, in the order of their files."""

CASES: list[Case] = registry.cases_of(MODULES)
"""The case of every operation."""

LIKELIHOODS: dict[str, type[Likelihood]] = registry.likelihoods_of(MODULES)
"""Every likelihood of values, by its name: what a user chooses among."""

OF_SYMBOLS: dict[str, type[Likelihood]] = registry.likelihoods_of(MODULES, symbols=True)
"""Those of symbols, which belong to models of sequences."""

LIKELIHOOD_OPTIONS: dict[str, tuple[type, Any, str]] = registry.options_of(LIKELIHOODS)
"""What likelihoods take: name -> type, default and help text."""

_LAYERS = registry.layers_of(MODULES)
globals().update({module.__name__.rpartition(".")[2]: module for module in MODULES}, **_LAYERS)


@door
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
    "LIKELIHOODS",
    "LIKELIHOOD_OPTIONS",
    "OF_SYMBOLS",
    "Activation",
    "Case",
    "Likelihood",
    "find_case",
    *_LAYERS,
]
