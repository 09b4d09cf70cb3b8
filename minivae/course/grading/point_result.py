"""What came out at one point that was tried."""

from dataclasses import dataclass, field

from ...check.report.report import Report
from ...check.report.result import NOT_CHECKED, RIGHT, WRONG, Diagnosis


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
    doubtful : bool
        Whether the problem may be the doctor's: it did not understand the code.
    crash : str
        The exception with which the doctor itself failed, and its line; not for students.
    asked : tuple of str
        Names of the gradients that count: the rubric's or the solution's, else all arguments'.
    unnamed : tuple of str
        Names of a class's parameters that neither names; they count together as one.
    mends : list of Diagnosis
        With what it would run and be right.
    """

    label: str
    report: Report | None = None
    problem: str = ""
    forward: str = ""
    decides: bool = True
    doubtful: bool = False
    crash: str = ""
    asked: tuple[str, ...] = ()
    unnamed: tuple[str, ...] = ()
    mends: list[Diagnosis] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The verdict at this point."""
        if self.forward:
            return WRONG
        if self.problem or self.report is None:
            return WRONG if self.mends else NOT_CHECKED  # it stops by its own mistake
        return self.report.verdict

    @property
    def mended(self) -> bool:
        """Whether a change of the source is known that makes all that is wrong right."""
        wrong = [a for a in self.report.arrays if a.verdict == WRONG] if self.report else []
        return bool(self.mends) or (
            bool(wrong) and all(any(d.edit for d in a.diagnoses) for a in wrong)
        )

    @property
    def findings(self) -> set[str]:
        """What is wrong at this point, each thing by a short name."""
        found = {what.partition(":")[0] for what in (self.problem, self.forward) if what}
        for array in self.report.arrays if self.report is not None else ():
            if array.verdict != RIGHT:
                kinds = [d.key for d in array.diagnoses if not d.line and d.key != "unknown"]
                likely = "" if array.diagnoses and not kinds else (kinds or [array.reason])[0]
                found.add(f"{array.name} {array.verdict} {likely}")
        return found | set(self.report.habits if self.report is not None else ())
