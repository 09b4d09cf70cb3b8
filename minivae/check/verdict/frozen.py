"""Freezing randomness, so that a function that draws its own noise can be evaluated repeatedly."""

import contextlib
import functools
import random
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .draws import get_state, reseed, set_state

OWN_STREAMS = 0x6D76
"""Mixed into every seed, so that the check's numbers are not those the user drew with that seed."""

HELD = (
    "the model stops gradients on purpose; what it stops was held where it is, and the differences "
    "are those of the rest: of the loss itself they would be others"
)
"""What a report says of a model with straight-through or stopped gradients."""

_is_kept = False


@contextlib.contextmanager
def kept_randomness() -> Iterator[None]:
    """Put NumPy's and Python's global generators back afterwards.

    That takes longer than most forward passes; so inside such a block another one does nothing, and
    a whole check is one block.
    """
    global _is_kept
    if _is_kept:
        yield
        return
    legacy = np.random  # its global generator is what students' code draws from
    numpy_state, python_state = legacy.get_state(), random.getstate()
    _is_kept = True
    try:
        yield
    finally:
        _is_kept = False
        legacy.set_state(numpy_state)
        random.setstate(python_state)


@contextlib.contextmanager
def frozen_randomness(seed: int, generators: Sequence[Any] = ()) -> Iterator[None]:
    """Give NumPy's and Python's global generators, and unseeded new ones, a fixed seed inside.

    A forward pass that draws its own noise is then the same function each time it is called. The
    streams are none that a user gets from the same seed: noise that is drawn again must differ from
    the noise that was passed in, also when both were drawn with seed 0. `generators` are others,
    which the functions keep; they are put back as they were, too.
    """
    kept = [get_state(generator) for generator in generators]
    for generator in generators:
        reseed(generator, seed + OWN_STREAMS)
    default_rng = np.random.default_rng
    streams = None
    first, second = _first_seeds(seed)

    def own_rng(given: Any = None) -> np.random.Generator:
        nonlocal streams
        if given is None:
            streams = streams or np.random.SeedSequence([seed, OWN_STREAMS])
            given = streams.spawn(1)[0]
        return default_rng(given)

    np.random.default_rng = own_rng
    try:
        with kept_randomness():
            legacy = np.random
            legacy.seed(first)
            random.seed(second)
            yield
    finally:
        np.random.default_rng = default_rng
        for generator, state in zip(generators, kept, strict=True):
            set_state(generator, state)


@functools.cache
def _first_seeds(seed: int) -> tuple[int, int]:
    first, second = np.random.SeedSequence([seed, OWN_STREAMS]).generate_state(2)
    return int(first), int(second)
