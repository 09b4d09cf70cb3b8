"""An estimator's training as plain arrays and words, for pickle."""

from typing import Any

import numpy as np

from ...models import VAE
from ...train.optim.adam import Adam
from ...train.settings import Training


def pack(training: Training) -> dict[str, Any]:
    """Take apart what `unpack` builds again: model, Adam, random generator and settings."""
    model, optimizer = training.model, training.optimizer
    to_host = model.backend.to_host
    moments = {name: to_host(array) for name, array in optimizer.state.items()}
    return {
        "model": (
            model.config,
            model.backend.name,
            to_host(model.params.theta),
            to_host(model.params.carried),
        ),
        "optimizer": (optimizer.config, optimizer.t, moments),
        "rng": training.rng,
        "settings": training.settings,
    }


def unpack(packed: dict[str, Any], history: list[dict[str, Any]]) -> Training:
    """Build the training again, on the backend that it was on."""
    config, backend, *arrays = packed["model"]
    model = VAE(**_without_kind(config), rng=np.random.default_rng(0), backend=backend)
    model.params.load(*arrays)
    rule, t, moments = packed["optimizer"]
    optimizer = Adam(**_without_kind(rule))
    optimizer.load_state(t, moments, model.params)
    return Training(model, optimizer, packed["rng"], packed["settings"], history)


def _without_kind(config: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in config.items() if name != "kind"}
