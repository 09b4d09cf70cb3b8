"""Which mistake at which step explains a wrong gradient."""

import time
from collections.abc import Iterator

import numpy as np

from ...tape import Adjoints, Tape, record, unpack
from ...verdict.conventions.names import is_noise
from ..evidence import Evidence, misfit
from ..finding import Arrays, Finding
from ..numbers.scale import known_factors
from .arrays import array_deviations
from .branches import branch_deviations, scaled_step
from .composed import composed_deviations
from .local import local_deviations
from .scene import Deviation, Scene

MAX_STEPS = 400
SECONDS = 2.0
"""How long the search may take for all gradients of a function together."""


def all_deviations(scene: Scene) -> Iterator[Deviation]:
    """Every mistake at every step, roughly from the specific to the general."""
    steps = [i for i, node in enumerate(scene.tape.nodes) if scene.used[i] and node.inputs]
    yield from composed_deviations(scene, steps)
    for i in steps:
        yield from local_deviations(scene, i, scene.tape.nodes[i])
        yield from array_deviations(scene, i, scene.tape.nodes[i])
    for i, users in enumerate(scene.users):
        users = [(c, slot) for c, slot in users if scene.used[c]]
        if scene.used[i] and len(users) > 1:
            yield from branch_deviations(scene, i, users)
    for i in steps:
        yield scaled_step(scene, i)


class Steps:
    """The tapes of a function at the probes, and what every mistake at a step would give."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.tapes: list[Tape] = []
        self.gradients: list[Adjoints] = []
        self._deviations: list[Deviation] | None = None
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
            self.tapes.append(tape)

    def _record(self, arguments: dict[str, np.ndarray]) -> Tape | None:
        """The forward pass on a tape; one that runs elsewhere is recorded there."""
        subject = self.evidence.subject
        if subject.record is not None:
            return unpack(subject.record(arguments), MAX_STEPS)
        if subject.truth is not None:
            return record(subject.truth, arguments)
        return record(lambda values: subject.forward(values)[0], arguments)

    def _right(self, name: str, yours: Arrays, true: Arrays) -> Arrays | None:
        """The gradient by the chain rule over the tapes; None if it is not that by differences."""
        found = []
        for tape, adjoints in zip(self.tapes, self.gradients, strict=True):
            gradient = adjoints[tape.arguments[name]]
            if gradient is None or not np.isfinite(gradient).all():
                return None
            found.append(gradient)
        if not found or found[0].shape != yours[0].shape:
            return None
        return found if misfit(found, true[: len(found)]) < 1e-5 else None

    def deviations(self) -> list[Deviation]:
        """All mistakes."""
        if self._deviations is None:
            evidence = self.evidence
            noise = list(evidence.probes[0].draws)
            noise += [
                np.asarray(v, float)
                for n, v in evidence.subject.options.items()
                if isinstance(v, np.ndarray) and is_noise(n)
            ]
            self._deviations = list(all_deviations(Scene(self.tapes[0], noise)))
        return self._deviations

    def effect(self, number: int, probe: int) -> dict[str, np.ndarray]:
        """By how much a mistake changes each gradient at a probe."""
        if (number, probe) not in self._effects:
            self._effects[number, probe] = {}
            tape = self.tapes[probe]
            try:
                with np.errstate(all="ignore"):
                    change = self.deviations()[number].change(tape, self.gradients[probe])
                    found = tape.adjoints(change) if change else []
            except Exception:
                found = []
            self._effects[number, probe] = {
                name: found[node]
                for name, node in tape.arguments.items()
                if found and found[node] is not None and np.isfinite(found[node]).all()
            }
        return self._effects[number, probe]

    def _out_of_time(self) -> bool:
        if self._started is None:
            self._started = time.perf_counter()
        return time.perf_counter() - self._started > SECONDS

    def findings(self, name: str, yours: Arrays, true: Arrays) -> Iterator[Finding]:
        """The mistakes at single steps that explain this gradient."""
        right = self._right(name, yours, true)
        if right is None:
            return
        n = len(right)
        yours = yours[:n]
        rest = [a - g for a, g in zip(yours, right, strict=True)]
        for number, deviation in enumerate(self.deviations()):
            if self._out_of_time():
                return
            first = self.effect(number, 0).get(name)
            c = None if first is None else _multiple(rest[0], first)
            if c is None or (not deviation.scaled and abs(c - 1) > 1e-3):
                continue
            effects = [self.effect(number, k).get(name) for k in range(n)]
            if any(e is None for e in effects):
                continue
            c = c if deviation.scaled else 1.0
            fit = misfit([g + c * e for g, e in zip(right, effects, strict=True)], yours)
            for key, text in self._said(1 + c, deviation):
                yield Finding(key, text, fit, 1)

    def pairs(self, name: str, yours: Arrays, true: Arrays) -> Iterator[Finding]:
        """Two mistakes at two steps, which together explain this gradient."""
        right = self._right(name, yours, true)
        if right is None or right[0].size < 2:
            return
        rest = np.concatenate([(a - g).ravel() for a, g in zip(yours, right, strict=False)])
        effects, owners = self._all_effects(name, len(right))
        if not owners:
            return
        lengths = np.linalg.norm(effects, axis=1)
        units = effects / lengths[:, None]
        usual = np.array([c - 1 for c in self._usual_factors()])
        for i, first in enumerate(owners):
            multiples = usual if first.scaled else np.ones(1)
            left = rest - multiples[:, None] * effects[i]
            size = np.linalg.norm(left, axis=1)[:, None]
            along = left @ units.T
            parallel = np.abs(along) > (1 - 1e-9) * size
            for k, j in np.argwhere(parallel & (size > 1e-9 * np.linalg.norm(rest))):
                second, c = owners[j], along[k, j] / lengths[j]
                if j == i or (not second.scaled and abs(c - 1) > 1e-4):
                    continue
                predicted = multiples[k] * effects[i] + c * effects[j]
                fit = float(np.linalg.norm(predicted - rest) / np.linalg.norm(rest))
                one = next(self._said(1 + multiples[k], first), None)
                two = next(self._said(1 + c, second), None)
                if one is not None and two is not None:
                    yield Finding(*one, fit, 2, two)
                    return

    def _all_effects(self, name: str, n: int) -> tuple[np.ndarray, list[Deviation]]:
        """What each mistake changes, at all probes in one row, without repetitions."""
        rows, owners, seen = [], [], set()
        for number, deviation in enumerate(self.deviations()):
            if self._out_of_time():
                break
            effects = [self.effect(number, k).get(name) for k in range(n)]
            if any(e is None for e in effects):
                continue
            row = np.concatenate([e.ravel() for e in effects])
            size = float(np.linalg.norm(row))
            mark = (round(float(row[0]), 9), round(size, 9), deviation.scaled)
            if size > 1e-12 and mark not in seen:
                seen.add(mark)
                rows.append(row)
                owners.append(deviation)
        return np.array(rows), owners

    def _usual_factors(self) -> list[float]:
        found = {0.0, -1.0, 2.0, 0.5}
        found |= {f.sizes[0] for f in known_factors(self.evidence) if f.key in ("batch", "dims")}
        for constant in self.constants():
            found |= {constant, 1 / constant}
        return sorted(found)

    def _said(self, c: float, deviation: Deviation) -> Iterator[tuple[str, str]]:
        """The names of a mistake, and its text; c is the factor of a branch, which should be 1."""
        if deviation.scaled:
            yield from self._names(c, deviation)
        else:
            for key in deviation.keys[:2]:
                yield key, deviation.text

    def _names(self, c: float, deviation: Deviation) -> Iterator[tuple[str, str]]:
        where = f"what comes back {deviation.text}"
        if abs(c) < 1e-4:
            for key in deviation.keys[:2]:
                yield key, f"{where} is missing"
            return
        if abs(c - 2) < 1e-4 and "kl_missing" in deviation.keys:
            yield "kl_twice", f"{where} is in it twice"
        for constant in self.constants():
            for value, words in ((1 / constant, "is missing"), (constant, "is in it twice")):
                if abs(c - value) < 1e-4 * abs(value):
                    text = f"the factor {constant:.4g} {words}: {where} has it wrong"
                    # In a loss, such a factor is the weight of a term.
                    weight = self.evidence.subject.scalar
                    for key in ("beta", "factor") if weight else ("factor", "beta"):
                        yield key, text
            for value in (constant**0.5, constant**-0.5):
                if abs(c - value) < 1e-4 * abs(value):
                    text = f"a root of {constant:.4g} is missing or too much: {where} has it wrong"
                    yield "variance_for_std", text
                    yield "factor", text
        for factor in known_factors(self.evidence):
            if abs(c - factor.sizes[0]) < 1e-4 * abs(factor.sizes[0]):
                yield factor.key, f"{where} is wrong by a factor: {factor.words}"

    def constants(self) -> list[float]:
        """Numbers other than the usual that the function multiplies by, adds or compares with."""
        found: list[float] = []
        for node in self.tapes[0].nodes if self.tapes else ():
            if node.op not in ("multiply", "divide", "add", "subtract", "maximum", "minimum"):
                continue
            for ref in node.inputs:
                if ref[0] != "const" or np.size(ref[1]) != 1:
                    continue
                value = abs(float(np.ravel(ref[1])[0]))
                if not value or not np.isfinite(value):
                    continue
                value = 1 / value if node.op == "divide" else value
                whole = max(value, 1 / value)
                usual = abs(whole - round(whole)) < 1e-9 and whole < 1e3
                if not usual and all(abs(value - v) > 1e-9 * v for v in found):
                    found.append(value)
        for value in self.evidence.subject.options.values():
            if isinstance(value, float) and value not in (0.0, 1.0) and abs(value) not in found:
                found.append(abs(value))
        return found[:8]


def _multiple(rest: np.ndarray, effect: np.ndarray) -> float | None:
    """The factor c with rest = c * effect; None if they are not parallel."""
    below = float(np.vdot(effect, effect))
    if not below:
        return None
    c = float(np.vdot(effect, rest)) / below
    left = np.linalg.norm(rest - c * effect)
    return c if left <= 1e-4 * np.linalg.norm(rest) else None
