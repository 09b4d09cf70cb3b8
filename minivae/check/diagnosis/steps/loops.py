"""The same mistake at every turn of a loop, as in a recurrent net: it is made once in the code.

Such mistakes act on one another, since what a later turn sends back goes through the earlier ones.
So the whole chain rule is run again, wrong at all turns.
"""

from collections.abc import Callable, Iterator

import numpy as np

from ...tape import Tape
from ...tape.derivatives import SLOPES
from ...tape.tape import Back
from .scene import Deviation, Keys, Scene

Group = list[int]


def loop_deviations(scene: Scene) -> Iterator[Deviation]:
    """Mistakes in steps that are there once for each turn of a loop."""
    groups: dict[tuple[str, str], Group] = {}
    for i, node in enumerate(scene.tape.nodes):
        if scene.used[i] and node.inputs:
            groups.setdefault((node.place, node.op), []).append(i)
    group_of = {i: group for group in groups.values() for i in group}
    for (_, op), group in groups.items():
        if len(group) < 2:
            continue
        for slot in range(len(scene.tape.nodes[group[0]].inputs)):
            members = [i for i in group if scene.tape.nodes[i].inputs[slot][0] == "node"]
            if not members:
                continue
            what = scene.write(members[-1])
            if op in SLOPES and op not in ("negative", "positive"):
                text = f"the derivative of {what} is missing"
                yield _at_all(members, slot, ("derivative_missing",), text, _as_it_is)
                text = f"the derivative of {what} is multiplied in twice"
                yield _at_all(members, slot, ("derivative_twice",), text, _twice)
            if op == "matmul":
                other = scene.write.operand(scene.tape.nodes[members[-1]].inputs[1 - slot])
                text = f"in {what}, the product is with {other} instead of its transpose"
                yield _at_all(members, slot, ("transpose",), text, _untransposed)
            for axes in ((0, 1), (-2, -1)) if op in ("einsum", "multiply") else ():
                text = f"in {what}, a kernel is turned by 180 degrees once too often, or not"
                yield _at_all(members, slot, ("permuted", "transpose"), text, _turned(axes))
            if op in ("matmul", "multiply"):
                yield from _shifted(scene, members, slot, what, group_of)
            yield from _cut(scene, members, slot, what, group_of)


Wrong = Callable[[Tape, int, int, np.ndarray], np.ndarray | None]


def _at_all(members: Group, slot: int, keys: Keys, text: str, wrong: Wrong) -> Deviation:
    """The steps send `wrong(tape, step, slot, dy)` back."""

    def replaced(tape: Tape) -> dict[tuple[int, int], Back]:
        return {(i, slot): lambda dy, i=i: wrong(tape, i, slot, dy) for i in members}

    return Deviation(keys, f"{text}, at every turn of the loop", replaced=replaced)


def _as_it_is(tape: Tape, i: int, slot: int, dy: np.ndarray) -> np.ndarray:
    return dy


def _twice(tape: Tape, i: int, slot: int, dy: np.ndarray) -> np.ndarray:
    return tape.back(i, slot, tape.back(i, slot, dy))


def _nothing(tape: Tape, i: int, slot: int, dy: np.ndarray) -> None:
    return None


def _untransposed(tape: Tape, i: int, slot: int, dy: np.ndarray) -> np.ndarray:
    q = tape.operand(tape.nodes[i].inputs[1 - slot])
    return np.matmul(dy, q) if slot == 0 else np.matmul(q, dy)


def _turned(axes: tuple[int, int]) -> Wrong:
    def wrong(tape: Tape, i: int, slot: int, dy: np.ndarray) -> np.ndarray:
        inputs = list(tape.nodes[i].inputs)
        kernel = tape.operand(inputs[1 - slot])
        inputs[1 - slot] = ("const", np.flip(kernel, axes))
        return tape.back(i, slot, dy, inputs)

    return wrong


def _cut(
    scene: Scene, members: Group, slot: int, what: str, group_of: dict[int, Group]
) -> Iterator[Deviation]:
    """Nothing comes back along one way, from all turns, or from all to the turn before."""
    sources: dict[int, Group] = {}
    for i in members:
        source = scene.tape.nodes[i].inputs[slot][1]
        sources.setdefault(id(group_of.get(source)), []).append(i)
    for some in sources.values():
        source = scene.tape.nodes[some[-1]].inputs[slot][1]
        others = [u for u, _ in scene.users[source] if u != some[-1] and scene.used[u]]
        carried = len(some) < len(members) or scene.ancestors(source) & set(members)
        text = f"what comes back from {what} to {scene.write(source)} is missing"
        if carried:
            text = (
                f"what the later turns of the loop send back to the earlier ones, from {what} to "
                f"{scene.write(source)}, is lost: a state's gradient is the sum of what its own "
                "output and what the next turn send back"
            )
        keys = ("overwritten_branch", "missing_term")
        if carried or others:
            yield _at_all(some, slot, keys, text, _nothing)


def _shifted(
    scene: Scene, members: Group, slot: int, what: str, group_of: dict[int, Group]
) -> Iterator[Deviation]:
    """The other factor is that of the next or the previous turn, as h for the h before it."""
    nodes = scene.tape.nodes
    others = [nodes[i].inputs[1 - slot] for i in members]
    if others[-1][0] != "node" or not group_of.get(others[-1][1]):
        return
    line = group_of[others[-1][1]]
    for shift, word in ((1, "next"), (-1, "previous")):
        taken = {}
        for i, ref in zip(members, others, strict=True):
            # At the ends, where the state comes from outside, it is the first or the last.
            at = line.index(ref[1]) if ref[0] == "node" and ref[1] in line else -1
            if 0 <= at + shift < len(line):
                taken[i] = line[at + shift]
        if len(taken) < max(1, len(members) - 1):
            continue

        def wrong(tape: Tape, i: int, slot: int, dy: np.ndarray, taken: dict = taken) -> np.ndarray:
            inputs = list(tape.nodes[i].inputs)
            if i in taken:
                inputs[1 - slot] = ("node", taken[i])
            return tape.back(i, slot, dy, inputs)

        q = scene.write.operand(others[-1])
        text = f"in {what}, the one of the {word} turn stands where this turn's {q} belongs"
        yield _at_all(members, slot, ("swapped", "at_output", "missing_term"), text, wrong)
