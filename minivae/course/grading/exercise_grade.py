"""Grade of one exercise: what came out at each point, what it is worth, and why, in words."""

import textwrap
from dataclasses import dataclass, field
from typing import Any

from ...check.report.report import Report
from ...check.report.result import BUT, NOT_CHECKED, RIGHT, WRONG, worst_of
from ...check.report.text import width
from ...engine.door import door
from ..score import score
from .point_result import PointResult
from .rubric import Exercise
from .words import printable


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, width(), initial_indent="  ", subsequent_indent="  ")


EDIT = (
    "the inputs were a guess, and it runs at none; write a function example() into the file that "
    "returns a dict of arguments, such as this one, which holds the likeliest guess:"
)


@door
@dataclass
class ExerciseGrade:
    """One exercise of a submission.

    Attributes
    ----------
    name, title : str
        Of the exercise.
    max_score : float
        What it is worth.
    contract_points : float
        The part of it that habits cost, such as work in place.
    forward_points : float
        The part of it that is for the values of forward.
    origin : str
        Where the inputs that were tried come from.
    points : list of PointResult
        What came out at each point that was tried.
    problem : str
        Why nothing could be tried.
    trusted : bool
        Whether the forward values were compared with the truth.
    example : str
        An `example()` for the student to edit, where nothing could be tried.
    crash : str
        The exception with which the doctor itself failed before any point, and its line.
    doubtful : bool
        Whether the problem may be the reader's: it did not understand the code.
    guessed : bool
        Whether the inputs are a guess.
    asked : tuple of str
        Names of the gradients that count, where the rubric has a list of them.
    notes : list of str
        What else should be known.
    visibility : str
        Gradescope's word for who sees it.
    counts : bool
        Whether there is a rubric that gives points.
    """

    name: str
    title: str = ""
    max_score: float = 1.0
    contract_points: float = 0.0
    forward_points: float = 0.0
    origin: str = ""
    points: list[PointResult] = field(default_factory=list)
    problem: str = ""
    example: str = ""
    trusted: bool = False
    crash: str = ""
    doubtful: bool = False
    guessed: bool = False
    asked: tuple[str, ...] = ()
    notes: list[str] = field(default_factory=list)
    visibility: str = "visible"
    counts: bool = True

    @property
    def reports(self) -> list[Report]:
        """The doctor's reports, one for each point that ran."""
        return [point.report for point in self.points if point.report is not None]

    @property
    def deciding(self) -> list[PointResult]:
        """The points that the grade depends on."""
        return [point for point in self.points if point.decides]

    @property
    def gradients(self) -> dict[str, str]:
        """Verdict of each gradient: the worst of those at all points where it could show."""
        found: dict[str, list[str]] = {}
        for point in self.deciding:
            for array in point.report.arrays if point.report else ():
                seen = found.setdefault(array.name, [])
                seen += [] if array.silent else [array.verdict]
        elsewhere = [point.verdict for point in self.deciding if point.report is None]
        return {n: worst_of([*seen, *(elsewhere if seen else ())]) for n, seen in found.items()}

    @property
    def habits(self) -> list[str]:
        """What is right and worth a word."""
        found = [h for point in self.deciding if point.report for h in point.report.habits]
        return list(dict.fromkeys(found))

    @property
    def verdict(self) -> str:
        """The worst of all gradients, of the forward values, and of what could not be run."""
        if self.problem:
            return NOT_CHECKED
        others = [p.verdict for p in self.deciding if p.forward or p.report is None]
        verdict = worst_of([*others, *self.gradients.values()])
        return BUT if verdict == RIGHT and self.habits else verdict

    @property
    def score(self) -> float:
        """Points: for the gradients that are right, and for the forward values where they count."""
        if self.problem:
            return 0.0
        forward = self.forward_points
        if not self.deciding or any(p.forward or p.problem for p in self.deciding):
            forward = 0.0
        lost = self.contract_points if self.habits else 0.0
        return round(
            forward + score(self.counted, points=self.max_score - self.forward_points, lost=lost),
            4,
        )

    @property
    def counted(self) -> list[bool]:
        """Of each gradient that counts, whether it is right; what they are is not the student's."""
        gradients, right = self.gradients, (RIGHT, BUT)
        first = next((p for p in self.deciding if p.asked or p.unnamed), None)
        names = self.asked or (first.asked if first is not None else ())
        counted = [gradients.get(n) in right for n in names]
        unnamed = [gradients[n] for n in first.unnamed if n in gradients] if first else []
        if unnamed and not self.asked:
            counted.append(all(verdict in right for verdict in unnamed))
        return counted

    @property
    def called_otherwise(self) -> list[str]:
        """Gradients that count and are nowhere, while there are others that nobody asked for."""
        gradients = self.gradients
        names = {n for p in self.deciding for n in (*self.asked, *p.asked)}
        others = gradients.keys() - names - {n for p in self.deciding for n in p.unnamed}
        return sorted(names - gradients.keys()) if others else []

    @property
    def crashes(self) -> list[str]:
        """Where the doctor itself failed; for the instructor."""
        found = [self.crash, *(p.crash for p in self.points)]
        found += [report.crash for report in self.reports]
        return list(dict.fromkeys(filter(None, found)))

    @property
    def is_open(self) -> bool:
        """Whether a person must look: what was not checked may be right, for all that is known."""
        if self.crash or self.doubtful or any(p.crash or p.doubtful for p in self.deciding):
            return True
        if self.counts and self.called_otherwise:
            return True
        if self.verdict != NOT_CHECKED or self.problem:
            return False
        return self.guessed or not any(p.problem for p in self.deciding)

    @property
    def text(self) -> str:
        """The report: the first point, and each other one that shows something new."""
        score = f", {self.score:g} of {self.max_score:g} points" if self.counts else ""
        if self.counts and self.is_open:
            score += " so far; the rest could not be checked: tell your instructor"
        lines = [f"{self.title or self.name}: {self.verdict}{score}"]
        if self.problem:
            mend = ["", *_wrapped(EDIT), "", self.example] if self.example else []
            notes = [line for note in self.notes for line in ("", *_wrapped(f"note: {note}"))]
            return printable("\n".join([*lines, *_wrapped(self.problem), *mend, *notes]))
        lines += _wrapped(self.origin)
        seen: set[str] = set()
        for i, point in enumerate(self.points):
            found = point.findings
            if i and found <= seen:
                same = "wrong in the same way" if point.verdict == WRONG else "the same"
                again = same if found else "right"
                lines += [""] * (lines[-1][:2] != "al") + [f"also at {point.label}: {again}"]
                continue
            seen |= found
            lines += ["", f"at {point.label}:"]
            for what in (point.problem, point.forward):
                lines += _wrapped(what)
            if point.report is not None:
                lines.append(str(point.report))
        notes = list(self.notes)
        if self.guessed and self.verdict == NOT_CHECKED:
            notes.append(
                "the inputs were a guess; write a function example() into the file that returns a "
                "dict of arguments"
            )
        if self.counts and self.called_otherwise:
            asked = ", ".join(self.called_otherwise)
            notes.append(f"a gradient of {asked} was asked for; call the parameters so")
        for note in notes:
            lines += ["", *_wrapped(f"note: {note}")]
        return printable("\n".join(lines))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "score": self.score,
            "max_score": self.max_score,
            "open": self.is_open,
            "crashes": self.crashes,
            "inputs": self.origin,
            "problem": self.problem,
            "example": self.example,
            "gradients": {} if any(r.hint == "verdict" for r in self.reports) else self.gradients,
            "habits": self.habits,
            "notes": self.notes,
            "points": [
                {
                    "at": point.label,
                    "verdict": point.verdict,
                    "decides": point.decides,
                    "problem": point.problem,
                    "forward": point.forward,
                    "report": point.report.to_dict() if point.report else None,
                }
                for point in self.points
            ],
        }


def empty_grade(exercise: Exercise, problem: str = "") -> ExerciseGrade:
    """The grade of an exercise for which nothing has been tried."""
    return ExerciseGrade(
        exercise.name,
        exercise.title,
        exercise.points,
        exercise.contract_points,
        exercise.forward_points,
        asked=exercise.gradients,
        problem=problem,
        visibility=exercise.visibility,
    )
