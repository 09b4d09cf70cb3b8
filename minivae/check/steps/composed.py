"""Functions made of several steps: sigmoids, softmaxes and the like, however they are written."""

from collections.abc import Callable, Iterator

import numpy as np

from ..library import activations, softmaxes
from ..library.known import Known, Values
from .scene import Change, Deviation, Scene
from .tape import Adjoints, Tape

UNARY = [k for k in activations.KNOWN if k.name not in ("exp", "log", "sqrt", "the square", "relu")]
REDUCED = [softmaxes.SOFTMAX, softmaxes.LOG_SOFTMAX, softmaxes.LOGMEANEXP]


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
        for known in [*UNARY, *(REDUCED if node.value.ndim > 1 else [])]:
            for y in _values(known, node.value):
                for i in places.get(_mark(y), []) if y.size else []:
                    value = scene.tape.nodes[i].value
                    same = np.allclose(value, y, rtol=1e-9, atol=1e-12)
                    new = i > a and same and not np.array_equal(value, node.value)
                    if new and scene.rests_on(i, a):
                        yield from _mutants(scene, known, a, i)


def _mark(value: np.ndarray) -> tuple:
    """Something to look an array up by."""
    return value.shape, float(np.round(value.flat[-1], 9))


def _values(known: Known, x: np.ndarray) -> Iterator[np.ndarray]:
    """The function's values; of the log-mean-exp also those without the division by K."""
    try:
        with np.errstate(all="ignore"):
            y = np.asarray(known.forward(_point(known, x)), float)
    except ValueError:
        return
    yield y
    if known is softmaxes.LOGMEANEXP:
        yield y - np.log(x.shape[-1])


def _point(known: Known, x: np.ndarray) -> Values:
    options = {option: tried[0] for option, tried in known.options.items()}
    return Values(**options, **dict.fromkeys(known.roles, x))


def _mutants(scene: Scene, known: Known, a: int, y: int) -> Iterator[Deviation]:
    """The mutants of a known function between steps a and y."""
    names = dict.fromkeys(known.roles, "u") | {option: option for option in known.options}
    for mutant in known.mutants:
        if mutant.key == "no_upstream":
            continue

        def change(tape: Tape, adj: Adjoints, wrong: Callable = mutant.gradient) -> Change | None:
            if adj[y] is None:
                return None
            with np.errstate(all="ignore"):
                found = wrong(adj[y], _point(known, tape.nodes[a].value))
            return {y: -adj[y], a: np.asarray(found, float)}

        text = mutant.text.format_map({**names, "g": "dy"})
        yield Deviation((mutant.key,), f"at u = {scene.write(a)}: {text}", change)
