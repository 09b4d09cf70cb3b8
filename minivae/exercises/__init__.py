"""Exercises for a course: backward passes to write, each with its check and its points."""

from .catalog import EXERCISES, Exercise, choose
from .folder import write_exercises, write_solutions

__all__ = ["EXERCISES", "Exercise", "choose", "write_exercises", "write_solutions"]
