"""minivae: a variational autoencoder to read, step through and check.

A public name is imported when it is first used, so that `import minivae` takes no longer than
importing NumPy.
"""

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

NAMES = {
    "engine.backend": ["get_backend"],
    "engine.layer": ["Layer", "Reshape", "Sequential"],
    "engine.params": ["Params"],
    "errors": ["MinivaeError"],
    "models": ["GAN", "VAE", "Autoencoder", "ConditionalVAE"],
    "models.objectives": ["ELBO", "ImportanceWeighted"],
    "ops": ["Activation", "Dense", "Dropout", "Linear"],
    "train": ["Settings", "Training", "fit"],
    "train.checkpoint": ["load_checkpoint", "save_checkpoint"],
    "train.evaluate": ["evaluate", "log_likelihood"],
    "train.optim": ["SGD", "Adam", "AdamW", "Momentum"],
    "train.schedule": ["BetaSchedule"],
    "uses.estimator": ["VAEEstimator"],
}
"""The public names, by the module that each is defined in."""

ROOMS = "errors files engine ops data models train check show course uses cli".split()  # noqa: SIM905
"""What is at the root, from the ground up: each room imports only those before it."""

MOVED = {
    "anomaly": ["uses.anomaly.detector", "uses.anomaly.scores"],
    "anomaly_map": ["uses.anomaly.map"],
    "anomaly_scores": ["uses.anomaly.scores"],
    "augment": ["uses.augment"],
    "backend": ["engine.backend"],
    "bench": ["show.bench"],
    "canvas": ["show.canvas"],
    "case": ["engine.case"],
    "checkpoint": ["train.checkpoint", "files"],
    "collapse": ["uses.quality.collapse"],
    "commands": ["cli.commands"],
    "cuda": ["engine.gpu.kernels", "engine.gpu.stage", "engine.gpu.device"],
    "derivations": ["show.derivations"],
    "detection": ["uses.anomaly.rates"],
    "elementary": ["engine.cpu.elementary"],
    "estimator": ["uses.estimator.estimator"],
    "evaluation": ["train.evaluate", "data.batches"],
    "exercises": ["course.exercises"],
    "experiments": ["uses.experiments"],
    "explore": ["uses.explore.paths", "models.rows"],
    "explore_plots": ["uses.explore.pictures"],
    "grading": ["course.grading"],
    "init": ["engine.init"],
    "judge": ["uses.quality.judge"],
    "layer": ["engine.layer"],
    "loop": ["engine.cpu.loop"],
    "native": ["engine.cpu.slots", "engine.cpu.memory"],
    "noise": ["engine.noise"],
    "objectives": ["models.objectives", "ops.negative_elbo", "train.schedule"],
    "optim": [
        "train.optim.sgd",
        "train.optim.momentum",
        "train.optim.adam",
        "train.optim.guard",
        "train.optim",
    ],
    "ops.bernoulli": ["ops.likelihoods.bernoulli"],
    "ops.categorical": ["ops.likelihoods.categorical"],
    "ops.gaussian": [
        "ops.likelihoods.gaussian",
        "ops.likelihoods.gaussian_learned",
        "ops.likelihoods.gaussian_shared",
    ],
    "page": ["uses.explore.page"],
    "params": ["engine.params"],
    "plots": ["show.plots"],
    "quality": ["uses.quality.measures"],
    "reader": ["show.reader"],
    "runs": ["train.runs"],
    "statistics": ["uses.statistics"],
    "tables": ["uses.estimator.tables"],
    "team": ["engine.cpu.team", "engine.cpu.threads", "engine.cpu.blas"],
    "trace": ["show.trace"],
    "typeset": ["show.typeset"],
    "workspace": ["engine.cpu.workspace"],
}
"""Modules that lay side by side before there were rooms, and where their names are now: what was
written for `minivae.plots` or `minivae.estimator` still works."""

_HOME = {name: module for module, names in NAMES.items() for name in names}

__all__ = ["data", *_HOME]


class _Moved(MetaPathFinder, Loader):
    """Finds `minivae.<name>` of `MOVED`: a module that looks its names up where they are now."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Answer for the names of `MOVED` alone."""
        return ModuleSpec(fullname, self) if fullname.removeprefix("minivae.") in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        """Let the module look for each name in its new homes, in turn."""
        homes = [f"{__name__}.{home}" for home in MOVED[module.__name__.removeprefix("minivae.")]]

        def look_up(name: str) -> Any:
            if not name.startswith("__"):
                for home in map(importlib.import_module, homes):
                    if hasattr(home, name):
                        return getattr(home, name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__doc__ = f"Moved: {', '.join(homes)}."
        module.__getattr__ = look_up  # type: ignore[method-assign]


sys.meta_path.append(_Moved())


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
    elif name in ROOMS or name in MOVED:
        value = importlib.import_module(f".{name}", __name__)
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *ROOMS, *(name for name in MOVED if "." not in name)})
