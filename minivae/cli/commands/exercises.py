"""`minivae exercises`: write exercises for a course, or their solutions."""

from ...course.exercises.cli import configure, run

__all__ = ["configure", "run"]
