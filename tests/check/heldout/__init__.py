"""Code as students write it, right and wrong, that the doctor was not built from.

`WRONG` and `RIGHT` list the entries; each module holds those of one theme.
"""

from . import (
    right_activations,
    right_layers,
    right_linear,
    right_losses,
    right_models,
    right_odd,
    right_vae,
    wrong_activations,
    wrong_bounds,
    wrong_classes,
    wrong_convolution,
    wrong_elbo,
    wrong_fresh,
    wrong_generic,
    wrong_latent,
    wrong_layers,
    wrong_linear,
    wrong_losses,
    wrong_models,
    wrong_parts,
    wrong_twice,
    wrong_vae,
)
from .corpus import RIGHT, WRONG, Entry

__all__ = [
    "RIGHT",
    "WRONG",
    "Entry",
    "right_activations",
    "right_layers",
    "right_linear",
    "right_losses",
    "right_models",
    "right_odd",
    "right_vae",
    "wrong_activations",
    "wrong_bounds",
    "wrong_classes",
    "wrong_convolution",
    "wrong_elbo",
    "wrong_fresh",
    "wrong_generic",
    "wrong_latent",
    "wrong_layers",
    "wrong_linear",
    "wrong_losses",
    "wrong_models",
    "wrong_parts",
    "wrong_twice",
    "wrong_vae",
]
