"""How much of a report is told: an exercise whose answer is printed is none.

verdict    right or wrong, and no more
gradient   which gradient, where in it, and by how much
line       also the line that is to be looked at
mistake    also what kind of mistake it is likely to be, without what would mend it
edit       everything

Below "edit" no sentence about a mistake is passed on: what is said instead is made of the kind of
the mistake and of the student's own line. Of reasons the known ones are passed on, and of a doubt
about the forward pass what comes before a colon or a semicolon; what mends it stands behind.
"""

import copy
import re
from dataclasses import replace

from ...check.diagnosis.mistakes import MISTAKES, SLIPS
from ...check.report.report import Report
from ...check.report.result import WRONG, ArrayCheck, Diagnosis

HINTS = ("verdict", "gradient", "line", "mistake", "edit")
FITS = "the gradient fits this forward pass, but "
"""What a habit begins with that tells a mistake in the forward pass."""
FACT = re.compile(
    r"no gradient |the gradient (has|holds) |the right numbers|the \d+ entries|it diff"
)
WHY = re.compile(r"\S+ does not double when \S+ doubles")
"""Reasons that say of a wrong gradient where it is wrong, and those that say why it is."""


def told(report: Report, hint: str) -> Report:
    """A copy of a report that tells so much.

    Parameters
    ----------
    report : Report
        Stays as it is.
    hint : {"verdict", "gradient", "line", "mistake", "edit"}
        See above.
    """
    if hint == "edit":
        return report
    less = copy.copy(report)
    less.hint = hint
    less.arrays = [_less(array, hint) for array in report.arrays]
    less.habits = [_habit(habit, hint) for habit in report.habits]
    return less


def _less(array: ArrayCheck, hint: str) -> ArrayCheck:
    said: dict[str, Diagnosis] = {}
    for each in array.diagnoses:
        if less := cut(each, hint):
            said.setdefault(less.text, less)
    reason = array.reason
    if array.verdict == WRONG and not FACT.match(reason):
        why = WHY.match(reason) if hint == "mistake" else None
        reason = why[0] if why else ""
    return replace(array, diagnoses=list(said.values()), reason=reason)


def cut(diagnosis: Diagnosis, hint: str) -> Diagnosis | None:
    """A diagnosis that tells so much; None if it tells nothing then."""
    key, line = diagnosis.key, diagnosis.line
    if hint == "edit":
        return diagnosis
    if hint == "mistake" and line:
        text = f"{diagnosis.where}: `{diagnosis.source}` {SLIPS[key]}"
    elif hint == "mistake":
        text = MISTAKES.get(key, diagnosis.text)
    elif hint == "line" and line:
        key, text = "line", f"see {diagnosis.where}"
    else:
        return None
    return replace(diagnosis, key=key, text=text, edit="")


def _habit(habit: str, hint: str) -> str:
    if not habit.startswith(FITS):
        return habit
    known = re.split(r"[:;] ", habit, maxsplit=1)[0]
    return known if hint == "mistake" else f"{FITS}the values themselves are doubtful"
