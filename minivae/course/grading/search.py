"""Search for inputs at which a pair runs: candidates of all arguments, tried together.

Combinations are tried in the order of their cost until one *agrees*: forward gives finite numbers,
each gradient has the shape of its argument, and one numerical derivative, along a random direction,
is what the gradients say. All sizes differ, so a wrong layout hardly ever runs, and agrees never;
and a backward pass that is right is found to be so at inputs of its kind, floats or labels, rows or
columns. Where none agrees, the first combination that ran and whose gradients have the right
shapes is credible, or else the first where most have: there the whole check decides.
"""

import collections
import contextlib
import itertools
import time
from dataclasses import replace

import numpy as np

from ...check.verdict.conventions.implied import IMPLIED
from ...check.verdict.conventions.values import Unreadable
from ...errors import MinivaeError, OptionError
from .combine import Guess, guesses
from .discover import Target
from .probing import probe
from .ranges import is_range_alone, wider_ranges
from .remote import Answers, NoLossError
from .roles import LOSS
from .sandbox import StudentError
from .worker.messages import MessageError

SECONDS, MOST_TRIES, MOST_AFTER = 4.0, 300, 40
"""For all guesses of a target; and how many after one that is credible."""
FEWEST_TRIES = 150
"""Guesses that are tried in any case, on a slow machine for up to four times as long."""
MOST_WAYS, WAYS_AT = 30, 3
"""Ways of calling backward that are tried, and guesses at which they are."""
MOST_MENDED, FEWEST_UNFIT = 40, 3
WHOLE = "must be of integer"
"""What NumPy says where an array is indexed with floats."""


class NoGuessError(MinivaeError):
    """No combination ran; the likeliest one is in `guess`, and what it raised in the text.

    `ran` is the first at which forward does run, with several examples and features.
    """

    def __init__(self, text: str, guess: Guess | None, *, ran: Guess | None = None) -> None:
        super().__init__(text)
        self.guess, self.ran = guess, ran


def search(answers: Answers, target: Target) -> tuple[Guess, Target]:
    """The first guess that agrees, or else the first that is credible; and how it is called.

    Raises
    ------
    NoGuessError
        If none is.
    SandboxError
        If the process has ended over it.
    """
    guess, target = _search(answers, target)
    return guess, with_cost(target, guess)


def with_cost(target: Target, guess: Guess) -> Target:
    """The target with the cost that is implied, if one is, and some of its gradients are its own.

    Raises
    ------
    NoGuessError
        If its gradients are those of no cost.
    """
    if target.loss != IMPLIED:
        return target
    layers = any(isinstance(spec.value, list) for spec in guess.init.values())
    stacked = layers and any("stride" in name for name in guess.init)  # whose layers nobody knows
    if not (guess.agrees or (guess.partly and not stacked)):
        raise NoGuessError(NO_COST, guess)
    return replace(target, way=guess.way)


def _search(answers: Answers, target: Target) -> tuple[Guess, Target]:
    end = time.monotonic() + SECONDS
    first: Guess | None = None
    credible: Guess | None = None
    odd: Guess | None = None
    wide: Guess | None = None  # the first of several examples and features at which forward runs
    nearly: Guess | None = None
    loose: Guess | None = None
    stuck: list[Guess] = []
    unfit: set[tuple[str, ...]] = set()
    ran, named, whole, late, several, after, why = False, False, False, False, False, 0, ""
    waiting = collections.deque(itertools.islice(guesses(target), MOST_TRIES))
    mended = tries = 0
    while waiting:
        guess = waiting.popleft()
        tries += 1
        late = time.monotonic() > end + (tries < FEWEST_TRIES) * 3 * SECONDS
        if late or after > MOST_AFTER:
            break
        if ran and not (guess.batch or several):
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
            wide = wide or (guess if guess.ran and guess.batch and not guess.thin else None)
            stuck += [guess] if guess.ran and not (credible and guess.thin) else []
            if not whole and WHOLE in str(error):  # labels first
                whole = True
                waiting = collections.deque(sorted(waiting, key=lambda other: not other.labels))
            if mended < MOST_MENDED and (other := guess.mended(str(error))):
                mended += 1
                one_axis = len(set(other.sizes[0].values())) < len(set(guess.sizes[0].values()))
                (waiting.append if one_axis and not other.named else waiting.appendleft)(other)
                if other.named and not named:  # so it is in all of them
                    named = True
                    waiting = collections.deque(
                        replace(g, sizes=other.sizes, named=True) for g in waiting
                    )
            elif (other := guess.squared()) and not credible:
                waiting.append(other)
            continue
        ran = ran or guess.batch
        if target.loss == IMPLIED and not guess.agrees:
            odd = odd if odd is not None and (odd.partly or not guess.partly) else guess
            after += 10 * bool(guess.partly)
            continue
        several = several or (guess.spread and bool(LOSS.search(target.name)))
        arrays = [s.axes for s in guess.specs.values() if s.axes]
        unfit |= set(arrays) if not fits and len(arrays) == 1 and not guess.thin else set()
        wide = wide or (guess if guess.batch and not guess.thin else None)
        if wide and guess.thin and not guess.scalar and _is_one_row(guess):
            continue  # an axis of 1 hides what is done along the wrong one
        if guess.agrees and not (credible and is_range_alone(guess, credible, target)):
            guess = _widened(answers, target, guess)
        else:
            guess.agrees = False
        if guess.agrees and not guess.exact and not (guess.thin and credible):  # (1, O) for (O,)
            with contextlib.suppress(StudentError, Unreadable):
                other = guess.lengthened()
                if guess.longer and probe(answers, target, other) == 1 and other.agrees:
                    loose = other
            loose, after = loose or guess, after + 1
            continue
        if guess.agrees and credible and _other_axes(guess, credible):
            raise NoGuessError(AXES.format(_shapes(guess), _shapes(credible)), credible)
        if guess.agrees and (guess.remark or not (guess.thin and credible)):
            return guess, target
        if guess.agrees and nearly and _is_question(guess, nearly):
            raise NoGuessError(WHICH.format(_shapes(guess), _shapes(nearly)), nearly)
        if not (credible and (guess.thin or any(wider_ranges(guess, target)))):
            stuck.append(guess)
        believed = fits == 1 and _is_credible(answers, target, guess)
        if believed and not guess.thin and _are_told(target, guess):
            if credible is None:
                credible, waiting = guess, _varied(waiting)
            if guess.nearly and nearly is None:
                nearly = guess
                waiting = collections.deque(sorted(waiting, key=lambda o: not (o.remark or o.thin)))
        elif guess.batch and not (guess.thin and guess.init) and (believed or 0.5 < fits < 1):
            odd = odd or guess
        after += credible is not None
    if loose:
        return loose, target
    for guess in stuck[:WAYS_AT] if not nearly else ():
        way = other_way(answers, target, guess)
        if way is not None:
            return guess, way
    if found := nearly or credible or odd:
        if late and not nearly and target.loss != IMPLIED:
            raise NoGuessError(LATE, found, ran=found)
        return found, target
    if wide and not wide.scalar and len(unfit) >= FEWEST_UNFIT:
        return wide, target  # its one gradient has the shape of its argument in no layout
    if ran:
        why = "the gradients have the shapes of the arguments at no guessed inputs"
    raise NoGuessError(why, first, ran=wide)


def _are_told(target: Target, guess: Guess) -> bool:
    """Whether the source says that what the guess has as whole numbers is an index."""
    return all(target.clues.get(n, {}).get("index") for n in guess.labels)


def _is_credible(answers: Answers, target: Target, guess: Guess) -> bool:
    """Whether a guess at which nothing agrees may be the student's inputs.

    Whole numbers must be asked for, by the source, or because floats in their place raise: else
    they would only be broadcast.
    """
    if _is_broadcast(guess):
        return False
    if _are_told(target, guess):
        return True
    floats = {n: replace(s, kind="normal") for n, s in guess.specs.items() if n in guess.labels}
    try:
        probe(answers, target, replace(guess, specs={**guess.specs, **floats}))
    except StudentError:
        return True
    except (Unreadable, MinivaeError, MessageError):
        return False
    return False


def _widened(answers: Answers, target: Target, guess: Guess) -> Guess:
    """A guess that agrees, or the first with wider ranges of values at which forward runs.

    A mistake can be invisible at numbers between 0 and 1, or in rows with a sum of 1.
    """
    for other in wider_ranges(guess, target):
        with contextlib.suppress(StudentError, Unreadable, MinivaeError, MessageError):
            if probe(answers, target, other) == 1:
                guess = other
                break
    if guess.agrees:  # with other values too?
        with contextlib.suppress(StudentError, Unreadable):
            probe(answers, target, guess, seed=13)
    return guess


def _is_broadcast(guess: Guess) -> bool:
    """Whether a loss compares two arrays of floats that fit only because one is spread out."""
    axes = [s.axes for s in guess.specs.values()]
    alone = guess.scalar and not guess.init and not guess.labels
    return alone and len(axes) == 2 and all(axes) and axes[0] != axes[1]


def _is_one_row(guess: Guess) -> bool:
    return any("1" in spec.axes for spec in guess.specs.values())


def _is_question(guess: Guess, nearly: Guess) -> bool:
    """Whether a loss that agrees at one feature may be meant for one; not at one example."""
    first, other = (next(iter(g.specs.values())).axes[:1] for g in (guess, nearly))
    return nearly.scalar and not guess.remark and not (first == ("1",) and other == ("B",))


def _varied(waiting: collections.deque[Guess]) -> collections.deque[Guess]:
    """The guesses, first one for each choice of numbers of axes."""
    first: dict[tuple[int, ...], Guess] = {}
    for guess in waiting:
        first.setdefault(tuple(len(s.axes) for s in guess.specs.values()), guess)
    chosen = {id(guess) for guess in first.values()}
    return collections.deque([*first.values(), *(g for g in waiting if id(g) not in chosen)])


def _other_axes(guess: Guess, credible: Guess) -> bool:
    """Whether a guess that agrees has sequences where one that does not has rows, and no more."""
    one, other = ([s for s in g.specs.values() if s.axes] for g in (guess, credible))
    return bool(one and other) and (
        [s.kind for s in one] == [s.kind for s in other]
        and one[0].axes == ("B", "T", "I")
        and other[0].axes == ("B", "I")
        and [s.axes for s in one[1:]] == [s.axes for s in other[1:]]
    )


AXES = "its gradients are right at inputs {}, and wrong at inputs {}; which inputs does it take?"
NO_COST = (
    "backward takes what the output should be, and its gradients are those of no usual cost (cross-"
    "entropy, squares) of what forward returns; let forward take it, too, and return the loss, or "
    "backward take the upstream gradient"
)
LATE = "there was no time to try all the inputs that it may take"
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
