"""Combinations of what all arguments may be, the cheapest first, and the inputs drawn for one."""

import heapq
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...check.verdict.conventions.names import plain
from .discover import Target
from .guess import Candidate, candidates
from .inputs import Spec, draw
from .layouts import OTHERS, SIZES, SPARE, STYLE_COSTS, letter_like, letter_of
from .roles import Names, role_among

MOST_CANDIDATES, MOST_COMBINED = 24, 4000
MISMATCH = re.compile(
    r"([0-9]+) \(dim [0-9]\) != ([0-9]+) \(dim|size ([0-9]+) is different from ([0-9]+)"
    r"|with shapes \((?:[0-9]+,)*([0-9]+)\) \((?:[0-9]+,)*([0-9]+)\)"
)
"""What NumPy says where sizes do not fit; a size may stand in the code, 784 pixels, say."""
LARGEST = 5000
MIXED = 1.5
"""Cost of two styles in one combination."""
TURNED = {"rows": 1.0, "columns": -0.5}
"""What a style costs more where weights are multiplied from the left."""
REDUCED = re.compile("reduc|individual|sizeaverage|average|persample|perexample")
"""An argument with a default that says whether a loss is a mean, plain."""
KEEPS = re.compile("(save|keep|store)(cache|ctx|context|inputs?)|(is)?train(ing)?(fl?a?g|mode)?")
"""An argument with a default that says whether backward will follow, plain."""
OTHER_LOSS = 0.7
"""Cost of a loss that is no mean, where a mean is the default."""
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
    batch, thin, repaired, named : bool
        Whether there are several examples, whether these have a single feature, and whether a size
        was taken from an error, or an axis found to be another's.
    square : bool
        Whether images are as high as they are wide, since it stops at others.
    ran, agrees, nearly, scalar, spread, exact : bool
        Whether forward ran, whether the gradients agree, or do but for the number of examples,
        whether the output is a number, or has several axes, and whether the gradients have their
        arguments' shapes.
    longer : dict of str to int
        Axes that the gradient of an argument has more than the argument.
    way, partly : int
        Where the cost is implied, which it is, and of how many matrices it has the gradient.
    """

    specs: dict[str, Spec]
    init: dict[str, Spec]
    sizes: tuple[dict[str, int], dict[str, int]] = field(repr=False)
    batch: bool = True
    thin: bool = False
    repaired: bool = False
    named: bool = False
    square: bool = False
    ran: bool = False
    agrees: bool = False
    nearly: bool = False
    scalar: bool = False
    spread: bool = False
    exact: bool = True
    longer: dict[str, int] = field(default_factory=dict, repr=False)
    way: int = 0
    partly: int = 0

    @property
    def labels(self) -> list[str]:
        """Arguments that hold whole numbers."""
        return [n for n, spec in self.specs.items() if spec.kind == "labels"]

    @property
    def remark(self) -> str:
        """What the reader must know where gradients agree here alone."""
        other = [
            f"{n}={s.value!r}"
            for n, s in self.specs.items()
            if REDUCED.match(plain(n)) and s.kind == "constant"
        ]
        default = f"it is the gradient at {', '.join(other)}, and not at the default"
        return default if other else "it stops at images that are no squares" * self.square

    def mended(self, error: str) -> "Guess | None":
        """The guess with the size that the code asks for, as an error about sizes tells it."""
        found = MISMATCH.search(error)
        numbers = [int(n) for n in found.groups() if n] if found else []
        used = {axis for spec in self.specs.values() for axis in spec.axes}
        mine = [a for a in used for n in numbers if self.sizes[0].get(a) == n and a != "B"]
        named = [a for a in mine if a.startswith("~")]
        if len(mine) == 2 and len(named) == 1:  # an axis whose name means nothing is another's
            other = next(a for a in mine if a != named[0])
            sizes = tuple({**sizes, named[0]: sizes[other]} for sizes in self.sizes)
            return replace(self, sizes=sizes, named=True)
        if len(mine) == 2 and not self.repaired:  # one axis under two names
            sizes = tuple({**sizes, mine[0]: sizes[mine[1]]} for sizes in self.sizes)
            return replace(self, sizes=sizes, repaired=True)
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

    def squared(self) -> "Guess | None":
        """The guess with images as high as they are wide; None where that is no change."""
        if self.square or not any({"Y", "X"} <= set(s.axes) for s in self.specs.values()):
            return None
        sizes = tuple({**sizes, "X": sizes["Y"]} for sizes in self.sizes)
        return replace(self, sizes=sizes, square=True)

    def lengthened(self) -> "Guess":
        """The guess with axes of 1 before those of arguments whose gradients have more."""
        specs = {
            n: replace(s, axes=("1",) * self.longer.get(n, 0) + s.axes)
            for n, s in self.specs.items()
        }
        return replace(self, specs=specs)

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
    sized = " ".join(n for n, _ in target.init)
    among = Names(target.parameters, target.clues, title=target.name, sized=sized)
    own = Names(target.init, target.init_clues, among.spare, target.name)
    own.beside = tuple(n for n, _ in target.parameters)
    slots: list[list[Candidate]] = []
    for name, required in target.parameters:
        if name.startswith("*"):
            continue
        role = role_among(name, among, among.clues.get(name, {}))
        if not required and REDUCED.match(plain(name)):
            words = [w for w in among.clues.get(name, {}).get("words", ()) if w != "mean"]
            slots.append([Candidate({}), *(_option(name, w) for w in [*words, True][:3])])
        elif not required and KEEPS.fullmatch(plain(name)):
            slots.append([Candidate({}), _option(name, True)])
        elif required or role in LEFT_ALONE:
            alone = [] if required else [Candidate({}, LEFT_ALONE[role or ""])]
            slots.append(sorted([*candidates(name, among), *alone], key=lambda c: c.cost))
    for name, required in target.init:
        if name.startswith("*"):
            continue
        late = own.clues.get(name, {}).get("none") and (  # else made by `build()`
            letter_like(name) or letter_of(name, images=False)
        )
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
    seen: set[str] = set()
    left = any(clue.get("left") for clue in target.clues.values())
    for chosen in _combined(slots, TURNED if left else {}):
        specs = {n: s for c in chosen for n, s in c.specs.items()}
        if repr(specs) in seen:
            continue  # it was cheaper with another style
        seen.add(repr(specs))
        init = {n.removeprefix("init "): s for n, s in specs.items() if n.startswith("init ")}
        inputs = {n: s for n, s in specs.items() if not n.startswith("init ")}
        styles = {c.style for c in chosen}
        yield Guess(inputs, init, sizes, batch="one" not in styles, thin="thin" in styles)


def _option(name: str, value: Any) -> Candidate:
    return Candidate({name: Spec(kind="constant", value=value)}, OTHER_LOSS)


def _different(slot: list[Candidate]) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for candidate in slot:  # the cheapest first
        found.setdefault(repr((candidate.specs, candidate.style)), candidate)
    return list(found.values())


def _combined(slots: list[list[Candidate]], more: dict[str, float]) -> list[tuple[Candidate, ...]]:
    """The cheapest combinations of one candidate from each slot; some styles cost more."""
    slots = [_different(slot)[:MOST_CANDIDATES] for slot in slots]
    if not all(slots):
        return []

    def cost(at: tuple[int, ...]) -> float:
        chosen = [slot[i] for slot, i in zip(slots, at, strict=True)]
        styles = {c.style for c in chosen if c.style}
        habit = max((STYLE_COSTS[s] + more.get(s, 0.0) for s in styles), default=0.0)
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
