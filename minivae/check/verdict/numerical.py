r"""Derivatives that nobody had to derive: by the complex step, or by central differences.

**Complex step.** For an analytic $f$, a Taylor step into the imaginary direction gives

$$ f(x + ih) = f(x) + i h f'(x) - \tfrac12 h^2 f''(x) - \dots $$

so $f'(x) = \operatorname{Im} f(x + ih) / h$ up to $h^2$. There is no difference of nearly equal
numbers, so $h = 10^{-30}$ does no harm and the result is as exact as $f$ itself (Squire and Trapp
1998).

**Central differences** need real arguments only. Their error has even powers of $h$ alone,

$$ D(h) = \frac{f(x + h) - f(x - h)}{2h} = f'(x) + a h^2 + b h^4 + \dots $$

so Richardson's extrapolation over $h, h/2, h/4$ removes the first two, $(4 D(h/2) - D(h)) / 3$ and
so on. What the last extrapolation still changed is the error estimate; where it does not shrink,
there is a kink, or noise, near $x$, and the estimate says so. A kink at $x$ itself is symmetric and
would escape that, but not the difference of the two one-sided slopes, $(f(x + h) - 2 f(x) + f(x -
h)) / h$: it goes to zero with $h$ where f is smooth, and stays where it has a kink.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

COMPLEX_STEP = 1e-30
STEPS = (1e-3, 2e-5)
"""First steps of the two Richardson ladders; the small one is for kinks that are near."""


@dataclass
class Derivative:
    """A numerical gradient of a scalar function with respect to one array.

    Attributes
    ----------
    values : numpy.ndarray
        In the shape of the array; NaN at entries that were not evaluated.
    errors : numpy.ndarray
        Estimated absolute error of each value.
    method : {"complex step", "central differences"}
        How it was found.
    evaluations : int
        Evaluations of the function that it took.
    """

    values: np.ndarray
    errors: np.ndarray
    method: str
    evaluations: int

    @property
    def known(self) -> np.ndarray:
        """Where a value was found."""
        return np.isfinite(self.values)


def complex_slope(f: Callable[[np.ndarray], complex], x: np.ndarray, v: np.ndarray) -> float:
    """Slope of an analytic f at x in the direction v; one evaluation."""
    return float(np.imag(f(x + 1j * COMPLEX_STEP * v)) / COMPLEX_STEP)


def central_slope(
    f: Callable[[np.ndarray], float], x: np.ndarray, v: np.ndarray, h: float, f_x: float
) -> tuple[float, float]:
    """Slope of f at x in the direction v, and its estimated error; six evaluations.

    The estimate is what the last extrapolation changed, plus the rounding of f over the step, or
    the jump of the slope if there is a kink at x. `f_x` is f(x).
    """
    steps = (h, h / 2, h / 4)
    points = [(f(x + s * v), f(x - s * v)) for s in steps]
    d0, d1, d2 = ((p - m) / (2 * s) for (p, m), s in zip(points, steps, strict=True))
    r0, r1 = (4 * d1 - d0) / 3, (4 * d2 - d1) / 3
    slope = (16 * r1 - r0) / 15
    size = max(abs(value) for pair in points for value in pair)
    rounding = np.finfo(float).eps * size / steps[-1]
    jumps = [abs(p - 2 * f_x + m) / s for (p, m), s in zip(points, steps, strict=True)]
    kink = jumps[2] > 0.6 * jumps[0] and jumps[2] > 20 * rounding
    return float(slope), float(abs(slope - r1) + rounding + (jumps[2] if kink else 0.0))


def best_central_slope(
    f: Callable[[np.ndarray], float], x: np.ndarray, v: np.ndarray, f_x: float, good_enough: float
) -> tuple[float, float, int]:
    """Slope, error and evaluations; tries smaller steps where the first one is not good enough."""
    size = float(np.abs(x).max(initial=0.0))
    steps = [step * max(1.0, size) for step in STEPS]
    if 0 < size < STEPS[1]:
        steps.append(STEPS[0] * size)  # all of x is so small that the others leap over it
    slope, error, evaluations = np.nan, np.inf, 0
    for step in steps:
        new_slope, new_error = central_slope(f, x, v, step, f_x)
        evaluations += 6
        if new_error < error or not np.isfinite(error):
            slope, error = new_slope, new_error
        if error <= good_enough * max(1.0, abs(slope)):
            break
    return slope, error, evaluations


def numerical_gradient(
    f: Callable[[np.ndarray], complex],
    x: np.ndarray,
    *,
    analytic: bool,
    entries: np.ndarray | None = None,
    good_enough: float = 1e-9,
) -> Derivative:
    """Gradient of a scalar f with respect to the array x, entry by entry.

    Parameters
    ----------
    f : callable
        From an array like x to a number; a complex one for complex x, if `analytic`.
    x : numpy.ndarray, float64
        Where.
    analytic : bool
        Use the complex step instead of central differences.
    entries : numpy.ndarray of int, optional
        Flat indices of the entries to evaluate; all by default.
    good_enough : float
        Error, relative to the slope or to 1, below which no second step size is tried.
    """
    entries = np.arange(x.size) if entries is None else entries
    values, errors = np.full(x.size, np.nan), np.full(x.size, np.nan)
    evaluations = 0 if analytic else 1
    f_x = 0.0 if analytic else f(x)
    for i in entries:
        v = np.zeros(x.size)
        v[i] = 1.0
        v = v.reshape(x.shape)
        if analytic:
            values[i] = complex_slope(f, x, v)
            errors[i] = 1e-13 * abs(values[i])
            evaluations += 1
        else:
            values[i], errors[i], used = best_central_slope(f, x, v, f_x, good_enough)
            evaluations += used
    return Derivative(
        values.reshape(x.shape),
        errors.reshape(x.shape),
        "complex step" if analytic else "central differences",
        evaluations,
    )
