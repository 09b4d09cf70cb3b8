"""Values of forward passes: the mistakes that no gradient check can see.

If the sampler multiplies the noise by the variance, its backward pass may be the exact derivative
of that, and any gradient check passes. What gives it away is another part of the model: the
samples do not have the KL that the closed form says. So each check here sets a part against
something that it must equal: a closed form, an average over samples, a sum of probabilities that
is 1, a bound that must not be crossed.

What is checked may be a function, a layer or a module of `minivae.ops`, or somebody else's
function of the same arguments. It may return `(value, cache)`; it may be summed or averaged over
dimensions or the batch, which is found out and said.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any

from ...engine.door import door
from ...errors import OptionError
from .bounds import check_bounds
from .kl import check_kl_value
from .likelihood import check_likelihood
from .result import ValueCheck
from .sampler import check_sampler
from .scale import check_loss_scale


@door
def check_values(
    *,
    reparameterize: Callable | ModuleType | None = None,
    kl: Callable | ModuleType | None = None,
    elbo: Callable | ModuleType | None = None,
    iwae: Callable | ModuleType | None = None,
    reconstruction: Callable | ModuleType | None = None,
    n_dims: int = 784,
    **options: Any,
) -> list[ValueCheck]:
    """Check whichever parts of a VAE are given, each against what it must agree with.

    Parameters
    ----------
    reparameterize : callable, optional
        See `check_sampler`.
    kl : callable, optional
        See `check_kl_value`; the sampler and the reconstruction are checked against it as well.
    elbo, iwae : callable, optional
        See `check_bounds`; both or none.
    reconstruction : callable, optional
        See `check_loss_scale`.
    n_dims : int
        Data dimensions that the scale of the reconstruction is reported for.
    **options
        `dtype` and `seed` for all checks.

    Returns
    -------
    list of ValueCheck

    Raises
    ------
    OptionError
        If nothing is given, or one bound without the other.
    """
    if (elbo is None) != (iwae is None):
        raise OptionError("only one of elbo and iwae was given; pass both, to compare them.")
    checks = []
    if kl is not None:
        checks.append(check_kl_value(kl, **options))
    if reparameterize is not None:
        checks.append(check_sampler(reparameterize, kl, **options))
    if elbo is not None and iwae is not None:
        checks.append(check_bounds(elbo, iwae, **options))
    if reconstruction is not None:
        checks.append(check_loss_scale(reconstruction, n_dims, kl, **options))
    if not checks:
        raise OptionError(
            "nothing was given to check; pass reparameterize, kl, elbo and iwae, or reconstruction."
        )
    return checks


__all__ = [
    "ValueCheck",
    "check_bounds",
    "check_kl_value",
    "check_likelihood",
    "check_loss_scale",
    "check_sampler",
    "check_values",
]
