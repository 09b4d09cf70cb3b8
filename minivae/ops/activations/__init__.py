"""Activations: $y = f(x)$, entry by entry; one file each, in all its forms.

What they share is in `base.py`. A new file here is found: its pair can be imported from here, and
whatever lists activations lists it.
No parameter lives here, and nothing that mixes entries: that is an operation in `ops/`.
"""

from ..registry import modules_in
from .base import ACTIVATIONS, Activation

modules_in(__name__)  # each enters its activation

_PAIRS = {f.__name__: f for forms in ACTIVATIONS.values() for f in (forms.forward, forms.backward)}
globals().update(_PAIRS)

__all__ = ["ACTIVATIONS", "Activation", *_PAIRS]
