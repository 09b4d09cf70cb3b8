"""Combinations of what all arguments may be, the cheapest first, and the inputs drawn for one."""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .discover import Target
from .guess import Candidate, candidates
from .inputs import Spec, draw
from .layouts import OTHERS, SIZES, SPARE, STYLE_COSTS, letter_like
from .roles import Names, role_among

MOST_CANDIDATES, MOST_COMBINED = 24, 4000
MISMATCH = re.compile(
    r"([0-9]+) \(dim [0-9]\) != ([0-9]+) \(dim|size ([0-9]+) is different from ([0-9]+)"
)
"""What NumPy says where sizes do not fit; a size may stand in the code, 784 pixels, say."""
LARGEST = 5000
MIXED = 1.5
"""Cost of two styles in one combination."""
LEFT_ALONE = {"target": 2.5, "labels": 2.5, "b": 1.0, "mask": -1.0, "eps": 0.5}
"""Role of an argument with a default that is tried all the same -> cost of leaving it alone."""


@dataclass
class Guess:
    """Inputs for a target: how to draw them, and how they did.

    Attributes
    ----------
    specs, init : dict
        How arguments of forward and of the constructor are drawn.
    sizes : tuple of dict
        At the first point, and at the one with other sizes.
    batch, thin, repaired : bool
        Whether there are several examples, whether these have a single feature, and whether a size
        was taken from an error.
    ran, agrees, nearly : bool
        Whether forward ran, whether the gradients agree, or do but for the number of examples.
    """

    specs: dict[str, Spec]
    init: dict[str, Spec]
    sizes: tuple[dict[str, int], dict[str, int]] = field(repr=False)
    batch: bool = True
    thin: bool = False
    repaired: bool = False
    ran: bool = False
    agrees: bool = False
    nearly: bool = False

    def mended(self, error: str) -> "Guess | None":
        """The guess with the size that the code asks for, as an error about sizes tells it."""
        found = MISMATCH.search(error)
        numbers = [int(n) for n in found.groups() if n] if found else []
        used = {axis for spec in self.specs.values() for axis in spec.axes}
        mine = [a for a in used for n in numbers if self.sizes[0].get(a) == n and a != "B"]
        if len(mine) != 1:
            return None
        wanted = next((n for n in numbers if n != self.sizes[0][mine[0]]), None)
        if (
            wanted is None
            or wanted > LARGEST
            or self.repaired
            or wanted in [self.sizes[0].get(a) for a in used]
        ):
            return None
        sizes = tuple({**sizes, mine[0]: wanted} for sizes in self.sizes)
        return replace(self, sizes=sizes, repaired=True)

    def drawn(self, which: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments of forward and of the constructor, at the first or the other sizes."""
        rng = np.random.default_rng(seed)
        inputs = draw(self.specs, self.sizes[which], rng)
        return inputs, draw(self.init, self.sizes[which], rng)


@dataclass
class Fixed(Guess):
    """Inputs that somebody has given."""

    def __init__(self, inputs: dict[str, Any], init: dict[str, Any]) -> None:
        super().__init__({}, {}, ({}, {}))
        self.given = inputs, init

    def drawn(self, which: int, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
        """What was given."""
        return self.given


def guesses(target: Target) -> Iterator[Guess]:
    """Combinations of what all arguments may be, the cheapest first."""
    among = Names(target.parameters, target.clues)
    own = Names(target.init, target.init_clues, among.spare)
    slots: list[list[Candidate]] = []
    for name, required in target.parameters:
        if name.startswith("*"):
            continue
        role = role_among(name, among, among.clues.get(name, {}))
        if required or role in LEFT_ALONE:
            alone = [] if required else [Candidate({}, LEFT_ALONE[role or ""])]
            slots.append(sorted([*candidates(name, among), *alone], key=lambda c: c.cost))
    for name, required in target.init:
        if name.startswith("*"):
            continue
        late = own.clues.get(name, {}).get("none") and letter_like(name)  # else made by `build()`
        if required or late:
            found = candidates(name, own, constructor=True)
            found = found if required else [Candidate({}), *found]
            slots.append(
                [
                    Candidate({f"init {n}": s for n, s in c.specs.items()}, c.cost, c.style)
                    for c in found
                ]
            )
    spare = {symbol: SPARE[i % len(SPARE)] for i, symbol in enumerate(among.spare.values())}
    sizes = ({**SIZES, **spare}, {**OTHERS, **{s: n - 1 for s, n in spare.items()}})
    for chosen in _combined(slots):
        specs = {n: s for c in chosen for n, s in c.specs.items()}
        init = {n.removeprefix("init "): s for n, s in specs.items() if n.startswith("init ")}
        inputs = {n: s for n, s in specs.items() if not n.startswith("init ")}
        styles = {c.style for c in chosen}
        yield Guess(inputs, init, sizes, batch="one" not in styles, thin="thin" in styles)


def _combined(slots: list[list[Candidate]]) -> list[tuple[Candidate, ...]]:
    """The cheapest combinations of one candidate from each slot, in order."""
    slots = [slot[:MOST_CANDIDATES] for slot in slots]
    if not all(slots):
        return []

    def cost(at: tuple[int, ...]) -> float:
        chosen = [slot[i] for slot, i in zip(slots, at, strict=True)]
        styles = {c.style for c in chosen if c.style}
        habit = max((STYLE_COSTS[style] for style in styles), default=0.0)
        return sum(c.cost for c in chosen) + habit + MIXED * max(0, len(styles - {"thin"}) - 1)

    start = (0,) * len(slots)
    queue, seen, found = [(cost(start), start)], {start}, []
    while queue and len(found) < MOST_COMBINED:
        price, at = heapq.heappop(queue)
        found.append((price, at))
        for i in range(len(slots)):
            following = (*at[:i], at[i] + 1, *at[i + 1 :])
            if following[i] < len(slots[i]) and following not in seen:
                seen.add(following)
                heapq.heappush(queue, (cost(following), following))
    found.sort()
    return [tuple(slot[i] for slot, i in zip(slots, at, strict=True)) for _, at in found]
