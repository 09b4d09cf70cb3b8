"""A value of the forward pass that a whole gradient is multiplied by, or should be."""

from collections.abc import Iterator

import numpy as np

from ...tape import Ref
from ..evidence import misfit
from ..finding import Arrays, Finding
from .scene import Keys, Scene
from .search import Steps


def whole_factors(
    steps: Steps, name: str, yours: Arrays, true: Arrays, telling: bool
) -> Iterator[Finding]:
    """What the whole gradient is multiplied by, where that is a value of the forward pass.

    Noise, masks, scales are `telling`; of the others there are often several.
    """
    if not steps.tapes or yours[0].shape != true[0].shape or yours[0].size < 2:
        return
    with np.errstate(all="ignore"):
        ratios = [a / n for a, n in zip(yours, true, strict=True)]
    for ref in _values(steps, yours[0].shape):
        for power in (1, -1, 0.5, -0.5, 2, -2):
            with np.errstate(all="ignore"):
                found = [t.operand(ref) ** power for t in steps.tapes]
                left = ratios[0] / found[0]
            left = left[np.isfinite(left)]  # 0 / 0 says nothing
            c = float(np.median(left)) if left.size > 1 else 0.0
            if not np.abs(left - c).max(initial=0) < 1e-4 * abs(c):
                continue
            usual = next((v for v in (1, -1, 2, 0.5) if abs(c - v) < 1e-4), None)
            if usual is None:
                continue
            fit = misfit([usual * f * n for f, n in zip(found, true, strict=False)],
                         yours[: len(found)])  # fmt: skip
            keys, text = _whole_factor(steps.scene, ref, power)
            if telling != (keys[0] not in ("derivative_missing", "extra_term")):
                continue
            for key in keys:
                if usual == 1:
                    yield Finding(key, text, fit, 1)
                else:
                    second = ("sign" if usual < 0 else "factor", f"it is {usual} times that")
                    yield Finding(key, text, fit, 2, second)


def _values(steps: Steps, shape: tuple[int, ...]) -> list[Ref]:
    """Arrays of the forward pass that can be multiplied into a gradient of this shape."""
    found: list[Ref] = []
    for i, node in enumerate(steps.tapes[0].nodes):
        if node.value.shape == shape and steps.scene.used[i]:
            found.append(("node", i))
        found += [r for r in node.inputs if r[0] == "const" and np.shape(r[1]) == shape]
    return found


def _whole_factor(scene: Scene, ref: Ref, power: float) -> tuple[Keys, str]:
    """What it is called when a gradient has a value of the forward pass in it, to some power."""
    q = scene.write.operand(ref)
    q = {2: f"the square of {q}", 0.5: f"the root of {q}"}.get(abs(power), q)
    words = f"{q} is {'missing as a factor' if power < 0 else 'multiplied in'}"
    if scene.write.is_noise(ref):
        return (("noise_gradient",) if power > 0 else ("noise_missing",)), words
    if scene.write.is_mask(ref):
        return ("wrong_mask",), words
    node = scene.tape.nodes[ref[1]] if ref[0] == "node" else None
    if (
        node is not None
        and node.op != "argument"
        and (node.op in ("exp", "sqrt") or scene.is_spread(ref[1]))
    ):
        return ("variance_for_std", "sigma_head"), f"{words}: variance or deviation?"
    if node is not None and scene.is_spread(ref[1]):
        return ("sigma_head", "derivative_missing"), words
    divides = node is not None and any(
        scene.tape.nodes[u].op == "divide" and slot == 1 for u, slot in scene.users[ref[1]]
    )
    if power > 0 and divides:
        return ("derivative_missing", "missing_term"), f"the division by {q} is missing"
    if power < 0:
        return ("derivative_missing", "missing_term"), words
    return ("extra_term", "derivative_missing"), words
