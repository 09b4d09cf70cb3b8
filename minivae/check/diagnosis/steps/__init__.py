"""What a forward pass computes, step by step, and what a mistake at any step would give.

A hidden autograd: it records the student's forward pass and differentiates it with one step wrong.
It never says whether a gradient is right, and knows no operation by name.
"""

from .factors import whole_factors
from .pairs import pairs, times_factor
from .search import Steps

__all__ = ["Steps", "pairs", "times_factor", "whole_factors"]
