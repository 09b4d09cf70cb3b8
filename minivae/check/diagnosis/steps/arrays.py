"""Mistakes with whole arrays: products of matrices, places, copies along an axis."""

from collections.abc import Callable, Iterator

import numpy as np

from ...tape import Adjoints, Node, Ref, Tape
from ...tape.derivatives import DERIVATIVES
from .scene import Change, Deviation, Keys, Scene

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

        def by_rows(dy: np.ndarray, p: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray:
            dx, key = np.zeros(p.shape), node.params["key"]
            for k in range(len(key)):
                dx[key[k]] += dy[k]
            return dx

        yield scene.at(i, 0, keys, f"{text}; use np.add.at", assign)
        if isinstance(node.params["key"], np.ndarray) and node.params["key"].ndim > 1:
            text = f"places that a row of the indices in {what} has twice are counted once"
            yield scene.at(i, 0, keys, f"{text}; use np.add.at", by_rows)
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
    shape = scene.tape.nodes[p].value.shape
    if scene.tape.nodes[p].value.size >= node.value.size:
        return
    used = f"{scene.write(p)} is used along a whole axis in {what}"
    for row, word in ENDS:
        text = f"{used}, but only the {word} of it sends something back"
        yield scene.one_row(i, slot, ("no_sum", "missing_term"), text, row)
    if not scene.tape.nodes[p].value.ndim:
        return

    def unsummed(tape: Tape, dy: np.ndarray) -> np.ndarray:
        step = tape.nodes[i]
        back = DERIVATIVES[step.op](dy, slot, [tape.operand(r) for r in step.inputs], step)
        return np.broadcast_to(back, step.value.shape)

    def change_by(wrong: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable:
        def change(tape: Tape, adj: Adjoints) -> Change | None:
            if adj[i] is None:
                return None
            right = tape.back(i, slot, adj[i])
            return {p: np.reshape(wrong(unsummed(tape, adj[i]), right), shape) - right}

        return change

    def counted_once(every: np.ndarray, right: np.ndarray) -> np.ndarray:
        size = np.abs(every[every != 0]).min(initial=np.inf)
        return np.where(right == 0, -size, np.sign(right) * size)

    text = f"{used}: its gradient is the sum along it, but each counts once, however many there are"
    yield Deviation(("no_sum", "missing_term", "wrong_mask"), text, change_by(counted_once))
    for axis in range(node.value.ndim):
        if node.value.size // node.value.shape[axis] == int(np.prod(shape)):
            text = f"{used}, but the sum runs over axis {axis} of it, which is another"
            yield Deviation(
                ("wrong_axis", "no_sum"),
                text,
                change_by(lambda every, right, axis=axis: every.sum(axis=axis)),
            )


def sum_over_everything(scene: Scene, i: int) -> Deviation:
    """What comes back to a step is summed over all its entries, and each gets the sum."""

    def change(tape: Tape, adj: Adjoints) -> Change | None:
        if adj[i] is None or not np.ptp(adj[i]):
            return None
        return {i: np.full(adj[i].shape, adj[i].sum()) - adj[i]}

    return Deviation(
        ("wrong_axis", "extra_term"),
        f"what comes back to {scene.write(i)} is summed over everything, instead of over the axes "
        "along which it is used",
        change,
    )


def other_operands(scene: Scene, i: int, node: Node) -> Iterator[Deviation]:
    """The other factor of a product is another array of the same shape."""
    for _, slot in scene.inputs(i) if node.op in ("multiply", "matmul", "divide") else ():
        other = node.inputs[1 - slot]
        shape = np.shape(scene.tape.operand(other))
        if len(node.inputs) < 2 or not shape:
            continue
        for j, step in enumerate(scene.tape.nodes):
            if step.value.shape != shape or ("node", j) == other or not scene.used[j]:
                continue
            text = (
                f"{scene.write(j)} stands where {scene.write.operand(other)} belongs, the other "
                f"factor in {scene.write(i)}"
            )

            def change(tape: Tape, adj: Adjoints, slot: int = slot, j: int = j) -> Change | None:
                if adj[i] is None:
                    return None
                inputs = list(tape.nodes[i].inputs)
                inputs[1 - slot] = ("node", j)
                wrong = tape.back(i, slot, adj[i], inputs)
                return {inputs[slot][1]: wrong - tape.back(i, slot, adj[i])}

            yield Deviation(_operand_keys(scene, other, j), text, change)


def _operand_keys(scene: Scene, ref: Ref, j: int) -> Keys:
    """What it is called when step j stands in the place of a factor."""
    nodes = scene.tape.nodes
    if ref[0] == "node" and j in scene.ancestors(ref[1]) and nodes[ref[1]].op == "add":
        return ("missing_term", "at_output")
    if ref[0] == "node" and nodes[j].op == "exp" == nodes[ref[1]].op:
        return ("kl_reversed", "swapped")
    return ("at_output", "swapped")
