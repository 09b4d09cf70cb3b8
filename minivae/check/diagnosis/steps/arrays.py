"""Mistakes with whole arrays: products of matrices, places, copies along an axis."""

from collections.abc import Iterator

import numpy as np

from ...tape import Adjoints, Node, Tape
from ...tape.derivatives import DERIVATIVES
from .scene import Change, Deviation, Scene

ENDS = ((-1, "last"), (0, "first"))


def array_deviations(scene: Scene, i: int, node: Node) -> Iterator[Deviation]:
    """Mistakes in how a step sends its gradient back to whole arrays."""
    what = scene.write(i)
    if node.op in ("getitem", "repeat", "transpose", "max", "min"):
        yield from _places(scene, i, node, what)
    for slot, ref in enumerate(node.inputs):
        if ref[0] != "node":
            continue
        if node.op == "matmul":
            yield from _matmul(scene, i, slot, what)
        elif node.op == "einsum":
            yield from _einsum(scene, i, slot, what)
        elif node.op not in ("sum", "reshape", "getitem", "setitem"):
            yield from _broadcast(scene, i, slot, what)


def _matmul(scene: Scene, i: int, slot: int, what: str) -> Iterator[Deviation]:
    """The product is with the untransposed matrix, or of one row of the batch only."""
    node = scene.tape.nodes[i]
    p, other = node.inputs[slot][1], node.inputs[1 - slot]

    def untransposed(tape: Tape, adj: Adjoints) -> Change | None:
        if adj[i] is None:
            return None
        q, right = tape.operand(other), tape.back(i, slot, adj[i])
        try:
            wrong = np.matmul(adj[i], q) if slot == 0 else np.matmul(q, adj[i])
        except ValueError:
            return None
        return {p: wrong - right} if wrong.shape == right.shape else None

    text = f"in {what}, the product is with {scene.write.operand(other)} instead of its transpose"
    yield Deviation(("transpose",), text, untransposed)
    text = f"what {what} sends back is transposed"
    yield scene.at(
        i,
        slot,
        ("transpose",),
        text,
        lambda dy, p, y, r: np.swapaxes(r, -1, -2) if r.ndim > 1 else None,
    )
    if slot == 1 and node.value.ndim == 2:
        for row, word in ENDS:
            text = (
                f"in {what}, only the {word} row of the batch counts: in a loop, `=` overwrites "
                "what the rows before have given; write `+=`"
            )
            yield scene.one_row(i, slot, ("no_sum", "overwritten_branch"), text, row)


def _einsum(scene: Scene, i: int, slot: int, what: str) -> Iterator[Deviation]:
    """One of the other arrays is taken transposed."""
    node = scene.tape.nodes[i]
    p = node.inputs[slot][1]
    for other, ref in enumerate(node.inputs):
        shape = np.shape(scene.tape.operand(ref))
        if other == slot or len(shape) != 2 or shape[0] != shape[1]:
            continue

        def change(tape: Tape, adj: Adjoints, other: int = other) -> Change | None:
            if adj[i] is None:
                return None
            step = tape.nodes[i]
            values = [tape.operand(r) for r in step.inputs]
            values[other] = values[other].T
            wrong = DERIVATIVES["einsum"](adj[i], slot, values, step)
            return {p: wrong - tape.back(i, slot, adj[i])}

        text = f"in {what}, {scene.write.operand(ref)} is taken transposed, or should be"
        yield Deviation(("transpose",), text, change)


def _places(scene: Scene, i: int, node: Node, what: str) -> Iterator[Deviation]:
    """What is taken from, copied to or moved to other places comes back to the wrong ones."""
    if node.op == "getitem":
        text = f"places that {what} takes more than once are overwritten instead of added"
        keys = ("overlap", "overwritten_branch", "no_sum")

        def assign(dy: np.ndarray, p: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray:
            dx = np.zeros(p.shape)
            dx[node.params["key"]] = dy
            return dx

        yield scene.at(i, 0, keys, f"{text}; use np.add.at", assign)
    if node.op == "repeat":
        axis, n = node.params["axis"], node.params["repeats"]
        text = f"only one of the copies in {what} sends something back; add them"
        keys = ("no_sum", "missing_term", "some_entries")
        for keep in (0, n - 1):
            yield scene.at(
                i,
                0,
                keys,
                text,
                lambda dy, p, y, r, keep=keep: np.take(
                    dy, np.arange(p.shape[axis]) * n + keep, axis=axis
                ),
            )
    if node.op == "transpose":
        axes = node.params["axes"]
        text = f"{what} is undone by a reshape instead of a transpose"
        yield scene.at(i, 0, ("permuted",), text, lambda dy, p, y, r: np.reshape(dy, p.shape))
        text = f"{what} is undone by the same order of axes instead of the inverse one"
        keys = ("permuted", "transpose")
        yield scene.at(i, 0, keys, text, lambda dy, p, y, r: np.transpose(dy, axes))
    if node.op in ("max", "min"):
        axis, keep = node.params["axis"], node.params["keepdims"]
        text = f"every entry under {what} gets the gradient, not only the one that won"

        def everywhere(dy: np.ndarray, p: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray:
            return np.broadcast_to(
                dy if keep or axis is None else np.expand_dims(dy, axis), p.shape
            )

        yield scene.at(i, 0, ("wrong_mask",), text, everywhere)


def _broadcast(scene: Scene, i: int, slot: int, what: str) -> Iterator[Deviation]:
    """Something that is used along a whole axis: its gradient is the sum along it."""
    node = scene.tape.nodes[i]
    p = node.inputs[slot][1]
    if scene.tape.nodes[p].value.size >= node.value.size:
        return
    for row, word in ENDS:
        text = (
            f"{scene.write(p)} is used along a whole axis in {what}, but only the {word} of it "
            "sends something back"
        )
        yield scene.one_row(i, slot, ("no_sum", "missing_term"), text, row)
