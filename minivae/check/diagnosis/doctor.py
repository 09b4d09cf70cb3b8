"""From a wrong gradient to the likely mistake.

Every mistake that the doctor knows predicts a gradient. The predictions are compared with the
gradient that was returned, at several points; those that agree to within rounding are reported, the
most specific first. If none agrees, the doctor says so, and where the gradient is wrong.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

import numpy as np

from ..report.report import Report
from ..report.result import WRONG, ArrayCheck, Diagnosis
from ..verdict.subject import Subject
from .edits import as_diagnosis, find_mends
from .evidence import Evidence, misfit
from .experiments import head_findings, noise_findings, upstream_findings
from .finding import Finding
from .mistakes import MISTAKES
from .numbers.places import describe_places, place_findings, shape_findings
from .numbers.scale import batch_axis_size, scale_findings, swap_findings
from .steps import Steps

CLOSE = 1e-4
"""Largest relative distance at which a mistake is named."""
SUGGESTIONS = 3


def diagnose(report: Report, subject: Subject, upstream: list[np.ndarray], seed: int) -> None:
    """Add the likely mistakes to each wrong gradient of the report."""
    wrong = [array for array in report.arrays if array.verdict == WRONG]
    if not wrong:
        return
    evidence = Evidence(subject, upstream, seed, report.method == "complex step")
    mends = find_mends(evidence, [array.name for array in wrong])
    doctor = Doctor(evidence)
    found = {array.name: doctor.examine(array) for array in wrong}
    common = Counter(text for result in found.values() for text in _causes(result))
    own = subject.manners.name or "dout"
    for array in wrong:
        at = [as_diagnosis(mend) for mend in mends if array.name in mend.names]
        known = [
            replace(d, text=re.sub(r"\bdout\b", own, d.text))
            for d in _ranked(found[array.name], common)
        ]
        array.diagnoses = [*at, *known[: 1 if at else None]] or [
            Diagnosis("unknown", doctor.unknown(array), float("nan"))
        ]


def _causes(findings: list[Finding]) -> set[str]:
    return {finding.text for finding in findings if finding.level == 0}


class Doctor:
    """Diagnoses of one subject; what is found for one gradient serves the others."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.steps = Steps(evidence)

    def examine(self, array: ArrayCheck) -> list[Finding]:
        """All mistakes that explain one gradient."""
        name = array.name
        if array.yours is None:
            text = f"nothing is returned for {name}; backward must return d{name}"
            return [Finding("zero", text, 0.0)]
        if not np.isfinite(array.yours).all():
            return []
        return self.fitting(name)

    def unknown(self, array: ArrayCheck) -> str:
        """What to say when nothing explains a gradient."""
        if array.yours is not None and not np.isfinite(array.yours).all():
            return _nan_text(array)
        if self._in_float64(array.name) and self.distance(array.name) < 1e-7:
            return (
                "in float64 it is right; what is left is rounding, which grows where large numbers "
                "cancel: look for a difference of nearly equal numbers, or an exponential that "
                "should be shifted"
            )
        return unknown_text(array)

    def _in_float64(self, name: str) -> bool:
        return bool(self.evidence.probes) and name in self.evidence.probes[0].gradients

    def distance(self, name: str) -> float:
        """How far the gradient is from the right one, relative."""
        return misfit(self.evidence.true(name), self.evidence.yours(name))

    def fitting(self, name: str) -> list[Finding]:
        """The mistakes whose gradient is the one at hand."""
        if not self._in_float64(name):
            return []
        yours, true = self.evidence.yours(name), self.evidence.true(name)
        distance = misfit(true, yours)
        if distance < 1e-7:
            return []
        limit = min(CLOSE, 0.05 * distance) if np.isfinite(distance) else CLOSE
        found: list[Finding] = []
        for number, stage in enumerate(self.stages(name, yours, true)):
            found += [f for f in stage if f.misfit <= limit]
            if any(f.level <= 2 and (f.level <= 1 or number > 0) for f in found):
                break  # what follows is less specific
        return found

    def stages(
        self, name: str, yours: list[np.ndarray], true: list[np.ndarray]
    ) -> Iterator[Iterator[Finding]]:
        """All mistakes that can be tried on a gradient, the specific and the cheap ones first."""
        evidence = self.evidence
        if yours[0].shape != true[0].shape:
            ups = [list(dys) for dys in zip(*(p.upstream for p in evidence.probes), strict=True)]
            yield shape_findings(name, yours, true, ups, batch_axis_size(evidence))
            return
        yield chain(
            noise_findings(name, yours, evidence),
            scale_findings(yours, true, evidence),
            place_findings(yours, true),
            swap_findings(name, yours, evidence),
            head_findings(name, yours, evidence),
        )
        yield self.steps.findings(name, yours, true)
        yield upstream_findings(name, yours, evidence)


def _ranked(findings: list[Finding], common: Counter) -> list[Diagnosis]:
    """The best few, each kind of mistake once; the same words are not said twice.

    A cause that explains several wrong gradients comes before one that explains this one alone.
    """
    chosen: list[Diagnosis] = []
    level = None
    most = max((common[f.text] for f in findings if f.level == 0), default=0)
    findings = [f for f in findings if f.level > 0 or common[f.text] == most]
    order = sorted(findings, key=lambda f: f.level)
    for finding in order:
        if any(d.key == finding.key for d in chosen):
            continue
        if level is not None and finding.level > max(level, 1):
            break
        level = finding.level
        text = finding.text
        if any(d.text == text for d in chosen):
            text = f"in other words: {MISTAKES[finding.key]}"
        elif chosen:
            text = f"{text} (it gives the same numbers; here the two cannot be told apart)"
        chosen.append(Diagnosis(finding.key, text, finding.misfit))
        if len(chosen) == SUGGESTIONS:
            break
    return chosen


def _nan_text(array: ArrayCheck) -> str:
    bad = ~np.isfinite(array.yours)
    first = ", ".join(str(int(i)) for i in np.argwhere(bad)[0])
    return (
        f"{int(bad.sum())} of {bad.size} entries are NaN or infinite, the first at [{first}]: look "
        "for a division by 0, a logarithm of 0, an exponential that overflows, or an array that is "
        "never filled"
    )


def unknown_text(array: ArrayCheck) -> str:
    """That the cause is unknown, and where the gradient is wrong."""
    if array.yours is None or array.numerical is None or array.yours.shape != array.numerical.shape:
        return f"wrong, cause unknown; its shape is not that of {array.name}"
    a, n = array.yours, array.numerical
    known = np.isfinite(n) & np.isfinite(a)
    scale = max(np.abs(n[known]).max(initial=0.0), 1e-300)
    wrong = known & (np.abs(a - np.where(known, n, 0)) > 1e-6 * scale)
    everywhere = wrong.sum() in (0, wrong.size)
    where = "every entry" if everywhere else describe_places(wrong, known)
    cosine = _cosine(a[known], n[known])
    return (
        f"wrong, cause unknown. Wrong: {where}. Yours and the right one point in directions with "
        f"the cosine {cosine:.2f}, and are {_length(a[known], n[known])} times as long"
    )


def _cosine(a: np.ndarray, n: np.ndarray) -> float:
    below = float(np.linalg.norm(a) * np.linalg.norm(n))
    return float(a @ n) / below if below else 0.0


def _length(a: np.ndarray, n: np.ndarray) -> str:
    below = float(np.linalg.norm(n))
    return f"{np.linalg.norm(a) / below:.3g}" if below else "infinitely many"
