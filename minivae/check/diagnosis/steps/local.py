"""Local derivatives: of functions of one number, and of masks."""

from collections.abc import Callable, Iterator

import numpy as np

from ...tape import Adjoints, Node, Tape
from ...tape.derivatives import SLOPES
from ...verdict.conventions.implied import log_softmax
from .scene import Change, Deviation, Keys, Scene


def local_deviations(scene: Scene, i: int, node: Node) -> Iterator[Deviation]:
    """Mistakes in the derivative of one step."""
    what = scene.write(i)
    if node.op in SLOPES and node.op not in ("negative", "positive"):
        yield from _unary(scene, i, node, what)
    if node.op in ("maximum", "minimum", "where", "clip", "absolute"):
        for slot, ref in enumerate(node.inputs):
            if ref[0] == "node":
                yield from _mask(scene, i, slot, what)
    if node.op == "power" and node.inputs[1][0] == "const":
        text = f"{what} is not differentiated"
        yield scene.at(i, 0, ("derivative_missing",), text, lambda dy, p, y, right: dy * y)
        text = f"the base is missing in the derivative of {what}"
        keys = ("missing_term", "factor")
        yield scene.at(i, 0, keys, text, lambda dy, p, y, right: dy * np.ones_like(p))


def _unary(scene: Scene, i: int, node: Node, what: str) -> Iterator[Deviation]:
    """The derivative is missing, in twice, or taken at the wrong place."""
    slope, of = SLOPES[node.op], f"the derivative of {what}"
    spread: Keys = ("variance_for_std",) if scene.write.is_scale(i) else ()

    def at_output(dy: np.ndarray, p: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray | None:
        f = getattr(np, node.op, None)
        return None if f is None else dy * slope(y, f(y))

    def flipped(dy: np.ndarray, p: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray | None:
        return dy / y if node.op == "exp" else None

    yield scene.at(i, 0, ("derivative_missing",), f"{of} is missing", lambda dy, p, y, r: dy)
    keys = (*spread, "derivative_twice")
    text = f"{of} is multiplied in twice"
    yield scene.at(i, 0, keys, text, lambda dy, p, y, r: dy * slope(p, y) ** 2)
    keys = (*spread, "missing_term")
    text = f"the root of the derivative of {what} is multiplied in"
    yield scene.at(i, 0, keys, text, lambda dy, p, y, r: dy * np.sqrt(np.abs(slope(p, y))))
    yield scene.at(i, 0, ("at_output",), f"{of} is taken at its output", at_output)
    yield scene.at(i, 0, ("sign",), f"the sign of the exponent in {what} is flipped", flipped)


def _mask(scene: Scene, i: int, slot: int, what: str) -> Iterator[Deviation]:
    """A mask is missing, turned round, or taken from the wrong array."""
    node = scene.tape.nodes[i]
    clamp: Keys = ("logvar_clamp",) if scene.is_clamp(i) else ()
    of = f"the mask of {what}"
    keys = (*clamp, "wrong_mask", "derivative_missing")
    text = f"{of} is missing: the gradient passes everywhere"
    yield scene.at(i, slot, keys, text, lambda dy, p, y, r: np.broadcast_to(dy, r.shape))
    keys, text = (*clamp, "wrong_mask"), f"{of} is turned round"
    yield scene.at(i, slot, keys, text, lambda dy, p, y, r: dy - r)
    text = f"{of} is taken from the upstream gradient"
    yield scene.at(i, slot, ("wrong_mask",), text, lambda dy, p, y, r: dy * (dy > 0))
    p = node.inputs[slot][1]
    for j, other in enumerate(scene.tape.nodes):
        if j in (i, p) or other.value.shape != node.value.shape:
            continue

        def change(tape: Tape, adj: Adjoints, j: int = j) -> Change | None:
            if adj[i] is None:
                return None
            wrong = adj[i] * (tape.nodes[j].value > 0)
            right = tape.back(i, slot, adj[i])
            return {p: wrong - right} if wrong.shape == right.shape else None

        yield Deviation(("wrong_mask",), f"{of} is taken from {scene.write(j)}", change)
    if node.op == "clip":
        low, high = node.params["low"], node.params["high"]
        for keep, side in ((lambda p: p < high, "below"), (lambda p: p > low, "above")):
            text = f"the gradient passes {side} the range of {what}, where the value is held fixed"
            yield scene.at(
                i, 0, ("logvar_clamp",), text, lambda dy, p, y, r, keep=keep: dy * keep(p)
            )


def slope_deviations(scene: Scene, i: int) -> Iterator[Deviation]:
    """A derivative is multiplied in, or divided out, that had cancelled in what comes back."""
    what = scene.write(i)
    known = [
        (f"the derivative of a sigmoid at {what}, s (1 - s)", lambda x: 1 / (2 + 2 * np.cosh(x))),
        (f"the derivative of a tanh at {what}", lambda x: 1 - np.tanh(x) ** 2),
        (f"{what} (1 - {what})", lambda x: x * (1 - x)),
    ]
    if scene.tape.nodes[i].value.ndim > 1:
        text = f"the softmax's derivative at {what} is multiplied in, but it has cancelled already"

        def by_softmax(tape: Tape, adj: Adjoints) -> Change | None:
            if adj[i] is None:
                return None
            p = np.exp(log_softmax(tape.nodes[i].value))
            return {i: p * (adj[i] - (adj[i] * p).sum(axis=-1, keepdims=True)) - adj[i]}

        yield Deviation(("derivative_twice",), text, by_softmax)
    for name, slope in known:
        for power, keys, word in (
            (1, ("derivative_twice", "derivative_missing"), "in, but it has cancelled already"),
            (-1, ("derivative_missing",), "missing: this is the gradient of what comes after it"),
        ):

            def change(
                tape: Tape, adj: Adjoints, slope: Callable = slope, power: int = power
            ) -> Change | None:
                if adj[i] is None:
                    return None
                with np.errstate(all="ignore"):
                    wrong = adj[i] * slope(tape.nodes[i].value) ** power
                return {i: wrong - adj[i]} if np.isfinite(wrong).all() else None

            yield Deviation(keys, f"{name}, is {'multiplied ' * (power == 1)}{word}", change)
