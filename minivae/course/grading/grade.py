"""Grades: what a submission is worth, and why, in words; as text, dict and JSON."""

import json
import math
import textwrap
from dataclasses import dataclass, field
from typing import Any

from ...check.report.report import Report
from ...check.report.result import BUT, EXIT_CODES, NOT_CHECKED, RIGHT, WRONG, worst_of
from ...check.report.text import WIDTH, tally
from ..score import score
from .sandbox import printable


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")


@dataclass
class PointResult:
    """What came out at one point.

    Attributes
    ----------
    label : str
        Which point.
    report : Report, optional
        What the doctor found; None if the code did not run there.
    problem : str
        Why the code did not run there, in a sentence.
    forward : str
        What is wrong with the forward values there.
    decides : bool
        Whether the grade depends on this point.
    """

    label: str
    report: Report | None = None
    problem: str = ""
    forward: str = ""
    decides: bool = True

    @property
    def verdict(self) -> str:
        """The verdict at this point."""
        if self.problem or self.forward or self.report is None:
            return WRONG
        return self.report.verdict

    @property
    def findings(self) -> set[str]:
        """What is wrong at this point, each thing by a short name."""
        found = {what.partition(":")[0] for what in (self.problem, self.forward) if what}
        for array in self.report.arrays if self.report is not None else ():
            if array.verdict != RIGHT:
                likely = array.diagnoses[0].key if array.diagnoses else array.reason
                found.add(f"{array.name} {array.verdict} {likely}")
        return found | set(self.report.habits if self.report is not None else ())


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
        The part of it that is lost when the contract is broken.
    origin : str
        Where the inputs that were tried come from.
    points : list of PointResult
        What came out at each point that was tried.
    problem : str
        Why nothing could be tried.
    trusted : bool
        Whether the forward values were compared with the truth.
    unused : tuple of str
        Arguments that the outputs do not depend on, at any point.
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
    contract_points: float = 0.25
    origin: str = ""
    points: list[PointResult] = field(default_factory=list)
    problem: str = ""
    trusted: bool = False
    unused: tuple[str, ...] = ()
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
        """Verdict of each gradient: the worst of those at all points."""
        found: dict[str, str] = {}
        for point in self.deciding:
            for array in point.report.arrays if point.report else ():
                found[array.name] = worst_of([found.get(array.name, RIGHT), array.verdict])
        if any(point.problem for point in self.deciding):
            return dict.fromkeys(found, WRONG)
        return found

    @property
    def habits(self) -> list[str]:
        """What is right and worth a word."""
        found = [h for point in self.deciding if point.report for h in point.report.habits]
        return list(dict.fromkeys(found))

    @property
    def verdict(self) -> str:
        """The worst of all parts at all points."""
        if self.problem:
            return NOT_CHECKED
        return worst_of([*(point.verdict for point in self.deciding), *self.gradients.values()])

    @property
    def score(self) -> float:
        """Points: the share of parts that are right, and those for the contract."""
        gradients = [v == RIGHT and n not in self.unused for n, v in self.gradients.items()]
        if self.problem:
            return 0.0
        forward = [not any(point.forward for point in self.deciding)] if self.trusted else []
        worth = {"points": self.max_score, "contract_points": self.contract_points}
        return round(score(gradients, forward, keeps_contract=not self.habits, **worth), 4)

    @property
    def text(self) -> str:
        """The report: the first point, and each other one that shows something new."""
        score = f", {self.score:g} of {self.max_score:g} points" if self.counts else ""
        lines = [f"{self.title or self.name}: {self.verdict}{score}"]
        if self.problem:
            return printable("\n".join([*lines, *_wrapped(self.problem)]))
        lines += _wrapped(self.origin)
        seen: set[str] = set()
        for i, point in enumerate(self.points):
            found = point.findings
            if i and found <= seen:
                again = "wrong in the same way" if found else "right"
                lines += [""] * (lines[-1][:2] != "al") + [f"also at {point.label}: {again}"]
                continue
            seen |= found
            lines += ["", f"at {point.label}:"]
            for what in (point.problem, point.forward):
                lines += _wrapped(what)
            if point.report is not None:
                lines.append(str(point.report))
        for name in self.unused:
            what = f"the output does not depend on {name} at all; is forward finished?"
            lines += ["", *_wrapped(f"note: {what}")]
        for note in self.notes:
            lines += ["", *_wrapped(f"note: {note}")]
        return printable("\n".join(lines))

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON types."""
        return {
            "name": self.name,
            "verdict": self.verdict,
            "score": self.score,
            "max_score": self.max_score,
            "inputs": self.origin,
            "problem": self.problem,
            "gradients": self.gradients,
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
    """

    file: str
    exercises: list[ExerciseGrade] = field(default_factory=list)
    problem: str = ""
    left_out: list[str] = field(default_factory=list)
    printed: str = ""
    defences: list[str] = field(default_factory=list)
    seconds: float = 0.0

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
        unchecked = [NOT_CHECKED] if self.problem or self.left_out else []
        return worst_of([*(exercise.verdict for exercise in self.exercises), *unchecked])

    @property
    def passed(self) -> bool:
        """Whether every gradient was compared and is right, whatever the habits."""
        return self.verdict in (RIGHT, BUT)

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
            "problem": self.problem,
            "left_out": self.left_out,
            "seconds": round(self.seconds, 3),
            "defences": self.defences,
            "printed": self.printed,
            "exercises": [exercise.to_dict() for exercise in self.exercises],
        }

    def to_json(self, indent: int | None = 2) -> str:
        """`to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=indent)

    def __str__(self) -> str:
        lines = []
        if self.problem:
            lines += textwrap.wrap(f"{self.file}: {self.problem}", WIDTH)
        lines += ["\n" + exercise.text for exercise in self.exercises]
        for problem in self.left_out:
            note = (
                f"left out, since it could not be run at guessed inputs: {problem}; if it returns "
            )
            note += "a loss and its gradients, write an example() that returns its arguments"
            lines.append("\n" + textwrap.fill(note, WIDTH))
        if self.exercises:
            line = f"\n{self.file}: {tally(exercise.verdict for exercise in self.exercises)}"
            if any(exercise.counts for exercise in self.exercises):
                line += f", {self.score:g} of {self.max_score:g} points"
            lines.append(line)
        return printable("\n".join(lines).strip("\n"))
