"""The training loop, its settings, evaluation, checkpoints and run folders.

A model's own formulas are in `models/`; here is what goes for all of them.
Nothing here asks which model it trains.
"""

from .loop import fit, validate
from .prepare import binarize, prepare_data
from .settings import BINARIZE, Settings, Training

__all__ = ["BINARIZE", "Settings", "Training", "binarize", "fit", "prepare_data", "validate"]
