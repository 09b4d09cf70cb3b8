"""A sheet of points for exercises that are solved in a notebook, cell by cell."""

from typing import TYPE_CHECKING

from ...engine.door import door
from ...errors import OptionError
from ..score import score

if TYPE_CHECKING:
    from ...check import Report, ValueCheck


def share(finding: "Report | ValueCheck") -> float:
    """Share of the points that a finding is worth, 0 to 1; see `minivae.course.score`.

    Raises
    ------
    OptionError
        If it is no finding of `minivae.check`.
    """
    from ...check import Report, ValueCheck  # here, since `minivae exercises list` needs no check
    from ...check.report.result import BUT, RIGHT

    if isinstance(finding, ValueCheck):
        return float(finding.passed)
    if isinstance(finding, Report):
        return score([array.verdict in (RIGHT, BUT) for array in finding.arrays])
    raise OptionError(
        f"a {type(finding).__name__} was given, but points are given for what check_gradients "
        "returns, or for one of what check_values returns."
    )


@door
class Scoresheet:
    """Points by exercise; an exercise that is graded again gets the new points.

    Examples
    --------
    >>> sheet = Scoresheet()
    >>> sheet.grade("SiLU", 2, check_gradients(silu_forward, silu_backward, {"x": x}))
    >>> print(sheet)
    """

    def __init__(self) -> None:
        self.points: dict[str, tuple[float, int]] = {}

    def grade(self, name: str, points: int, *findings: "Report | ValueCheck") -> None:
        """Print what was found and what it is worth.

        Parameters
        ----------
        name : str
            Name of the exercise.
        points : int
            What it is worth when everything is right.
        *findings : Report or ValueCheck
            From `check_gradients` and `check_values`; each has the same weight.

        Raises
        ------
        OptionError
            If nothing was found, or something else is given.
        """
        if not findings:
            raise OptionError(
                f"{name!r} was to be graded, but no finding was given; pass what check_gradients "
                "or check_values has returned."
            )
        earned = points * sum(map(share, findings)) / len(findings)
        self.points[name] = (earned, points)
        print(*findings, sep="\n")
        print(f"\n{name}: {earned:.3g} of {points} points")

    @property
    def earned(self) -> float:
        """Points of all exercises so far."""
        return sum(earned for earned, _ in self.points.values())

    @property
    def possible(self) -> int:
        """What they are worth."""
        return sum(points for _, points in self.points.values())

    def __str__(self) -> str:
        rows = {**self.points, "total": (self.earned, self.possible)}
        width = max(map(len, rows))
        return "\n".join(
            f"{name:<{width}}  {earned:>4.3g} of {points:>2}"
            for name, (earned, points) in rows.items()
        )
