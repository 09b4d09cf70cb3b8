"""One run of a pair at guessed inputs: whether its gradients agree along one direction."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ...check.verdict.conventions.implied import COSTS, IMPLIED
from ...check.verdict.functions import run_once
from .combine import Guess
from .discover import Target
from .remote import Answers, RemoteDoor, check_loss

MOST_SEPARATE = 12
"""Arguments of which each is seen to change the output."""


def probe(answers: Answers, target: Target, guess: Guess, seed: int = 11) -> float:
    """Run a pair at guessed inputs; note whether it agrees, return the share of shapes that fit.

    Where its cost is implied, it is the first that fits, or else fits most of the matrices.
    """
    if target.loss != IMPLIED:
        return _probe(answers, target, guess, seed)
    best = 0, 0
    for way in range(len(COSTS)):
        fits, guess.way = _probe(answers, replace(target, way=way), guess, seed), way
        if fits < 1 or guess.agrees:
            return fits
        best = max(best, (guess.partly, -way))
    guess.partly, guess.way = best[0], -best[1]
    return fits


def _probe(answers: Answers, target: Target, guess: Guess, seed: int) -> float:
    guess.agrees, guess.nearly, guess.partly = False, False, 0
    inputs, init = guess.drawn(0, seed)
    door = RemoteDoor(answers, target, init)
    rng = np.random.default_rng(1)
    try:
        with door.inside("frozen", 5):
            outputs, upstream, gradients, _ = run_once(door, inputs, rng=rng)
            guess.scalar = all(y.ndim == 0 for y in outputs)
            guess.spread = any(y.ndim > 1 for y in outputs)
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
    longer = {n: np.ndim(gradients[n]) - len(shapes[n]) for n in vary}
    guess.longer = {n: more for n, more in longer.items() if more > 0}
    guess.exact = all(np.shape(gradients[n]) == shapes[n] for n in vary)
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

    empty = bool(guess.init) and any(np.array_equal(outputs[0], a) for a in given.values())
    guess.agrees = (
        not empty
        and _same(slope(*vary), sum(said.values()))
        and all(slope(n) != 0 or len(vary) > MOST_SEPARATE for n in vary)
    )
    if target.loss == IMPLIED and not guess.agrees:
        guess.partly = sum(len(shapes[n]) > 1 and _same(slope(n), said[n]) for n in vary)
    elif not (guess.agrees or empty):
        sizes = {n for a in (*outputs, *given.values()) for n in a.shape}
        factors = {1.0, *(1 / n for n in sizes if n), *(float(n) for n in sizes)}
        # A course may divide by the number of examples in another place.
        guess.nearly = all(
            any(_same(factor * slope(n), said[n]) for factor in factors) for n in vary
        )
    return 1.0


def _same(slope: float, said: float) -> bool:
    return abs(slope - said) <= 1e-4 * (abs(slope) + abs(said)) + 1e-7 and slope != 0


def _alike(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether shapes are the same up to axes of 1."""
    return [n for n in shape if n != 1] == [n for n in wanted if n != 1]
