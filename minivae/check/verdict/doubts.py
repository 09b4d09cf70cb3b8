"""Doubts: what else may be to blame for a difference, before a gradient is called wrong.

Two things may be. At a kink, and where a sum leaves nothing but rounding, the complex step gives a
number without a warning; and where the forward pass rounds coarsely, as in log(1 - y) for y close
to 1, differences may underrate their error. So the entries in question are asked again, with more
points. And a gradient that is right in float64 but not in float32 is no mistake but a lack of
precision.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from ..report.result import NOT_CHECKED, RIGHT, ArrayCheck
from .numerical import STEPS, Derivative
from .subject import Subject


def confirm(
    numerical: Derivative,
    yours: np.ndarray | None,
    f: Callable[[np.ndarray], float],
    x: np.ndarray,
    tolerance: float,
) -> int:
    """Ask again, with more care, about the entries that disagree with a gradient.

    Begins with the largest disagreement and stops at the first one that is confirmed; until then,
    entries of `numerical` are replaced by careful differences and their errors.

    Returns
    -------
    int
        Evaluations that it took.
    """
    if yours is None or yours.shape != x.shape or not np.isfinite(yours).all():
        return 0
    difference = np.where(numerical.known, np.abs(yours - numerical.values), 0.0).ravel()
    scale = max(np.abs(yours).max(initial=0.0), np.nanmax(np.abs(numerical.values)))
    f_x = f(x)
    # What changing last bits of x does to f is its rounding, whatever cancels inside.
    last_bits = [np.nextafter(x, np.inf), np.nextafter(x, -np.inf), x * (1 + 4e-16)]
    noise = max(abs(f(near) - f_x) for near in last_bits) / STEPS[-1]
    evaluations = 1 + len(last_bits)
    for i in np.argsort(-difference):
        if difference[i] <= tolerance * scale + 1e-12:
            break
        v = np.zeros(x.size)
        v[i] = 1.0
        slope, error, used = careful_slope(f, x, v.reshape(x.shape))
        evaluations += used
        error += noise
        if abs(yours.flat[i] - slope) > tolerance * scale + 10 * error + 1e-12:
            break
        numerical.values.flat[i], numerical.errors.flat[i] = slope, error
    return evaluations


def careful_slope(
    f: Callable[[np.ndarray], float], x: np.ndarray, v: np.ndarray
) -> tuple[float, float, int]:
    """Slope of f at x in the direction v, its error, and the evaluations that it took.

    A polynomial is fitted to 13 points. A smooth f leaves no residual; a kink, or rounding, does,
    and says by its size how far the slope can be trusted. All scales must give the same slope: a
    kink is seen at the larger ones, and so is what rounds f to a staircase, flat from near.
    """
    t = np.linspace(-1, 1, 13)
    powers = np.vander(t, 7, increasing=True)
    found = []
    for step in (STEPS[0], 0.6 * STEPS[0], STEPS[1]):
        h = step * max(1.0, float(np.abs(x).max(initial=0.0)))
        values = np.array([f(x + h * s * v) for s in t])
        fits = [np.linalg.lstsq(powers[:, :n], values, rcond=None)[0] for n in (7, 5)]
        residual = np.abs(powers @ fits[0] - values).max() + np.finfo(float).eps * max(abs(values))
        error = abs(fits[0][1] - fits[1][1]) + 3 * residual
        found.append((error / h, fits[0][1] / h))
    error, slope = min(found)
    slopes = [slope for _, slope in found]
    return float(slope), float(error + max(slopes) - min(slopes)), len(found) * t.size


def gradients_in_double(subject: Subject, upstream: list[np.ndarray], seed: int) -> dict[str, Any]:
    """Gradients that the backward pass returns when it is run in float64; none if it cannot be."""
    if subject.dtype is not None and subject.twin is None:
        return {}
    arguments = {n: a.copy() for n, a in subject.arguments.items()}
    subject = subject.twin or subject
    with subject.frozen(seed):
        _, cache = subject.forward(arguments)
        return copy.deepcopy(subject.backward([np.array(dy, float) for dy in upstream], cache))


def excuse_single_precision(check: ArrayCheck, tolerance: float, size: float) -> None:
    """Change the verdict on a gradient that is wrong in float32, but right in float64.

    Parameters
    ----------
    check : ArrayCheck
        Of the float32 gradient.
    tolerance : float
        Relative error that passes in float32.
    size : float
        Largest number around: of all gradients, and of the upstream gradients. What is lost below
        `tolerance * size` was lost by cancelling, as in a gradient that is 0 on paper.
    """
    known = np.isfinite(check.numerical)
    lost = np.abs(check.yours - check.numerical)[known].max(initial=0.0)
    check.verdict = RIGHT if lost <= tolerance * size else NOT_CHECKED
    check.reason = "the gradient is right in float64; in float32, rounding changes it that much"
