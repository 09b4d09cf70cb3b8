"""What a forward pass computes, step by step, and what a mistake at any step would give.

A hidden autograd: it records the student's forward pass and differentiates it with one step wrong.
It never says whether a gradient is right, and knows no operation by name.
"""

from .search import Steps

__all__ = ["Steps"]
