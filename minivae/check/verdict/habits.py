"""Habits of a backward pass, beyond its numbers: right, and worth a word.

The textbook's backward pass leaves its inputs and the cache as they were, returns the same when
called again, and returns gradients in the dtype of the arguments; its forward pass takes its
randomness as an argument. Whoever works otherwise, as PyTorch does when it adds gradients up, may
have reasons; the numbers decide what is wrong.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .conventions.values import same, try_copy
from .subject import Subject


@dataclass
class Run:
    """What a pair did when it was run in several ways.

    Attributes
    ----------
    gradients : dict
        What backward returned first, by argument.
    habits : list of str
        One sentence each.
    steady : bool
        Whether forward returned the same the second time; else no difference means anything.
    sums : dict
        What was returned last for the arguments whose gradients add up from call to call.
    """

    gradients: dict[str, Any]
    habits: list[str] = field(default_factory=list)
    steady: bool = True
    sums: dict[str, np.ndarray] = field(default_factory=dict)

    def increments(self, subject: Subject) -> Callable:
        """Backward pass of the subject without what has been added up before."""

        def backward(upstream: list[np.ndarray], cache: Any) -> dict[str, Any]:
            returned = copy.deepcopy(subject.backward(upstream, cache))
            gradients = dict(returned)
            for n in self.sums.keys() & returned.keys():
                gradients[n] = returned[n] - self.sums[n]
                self.sums[n] = returned[n]
            return gradients

        return backward


def run(subject: Subject, upstream: list[np.ndarray], dtype: str, seed: int) -> Run:
    """Run the pair in several ways.

    Parameters
    ----------
    subject : Subject
        What is checked.
    upstream : list of numpy.ndarray
        Upstream gradients, one for each output.
    dtype : {"float64", "float32"}
        What to run in.
    seed : int
        Freezes randomness that is not passed in.
    """
    arguments = {n: a.astype(dtype) for n, a in subject.arguments.items()}
    upstream = [np.array(dy, dtype) for dy in upstream]
    kept = copy.deepcopy((arguments, upstream))

    with subject.frozen(seed):
        outputs, cache = subject.forward(arguments)
        outputs = copy.deepcopy(outputs)
        cache_before = try_copy(cache)
        found = Run(copy.deepcopy(subject.backward(upstream, cache)))
    habits, gradients = found.habits, found.gradients
    changed = [n for n in arguments if not same(arguments[n], kept[0][n])]
    if changed:
        habits.append(
            f"{', '.join(changed)} was changed in place; work on a copy (write `y = x * m`, "
            "not `x *= m`)"
        )
    if not same(upstream, kept[1]):
        habits.append("the upstream gradient was changed in place; work on a copy")
    if cache_before is not None and not same(cache, cache_before):
        habits.append("backward changed the cache, so that a second call would see other numbers")

    arguments, upstream = copy.deepcopy(kept)
    with subject.frozen(seed):
        again, cache = subject.forward(arguments)
        found.steady = same(again, outputs)
        if not found.steady:
            habits.append(
                "forward returned something else the second time, with the same inputs: it keeps a "
                "state, or draws random numbers that cannot be frozen; pass the noise in"
            )
        repeated = copy.deepcopy(subject.backward(upstream, cache))
        if not changed and not same(repeated, gradients):
            _, cache = subject.forward(arguments)
            third = copy.deepcopy(subject.backward(copy.deepcopy(kept[1]), cache))
            found.sums = _sums(gradients, repeated, third)
            habits += [_adding_up(n, gradients[n], repeated[n]) for n in list(found.sums)[:1]] or [
                "backward returned something else the second time, with the same inputs and cache"
            ]
    with subject.frozen(seed + 1):
        reseeded, _ = subject.forward(copy.deepcopy(kept[0]))
    if found.steady and not same(reseeded, outputs):
        habits.append(
            "forward draws random numbers of its own; pass the noise in as an argument "
            "(the check froze it by seeding)"
        )
    habits += _dtypes(subject, outputs, gradients, dtype)
    return found


def _dtypes(
    subject: Subject, outputs: list[np.ndarray], gradients: dict[str, Any], dtype: str
) -> list[str]:
    """What is not in the dtype that went in."""
    inside = {y.dtype.name for y in outputs if y.dtype.kind == "f" and y.dtype != np.dtype(dtype)}
    habits = [f"forward returns {other}, but was given {dtype}" for other in sorted(inside)]
    if inside:
        return habits  # the gradients follow
    for n in subject.vary:
        have = getattr(gradients.get(n), "dtype", None)
        if have is not None and have.kind == "f" and have != np.dtype(dtype):
            habits.append(f"d{n} is {have}, but {n} is {dtype}; keep the dtype of the input")
    return habits


def _sums(
    first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]
) -> dict[str, np.ndarray]:
    """The third of three gradients that grow by the same with each of three equal calls."""
    found = {}
    for n in first:
        if not np.shape(first[n]) == np.shape(second.get(n)) == np.shape(third.get(n)):
            continue
        a, b, c = (np.asarray(gradients[n]) for gradients in (first, second, third))
        if not np.array_equal(a, b) and np.allclose(c - b, b - a):
            found[n] = c
    return found


def _adding_up(name: str, first: Any, second: Any) -> str:
    doubled = np.allclose(second, 2 * np.asarray(first))
    how = "doubled on the second call" if doubled else "grows with each call"
    return (
        f"d{name} {how}: it is added to the last one, as PyTorch does, so it must be cleared "
        "before each step; or set it with `=` instead of `+=`"
    )
