"""Small constants that forward has and backward leaves out, as in log(p + 1e-8) and 1 / p.

What that makes of a gradient is small and shrinks with the constant; a mistake does not. So the
constants of the source are made smaller, and the distance to the slope is measured again.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..report.result import BUT, WRONG, ArrayCheck
from .subject import Subject

LARGEST, FARTHEST = 1e-3, 0.1
"""Of such a constant, a slope of 0.01 is none; and of the relative error that it may explain."""
SMALLER, STEP = 1e-2, 1e-5
SMALL = re.compile(r"(?<![\w.])(?:\d+(?:\.\d*)?[eE]-\d+|0?\.0\d+)(?![\w.])")


def judge_epsilon(arrays: list[ArrayCheck], subject: Subject, upstream: list[np.ndarray]) -> None:
    """Let pass what is off by a small constant's doing.

    Parameters
    ----------
    arrays : list of ArrayCheck
        Their verdicts are changed.
    subject : Subject
        What is checked.
    upstream : list of numpy.ndarray
        The upstream gradients.
    """
    known = subject.manners.epsilon
    for array in arrays:
        small = array.verdict == WRONG and 0 < array.error <= FARTHEST
        if not small or np.shape(array.yours) != array.shape:
            continue
        epsilon = known if array.error <= min(1e4 * known, 2e-3) else 0.0
        epsilon = epsilon or _shrinks_with(array.name, subject, upstream)
        if epsilon:
            array.verdict = BUT
            array.reason = (
                f"it is off by {array.error:.0e} of the largest entry, as where backward leaves "
                f"out a small constant of forward, such as {epsilon:g}"
            )


def _shrinks_with(name: str, subject: Subject, upstream: list[np.ndarray]) -> float:
    """A constant of the source with which the distance to the slope goes to 0; 0 if none does."""
    if subject.editor is None:
        return 0.0
    for index, described in enumerate(subject.editor.functions(upstream)):
        before: float | None = None
        for value, text in _with_smaller(described["text"]):
            try:
                if before is None:  # of a function without such a constant it is not asked
                    before = _distance(name, subject, upstream, index, described["text"])
                after = _distance(name, subject, upstream, index, text)
            except Exception:  # it does not run so
                continue
            if after < 3 * SMALLER * before:
                return value
    return 0.0


def _with_smaller(text: str) -> Iterator[tuple[float, str]]:
    """Each small constant of a function's text, and the text where it is smaller."""
    for found in dict.fromkeys(SMALL.findall(text)):
        if 0 < float(found) <= LARGEST:
            number = rf"(?<![\w.]){re.escape(found)}(?![\w.])"
            yield float(found), re.sub(number, repr(float(found) * SMALLER), text)


def _distance(
    name: str, subject: Subject, upstream: list[np.ndarray], index: int, text: str
) -> float:
    """How far the slope in one direction is from the gradient's, with a function's text."""
    editor, x = subject.editor, subject.arguments[name]
    assert editor is not None
    v = np.random.default_rng(x.size).standard_normal(x.shape)

    def tried(step: float) -> tuple[float, Any]:
        moved = {**subject.arguments, name: x + step * v}
        with subject.frozen(0), np.errstate(all="ignore"):
            outputs, found = editor.trial(index, text, moved, upstream)
        return sum(float(np.sum(dy * y)) for dy, y in zip(upstream, outputs, strict=True)), found

    slope = (tried(STEP)[0] - tried(-STEP)[0]) / (2 * STEP)
    return abs(slope - float(np.sum(tried(0.0)[1][name] * v)))
