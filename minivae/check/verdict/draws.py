"""Random draws that a function makes itself: find its generators, freeze them, watch them.

A backward pass that draws its noise again, or a forward pass that draws it twice, is found by an
experiment: let every draw of the same shape return the same numbers. If the gradient is right then,
and only then, the second draw was the mistake.
"""

import contextlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass
class Generators:
    """Random generators that functions keep in globals, defaults, closures or their object.

    Attributes
    ----------
    found : list
        The generators.
    places : list of (dict, str)
        Dictionaries that hold them, and under which key.
    watch : callable, optional
        What `watched_draws` does for functions that run in another process.
    """

    found: list[Any] = field(default_factory=list)
    places: list[tuple[dict, str]] = field(default_factory=list)
    watch: Callable[[bool], contextlib.AbstractContextManager[list]] | None = None


KINDS = (np.random.Generator, np.random.RandomState)


def find_generators(*functions: Callable) -> Generators:
    """Generators that the functions, and functions of the same module that they call, keep."""
    result = Generators()
    seen: set[int] = set()

    def visit_dict(holder: dict, names: Any) -> None:
        for name in list(names):
            value = holder.get(name)
            if isinstance(value, KINDS):
                if (id(holder), name) not in {(id(d), n) for d, n in result.places}:
                    result.places.append((holder, name))
                if all(value is not other for other in result.found):
                    result.found.append(value)
            elif inspect.isfunction(value) and value.__globals__ is holder:
                visit(value)

    def visit(function: Any) -> None:
        owner = getattr(function, "__self__", None)
        if owner is not None and hasattr(owner, "__dict__"):
            visit_dict(vars(owner), vars(owner))
        function = getattr(function, "__func__", function)
        if not inspect.isfunction(function) or id(function) in seen:
            return
        seen.add(id(function))
        visit_dict(function.__globals__, function.__code__.co_names)
        cells = [*(function.__closure__ or ()), *(function.__defaults__ or ())]
        for cell in cells:
            try:
                value = getattr(cell, "cell_contents", cell)
            except ValueError:
                continue
            if isinstance(value, KINDS) and all(value is not other for other in result.found):
                result.found.append(value)
            elif inspect.isfunction(value) or inspect.ismethod(value):
                visit(value)

    for function in functions:
        visit(function)
    return result


def get_state(generator: Any) -> Any:
    """State of a generator, to put back later."""
    if isinstance(generator, np.random.RandomState):
        return generator.get_state()
    return generator.bit_generator.state


def set_state(generator: Any, state: Any) -> None:
    """Put a state back."""
    if isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.bit_generator.state = state


def reseed(generator: Any, seed: int) -> None:
    """Start a generator from a seed."""
    if isinstance(generator, np.random.RandomState):
        generator.seed(seed)
    else:
        generator.bit_generator.state = type(generator.bit_generator)(seed).state


class Watched:
    """A generator whose draws are noted, and, with `repeat`, always start from the same state."""

    def __init__(self, generator: Any, log: list[np.ndarray], repeat: bool) -> None:
        self._generator, self._log, self._repeat = generator, log, repeat
        self._start = get_state(generator)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._generator, name)
        if not callable(value):
            return value

        def draw(*args: Any, **options: Any) -> Any:
            if self._repeat:
                set_state(self._generator, self._start)
            drawn = value(*args, **options)
            if isinstance(drawn, np.ndarray):
                self._log.append(drawn.copy())
            return drawn

        return draw


@contextlib.contextmanager
def watched_draws(generators: Generators, repeat: bool = False) -> Iterator[list[np.ndarray]]:
    """Note every array that is drawn inside; with `repeat`, draw the same numbers each time.

    Use inside `frozen_randomness`.
    """
    if generators.watch is not None:
        with generators.watch(repeat) as log:
            yield log
        return
    log: list[np.ndarray] = []
    module: Any = np.random
    replaced: dict[str, Any] = {}
    shared = Watched(module.mtrand._rand, log, repeat)
    for name in dir(module):
        value = getattr(module, name)
        if getattr(value, "__self__", None) is module.mtrand._rand and name not in (
            "seed",
            "get_state",
            "set_state",
        ):
            replaced[name] = value
            setattr(module, name, getattr(shared, name))
    make = module.default_rng
    first: list[Any] = []

    def default_rng(given: Any = None) -> Any:
        if isinstance(given, Watched):
            return given
        if repeat and given is None:
            if not first:
                first.append(get_state(make(None)))
            generator = make(0)
            set_state(generator, first[0])
            return Watched(generator, log, repeat)
        return Watched(make(given), log, repeat)

    replaced["default_rng"] = make
    module.default_rng = default_rng
    kept = [(holder, name, holder[name]) for holder, name in generators.places]
    for holder, name, generator in kept:
        holder[name] = Watched(generator, log, repeat)
    try:
        yield log
    finally:
        for name, value in replaced.items():
            setattr(module, name, value)
        for holder, name, generator in kept:
            holder[name] = generator
