"""Functions made of several steps: sigmoids, softmaxes, norms, however they are written."""

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from ...tape import Adjoints, Tape
from ..catalogue import FUNCTIONS, Function, Wrong
from ..catalogue.norms import standardised
from .scene import Change, Deviation, Scene

Marks = dict[tuple, list[int]]


class View:
    """An array with the axes that a function runs over as the last one.

    Attributes
    ----------
    order : tuple of int
        Its axes, those of the function last.
    merged : int
        How many of them are one then.
    """

    def __init__(self, order: tuple[int, ...], merged: int) -> None:
        self.order, self.merged = order, merged
        self.axes = sorted(order[len(order) - merged :]) if merged else []

    def to(self, x: np.ndarray) -> np.ndarray:
        """The array as the function takes it."""
        x = np.transpose(x, self.order)
        return x.reshape(*x.shape[: x.ndim - self.merged], -1) if self.merged > 1 else x

    def back(self, y: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """What the function gave, in the array's own order; axes that it sums over are 1."""
        if self.merged > 1:
            ends = [shape[i] if y.shape[-1] > 1 else 1 for i in self.order[-self.merged :]]
            y = y.reshape(*y.shape[:-1], *ends)
        return np.transpose(y, np.argsort(self.order))


def _views(ndim: int) -> Iterator[View]:
    """Every axis last with every other one first, and several axes as one."""
    for last in reversed(range(ndim)):
        others = [k for k in range(ndim) if k != last]
        for first in others or [last]:
            rest = [k for k in others if k != first]
            yield View((first, *rest, last) if others else (last,), 1)
    for n in range(2, ndim):
        for axes in itertools.combinations(range(ndim), n):
            yield View((*(k for k in range(ndim) if k not in axes), *axes), n)


def composed_deviations(scene: Scene, steps: list[int]) -> Iterator[Deviation]:
    """The wrong derivatives of known functions, wherever a tape has such a function."""
    places: Marks = {}
    for i in steps:
        value = scene.tape.nodes[i].value
        if value.size:
            places.setdefault(_mark(value), []).append(i)
    functions = [*FUNCTIONS, *(standardised(eps) for eps in _small_numbers(scene))]
    for a, node in enumerate(scene.tape.nodes):
        x = node.value
        if not scene.used[a] or not x.ndim or not x.size:
            continue
        whole = [View(tuple(range(x.ndim)), 0)]
        for function in functions:
            for view in _views(x.ndim) if function.rows else whole:
                for y in _values(function, x, view):
                    for i in _found(scene, places, a, y):
                        yield from _deviations(scene, function, a, i, view)


def _small_numbers(scene: Scene) -> list[float]:
    """What may be the eps of a standardisation: 0, and small numbers that are added."""
    found = [0.0]
    for node in scene.tape.nodes:
        for kind, value in node.inputs if node.op == "add" else ():
            if kind == "const" and np.size(value) == 1 and 0 < float(np.ravel(value)[0]) < 0.1:
                found.append(float(np.ravel(value)[0]))
    return sorted(set(found))


def _mark(value: np.ndarray) -> tuple:
    """Something to look an array up by."""
    return value.shape, float(np.round(value.flat[-1], 9))


def _values(function: Function, x: np.ndarray, view: View) -> Iterator[np.ndarray]:
    """The function's values; of one that sums also without that axis, and as a mean."""
    with np.errstate(all="ignore"):
        y = view.back(function.value(view.to(x)), x.shape)
    yield y
    if y.shape != x.shape:
        n = np.log(x.size / y.size)
        yield from (y - n, np.squeeze(y, tuple(view.axes)), np.squeeze(y, tuple(view.axes)) - n)


def _found(scene: Scene, places: Marks, a: int, y: np.ndarray) -> Iterator[int]:
    """The steps with these values that depend on step a alone."""
    if not np.isfinite(y).all():
        return
    for i in places.get(_mark(y), []):
        value = scene.tape.nodes[i].value
        same = i > a and np.allclose(value, y, rtol=1e-9, atol=1e-12)
        if same and not np.array_equal(value, scene.tape.nodes[a].value) and scene.rests_on(i, a):
            yield i


def _deviations(
    scene: Scene, function: Function, a: int, y: int, view: View
) -> Iterator[Deviation]:
    """What the wrong derivatives of a function between steps a and y change."""
    is_argument = scene.tape.nodes[a].op == "argument"
    names = {
        "x": scene.write(a) if is_argument else "u",
        "g": "dout" if y in scene.tape.outputs else "dy",
    }
    where = "" if is_argument else f"at u = {scene.write(a)}: "
    for wrong in function.wrong:
        text = where + f"{wrong.text}: {function.mend}".format_map(names)
        if view.axes and view.axes != [len(view.order) - 1]:
            axes = str(view.axes[0] if view.merged == 1 else tuple(view.axes))
            text = text.replace("axis=-1", f"axis={axes}").replace("(axis", f"(axis={axes}")
        yield Deviation((wrong.key,), text, _change(function, wrong, a, y, view))
        if wrong.key == "wrong_axis":
            change = _change(function, wrong, a, y, view, scaled_after=True)
            yield Deviation((wrong.key,), text, change)
        if function.name == "softmax":  # where the logarithm goes on, and p follows from it
            for i, _ in scene.inputs(y):
                if scene.tape.nodes[y].op == "exp":
                    change = _change(function, wrong, a, i, view, of_logarithm=True)
                    yield Deviation((wrong.key,), text, change)


def _change(
    function: Function,
    wrong: Wrong,
    a: int,
    y: int,
    view: View,
    of_logarithm: bool = False,
    scaled_after: bool = False,
) -> Callable[[Tape, Adjoints], Change | None]:
    """What comes back at y counts at a, by the wrong derivative.

    It may be multiplied by the upstream gradient of each example first or last, which matters where
    examples are mixed.
    """

    def change(tape: Tape, adj: Adjoints) -> Change | None:
        if adj[y] is None:
            return None
        x, dy = tape.nodes[a].value, adj[y]
        if of_logarithm:
            dy = dy / np.exp(tape.nodes[y].value)
        dy = np.expand_dims(dy, tuple(view.axes)) if dy.ndim < x.ndim else dy
        summed = dy.shape != x.shape
        dy = np.transpose(dy, view.order)
        if view.merged > 1:
            dy = dy.reshape(*dy.shape[: dy.ndim - view.merged], 1 if summed else -1)
        scale: np.ndarray | float = 1.0
        if scaled_after:
            out = adj[tape.outputs[0]]
            if out is None or out.shape != x.shape[:1] or view.merged > 1:
                return None
            scale = view.to(np.broadcast_to(out.reshape(-1, *[1] * (x.ndim - 1)), x.shape))
        with np.errstate(all="ignore"):
            found = scale * np.asarray(wrong.back(dy / scale, view.to(x)), float)
        return {y: -adj[y], a: view.back(found, x.shape)}

    return change
