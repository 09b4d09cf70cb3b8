"""Optimizers on the flat pair: one loop over `theta` and `grad`, whatever the layers.

One rule a file; `guard.py` refuses gradients that are not finite.
Nothing here knows a layer's name, or in which order a model computed.
"""

from .adam import Adam, AdamW
from .momentum import Momentum
from .optimizer import Optimizer
from .sgd import SGD

OPTIMIZERS: dict[str, type[Optimizer]] = {rule.kind: rule for rule in (SGD, Momentum, Adam, AdamW)}

__all__ = ["OPTIMIZERS", "SGD", "Adam", "AdamW", "Momentum", "Optimizer"]
