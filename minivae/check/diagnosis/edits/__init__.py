"""The smallest change of a student's own text that makes the gradient right.

It needs no knowledge of the operation. `candidates` lists what one expression may have been meant
to be, `missing` what it may lack; `search` runs the functions with it and compares gradients.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ...report.result import Diagnosis
from ...verdict.subject import Subject
from ..evidence import Evidence
from ..mistakes import SLIPS
from .search import Mend, Search


def find_mends(evidence: Evidence, wrong: Iterable[str]) -> list[Mend]:
    """Changes of the source that make the wrong gradients right; none where there is no source."""
    editor = evidence.subject.editor
    if editor is None or not evidence.probes:
        return []
    if (
        evidence.subject.scalar and evidence.subject.manners.upstream
    ):  # a loss that forgets its upstream gradient is right at 1
        other = [np.full_like(dy, 1.7) for dy in evidence.probes[0].upstream]
        evidence = Evidence(evidence.subject, other, evidence.seed, evidence.analytic)
    return Search(evidence, editor, wrong).run()


def mends_of_stop(subject: Subject) -> list[Diagnosis]:
    """Changes with which a backward pass that raises runs, and is right.

    Parameters
    ----------
    subject : Subject
        Without backward; all arguments vary.
    """
    with subject.frozen(0):
        outputs, _ = subject.forward({n: a.copy() for n, a in subject.arguments.items()})
    rng = np.random.default_rng(5)
    upstream = [np.asarray(1.7 + rng.random(y.shape)) for y in outputs]
    evidence = Evidence(subject, upstream, 0, False)
    if subject.editor is None or not evidence.probes:
        return []
    return [as_diagnosis(m) for m in Search(evidence, subject.editor, subject.vary, True).run()]


def as_diagnosis(mend: Mend) -> Diagnosis:
    """What the report says of a change, as a person would who looks over one's shoulder."""
    at = Diagnosis(
        mend.kind, "", 0.0, line=mend.line, source=mend.source, edit=mend.edit, cell=mend.cell
    )
    right = "it is right" if not mend.raised else "it runs, and is right"
    text = f"{at.where}: `{mend.source}` {SLIPS[mend.kind]}; with `{mend.edit}` {right}"
    return replace(at, text=text)
