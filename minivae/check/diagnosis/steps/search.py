"""Which mistake at which step explains a wrong gradient."""

import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ...tape import Adjoints, Tape, record
from ...verdict.conventions.names import is_noise
from ..evidence import Evidence, misfit
from ..finding import Arrays, Finding
from ..numbers.scale import known_factors
from .local import local_deviations, slope_deviations
from .scene import Deviation, Scene

MAX_STEPS = 400
SECONDS = 2.0
"""How long the search may take for all gradients of a function together."""


def all_deviations(scene: Scene) -> Iterator[Deviation]:
    """Every mistake at every step, roughly from the specific to the general."""
    steps = [i for i, node in enumerate(scene.tape.nodes) if scene.used[i] and node.inputs]
    for i in steps:
        yield from local_deviations(scene, i, scene.tape.nodes[i])
    for i, users in enumerate(scene.users):
        used = [(c, slot) for c, slot in users if scene.used[c]]
        for c, slot in used if scene.used[i] and len(used) > 1 else ():
            yield scene.edge(i, c, slot)
    for i in steps:
        yield scene.scaled(i)
    for i, node in enumerate(scene.tape.nodes):
        if scene.used[i] and node.value.ndim and node.value.size > 1:
            yield from slope_deviations(scene, i)


class Steps:
    """The tapes of a function at the probes, and what every mistake at a step would give."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.tapes: list[Tape] = []
        self.starts: list[dict[int, np.ndarray]] = []
        self.gradients: list[Adjoints] = []
        self._effects: dict[tuple[int, int], dict[str, np.ndarray]] = {}
        self._started: float | None = None
        for probe in evidence.probes:
            with evidence.subject.frozen(evidence.seed), np.errstate(all="ignore"):
                tape = self._record(probe.arguments)
            if tape is None or len(tape.nodes) > MAX_STEPS:
                return
            if self.tapes and not tape.same_steps(self.tapes[0]):
                return
            start: dict[int, np.ndarray] = {}
            for node, dy in zip(tape.outputs, probe.upstream, strict=True):
                dy = np.reshape(dy, tape.nodes[node].value.shape)
                start[node] = start[node] + dy if node in start else dy
            try:
                with np.errstate(all="ignore"):
                    self.gradients.append(tape.adjoints(start))
            except Exception:  # a tape from a student's process may hold anything
                return
            self.starts.append(start)
            self.tapes.append(tape)

    def _record(self, arguments: dict[str, np.ndarray]) -> Tape | None:
        """The forward pass on a tape; one that runs elsewhere is recorded there."""
        subject = self.evidence.subject
        if subject.record is not None:
            return subject.record(arguments)
        if subject.truth is not None:
            return record(subject.truth, arguments)
        return record(lambda values: subject.forward(values)[0], arguments)

    def right(self, name: str, yours: Arrays, true: Arrays) -> Arrays | None:
        """The gradient by the chain rule over the tapes; None if it is not that by differences."""
        found = []
        for tape, adjoints in zip(self.tapes, self.gradients, strict=True):
            gradient = adjoints[tape.arguments[name]]
            if gradient is None or not np.isfinite(gradient).all():
                return None
            found.append(gradient)
        if not found or found[0].shape != yours[0].shape:
            return None
        size = np.linalg.norm(yours[0])  # the right one may be 0
        near = all(
            np.linalg.norm(np.nan_to_num(g - t)) < 1e-7 * size
            for g, t in zip(found, true, strict=False)
        )
        return found if near or misfit(found, true[: len(found)]) < 1e-5 else None

    @cached_property
    def scene(self) -> Scene:
        """The first tape, with what can be said about its steps."""
        evidence = self.evidence
        noise = list(evidence.probes[0].draws)
        noise += [
            np.asarray(v, float)
            for n, v in evidence.subject.options.items()
            if isinstance(v, np.ndarray) and is_noise(n)
        ]
        return Scene(self.tapes[0], noise)

    @cached_property
    def deviations(self) -> list[Deviation]:
        """All mistakes."""
        return list(all_deviations(self.scene))

    @cached_property
    def weights(self) -> list[float]:
        """What terms of the output are multiplied by, other than 1, 2 and 1/2; and options."""
        found = [v for v in self.evidence.subject.options.values() if isinstance(v, float) and v]
        for node in self.tapes[0].nodes:
            if node.op == "multiply" and node.value.size == 1:
                found += [
                    float(r) for kind, r in node.inputs if kind == "const" and np.size(r) == 1
                ]
        return [w for w in found if w and min(abs(abs(w) - u) for u in (0.5, 1, 2)) > 1e-9]

    def effect(self, number: int, probe: int) -> dict[str, np.ndarray]:
        """By how much a mistake changes each gradient at a probe."""
        if (number, probe) not in self._effects:
            self._effects[number, probe] = {}
            tape = self.tapes[probe]
            try:
                with np.errstate(all="ignore"):
                    change = self.deviations[number].change(tape, self.gradients[probe])
                    found = tape.adjoints(change) if change else []
            except Exception:
                found = []
            self._effects[number, probe] = {
                name: found[node]
                for name, node in tape.arguments.items()
                if found and found[node] is not None and np.isfinite(found[node]).all()
            }
        return self._effects[number, probe]

    def out_of_time(self) -> bool:
        """Whether the search has taken what it may."""
        if self._started is None:
            self._started = time.perf_counter()
        return time.perf_counter() - self._started > SECONDS

    def findings(self, name: str, yours: Arrays, true: Arrays) -> Iterator[Finding]:
        """The mistakes at single steps that explain this gradient."""
        right = self.right(name, yours, true)
        if right is None:
            return
        n = len(right)
        yours = yours[:n]
        rest = [a - g for a, g in zip(yours, right, strict=True)]
        for number, deviation in enumerate(self.deviations):
            if self.out_of_time():
                return
            first = self.effect(number, 0).get(name)
            c = None if first is None else multiple(rest[0], first)
            if c is None or (not deviation.scaled and abs(c - 1) > 1e-3):
                continue
            effects = [self.effect(number, k).get(name) for k in range(n)]
            if any(e is None for e in effects):
                continue
            c = c if deviation.scaled else 1.0
            fit = misfit([g + c * e for g, e in zip(right, effects, strict=True)], yours)
            for key, text in said(1 + c, deviation, self.evidence, self.weights):
                yield Finding(key, text, fit, 1)


def multiple(rest: np.ndarray, effect: np.ndarray) -> float | None:
    """The factor c with rest = c * effect; None if they are not parallel."""
    below = float(np.vdot(effect, effect))
    if not below:
        return None
    c = float(np.vdot(effect, rest)) / below
    left = np.linalg.norm(rest - c * effect)
    return c if left <= 1e-4 * np.linalg.norm(rest) else None


def said(
    c: float, deviation: Deviation, evidence: Evidence, weights: list[float]
) -> Iterator[tuple[str, str]]:
    """The names of a mistake, and its text; c is the factor of a branch, which should be 1.

    It may be a weight of the forward pass, or one over it.
    """
    where = f"what comes back {deviation.text}"
    if not deviation.scaled or abs(c) < 1e-4:
        text = f"{where} is missing" if deviation.scaled else deviation.text
        yield from ((key, text) for key in deviation.keys[:2])
        return
    if abs(c - 2) < 1e-4 and "kl_missing" in deviation.keys:
        yield "kl_twice", f"{where} is in it twice"
    for weight in weights:
        if min(abs(c - weight), abs(c - 1 / weight)) < 1e-4 * abs(c):
            text = f"the factor {weight:.4g} is missing or too much: {where} has it wrong"
            yield from (("beta", text), ("factor", text))
    for factor in known_factors(evidence):
        if abs(c - factor.sizes[0]) < 1e-4 * abs(factor.sizes[0]):
            yield factor.key, f"{where} is wrong by a factor: {factor.words}"
