"""How much of a report is told: an exercise whose answer is printed is none.

verdict    right or wrong, and no more
gradient   which gradient, where in it, and by how much
line       also the line that is to be looked at
mistake    also what kind of mistake it is likely to be, without what would mend it
edit       everything
"""

import copy
import re
from dataclasses import replace

from .report import Report
from .result import Diagnosis

HINTS = ("verdict", "gradient", "line", "mistake", "edit")
MEND = re.compile(r"[:;,]? (?:write|multiply|divide|use|pass|with)\b(?= [`\w(]).*", re.DOTALL)
"""Where a sentence on a mistake goes over to what mends it."""


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
    less.arrays = [
        replace(array, diagnoses=[d for each in array.diagnoses if (d := _cut(each, hint))])
        for array in report.arrays
    ]
    for array in less.arrays:
        if hint != "mistake" and array.reason and MEND.search(array.reason):
            array.reason = ""
    return less


def _cut(diagnosis: Diagnosis, hint: str) -> Diagnosis | None:
    if hint == "mistake":
        return replace(diagnosis, text=MEND.sub("", diagnosis.text), edit="")
    if hint == "line" and diagnosis.line:
        return replace(diagnosis, key="line", text=f"see line {diagnosis.line}", edit="")
    return None
