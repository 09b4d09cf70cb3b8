"""What a mistake at a step is called, by the factor of what comes back there."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...tape import Tape
from ..evidence import Evidence
from ..numbers.scale import axis_words, known_factors
from .scene import Deviation


def said(c: float, deviation: Deviation, steps: Any) -> Iterator[tuple[str, str]]:
    """The names of a mistake, and its text; c is the factor of a branch, which should be 1."""
    if deviation.scaled:
        yield from _names(c, deviation, steps)
    else:
        for key in deviation.keys[:2]:
            yield key, deviation.text


def _names(c: float, deviation: Deviation, steps: Any) -> Iterator[tuple[str, str]]:
    where = f"what comes back {deviation.text}"
    if abs(c) < 1e-4:
        for key in deviation.keys[:2]:
            yield key, f"{where} is missing"
        return
    if abs(c - 2) < 1e-4 and "kl_missing" in deviation.keys:
        yield "kl_twice", f"{where} is in it twice"
    for constant in steps.constants:
        for value, words in ((1 / constant, "is missing"), (constant, "is in it twice")):
            if abs(c - value) < 1e-4 * abs(value):
                n = round(1 / constant)
                if n > 2 and abs(n * constant - 1) < 1e-9:
                    text = f"the division by {n} {words}: {where} has it wrong"
                    yield from (("batch", text), ("factor", text))
                    continue
                text = f"the factor {constant:.4g} {words}: {where} has it wrong"
                # In a loss, such a factor is the weight of a term.
                weight = steps.evidence.subject.scalar
                for key in ("beta", "factor") if weight else ("factor", "beta"):
                    yield key, text
        for value in (constant**0.5, constant**-0.5):
            if abs(c - value) < 1e-4 * abs(value):
                text = f"a root of {constant:.4g} is missing or too much: {where} has it wrong"
                yield "variance_for_std", text
                yield "factor", text
    for factor in known_factors(steps.evidence):
        if abs(c - factor.sizes[0]) < 1e-4 * abs(factor.sizes[0]):
            yield factor.key, f"{where} is wrong by a factor: {factor.words}"


def constants(tape: Tape, evidence: Evidence) -> list[float]:
    """Numbers other than the usual that the function multiplies by, adds or compares with."""
    found: list[float] = []
    sizes = axis_words(evidence)
    for node in tape.nodes:
        if node.op not in ("multiply", "divide", "add", "subtract", "maximum", "minimum"):
            continue
        for ref in node.inputs:
            if ref[0] != "const" or np.size(ref[1]) != 1:
                continue
            value = abs(float(np.ravel(ref[1])[0]))
            if not value or not np.isfinite(value):
                continue
            value = 1 / value if node.op == "divide" else value
            whole = max(value, 1 / value)
            usual = abs(whole - round(whole)) < 1e-9 and whole < 1e3
            if node.op == "divide" or (node.op == "multiply" and node.value.size == 1):
                # A count, or the weight of a term, is worth a name.
                usual = usual and (whole <= 2 or round(whole) in sizes)
            if not usual and all(abs(value - v) > 1e-9 * v for v in found):
                found.append(value)
    for value in evidence.subject.options.values():
        if isinstance(value, float) and value not in (0.0, 1.0) and abs(value) not in found:
            found.append(abs(value))
    return found[:8]
