"""A tape with what can be said about its steps, and what a mistake at one of them is.

The chain rule over the tape is linear in what each step sends back. So a change at one step (the
derivative forgotten, a branch cut, a factor lost) changes the gradient by what this change alone
sends back, and one pass over the tape predicts it, for every mistake at every step of a function
that nobody has seen before.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...tape import Adjoints, Tape
from .words import Writer

Change = dict[int, np.ndarray]
Keys = tuple[str, ...]
Wrong = Callable[..., np.ndarray | None]
LINEAR = ("add", "subtract", "negative", "positive", "sum", "reshape", "transpose", "getitem")
"""Steps that only add up or move numbers."""


@dataclass
class Deviation:
    """A mistake at one step.

    Attributes
    ----------
    keys : tuple of str
        What the mistake may be called, the best name first.
    text : str
        What is wrong; if `scaled`, where.
    change : callable
        `change(tape, adjoints)`: node -> how much what it receives is changed; None if it cannot
        be.
    scaled : bool
        Whether the change is what one branch sends back, of which any multiple may be missing.
    """

    keys: Keys
    text: str
    change: Callable[[Tape, Adjoints], Change | None]
    scaled: bool = False


class Scene:
    """A tape, who uses which step, and which steps have noise in them.

    Attributes
    ----------
    tape : Tape
        The tape.
    users : list
        For each step, the (step, slot) that use it.
    write : Writer
        Writes steps as formulas.
    noisy, used : list of bool
        Whether noise goes into a step, and whether an output depends on it.
    """

    def __init__(self, tape: Tape, noise: list[np.ndarray]) -> None:
        self.tape = tape
        self.users = tape.consumers()
        self.write = Writer(tape, noise)
        self.noisy = self._find_noisy()
        self.used = self._find_used()

    def _find_noisy(self) -> list[bool]:
        found: list[bool] = []
        for i, node in enumerate(self.tape.nodes):
            inputs = [
                found[ref[1]] if ref[0] == "node" else self.write.is_noise(ref)
                for ref in node.inputs
            ]
            found.append(self.write.is_noise(("node", i)) or any(inputs))
        return found

    def _find_used(self) -> list[bool]:
        used = [False] * len(self.tape.nodes)
        for i in self.tape.outputs:
            used[i] = True
        for i in reversed(range(len(used))):
            if used[i]:
                for ref in self.tape.nodes[i].inputs:
                    if ref[0] == "node":
                        used[ref[1]] = True
        return used

    def is_divergence(self, i: int, c: int) -> bool:
        """Whether a branch belongs to the KL: it has no noise in it, and is added to what has."""
        if self.noisy[i] or self.noisy[c] or not any(self.noisy[o] for o in self.tape.outputs):
            return False
        waiting, seen, met = [c], set(), False
        while waiting:
            for user, _ in self.users[waiting.pop()]:
                if not self.used[user] or user in seen:
                    continue
                seen.add(user)
                if not self.noisy[user]:
                    waiting.append(user)
                elif self._is_final_sum(user):
                    met = True
                else:
                    return False
        return met

    def _is_final_sum(self, j: int) -> bool:
        """Whether from a step on nothing but sums and constant factors follows."""
        node = self.tape.nodes[j]
        constants = sum(ref[0] == "const" for ref in node.inputs)
        fine = node.op in LINEAR or (node.op in ("multiply", "divide") and constants == 1)
        return fine and all(self._is_final_sum(u) for u, _ in self.users[j] if self.used[u])

    def is_statistic(self, j: int, i: int) -> bool:
        """Whether step j sums what is later combined with it again: a mean or a variance."""
        node = self.tape.nodes[j]
        if node.op != "sum" or self.tape.nodes[i].op in ("exp", "expm1"):
            return False
        own = self.ancestors(j)
        waiting, hops = [j], 0
        while waiting and hops < 40:
            hops += 1
            k = waiting.pop(0)
            for user, slot in self.users[k]:
                other = self.tape.nodes[user]
                if other.op in ("subtract", "multiply", "divide") and len(other.inputs) == 2:
                    ref = other.inputs[1 - slot]
                    wider = other.value.size > self.tape.nodes[k].value.size
                    if ref[0] == "node" and wider and (self.ancestors(ref[1]) | {ref[1]}) & own:
                        return True
                if other.value.size <= node.value.size:
                    waiting.append(user)
        return False

    def ancestors(self, i: int) -> set[int]:
        """All steps that go into a step."""
        found, waiting = set(), [i]
        while waiting:
            for ref in self.tape.nodes[waiting.pop()].inputs:
                if ref[0] == "node" and ref[1] not in found:
                    found.add(ref[1])
                    waiting.append(ref[1])
        return found

    def is_spread(self, i: int) -> bool:
        """Whether a step is, or comes straight from, an argument called like a logvar or sigma."""
        return self.write.is_spread(i)

    def inputs(self, i: int) -> list[tuple[int, int]]:
        """The (step, slot) that go into a step."""
        return [(r[1], k) for k, r in enumerate(self.tape.nodes[i].inputs) if r[0] == "node"]

    def is_clamp(self, i: int) -> bool:
        """Whether a maximum and a minimum stand together, or a clip."""
        node, pair = self.tape.nodes[i], {"maximum", "minimum"}
        near = {self.tape.nodes[u].op for u, _ in self.users[i]}
        near |= {self.tape.nodes[ref[1]].op for ref in node.inputs if ref[0] == "node"}
        return node.op == "clip" or (node.op in pair and bool(near & (pair - {node.op})))

    def at(self, i: int, slot: int, keys: Keys, text: str, wrong: Wrong) -> Deviation:
        """Step i sends `wrong(dy, input, output, right)` back to a slot, instead of the right."""
        p = self.tape.nodes[i].inputs[slot][1]

        def change(tape: Tape, adj: Adjoints) -> Change | None:
            if adj[i] is None:
                return None
            right = tape.back(i, slot, adj[i])
            with np.errstate(all="ignore"):
                found = wrong(adj[i], tape.nodes[p].value, tape.nodes[i].value, right)
            if found is None or np.shape(found) != right.shape or not np.isfinite(found).all():
                return None
            return {p: found - right}

        return Deviation(keys, text, change)

    def scaled(self, i: int) -> Deviation:
        """A multiple of what comes back through a step is lost or too much."""
        keys: Keys = ("overwritten_branch", "missing_term")
        if self.is_divergence(i, i):
            keys = ("kl_missing", "missing_term")
        elif any(self.is_statistic(i, j) for j, _ in self.inputs(i)):
            keys = ("constant_stats", "missing_term")
        elif self.users[i] and all(self.tape.nodes[c].op in LINEAR for c, _ in self.users[i]):
            keys = keys[::-1]
        return Deviation(
            keys,
            f"through {self.write(i)}",
            lambda tape, adj: None if adj[i] is None else {i: adj[i]},
            scaled=True,
        )

    def edge(self, i: int, c: int, slot: int) -> Deviation:
        """A multiple of what step c, one of several, sends back to step i is lost or too much."""
        feeds_exp = any(self.tape.nodes[u].op in ("exp", "expm1") for u, _ in self.users[i])
        keys: Keys = ("overwritten_branch", "missing_term")
        if self.tape.nodes[c].op in LINEAR and feeds_exp and self.is_spread(i):
            keys = ("minus_one", "missing_term")
        elif self.is_divergence(i, c):
            keys = ("minus_one" if feeds_exp else "kl_missing", "missing_term")
        elif self.tape.nodes[c].op in ("multiply", "divide", "power", "matmul"):
            keys = keys[::-1]

        def change(tape: Tape, adj: Adjoints) -> Change | None:
            return None if adj[c] is None else {i: tape.back(c, slot, adj[c])}

        text = f"from {self.write(c)} to {self.write(i)}"
        return Deviation(keys, text, change, scaled=True)
