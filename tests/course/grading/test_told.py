"""How much is told: below each level there is nothing that belongs to a higher one."""

import json

import numpy as np
import pytest

from minivae.check.diagnosis.mistakes import MISTAKES, SLIPS
from minivae.check.report.report import Report
from minivae.check.report.result import RIGHT, WRONG, ArrayCheck, Diagnosis
from minivae.course.grading.told import FITS, HINTS, told

SOURCE, EDIT = "dx = scale - dy", "dx = scale * dy"
MEND = "write dx = scale * dy"
NAMED = [Diagnosis(key, f"{key} was met: {MEND}", 0.0) for key in MISTAKES]
LINES = [
    Diagnosis(
        kind, f"line 12: `{SOURCE}` {SLIPS[kind]}; with `{EDIT}` it is right", 0.0, 12,
        SOURCE, EDIT,
    )
    for kind in SLIPS
]  # fmt: skip
REASONS = [
    "",
    "dx does not double when dy doubles: multiply by dy, once",
    "the gradient has shape (2, 3), but its argument has (3,)",
    f"with scale * dy it is right; {MEND}",
]


def report_of(diagnoses, reason="", habits=()):
    x = np.arange(3.0)
    wrong = ArrayCheck("x", (3,), WRONG, 0.5, (2,), x, x + 1, reason, 3, list(diagnoses))
    right = ArrayCheck("w", (3,), RIGHT, 0.0, (0,), x, x, "", 3)
    return Report("layer", [wrong, right], list(habits), "complex step", 1e-6, 9)


def everything(report):
    """Text, HTML and JSON, without line breaks."""
    texts = [str(report), report._repr_html_(), report.to_json()]
    return " ".join(" ".join(texts).split())


CASES = [(d, r) for d in [*NAMED, *LINES] for r in REASONS]


@pytest.mark.parametrize("hint", HINTS[:-1])
def test_nothing_of_a_higher_level_is_told(hint):
    level = HINTS.index(hint)
    for diagnosis, reason in CASES:
        shown = told(report_of([diagnosis], reason), hint)
        said = everything(shown)
        assert shown.verdict == WRONG
        for mend in ("scale * dy", "multiply by", "it is right"):
            assert mend not in said, (diagnosis.key, reason)
        kind = SLIPS[diagnosis.key] if diagnosis.line else MISTAKES[diagnosis.key]
        in_words = json.dumps(kind)[1:-1]
        assert (in_words in said) == (hint == "mistake")
        assert ("does not double" in said) == (hint == "mistake" and "double" in reason)
        assert ("line 12" in said) == (level >= 2 and diagnosis.line > 0)
        assert ("dx" in said) == (level >= 1)
        assert (f'"key": "{diagnosis.key}"' in said) == (hint == "mistake")


def test_everything_is_told_of_an_edit():
    report = report_of([LINES[0]], REASONS[1])
    assert told(report, "edit") is report


@pytest.mark.parametrize("hint", HINTS)
def test_where_a_gradient_is_wrong_is_told_and_why_is_not(hint):
    shape = told(report_of([], REASONS[2]), hint)
    assert ("has shape (2, 3)" in str(shape)) == (hint != "verdict")
    doubted = f"{FITS}its spread is the variance: write scale * dy"
    said = everything(told(report_of([], habits=[doubted]), hint))
    assert ("scale * dy" in said) == (hint == "edit")
    assert ("its spread" in said) == (hint in ("mistake", "edit"))
    assert "fits this forward pass" in said


def test_the_report_itself_stays_as_it_is():
    report = report_of(LINES, REASONS[1])
    before = everything(report)
    for hint in HINTS:
        told(report, hint)
    assert everything(report) == before
