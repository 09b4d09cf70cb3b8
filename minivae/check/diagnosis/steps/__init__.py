"""What a forward pass computes, step by step, and what a mistake at any step would give."""

from .search import Steps

__all__ = ["Steps"]
