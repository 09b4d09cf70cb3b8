"""Exercises for a course: backward passes to write, each with its check and its points.

Here are what is handed out, its solutions and its formats: files, notebooks, rubrics.
What comes back is never run here, but in `grading/`.
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
