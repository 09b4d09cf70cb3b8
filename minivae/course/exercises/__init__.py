"""Exercises for a course: backward passes to write, each with its check and its points."""

from .catalog import EXERCISES, Exercise, choose
from .folder import write_exercises, write_solutions
from .sheet import Scoresheet

__all__ = ["EXERCISES", "Exercise", "Scoresheet", "choose", "write_exercises", "write_solutions"]
