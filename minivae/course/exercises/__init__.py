"""Exercises for a course: backward passes to write, each with its check and its points.

They are written out as files or a notebook, with the rubric that grades them.
Nothing here runs what a student wrote; that is done in `grading/`.
"""

from ..grading.rubric import Exercise
from .catalog import EXERCISES, Task, choose
from .folder import write_exercises, write_solutions
from .sheet import Scoresheet

__all__ = [
    "EXERCISES",
    "Exercise",
    "Scoresheet",
    "Task",
    "choose",
    "write_exercises",
    "write_solutions",
]
