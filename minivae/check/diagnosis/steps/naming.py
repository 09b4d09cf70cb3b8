"""What a mistake at a step is called, by the factor of what comes back there."""

from collections.abc import Iterator

from ..evidence import Evidence
from ..numbers.scale import known_factors
from .scene import Deviation


def said(
    c: float, deviation: Deviation, evidence: Evidence, weights: list[float]
) -> Iterator[tuple[str, str]]:
    """The names of a mistake, and its text; c is the factor of a branch, which should be 1.

    It may be a weight of the forward pass, or one over it.
    """
    where = f"what comes back {deviation.text}"
    if not deviation.scaled or abs(c) < 1e-4:
        text = f"{where} is missing" if deviation.scaled else deviation.text
        yield from ((key, text) for key in deviation.keys[:2])
        return
    if abs(c - 2) < 1e-4 and "kl_missing" in deviation.keys:
        yield "kl_twice", f"{where} is in it twice"
    for weight in weights:
        if min(abs(c - weight), abs(c - 1 / weight)) < 1e-4 * abs(c):
            text = f"the factor {weight:.4g} is missing or too much: {where} has it wrong"
            yield from (("beta", text), ("factor", text))
    for factor in known_factors(evidence):
        if abs(c - factor.sizes[0]) < 1e-4 * abs(factor.sizes[0]):
            yield factor.key, f"{where} is wrong by a factor: {factor.words}"
