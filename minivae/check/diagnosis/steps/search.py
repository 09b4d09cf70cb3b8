"""Which mistake at which step explains a wrong gradient."""

import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from ...tape import Adjoints, Ref, Tape, record, unpack
from ...verdict.conventions.names import is_noise
from ..evidence import Evidence, misfit
from ..finding import Arrays, Finding
from ..numbers.scale import axis_words, known_factors
from .arrays import array_deviations, other_operands, sum_over_everything
from .branches import branch_deviations, scaled_step
from .composed import composed_deviations
from .local import local_deviations, slope_deviations
from .loops import loop_deviations
from .scene import Deviation, Keys, Scene

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
    yield from loop_deviations(scene)
    for i, users in enumerate(scene.users):
        users = [(c, slot) for c, slot in users if scene.used[c]]
        if scene.used[i] and len(users) > 1:
            yield from branch_deviations(scene, i, users)
    for i in steps:
        yield scaled_step(scene, i)
    for i, node in enumerate(scene.tape.nodes):
        if scene.used[i] and node.value.ndim and node.value.size > 1:
            yield from slope_deviations(scene, i)
            yield sum_over_everything(scene, i)
            yield from other_operands(scene, i, node)


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

    def effect(self, number: int, probe: int) -> dict[str, np.ndarray]:
        """By how much a mistake changes each gradient at a probe."""
        if (number, probe) not in self._effects:
            self._effects[number, probe] = {}
            tape = self.tapes[probe]
            try:
                with np.errstate(all="ignore"):
                    found = self._changed(self.deviations[number], probe)
            except Exception:
                found = []
            self._effects[number, probe] = {
                name: found[node]
                for name, node in tape.arguments.items()
                if found and found[node] is not None and np.isfinite(found[node]).all()
            }
        return self._effects[number, probe]

    def _changed(self, deviation: Deviation, probe: int) -> Adjoints:
        tape, right = self.tapes[probe], self.gradients[probe]
        if deviation.replaced is not None:
            wrong = tape.adjoints(self.starts[probe], deviation.replaced(tape))
            zeros = [np.zeros_like(node.value) for node in tape.nodes]
            return [
                (z if w is None else w) - (z if r is None else r)
                for w, r, z in zip(wrong, right, zeros, strict=True)
            ]
        change = deviation.change(tape, right) if deviation.change else None
        return tape.adjoints(change) if change else []

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
        for number, deviation in enumerate(self.deviations):
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

    def whole_factors(
        self, name: str, yours: Arrays, true: Arrays, telling: bool
    ) -> Iterator[Finding]:
        """What the whole gradient is multiplied by, where that is a value of the forward pass.

        Noise, masks, scales are `telling`; of the others there are often several.
        """
        if not self.tapes or yours[0].shape != true[0].shape or yours[0].size < 2:
            return
        with np.errstate(all="ignore"):
            ratios = [a / n for a, n in zip(yours, true, strict=True)]
        for ref in self._values(yours[0].shape):
            for power in (1, -1, 0.5, -0.5, 2, -2):
                with np.errstate(all="ignore"):
                    found = [t.operand(ref) ** power for t in self.tapes]
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
                keys, text = _whole_factor(self.scene, ref, power)
                if telling != (keys[0] not in ("derivative_missing", "extra_term")):
                    continue
                for key in keys:
                    if usual == 1:
                        yield Finding(key, text, fit, 1)
                    else:
                        second = ("sign" if usual < 0 else "factor", f"it is {usual} times that")
                        yield Finding(key, text, fit, 2, second)

    def _values(self, shape: tuple[int, ...]) -> list[Ref]:
        """Arrays of the forward pass that can be multiplied into a gradient of this shape."""
        found: list[Ref] = []
        for i, node in enumerate(self.tapes[0].nodes):
            if node.value.shape == shape and self.scene.used[i]:
                found.append(("node", i))
            found += [r for r in node.inputs if r[0] == "const" and np.shape(r[1]) == shape]
        return found

    def pairs(self, name: str, yours: Arrays, true: Arrays) -> Iterator[Finding]:
        """Two mistakes at two steps, which together explain this gradient."""
        right = self._right(name, yours, true)
        if right is None or right[0].size < 2:
            return
        yield from self._times_factor(name, yours, right)
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

    def _times_factor(self, name: str, yours: Arrays, right: Arrays) -> Iterator[Finding]:
        """A mistake at a step, and the whole gradient wrong by a known factor besides."""
        factors = known_factors(self.evidence)
        for number, deviation in enumerate(self.deviations):
            effect = self.effect(number, 0).get(name)
            if effect is None or deviation.scaled:
                continue
            c = _multiple(yours[0], right[0] + effect)
            factor = next((f for f in factors if c and abs(c / f.sizes[0] - 1) < 1e-3), None)
            if factor is None:
                continue
            effects = [self.effect(number, k).get(name) for k in range(len(right))]
            if any(e is None for e in effects):
                continue
            predicted = [f * (g + e) for f, g, e in zip(factor.sizes, right, effects, strict=False)]
            fit = misfit(predicted, yours[: len(predicted)])
            for key, text in self._said(1.0, deviation):
                yield Finding(key, text, fit, 2, (factor.key, factor.words))

    def _all_effects(self, name: str, n: int) -> tuple[np.ndarray, list[Deviation]]:
        """What each mistake changes, at all probes in one row, without repetitions."""
        rows, owners, seen = [], [], set()
        for number, deviation in enumerate(self.deviations):
            if self._out_of_time():
                break
            if deviation.replaced is not None:
                continue
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
                    n = round(1 / constant)
                    if n > 2 and abs(n * constant - 1) < 1e-9:
                        text = f"the division by {n} {words}: {where} has it wrong"
                        yield from (("batch", text), ("factor", text))
                        continue
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
        sizes = axis_words(self.evidence) if self.tapes else {}
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
                if node.op == "divide" or (node.op == "multiply" and node.value.size == 1):
                    usual = whole <= 2 or whole in sizes  # else a count, or a weight
                if not usual and all(abs(value - v) > 1e-9 * v for v in found):
                    found.append(value)
        for value in self.evidence.subject.options.values():
            if isinstance(value, float) and value not in (0.0, 1.0) and abs(value) not in found:
                found.append(abs(value))
        return found[:8]


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


def _multiple(rest: np.ndarray, effect: np.ndarray) -> float | None:
    """The factor c with rest = c * effect; None if they are not parallel."""
    below = float(np.vdot(effect, effect))
    if not below:
        return None
    c = float(np.vdot(effect, rest)) / below
    left = np.linalg.norm(rest - c * effect)
    return c if left <= 1e-4 * np.linalg.norm(rest) else None
