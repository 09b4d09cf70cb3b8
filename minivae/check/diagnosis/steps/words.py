"""Steps of a tape in words: short formulas with the arguments' names."""

import numpy as np

from ...tape import Ref, Tape
from ...verdict.conventions.names import SPREADS, is_noise, plain

WIDTH = 44
SIGNS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "matmul": "@", "power": "**"}


class Writer:
    """Writes the formula of a step, cut where it grows too long."""

    def __init__(self, tape: Tape, noise: list[np.ndarray]) -> None:
        self.tape, self.noise = tape, noise
        self.names = {number: name for name, number in tape.arguments.items()}
        self._kept: dict[int, str] = {}

    def __call__(self, i: int) -> str:
        """The formula of a step."""
        if i not in self._kept:
            text = self._formula(i)
            text = _bare(text)
            if len(text) > WIDTH:
                text = _bare(self._formula(i, WIDTH // 3))
            self._kept[i] = text if len(text) <= WIDTH else f"{self.tape.nodes[i].op}(...)"
        return self._kept[i]

    def operand(self, ref: Ref) -> str:
        """The formula behind a reference, or a constant."""
        if ref[0] == "node":
            return self(ref[1])
        if np.size(ref[1]) == 1:
            return f"{float(np.ravel(ref[1])[0]):.4g}"
        if self.is_noise(ref):
            return "the noise"
        return "the mask" if self.is_mask(ref) else "the data"

    def _formula(self, i: int, widest: int = WIDTH) -> str:
        node = self.tape.nodes[i]
        if node.op == "argument":
            return self.names.get(i, "input")
        if not node.inputs:
            return "zeros"
        parts = [self.operand(ref) for ref in node.inputs]
        parts = [part if len(part) <= widest else "..." for part in parts]
        if node.op in SIGNS and len(parts) == 2:
            a, b = (f"({p})" if " " in p and not p.endswith(")") else p for p in parts)
            return f"({a} {SIGNS[node.op]} {b})"
        if node.op == "negative":
            return f"-({parts[0]})" if " " in parts[0] else f"-{parts[0]}"
        if node.op in ("reshape", "positive", "broadcast_to"):
            return parts[0]
        return f"{node.op}({', '.join(parts)})"

    def is_noise(self, ref: Ref) -> bool:
        """Whether a reference is an array of noise."""
        if ref[0] == "node":
            return is_noise(self.names.get(ref[1], ""))
        value = np.asarray(ref[1])
        return any(value.shape == n.shape and np.array_equal(value, n) for n in self.noise)

    def is_mask(self, ref: Ref) -> bool:
        """Whether a reference is an array of zeros and one other number."""
        value = np.asarray(self.tape.operand(ref))
        if ref[0] == "node" and self.tape.nodes[ref[1]].op != "argument":
            return False
        one_hot = value.ndim == 2 and bool(np.all((value != 0).sum(axis=1) == 1))
        return not one_hot and value.size > 1 and 0 in value and len(np.unique(value)) == 2

    def is_scale(self, i: int) -> bool:
        """Whether a step is an exponential of the logarithm of a variance or deviation."""
        node = self.tape.nodes[i]
        if node.op not in ("exp", "sqrt") or node.inputs[0][0] != "node":
            return False
        inner = node.inputs[0][1]
        return self.is_spread(inner) or self.tape.nodes[inner].op in ("multiply", "divide", "exp")

    def is_spread(self, i: int) -> bool:
        """Whether a step comes, alone, from an argument called like a logvar or a sigma."""
        for _ in range(4):
            if plain(self.names.get(i, "")).startswith(SPREADS):
                return True
            refs = [ref for ref in self.tape.nodes[i].inputs if ref[0] == "node"]
            if len(refs) != 1:
                return False
            i = refs[0][1]
        return False


def _bare(text: str) -> str:
    """A formula without the brackets around the whole of it."""
    if not (text.startswith("(") and text.endswith(")")):
        return text
    depth = 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if not depth:
            return text[1:-1] if place == len(text) - 1 else text
    return text
