"""minivae: a variational autoencoder to read, step through and check.

A public name is imported when it is first used, so that `import minivae` takes no longer than
importing NumPy.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

MODULES = {
    "backend": ["get_backend"],
    "checkpoint": ["load_checkpoint", "save_checkpoint"],
    "errors": ["MinivaeError"],
    "estimator": ["VAEEstimator"],
    "evaluation": ["evaluate", "log_likelihood"],
    "layer": ["Layer", "Sequential"],
    "models": ["GAN", "VAE", "Autoencoder", "ConditionalVAE"],
    "objectives": ["ELBO", "BetaSchedule", "ImportanceWeighted"],
    "ops": ["Activation", "Dense", "Dropout", "Linear"],
    "optim": ["SGD", "Adam", "AdamW", "Momentum"],
    "params": ["Params"],
    "train": ["Settings", "Training", "fit"],
}
"""The public names, by the module that each is defined in."""

SUBMODULES = [
    *MODULES,
    "anomaly",
    "augment",
    "check",
    "data",
    "explore",
    "plots",
    "quality",
    "statistics",
    "trace",
]
"""The modules that `import minivae` is enough for, as in `minivae.plots.images`."""

_HOME = {name: module for module, names in MODULES.items() for name in names}

__all__ = ["data", *_HOME]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in SUBMODULES:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *SUBMODULES})
