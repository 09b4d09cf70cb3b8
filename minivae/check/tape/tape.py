"""A tape: what a forward pass computes, step by step.

A student's forward pass is run once on arrays that write down every operation that they go through.
The chain rule over the tape gives the right gradient; and with one step changed, the gradient that
a mistake at this step would give. The tape serves the diagnosis alone: whether a gradient is right
is decided by differences, and a tape whose gradient differs from them is not used.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .derivatives import DERIVATIVES, unbroadcast

Ref = tuple[str, Any]
"""("node", number) or ("const", array)."""
Adjoints = list[np.ndarray | None]


@dataclass
class Node:
    """One step.

    Attributes
    ----------
    op : str
        The operation; "argument" for an input, "buffer" for an array that is still to be filled.
    inputs : tuple of Ref
        What it was applied to.
    params : dict
        Axes, shapes, indices.
    value : numpy.ndarray
        The result.
    """

    op: str
    inputs: tuple[Ref, ...]
    params: dict[str, Any]
    value: np.ndarray


@dataclass
class Tape:
    """All steps, in order.

    Attributes
    ----------
    nodes : list of Node
        The steps.
    arguments : dict of str to int
        Name of an input -> its node.
    outputs : list of int
        Nodes of the outputs.
    open : bool
        Whether steps are still written down.
    """

    nodes: list[Node] = field(default_factory=list)
    arguments: dict[str, int] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    open: bool = True

    def add(self, op: str, inputs: tuple[Ref, ...], params: dict[str, Any], value: Any) -> int:
        """Write a step down; return its number."""
        self.nodes.append(Node(op, inputs, params, np.array(value, float)))
        return len(self.nodes) - 1

    def operand(self, ref: Ref) -> np.ndarray:
        """The value behind a reference."""
        return self.nodes[ref[1]].value if ref[0] == "node" else np.asarray(ref[1])

    def adjoints(self, start: dict[int, np.ndarray]) -> Adjoints:
        """Gradients of all nodes, given those of some; the chain rule from the end to the start."""
        found: Adjoints = [None] * len(self.nodes)
        for i, dy in start.items():
            found[i] = np.array(np.broadcast_to(dy, self.nodes[i].value.shape), float)
        for i in reversed(range(max(start) + 1)):
            if found[i] is None:
                continue
            for slot, ref in enumerate(self.nodes[i].inputs):
                if ref[0] == "node":
                    back, j = self.back(i, slot, found[i]), ref[1]
                    found[j] = back if found[j] is None else found[j] + back
        return found

    def back(self, i: int, slot: int, dy: np.ndarray) -> np.ndarray:
        """What node i sends back to its input in a slot, for an upstream gradient dy."""
        node = self.nodes[i]
        values = [self.operand(ref) for ref in node.inputs]
        back = unbroadcast(DERIVATIVES[node.op](dy, slot, values, node), np.shape(values[slot]))
        if back.shape != np.shape(values[slot]):
            raise ValueError(f"{node.op} sends back {back.shape} to {np.shape(values[slot])}")
        return back

    def consumers(self) -> list[list[tuple[int, int]]]:
        """For each node the (node, slot) that use it."""
        found: list[list[tuple[int, int]]] = [[] for _ in self.nodes]
        for i, node in enumerate(self.nodes):
            for slot, ref in enumerate(node.inputs):
                if ref[0] == "node":
                    found[ref[1]].append((i, slot))
        return found

    def same_steps(self, other: "Tape") -> bool:
        """Whether another tape has the same steps, at another point."""

        def shape(tape: Tape) -> list:
            return [
                (n.op, [ref[1] if ref[0] == "node" else -1 for ref in n.inputs]) for n in tape.nodes
            ]

        return shape(self) == shape(other) and self.outputs == other.outputs
