"""Fingerprints of place: missing sums, right numbers in wrong places, some entries wrong."""

import itertools
from collections.abc import Iterator

import numpy as np

from ..evidence import misfit
from ..finding import Arrays, Finding


def shape_findings(
    name: str, yours: Arrays, true: Arrays, ups: list[Arrays], B: int
) -> Iterator[Finding]:
    """A gradient of the wrong shape: sums that are missing, or too many, or a transpose."""
    shape, target = yours[0].shape, true[0].shape
    if yours[0].ndim == 2 and shape == target[::-1]:
        yield Finding(
            "transpose",
            f"it is transposed, {shape} instead of {target}; the numbers are right",
            misfit([a.T for a in yours], true),
        )
    for axes in _subsets(yours[0].ndim):
        if all(shape[axis] == 1 for axis in axes):
            continue  # nothing is left to be summed
        batch = axes == (0,) and shape[0] == B
        what = "axis 0, the batch" if batch else "axis " + ", ".join(map(str, axes))
        for kind in ("sum", "mean"):
            reduced = [getattr(a, kind)(axis=axes) for a in yours]
            if reduced[0].size == true[0].size:
                yield Finding(
                    "no_sum",
                    f"the {kind} over {what} is missing: {name} is used by all of them, so its "
                    f"gradient is the {kind}, of shape {target}",
                    misfit([r.reshape(target) for r in reduced], true),
                )
    for up in ups:
        for axes in _subsets(up[0].ndim):
            summed = [dy.sum(axis=axes) for dy in up]
            if summed[0].shape == shape:
                what = f"axis {', '.join(map(str, axes))}"
                text = f"this is the upstream gradient summed over {what}, not over those without "
                yield Finding("wrong_axis", text + name, misfit(summed, yours), 2)
    if yours[0].size == true[0].size:
        yield Finding(
            "permuted",
            f"the numbers are right, but the shape is {shape} instead of {target}: reshape it, or "
            "leave keepdims=True out",
            misfit([a.reshape(target) for a in yours], true),
        )
    try:
        broadcast = [np.broadcast_to(a, target) for a in yours]
    except ValueError:
        return
    yield Finding(
        "wrong_axis",
        f"the numbers are right, but the shape is {shape} instead of {target}: return one number "
        "for each entry",
        misfit(broadcast, true),
    )
    for axes in _subsets(len(target)):
        for kind in ("sum", "mean"):
            reduced = [getattr(n, kind)(axis=axes) for n in true]
            if reduced[0].shape == shape:
                text = f"a {kind} over axis {', '.join(map(str, axes))} is too much"
                yield Finding("wrong_axis", text, misfit(reduced, yours))


def place_findings(yours: Arrays, true: Arrays) -> Iterator[Finding]:
    """The right numbers in the wrong places."""
    shape = true[0].shape
    if any(not np.isfinite(n).all() for n in true):
        return
    for order in itertools.permutations(range(len(shape))):
        if order == tuple(range(len(shape))):
            continue
        turned = [n.transpose(order) for n in true]
        key = "transpose" if len(shape) == 2 else "permuted"
        if turned[0].shape == shape:
            words = "it is transposed" if key == "transpose" else f"its axes are in order {order}"
            yield Finding(key, f"{words}: the numbers are right, in the wrong places", misfit(
                turned, yours))  # fmt: skip
        elif turned[0].size == yours[0].size and len(shape) > 1:
            reshaped = [t.reshape(shape) for t in turned]
            yield Finding(
                "permuted",
                "the numbers are right, in the wrong places: a transposed array was reshaped; use "
                "transpose to exchange axes",
                misfit(reshaped, yours),
            )
    same = [np.sort(a, axis=None) for a in yours], [np.sort(n, axis=None) for n in true]
    if true[0].size > 2 and len(np.unique(true[0])) > 1:
        yield Finding(
            "permuted",
            "the right numbers are all there, but in the wrong places: look at the order of "
            "reshapes and transposes",
            max(misfit(same[1], same[0]), 0.0),
            3,
        )


def _subsets(n: int) -> Iterator[tuple[int, ...]]:
    for size in range(1, n + 1):
        yield from itertools.combinations(range(n), size)


def describe_places(wrong: np.ndarray, known: np.ndarray) -> str:
    """Where the wrong entries are, in words."""
    count = f"{int(wrong.sum())} of {int(known.sum())} entries"
    if wrong.ndim == 2 or wrong.ndim == 1:
        for axis, word in ((0, "row"), (1, "column")) if wrong.ndim == 2 else ():
            bad = np.flatnonzero(wrong.any(axis=1 - axis))
            if len(bad) <= 0.5 * wrong.shape[axis]:
                listed = ", ".join(map(str, bad[:6])) + (", ..." if len(bad) > 6 else "")
                return f"{word}{'' if len(bad) == 1 else 's'} {listed} ({count})"
    first = ", ".join(map(str, (int(i) for i in np.argwhere(wrong)[0])))
    return f"{count}, the first at [{first}]"
