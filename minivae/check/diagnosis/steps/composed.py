"""Functions made of several steps: sigmoids, softmaxes and the like, however they are written."""

from collections.abc import Callable, Iterator

import numpy as np

from ...tape import Adjoints, Tape
from ..catalogue import activations, softmaxes
from ..operations.known import Known, Values
from .scene import Change, Deviation, Scene

UNARY = [k for k in activations.KNOWN if k.name not in ("exp", "log", "sqrt", "the square", "relu")]
REDUCED = [softmaxes.SOFTMAX, softmaxes.LOG_SOFTMAX, softmaxes.LOGMEANEXP]


Order = tuple[int, ...]


def composed_deviations(scene: Scene, steps: list[int]) -> Iterator[Deviation]:
    """The mutants of known functions of one array, wherever a tape has such a function."""
    places: dict[tuple, list[int]] = {}
    for i in steps:
        value = scene.tape.nodes[i].value
        if value.size:
            places.setdefault(_mark(value), []).append(i)
    for a, node in enumerate(scene.tape.nodes):
        if not scene.used[a] or not node.value.ndim:
            continue
        same_order = tuple(range(node.value.ndim))
        tried = [(known, same_order) for known in UNARY]
        if node.value.ndim > 1:
            tried += [(known, order) for known in REDUCED for order in _orders(node.value.ndim)]
        for known, order in tried:
            for y in _values(known, node.value, order):
                for i in places.get(_mark(y), []) if y.size else []:
                    value = scene.tape.nodes[i].value
                    same = np.allclose(value, y, rtol=1e-9, atol=1e-12)
                    new = i > a and same and not np.array_equal(value, node.value)
                    if new and scene.rests_on(i, a):
                        yield from _mutants(scene, known, a, i, order)


def _orders(ndim: int) -> Iterator[Order]:
    """Orders of the axes that put every axis last, and every other one first.

    The known functions run over the last axis, and their mutants take the first one for it.
    """
    for last in reversed(range(ndim)):
        for first in (k for k in range(ndim) if k != last):
            yield (first, *(k for k in range(ndim) if k not in (first, last)), last)


def _mark(value: np.ndarray) -> tuple:
    """Something to look an array up by."""
    return value.shape, float(np.round(value.flat[-1], 9))


def _values(known: Known, x: np.ndarray, order: Order) -> Iterator[np.ndarray]:
    """The function's values; of the log-mean-exp with and without its axis and its 1/K."""
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(known.forward(_point(known, np.transpose(x, order))), float)
    except ValueError:
        return
    back = np.argsort(order)
    if known is not softmaxes.LOGMEANEXP:
        yield np.transpose(y, back)
        return
    kept = np.transpose(y[..., None], back)
    for value in (kept, np.squeeze(kept, order[-1])):
        yield value
        yield value - np.log(x.shape[order[-1]])


def _point(known: Known, x: np.ndarray) -> Values:
    options = {option: tried[0] for option, tried in known.options.items()}
    return Values(**options, **dict.fromkeys(known.roles, x))


def _mutants(scene: Scene, known: Known, a: int, y: int, order: Order) -> Iterator[Deviation]:
    """The mutants of a known function between steps a and y, along the last axis of an order."""
    names = dict.fromkeys(known.roles, "u") | {option: option for option in known.options}
    reduced, back = known is softmaxes.LOGMEANEXP, np.argsort(order)
    others = [k for k in range(len(order)) if k != order[-1]]
    for mutant in known.mutants:
        if mutant.key == "no_upstream":
            continue
        if mutant.key != "wrong_axis" and others and order[0] != others[0]:
            continue  # it does not depend on which axis stands first

        def change(tape: Tape, adj: Adjoints, wrong: Callable = mutant.gradient) -> Change | None:
            if adj[y] is None:
                return None
            x, dy = tape.nodes[a].value, adj[y]
            dy = np.expand_dims(dy, order[-1]) if dy.ndim < x.ndim else dy
            dy = np.transpose(dy, order)
            with np.errstate(all="ignore"):
                found = wrong(dy[..., 0] if reduced else dy, _point(known, np.transpose(x, order)))
            return {y: -adj[y], a: np.transpose(np.asarray(found, float), back)}

        text = mutant.text.format_map({**names, "g": "dy"})
        where = f"at u = {scene.write(a)}"
        if known in REDUCED and order[-1] != len(order) - 1:
            text = text.replace("last axis", f"axis {order[-1]}")
            text = text.replace("axis=-1", f"axis={order[-1]}")
            where += f", along axis {order[-1]}"
        yield Deviation((mutant.key,), f"{where}: {text}", change)
