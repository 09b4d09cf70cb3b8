"""One model a file: how layers are joined, and where the gradients of branches are added.

Beside them is what encoders and decoders are made of, and the objectives. A model enters `MODELS`
when its class is defined (`declare.py`), and all files here are imported, so a new one is found
without being named. No operation is written here, and nothing is trained: formulas of one step are
all there is. And nothing outside asks which model it has: it asks the model what it can.
"""

import pkgutil
from importlib import import_module

from .autoencoder import Autoencoder
from .conditional import ConditionalVAE
from .declare import DEFAULT
from .gan import GAN
from .registry import MODELS, NETWORKS
from .vae import VAE

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
for _kind in sorted(MODELS, key=lambda kind: (kind != DEFAULT, kind)):
    MODELS[_kind] = MODELS.pop(_kind)  # in an order that does not hang on who imports whom

__all__ = ["GAN", "MODELS", "NETWORKS", "VAE", "Autoencoder", "ConditionalVAE"]
