"""Search for inputs at which a pair runs: candidates of all arguments, tried together.

Combinations are tried in the order of their cost until one *agrees*: forward gives finite numbers,
each gradient has the shape of its argument, and one numerical derivative, along a random direction,
is what the gradients say. All sizes differ, so a wrong layout hardly ever runs, and agrees never;
and a backward pass that is right is found to be so at inputs of its kind, floats or labels, rows or
columns. Where none agrees, the first combination that ran and whose gradients have the right
shapes is credible, or else the first where most have: there the whole check decides.
"""

import collections
import heapq
import itertools
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...check.verdict.conventions.values import Unreadable
from ...check.verdict.functions import run_once
from ...errors import MinivaeError, OptionError
from .discover import Target
from .guess import Candidate, Names, candidates, role_among
from .inputs import Spec, draw
from .layouts import OTHERS, SIZES, SPARE, STYLE_COSTS, letter_like
from .remote import Answers, NoLossError, RemoteDoor, check_loss
from .sandbox import StudentError
from .worker.messages import MessageError

SECONDS, MOST_TRIES, MOST_AFTER = 4.0, 300, 40
"""For all guesses of a target; and how many after one that is credible."""
MOST_WAYS, WAYS_AT = 30, 3
"""Ways of calling backward that are tried, and guesses at which they are."""
MOST_CANDIDATES, MOST_COMBINED, MOST_MENDED = 24, 4000, 40
MISMATCH = re.compile(
    r"([0-9]+) \(dim [0-9]\) != ([0-9]+) \(dim|size ([0-9]+) is different from ([0-9]+)"
)
"""What NumPy says where sizes do not fit; a size may stand in the code, 784 pixels, say."""
LARGEST = 5000
MOST_SEPARATE = 12
"""Arguments of which each is seen to change the output."""
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


class NoGuessError(MinivaeError):
    """No combination ran; the likeliest one is in `guess`, and what it raised in the text."""

    def __init__(self, text: str, guess: Guess | None) -> None:
        super().__init__(text)
        self.guess = guess


def search(answers: Answers, target: Target) -> tuple[Guess, Target]:
    """The first guess that agrees, or else the first that is credible; and how it is called.

    Raises
    ------
    NoGuessError
        If none is.
    SandboxError
        If the process has ended over it.
    """
    end = time.monotonic() + SECONDS
    first: Guess | None = None
    credible: Guess | None = None
    odd: Guess | None = None
    nearly: Guess | None = None
    stuck: list[Guess] = []
    ran, after, why = False, 0, ""
    waiting = collections.deque(itertools.islice(guesses(target), MOST_TRIES))
    mended = 0
    while waiting:
        guess = waiting.popleft()
        if time.monotonic() > end or after > MOST_AFTER:
            break
        if ran and not guess.batch:
            continue  # a mistake over the batch is not seen at one example
        first = first or guess
        try:
            fits = probe(answers, target, guess)
        except NoLossError:
            raise
        except (OptionError, MessageError):  # no array is among them, or too large ones
            continue
        except (StudentError, Unreadable) as error:
            why = why or str(error)
            if "not written yet" in why:
                break
            after += credible is not None
            stuck += [guess] if guess.ran else []
            if mended < MOST_MENDED and (other := guess.mended(str(error))):
                mended += 1
                waiting.appendleft(other)
            continue
        ran = ran or guess.batch
        if guess.agrees and not (guess.thin and credible):
            return guess, target
        if guess.agrees and nearly:
            raise NoGuessError(WHICH.format(_shapes(guess), _shapes(nearly)), nearly)
        stuck.append(guess)
        if fits == 1 and not guess.thin and _is_credible(guess, target):
            credible = credible or guess
            if guess.nearly and nearly is None:
                nearly = guess
                waiting = collections.deque(sorted(waiting, key=lambda other: not other.thin))
        elif 0.5 < fits < 1:
            odd = odd or guess
        after += credible is not None
    for guess in stuck[:WAYS_AT] if not nearly else ():
        way = other_way(answers, target, guess)
        if way is not None:
            return guess, way
    if found := nearly or credible or odd:
        return found, target
    if ran:
        why = "the gradients have the shapes of the arguments at no guessed inputs"
    raise NoGuessError(why, first)


def _is_credible(guess: Guess, target: Target) -> bool:
    """Whether a guess at which nothing agrees may be the student's inputs.

    Whole numbers must be asked for: as floats they would only be broadcast.
    """
    labels = [n for n, spec in guess.specs.items() if spec.kind == "labels"]
    return all(target.clues.get(n, {}).get("index") for n in labels)


WHICH = (
    "its gradients are right at inputs {}, and at inputs {} off by a size, as where a mean is "
    "over the examples in one pass and over all entries in the other; which inputs does it take?"
)


def _shapes(guess: Guess) -> str:
    drawn, _ = guess.drawn(0, 11)
    return ", ".join(f"{n} {v.shape}" for n, v in drawn.items() if isinstance(v, np.ndarray))


def other_way(answers: Answers, target: Target, guess: Guess) -> Target | None:
    """The target called in another way, if it agrees in one."""
    for way in range(1, MOST_WAYS + 1):
        other = replace(target, way=way)
        try:
            probe(answers, other, guess)
        except (StudentError, Unreadable) as error:
            if "no other way" in str(error):
                return None
            continue
        if guess.agrees or guess.nearly:
            return other
    return None


def probe(answers: Answers, target: Target, guess: Guess) -> float:
    """Run a pair at guessed inputs; note whether it agrees, return the share of shapes that fit."""
    inputs, init = guess.drawn(0, 11)
    door = RemoteDoor(answers, target, init)
    rng = np.random.default_rng(1)
    try:
        with door.inside("frozen", 5):
            outputs, upstream, gradients, _ = run_once(door, inputs, rng=rng)
    finally:
        guess.ran = door.shapes is not None
    reading = door.reading
    if target.form == "loss":
        check_loss(reading, all(y.ndim == 0 for y in outputs))
    vary, given = reading.vary(), reading.arguments
    shapes = {n: given[n].shape for n in vary}
    fits = [n in gradients and _alike(np.shape(gradients[n]), shapes[n]) for n in vary]
    if not all(fits):
        return sum(fits) / len(fits)
    v = {n: rng.standard_normal(shape) for n, shape in shapes.items()}
    said = {n: float(np.sum(np.reshape(gradients[n], shapes[n]) * v[n])) for n in vary}

    def value(step: float, along: Iterable[str]) -> float:
        moved = {
            n: a + step * v[n] * (n in along) if n in v else a.copy() for n, a in given.items()
        }
        with door.inside("frozen", 5):
            outputs, _ = door.forward(moved)
        return sum(float(np.sum(dy * y)) for dy, y in zip(upstream, outputs, strict=True))

    def slope(*along: str) -> float:
        return (value(1e-6, along) - value(-1e-6, along)) / 2e-6

    guess.agrees = _same(slope(*vary), sum(said.values())) and all(
        slope(n) != 0 or len(vary) > MOST_SEPARATE for n in vary
    )
    if not guess.agrees:  # a course may divide by the number of examples in another place
        sizes = {n for a in (*outputs, *given.values()) for n in a.shape}
        factors = {1.0, *(1 / n for n in sizes if n), *(float(n) for n in sizes)}
        guess.nearly = all(
            any(_same(factor * slope(n), said[n]) for factor in factors) for n in vary
        )
    return 1.0


def _same(slope: float, said: float) -> bool:
    return abs(slope - said) <= 1e-4 * (abs(slope) + abs(said)) + 1e-7 and slope != 0


def _alike(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether shapes are the same up to axes of 1."""
    return [n for n in shape if n != 1] == [n for n in wanted if n != 1]


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
