"""A tape of what a forward pass computes, step by step, and its gradient by the chain rule.

It stands alone, on NumPy: it is recorded where the forward pass runs, which for a student's file is
another process, and is read where the diagnosis is made. Nothing here judges a gradient or names
a mistake, and nothing here imports the rest of minivae.
"""

from . import functions  # noqa: F401  (they make themselves known to the traced arrays)
from .tape import Adjoints, Node, Ref, Tape
from .trace import record

__all__ = ["Adjoints", "Node", "Ref", "Tape", "record"]
