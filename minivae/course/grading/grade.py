"""Grades: what a submission is worth, and why, in words; as text, dict and JSON."""

import json
import math
import textwrap
from dataclasses import dataclass, field
from typing import Any

from ...check.report.result import BUT, EXIT_CODES, NOT_CHECKED, RIGHT, worst_of
from ...check.report.text import tally, width
from ...engine.door import door
from ...engine.kinds import Indent
from .exercise_grade import ExerciseGrade
from .words import printable, undefended


@door
@dataclass
class Grade:
    """A whole submission.

    Attributes
    ----------
    file : str
        Name of the file or folder.
    exercises : list of ExerciseGrade
        In the order of the rubric, or of the file.
    problem : str
        Why nothing could be checked.
    left_out : list of str
        Functions that return two things, as a loss with gradients does, but could not be run.
    printed : str
        What the code printed, up to a limit.
    defences : list of str
        What the process that ran it had given up; see `minivae.course.grading`.
    seconds : float
        How long it took.
    crash : str
        The exception with which the grader failed on all of it, and its line.
    seed : int
        What the inputs, upstream gradients and entries were drawn from.
    """

    file: str
    exercises: list[ExerciseGrade] = field(default_factory=list)
    problem: str = ""
    left_out: list[str] = field(default_factory=list)
    printed: str = ""
    defences: list[str] = field(default_factory=list)
    seconds: float = 0.0
    crash: str = ""
    seed: int = 0

    @property
    def score(self) -> float:
        """Points reached."""
        return round(math.fsum(exercise.score for exercise in self.exercises), 4)

    @property
    def max_score(self) -> float:
        """Points that can be reached."""
        return round(math.fsum(exercise.max_score for exercise in self.exercises), 4)

    @property
    def verdict(self) -> str:
        """The worst of all exercises; not checked where a part of the file could not be."""
        unchecked = [NOT_CHECKED] if self.problem else []
        return worst_of([*(exercise.verdict for exercise in self.exercises), *unchecked])

    @property
    def passed(self) -> bool:
        """Whether every gradient was compared and is right, whatever the habits."""
        return self.verdict in (RIGHT, BUT)

    @property
    def is_open(self) -> bool:
        """Whether a person must look before it has its points."""
        return bool(self.crash) or any(exercise.is_open for exercise in self.exercises)

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {
            "file": self.file,
            "verdict": self.verdict,
            "score": self.score,
            "max_score": self.max_score,
            "open": self.is_open,
            "problem": self.problem,
            "crash": self.crash,
            "left_out": self.left_out,
            "seconds": round(self.seconds, 3),
            "defences": self.defences,
            "seed": self.seed,
            "printed": self.printed,
            "exercises": [exercise.to_dict() for exercise in self.exercises],
        }

    def to_json(self, indent: Indent | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        lines = []
        if self.problem:
            lines.append(_filled(f"{self.file}: {self.problem}"))
        lines += ["\n" + exercise.text for exercise in self.exercises]
        for problem in self.left_out:
            note = (
                f"left out, since it could not be run at guessed inputs: {problem}; if it returns "
            )
            note += "a loss and its gradients, write an example() that returns its arguments"
            lines.append("\n" + _filled(note))
        if self.exercises:
            line = f"\n{self.file}: {tally(exercise.verdict for exercise in self.exercises)}"
            if any(exercise.counts for exercise in self.exercises):
                line += f", {self.score:g} of {self.max_score:g} points"
            lines.append(line)
        if self.defences and (can := undefended(self.defences)):
            note = f"note: on this system, the code that was checked could {can}"
            lines[:0] = [_filled(note), ""]
        return printable("\n".join(lines).strip("\n"))


def _filled(text: str) -> str:
    """Text in lines, of which none but the first begins at the margin, as a verdict does."""
    return textwrap.fill(text, width(), subsequent_indent="  ")
