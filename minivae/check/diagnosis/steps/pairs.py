"""Two mistakes at once, which together explain a gradient."""

from collections.abc import Iterator

import numpy as np

from ..evidence import misfit
from ..finding import Arrays, Finding
from ..numbers.scale import known_factors
from .naming import said
from .scene import Deviation
from .search import Steps, multiple


def pairs(steps: Steps, name: str, yours: Arrays, true: Arrays) -> Iterator[Finding]:
    """Two mistakes at two steps, which together explain this gradient."""
    right = steps.right(name, yours, true)
    if right is None or right[0].size < 2:
        return
    rest = np.concatenate([(a - g).ravel() for a, g in zip(yours, right, strict=False)])
    effects, owners = _all_effects(steps, name, len(right))
    if not owners:
        return
    lengths = np.linalg.norm(effects, axis=1)
    units = effects / lengths[:, None]
    usual = np.array([c - 1 for c in _usual_factors(steps)])
    other: Finding | None = None
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
            one = next(said(1 + multiples[k], first, steps), None)
            two = next(said(1 + c, second, steps), None)
            if one is not None and two is not None:
                other = other or Finding(*one, fit, 2, two)
                if first.scaled and second.scaled:  # two lost branches are likelier
                    yield Finding(*one, fit, 2, two)
                    return
    if other is not None:
        yield other


def times_factor(steps: Steps, name: str, yours: Arrays, true: Arrays) -> Iterator[Finding]:
    """A mistake at a step, and the whole gradient wrong by a known factor besides."""
    right = steps.right(name, yours, true)
    if right is None:
        return
    factors = known_factors(steps.evidence)
    for number, deviation in enumerate(steps.deviations):
        effect = steps.effect(number, 0).get(name)
        if effect is None or deviation.scaled:
            continue
        c = multiple(yours[0], right[0] + effect)
        factor = next((f for f in factors if c and abs(c / f.sizes[0] - 1) < 1e-3), None)
        if factor is None:
            continue
        effects = [steps.effect(number, k).get(name) for k in range(len(right))]
        if any(e is None for e in effects):
            continue
        predicted = [f * (g + e) for f, g, e in zip(factor.sizes, right, effects, strict=False)]
        fit = misfit(predicted, yours[: len(predicted)])
        for key, text in said(1.0, deviation, steps):
            yield Finding(key, text, fit, 2, (factor.key, factor.words))


def _all_effects(steps: Steps, name: str, n: int) -> tuple[np.ndarray, list[Deviation]]:
    """What each mistake changes, at all probes in one row, without repetitions."""
    rows, owners, seen = [], [], set()
    for number, deviation in enumerate(steps.deviations):
        if steps.out_of_time():
            break
        if deviation.replaced is not None:
            continue
        effects = [steps.effect(number, k).get(name) for k in range(n)]
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


def _usual_factors(steps: Steps) -> list[float]:
    found = {0.0, -1.0, 2.0, 0.5}
    found |= {f.sizes[0] for f in known_factors(steps.evidence) if f.key in ("batch", "dims")}
    for constant in steps.constants:
        found |= {constant, 1 / constant}
    return sorted(found)
