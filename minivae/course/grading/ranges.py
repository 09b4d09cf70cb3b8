"""Ranges of values: which guesses may hold numbers of a kind, and what is tried beyond them.

At numbers between 0 and 1 a ReLU is the identity, and in rows with a sum of 1 a mean over the wrong
axis is a constant. So a range that neither a name, `p` or `sigma`, nor a logarithm in the source
asks for is no excuse: what disagrees at other numbers, where forward runs, is wrong.
"""

from collections.abc import Iterator
from dataclasses import replace

from ...check.verdict.conventions.names import role_of
from .combine import Guess
from .discover import Target
from .roles import Names, role_among

WIDER = {
    "positive": ("normal",),
    "unit": ("normal", "positive"),
    "simplex": ("normal", "positive", "unit"),
}
"""Kind of values -> the kinds that hold more, the widest first."""
RANGES = {"normal", "away", *WIDER}
OF_NAMES = ("p", "pred", "sigma")
"""Roles whose names ask for a range."""


def asks_for_range(name: str, target: Target) -> bool:
    """Whether an argument's name, or a logarithm of it in the source, asks for a range."""
    name = name.rpartition(".")[2]
    clue = target.clues.get(name, {})
    among = Names(target.parameters, target.clues, title=target.name)
    roles = (role_among(name, among, clue), role_of(name))
    return bool(clue.get("log")) or any(role in OF_NAMES for role in roles)


def is_range_alone(guess: Guess, other: Guess, target: Target) -> bool:
    """Whether a guess differs from another in ranges that nothing asks for, or in fewer arrays."""
    if guess.specs.keys() != other.specs.keys():
        return False
    pairs = [(n, s, other.specs[n]) for n, s in guess.specs.items() if s != other.specs[n]]
    if any(o.axes and s.kind == "constant" for _, s, o in pairs):
        return True
    return bool(pairs) and all(
        s.axes == o.axes and {s.kind, o.kind} <= RANGES and not asks_for_range(n, target)
        for n, s, o in pairs
    )


def wider_ranges(guess: Guess, target: Target) -> Iterator[Guess]:
    """The guess with wider ranges, the widest first."""
    narrow = {
        n: spec
        for n, spec in guess.specs.items()
        if spec.kind in WIDER and not asks_for_range(n, target)
    }
    for kind in ("normal", "positive", "unit"):
        wider = {n: replace(s, kind=kind) for n, s in narrow.items() if kind in WIDER[s.kind]}
        if wider:
            yield replace(guess, specs={**guess.specs, **wider}, agrees=False, nearly=False)
