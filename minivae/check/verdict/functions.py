"""Functions and objects, as courses write them, brought into the form of a subject.

How they are called stands in `conventions`. What is checked may lie here or in another process: a
`Door` is what calls it, and `read_pair` finds out through the door which arguments have gradients.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from ...errors import OptionError
from .conventions.calling import parameters_of
from .conventions.editable import Editable
from .conventions.objects import methods_of
from .conventions.pair import Pair
from .conventions.reading import Arrays, Reading
from .conventions.values import Unreadable, is_float, try_copy
from .draws import find_generators
from .frozen import frozen_randomness
from .subject import Manners, Subject, as_list, manners_of


class Door(Protocol):
    """What calls a pair at the arguments of a reading."""

    reading: Reading

    def bind(self) -> tuple[Arrays, list[list[str]]]:
        """Make the object anew, if there is one; its parameters, and what backward's names say."""

    def late(self) -> Arrays:
        """Parameters that were made by the first forward pass."""

    def manners(self) -> Manners:
        """What else is to be known, after a forward and a backward call."""

    def forward(self, values: Arrays) -> tuple[list[np.ndarray], Any]:
        """Outputs, and a cache for backward."""

    def backward(self, upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        """Gradients by flat name."""


def read_pair(
    door: Door, inputs: dict[str, Any], wrt: Sequence[str] | None
) -> tuple[tuple[str, ...], bool, Manners]:
    """Run a pair once, to see what has gradients, whether the output is a number, and its manners.

    Parameters
    ----------
    door : Door
        Gets its `reading`.
    inputs : dict
        See `Reading`.
    wrt : sequence of str, optional
        See `Reading`.
    """
    outputs, _, _, late = run_once(door, inputs, wrt)
    manners = door.manners()
    if not late:
        door.bind()  # a new object, in which no gradient has been added up
    return tuple(door.reading.vary()), all(y.ndim == 0 for y in outputs), manners


def run_once(
    door: Door,
    inputs: dict[str, Any],
    wrt: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray], dict[str, Any], bool]:
    """Make the object and run a pair once, with upstream gradients of 1 or, of arrays, drawn ones.

    Returns
    -------
    outputs, upstream, gradients, late
        What came out, and whether the first forward pass made parameters.
    """
    parameters, names = door.bind()
    late = False
    while True:
        parameters = {
            n: _drawn(a) if a.size and np.ptp(a) == 0 else a for n, a in parameters.items()
        }
        door.reading = Reading(inputs, parameters, wrt, names)
        outputs, cache = door.forward({n: a.copy() for n, a in door.reading.arguments.items()})
        upstream = [
            np.ones_like(y) if rng is None or not y.ndim else rng.standard_normal(y.shape)
            for y in outputs
        ]
        gradients = door.backward([dy.copy() for dy in upstream], cache)
        if parameters or not (parameters := door.late()):
            return outputs, upstream, gradients, late
        late = True


def _drawn(constant: np.ndarray) -> np.ndarray:
    """Other numbers for parameters that start at 0 or 1, where a mistake would not be seen."""
    rng, value = np.random.default_rng(constant.size), constant.flat[0]
    if value:
        return value * rng.uniform(0.5, 1.5, constant.shape)
    if constant.size == max(constant.shape, default=1):
        return rng.uniform(0.1, 0.7, constant.shape)  # above 0, so that no ReLU is dead
    return 0.6 * rng.standard_normal(constant.shape)


class LocalDoor:
    """A pair in this process; `make` makes it anew."""

    def __init__(self, make: Callable[[], Pair]) -> None:
        self.make, self.pair = make, make()
        self.reading = Reading({}, {})

    def bind(self) -> tuple[Arrays, list[list[str]]]:
        """See `Door`."""
        self.pair = self.make()
        return arrays_of(self.pair.values()), self.pair.returned_names

    def late(self) -> Arrays:
        """See `Door`."""
        self.pair.find_late(self.reading.arguments)
        return arrays_of(self.pair.values())

    def manners(self) -> Manners:
        """See `Door`."""
        generators = find_generators(*self.pair.functions).found
        arguments = self.reading.nested(self.reading.arguments)
        return manners_of(self.pair.manners(arguments, lambda: frozen_randomness(0, generators)))

    def functions(self, upstream: list[np.ndarray]) -> list[dict[str, Any]]:
        """See `Editor`."""
        self.editable = Editable(self.pair)

        def run() -> None:
            _, cache = self.forward({n: a.copy() for n, a in self.reading.arguments.items()})
            self.backward([dy.copy() for dy in upstream], cache)

        return self.editable.describe(run)

    def trial(
        self, index: int, text: str, arguments: Arrays, upstream: list[np.ndarray]
    ) -> tuple[list[np.ndarray], dict[str, Any]]:
        """See `Editor`."""
        with self.editable.exchanged(index, text):
            outputs, cache = self.forward({n: a.copy() for n, a in arguments.items()})
            return outputs, self.backward([dy.copy() for dy in upstream], cache)

    def forward(self, values: Arrays) -> tuple[list[np.ndarray], Any]:
        """See `Door`."""
        call = self.pair.forward(self.reading.nested(values))
        return as_list(call.outputs), (call.cache, call)

    def backward(self, upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
        """See `Door`."""
        returned = self.pair.backward(cache[1], upstream)
        found = self.reading.gradients(returned, self.pair.kept())
        return {n: g for n, g in found.items() if g is not None}


def arrays_of(found: Any) -> Arrays:
    """The float arrays in a dict; nothing if it is none."""
    found = found if isinstance(found, dict) else {}
    return {n: a for n, a in found.items() if is_float(a)}


def from_functions(
    forward: Callable,
    backward: Callable | None,
    inputs: dict[str, Any],
    wrt: Sequence[str] | None,
    name: str,
) -> Subject:
    """Subject of two functions, or of one that returns a loss and its gradients."""
    return _from_pair(lambda: Pair(forward, backward), inputs, wrt, name)


def from_object(
    target: Any, inputs: dict[str, Any], wrt: Sequence[str] | None, name: str
) -> Subject:
    """Subject of a class, or of an object, with a forward and a backward method.

    What the constructor takes, and forward does not, is among the inputs by name. An object stays
    as it is: a copy is checked, where it can be copied.
    """
    init: dict[str, Any] = {}
    if isinstance(target, type):
        forward, _ = methods_of(target) or ("forward", None)
        own = {n for n, _ in parameters_of(getattr(target, forward, None))[1:]}
        init = {n: inputs[n] for n, _ in parameters_of(target) if n in inputs and n not in own}

    def make() -> Pair:
        if isinstance(target, type):
            return Pair.of(target, copy.deepcopy(init))
        return Pair.of(try_copy(target) or target, {})

    return _from_pair(make, {n: v for n, v in inputs.items() if n not in init}, wrt, name)


def _from_pair(
    make: Callable[[], Pair], inputs: dict[str, Any], wrt: Sequence[str] | None, name: str
) -> Subject:
    inputs = {n: np.asarray(v) if is_list_of_numbers(v) else v for n, v in inputs.items()}
    inputs = {
        n: v.astype(float) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
        for n, v in inputs.items()
    }
    try:
        door = LocalDoor(make)
        reading = Reading(inputs, arrays_of(door.pair.values()))
        if not reading.arguments:
            raise OptionError(
                f"no array was given to check {name} at; pass them by name, as "
                "`inputs={'x': x, 'w': w}`."
            )
        generators = find_generators(*door.pair.functions)
        with frozen_randomness(0, generators.found):
            vary, scalar, manners = read_pair(door, inputs, wrt)
    except Unreadable as error:
        raise OptionError(f"{name}: {error}.") from None
    except Exception as error:
        left = without_backward(name, door)
        if left is None:
            raise
        raise StoppedError(left) from error
    generators = find_generators(*door.pair.functions)
    return Subject(
        name,
        door.reading.arguments,
        vary,
        door.forward,
        door.backward,
        scalar=scalar,
        notes=notes_on(door.reading, vary, asked=wrt is not None),
        options=door.reading.options,
        generators=generators,
        manners=manners,
        editor=door,
    )


def notes_on(reading: Reading, vary: Sequence[str], *, asked: bool = False) -> list[str]:
    """What the reader must know: which arguments and which gradients were left out.

    Where it was asked for certain gradients, no others are missed.
    """
    notes = []
    if (without := reading.left_out(vary)) and not asked:
        notes.append(f"no gradient was returned for {', '.join(without)}, so none was checked")
    if strangers := [
        n for n, g in reading.last.items() if g is not None and n not in reading.arguments
    ]:
        notes.append(
            f"a gradient called {', '.join(strangers)} was returned, but no array argument is "
            "called so; it was not checked"
        )
    return notes


def is_list_of_numbers(value: Any) -> bool:
    """Whether a list stands for one array, and not for several."""
    return (
        isinstance(value, list)
        and bool(value)
        and not any(isinstance(entry, np.ndarray) for entry in value)
    )


class StoppedError(Exception):
    """Backward raised, where forward did not.

    Attributes
    ----------
    subject : Subject
        What there is without backward.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__("backward raised")
        self.subject = subject


def without_backward(name: str, door: Any) -> Subject | None:
    """The subject of a pair whose backward raises; None where forward does already."""
    arguments = door.reading.arguments
    try:
        outputs, _ = door.forward({n: a.copy() for n, a in arguments.items()})
    except Exception:
        return None
    scalar = all(y.ndim == 0 for y in outputs)
    return Subject(
        name, arguments, tuple(arguments), door.forward, lambda upstream, cache: {},
        scalar=scalar, editor=door,
    )  # fmt: skip
