"""`minivae exercises`: write exercises for a course, or their solutions."""

from ..exercises.cli import configure, run

__all__ = ["configure", "run"]
