"""What a forward pass computes, step by step, and what a mistake at any step would give.

The steps are recorded from the student's own forward pass.
Nothing here knows an operation by its name.
"""

from .search import Steps

__all__ = ["Steps"]
