"""Where a function does not change at all, and where it leaps: what slopes cannot show."""

from collections.abc import Callable
from typing import Any

import numpy as np

Function = Callable[[np.ndarray], Any]
HALVINGS = 42
"""Of an interval, until it is as good as a point."""


def is_constant(f: Function, x: np.ndarray) -> bool:
    """Whether f is the same number wherever it is asked."""
    rng = np.random.default_rng(x.size)
    here = f(x)
    with np.errstate(all="ignore"):
        moved = [f(x + s * rng.standard_normal(x.shape)) for s in (0.01, 1.0)]
        moved.append(f(x * 1.5 + 0.25))
    return all(value == here or not np.isfinite(value) for value in moved)


def jumps(f: Function, x: np.ndarray) -> bool:
    """Whether f leaps somewhere along two lines through x: a step that no narrowing makes small."""
    rng = np.random.default_rng([x.size, 7])
    spread = float(x.std()) or float(np.abs(x).max(initial=0.0)) or 1.0
    for _ in range(2):
        v = rng.standard_normal(x.shape)

        def along(t: float, v: np.ndarray = v) -> float:
            return float(np.real(f(x + t * v)))

        ends = np.linspace(-1.5 * spread, 1.5 * spread, 26)
        with np.errstate(all="ignore"):
            values = np.array([along(t) for t in ends])
            leaps = np.nan_to_num(np.abs(np.diff(values)), nan=0.0, posinf=0.0)
            for i in np.argsort(-leaps)[:3]:
                if _is_leap(along, ends[i], ends[i + 1], values[i], values[i + 1]):
                    return True
    return False


def _is_leap(f: Callable, low: float, high: float, f_low: float, f_high: float) -> bool:
    """Halve an interval, always the half with the larger change, until it is a point.

    A logarithm that is clipped at 1e-8 falls as steeply as a step, down to intervals of that size.
    """
    size = abs(f_high - f_low)
    if size <= 1e-9 * max(abs(f_low), abs(f_high)):
        return False
    for _ in range(HALVINGS):
        if not abs(f_high - f_low) > 0.05 * size:  # so also where it is no number
            return False
        middle = (low + high) / 2
        value = f(middle)
        if abs(value - f_low) >= abs(f_high - value):
            high, f_high = middle, value
        else:
            low, f_low = middle, value
    return abs(f_high - f_low) > 0.05 * size
