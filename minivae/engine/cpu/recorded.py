"""A step is the same list of calls each time: what one step has called, the next ones call again.

Between two products of a step lie some 30 calls of Python functions each: a layer checks what it is
given, a kernel asks for memory, a loop is divided. All of them come to the same end in every step,
for shapes and memory are the same (`workspace.py`): some 30 calls of compiled functions, with the
same arrays. So such a step is **recorded**, as (function, arguments, result) where the computing is
done (`Loop.__call__`, `run`, and `Backend.call` for a reference without a kernel), and later steps
**replay** that list. What it saves is told in `README.md`.

    with workspace, params.training, workspace.calls.of(model, x, noise, beta) as calls:
        if not calls.replayed:
            calls.terms = forward(x, noise, beta)
            backward()

**When.** A step is recorded after `PATIENCE` steps on the same memory, and its list is used after
it was **proven** on `PROOFS` later ones: it is replayed, the step is computed as ever, and gradient
and terms must be the same bits. If they are not, nothing is replayed for this model again.

**What is looked at before each replay** (`_fits`): the places of x and noise, beta, the team, and
each attribute of each part of the model, by identity. A part with another `call` (a trace has one),
a layer that counts, `free_bits` that have changed: such a step is computed as ever.

**What the data decide** comes back from a compiled function: whether x has few entries, or W is
finite. If that is not what it was, the replay ends there, and the step is computed as ever, which
writes over all that the replay has written.

**Who takes part.** A class says so by `same_calls = True`, for itself and not for its subclasses:
it promises that every number of its passes comes from a `Loop`, from `run` or from an operation
called by `call`, and that nothing but these decides over what is called. A model with a part that
does not promise it, or with carried numbers, is never recorded.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from operator import is_
from typing import Any

import numpy as np

PATIENCE, PROOFS = 30, 2
"""Steps on the same memory before one is recorded, so that short runs do not pay for it; and steps
on which a recording is proven. A proof costs one step more."""


class _Now(threading.local):
    """The list that this thread's calls are written to."""

    calls: list[tuple[Callable, tuple, Any]] | None = None


now = _Now()


def run(f: Callable, *arguments: Any) -> Any:
    """Return `f(*arguments)`, which is called again where a step is replayed.

    It must give None, a bool, or one of its arguments.
    """
    result = f(*arguments)
    if now.calls is not None:
        now.calls.append((f, arguments, result))
    return result


def run_reference(reference: Callable, arrays: tuple, options: dict) -> Any:
    """Return `reference(*arrays, **options)`, whose results a replay writes where these lie.

    What is a view of an argument needs no writing. A number that is no array has no place.
    """
    result, calls = reference(*arrays, **options), now.calls
    if calls is None:
        return result
    given = [array for array in arrays if isinstance(array, np.ndarray)]
    places = [
        None if any(np.may_share_memory(made, array) for array in given) else made
        for made in _flat(result)
    ]
    if any(isinstance(place, np.generic) for place in places):
        calls.append((_never, (), None))
    elif isinstance(result, np.ndarray) and places[0] is result:
        calls.append((_write, (result, reference, arrays, options), None))
    elif any(place is not None for place in places):
        calls.append((_write_all, (places, reference, arrays, options), None))
    return result


def _write(place: np.ndarray, reference: Callable, arrays: tuple, options: dict) -> None:
    place[...] = reference(*arrays, **options)


def _write_all(places: list, reference: Callable, arrays: tuple, options: dict) -> None:
    for place, made in zip(places, _flat(reference(*arrays, **options)), strict=True):
        if place is not None:
            place[...] = made


def _never() -> bool:
    """Let a replay end here."""
    return False


def _flat(result: Any) -> Iterator[Any]:
    """The arrays in a result, and NumPy's numbers."""
    if isinstance(result, tuple):
        for part in result:
            yield from _flat(part)
    elif isinstance(result, np.ndarray | np.generic):
        yield result


def _place_of(array: Any) -> Any:
    """Where an array lies and how; None of what has no place."""
    return array.__array_interface__ if isinstance(array, np.ndarray) else None


def _parts(thing: Any, found: dict[int, Any]) -> bool:
    """Collect what a model is made of; whether all of it takes part."""
    if isinstance(thing, list | tuple):
        return all(_parts(part, found) for part in thing)
    if id(thing) in found or not vars(type(thing)).get("same_calls"):
        return id(thing) in found or not hasattr(thing, "backward")
    found[id(thing)] = thing
    return all(_parts(part, found) for part in vars(thing).values())


class Recording:
    """The calls of one step, and all that must be as it was for them to be those of another."""

    def __init__(self, model: Any, x: Any, noise: Any, beta: float, team: Any, start: int) -> None:
        found: dict[int, Any] = {}
        self.takes_part = _parts(model, found) and not model.params.carried.size
        self.given = x, noise  # held, so that no other array can come to lie there
        self.places, self.beta = (_place_of(x), _place_of(noise)), beta
        self.team, self.start, self.stop = team, start, start
        self.parts = list(found.values())
        self.calls: list[tuple[Callable, tuple, Any]] = []
        self.proofs, self.idle = 0, 0

    def watched(self, own: Callable) -> bool:
        """Whether somebody has put something in the place of a part's `call`, or of a method."""
        return any(
            vars(part).get("call", own) != own
            or any(callable(getattr(type(part), name, None)) for name in vars(part))
            for part in self.parts
        )

    def end(self, terms: Any, stop: int) -> None:
        """Take in what the step has left."""
        self.terms, self.stop = terms, stop
        self.caches = [(part, part.cache) for part in self.parts if hasattr(part, "cache")]
        self.attributes = [vars(part) for part in self.parts]
        self.values = list(self._values())

    def _values(self) -> Iterable[Any]:
        return chain.from_iterable(map(dict.values, self.attributes))

    def fits(self, x: Any, noise: Any, beta: float, team: Any, start: int) -> bool:
        """Whether a step on these would make the calls of this one, as far as the data let it."""
        known_x, known_noise = self.given
        at_x, at_noise = self.places
        if not (
            team is self.team
            and start == self.start
            and beta == self.beta
            and (x is known_x or _place_of(x) == at_x)
            and (noise is known_noise or _place_of(noise) == at_noise)
        ):
            return False
        for part, cache in self.caches:
            part.cache = cache
        values = list(self._values())
        return len(values) == len(self.values) and all(map(is_, values, self.values))

    def play(self) -> bool:
        """Make the calls again; whether each came to the same."""
        return all(f(*arguments) is result for f, arguments, result in self.calls)


def _bits(terms: Any, grad: np.ndarray) -> list[Any]:
    """What a step has computed, to be compared; a term that is no array is equal to nothing."""
    return [
        term.tobytes() if isinstance(term, np.ndarray) else term and object()
        for term in (grad, *vars(terms).values())
    ]


class Calls:
    """What the steps of a model call: `with calls.of(model, x, noise, beta):` is one of them.

    Attributes
    ----------
    replayed : bool
        Whether the step is done: `terms` and the gradient are there.
    terms : object
        What the forward pass has returned, in memory of the step; who computes it puts it here.
    """

    def __init__(self, workspace: Any) -> None:
        self.workspace = workspace
        # One for each team: beside a busy program a step is its thread's alone for a while.
        self.recordings: dict[Any, Recording] = {}
        self.patience: float = PATIENCE
        self.same, self.replayed = 0, False
        self.last: Any = None
        self.terms: Any = None
        self.given: Any = None
        self.at_work: Any = None
        self.under_way: Recording | None = None
        self.before: list | None = None
        self.claimed: list | None = None

    def of(self, model: Any, x: Any, noise: Any, beta: float) -> "Calls":
        """Make ready for a step."""
        self.given = model, x, noise, beta
        return self

    def __enter__(self) -> "Calls":
        self.replayed, self.before, self.claimed, self.under_way = False, None, None, None
        now.calls = None  # an interrupt may have come before the end of a recording
        self.at_work = team = self.workspace.team
        known = self.recordings.get(team)
        if team is None or self.patience == np.inf:
            return self
        model, x, noise, beta = self.given
        if known is None or not known.fits(x, noise, beta, team, self.workspace.next):
            self._wait_and_record(team)
        elif known.proofs >= PROOFS:
            if known.play():
                self.workspace.next = known.stop
                self.replayed, self.terms = True, known.terms
            else:
                self._wait_longer()
        else:
            before = _bits(known.terms, model.params.grad)
            if known.play():
                self.before, self.claimed = before, _bits(known.terms, model.params.grad)
            else:
                self._wait_longer()
        return self

    def _wait_and_record(self, team: Any) -> None:
        model, x, noise, beta = self.given
        place = _place_of(x), _place_of(noise), beta, team
        self.same = self.same + 1 if place == self.last else 0
        self.last = place
        if self.same < self.patience:
            return
        self.same = 0
        made = Recording(model, x, noise, beta, team, self.workspace.next)
        if not made.takes_part:
            self._give_up()
        elif not made.watched(model.backend.call):
            self.under_way, now.calls = made, made.calls

    def _wait_longer(self) -> None:
        """The data have decided otherwise, or never change; record again, but later each time."""
        self.recordings.pop(self.at_work)
        self.same, self.patience = 0, 2 * self.patience

    def _give_up(self) -> None:
        self.recordings, self.patience = {}, np.inf

    def __exit__(self, error: Any, *_: object) -> None:
        model, known = self.given[0], self.recordings.get(self.at_work)
        now.calls = self.given = None
        if error is not None:
            return
        if self.under_way is not None:
            self.under_way.end(self.terms, self.workspace.next)
            self.recordings[self.at_work] = self.under_way
        elif known is not None and self.claimed is not None and self.before is not None:
            actual = _bits(self.terms, model.params.grad)
            if actual != self.claimed:
                self._give_up()
            elif actual[0] != self.before[0]:  # a step on the same numbers proves nothing
                known.proofs += 1
            elif known.idle == PROOFS:
                self._wait_longer()
            else:
                known.idle += 1
