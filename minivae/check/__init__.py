"""The gradient doctor: says whether a backward pass is right, and if not, what is wrong."""

import numpy as np

from .. import objectives, ops
from ..models import VAE, Autoencoder
from .gradients import assert_gradients, check_gradients
from .report import ArrayCheck, Diagnosis, Report
from .text import table
from .values import ValueCheck, check_values


def check_all(seed: int = 0) -> list[Report]:
    """Check every operation, and a small VAE and autoencoder as a whole.

    Returns
    -------
    list of Report
        One each, in the order of `minivae.ops.CASES`.
    """
    cases = [*ops.CASES, *objectives.CASES]
    reports = [check_gradients(case, seed=seed, tolerance=1e-7) for case in cases]
    options = {"hidden": (5,), "latent": 2, "activation": "tanh", "dtype": "float64"}
    for kind, samples in ((VAE, {}), (VAE, {"samples": 3}), (Autoencoder, {})):
        rng = np.random.default_rng(seed)
        model = kind(7, rng=rng, **options, **samples)
        # Biases start at zero; a check is made away from such special points.
        model.params.theta += 0.3 * rng.standard_normal(model.params.theta.shape)
        reports.append(check_gradients(model, seed=seed))
    return reports


__all__ = [
    "ArrayCheck",
    "Diagnosis",
    "Report",
    "ValueCheck",
    "assert_gradients",
    "check_all",
    "check_gradients",
    "check_values",
    "table",
]
