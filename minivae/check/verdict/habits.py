"""The contract of a backward pass, beyond its numbers.

A backward pass leaves its inputs and the cache as they were, returns the same when called again,
is linear in the upstream gradient, and returns gradients in the shapes and the dtype of the
arguments; and a forward pass takes its randomness as an argument.
"""

import copy
from typing import Any

import numpy as np

from .conventions.values import same, try_copy
from .subject import Subject


def gradients_and_habits(
    subject: Subject, upstream: list[np.ndarray], dtype: str, seed: int
) -> tuple[dict[str, Any], list[str]]:
    """Run the pair in several ways; return the gradients, and what it did that it must not.

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

    Returns
    -------
    gradients : dict
        What backward returned, by argument.
    breaches : list of str
        One sentence each.
    """
    breaches = []
    arguments = {n: a.astype(dtype) for n, a in subject.arguments.items()}
    upstream = [np.array(dy, dtype) for dy in upstream]
    kept = copy.deepcopy((arguments, upstream))

    with subject.frozen(seed):
        outputs, cache = subject.forward(arguments)
        outputs = copy.deepcopy(outputs)
        cache_before = try_copy(cache)
        gradients = copy.deepcopy(subject.backward(upstream, cache))
    changed = [n for n in arguments if not same(arguments[n], kept[0][n])]
    if changed:
        breaches.append(
            f"{', '.join(changed)} was changed in place; work on a copy (write `y = x * m`, "
            "not `x *= m`)"
        )
    if not same(upstream, kept[1]):
        breaches.append("the upstream gradient was changed in place; work on a copy")
    if cache_before is not None and not same(cache, cache_before):
        breaches.append("backward changed the cache, so that a second call would see other numbers")

    arguments, upstream = copy.deepcopy(kept)
    with subject.frozen(seed):
        again, cache = subject.forward(arguments)
        if not same(again, outputs):
            breaches.append(
                "forward returned something else the second time, with the same inputs: it keeps a "
                "state, or draws random numbers that cannot be frozen; pass the noise in"
            )
        repeated = copy.deepcopy(subject.backward(upstream, cache))
        if not changed and not same(repeated, gradients):
            _, cache = subject.forward(arguments)
            third = subject.backward(upstream, cache)
            breaches.append(_accumulation(gradients, repeated, third))
    with subject.frozen(seed + 1):
        reseeded, _ = subject.forward(copy.deepcopy(kept[0]))
    if same(again, outputs) and not same(reseeded, outputs):
        breaches.append(
            "forward draws random numbers of its own; pass the noise in as an argument "
            "(the check froze it by seeding)"
        )

    breaches += _upstream_breaches(subject, kept[1], seed)
    for n in subject.vary:
        gradient = gradients.get(n)
        have = getattr(gradient, "dtype", None)
        if have is not None and have.kind == "f" and have != np.dtype(dtype):
            breaches.append(f"d{n} is {have}, but {n} is {dtype}; keep the dtype of the input")
    return gradients, breaches


def _upstream_breaches(subject: Subject, upstream: list[np.ndarray], seed: int) -> list[str]:
    """Backward is linear in the upstream gradient: twice as much in, twice as much out.

    Tried in float64: rounding is no breach.
    """
    if subject.scalar:
        return []
    found = []
    for factor in (1.0, 2.0):
        with subject.frozen(seed):
            _, cache = subject.forward(copy.deepcopy(subject.arguments))
            dy = [factor * np.asarray(part, float) for part in upstream]
            found.append(copy.deepcopy(subject.backward(dy, cache)))
    gradients, doubled = found
    breaches = []
    for n in subject.vary:
        one, two = gradients.get(n), doubled.get(n)
        if one is None or two is None or np.shape(one) != np.shape(two):
            continue
        one, two = np.asarray(one), np.asarray(two)
        if not np.isfinite(one).all():
            continue  # the comparison with the numerical gradient says so
        if np.abs(two - 2 * one).max(initial=0.0) > 1e-5 * np.abs(one).max(initial=0.0):
            breaches.append(
                f"d{n} does not double when the upstream gradient doubles: multiply by it, once"
            )
    return breaches


def _accumulation(first: dict[str, Any], second: dict[str, Any], third: dict[str, Any]) -> str:
    """What it means that three equal calls did not return the same."""
    for n in first:
        if not np.shape(first[n]) == np.shape(second.get(n)) == np.shape(third.get(n)):
            continue
        a, b, c = (np.asarray(gradients[n]) for gradients in (first, second, third))
        if not np.array_equal(a, b) and np.allclose(c - b, b - a):
            how = "doubled on the second call" if np.allclose(b, 2 * a) else "grows with each call"
            return (
                f"d{n} {how}: it is added to the last one; set it with `=` instead "
                "of `+=`, or clear it first"
            )
    return "backward returned something else the second time, with the same inputs and cache"
