r"""Random directions: one number in which every entry of a gradient takes part.

Of a large array only some entries are compared one by one. The others are checked along random
directions $v$, of $P$ independent standard normal numbers. The slope of $f$ along $v$ is
$v \cdot g$, where $g$ is the true gradient; the returned one, $a = g + e$, gives $v \cdot a$. Their
difference is

$$ v \cdot e \sim \mathcal N(0, \lVert e \rVert^2) \tag{1} $$

whatever the error $e$ looks like: spread over all entries, a block, or a single entry. With the
tolerance $\tau$ and the error $\delta$ of the measured slope, allowed is

$$ |v \cdot e| \le t = \tau \lVert a \rVert + 10 \delta \tag{2} $$

A normal density is nowhere above $1 / (\sqrt{2 \pi} \lVert e \rVert)$, so a wrong gradient passes
one direction with a probability of at most $\sqrt{2 / \pi}\, t / \lVert e \rVert$, and $k$ of them
with

$$ P(\text{missed}) \le \left( 0.8\, t / \lVert e \rVert \right)^k \tag{3} $$

One of $P$ entries of equal size that is set to zero is an error of $\lVert a \rVert / \sqrt P$.
For $k = 4$, $\tau = 10^{-6}$ and $P = 10^6$, that is missed with a probability of 4e-13; an entry a
hundredth of that size with one of 4e-5. Where $\delta$ counts, a direction is used only if
$10 \delta \le 0.2 \lVert a \rVert / \sqrt P$, which keeps (3) below 0.0007 for such an entry; where
a kink or rounding leaves too few of such directions, the verdict is that nothing was shown.

In float32 a tolerance that rounding needs would hide a single entry. So there the same code is run
in float64 as well, its gradient is checked along directions, and is then what each entry of the
float32 gradient is compared with. Code that cannot be run in float64 is held to (2) alone.

A gradient cannot be fitted to the entries and directions that are drawn, for the draw follows from
all its digits: `own_draw`. So a check that is repeated still gives the same report.
"""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from ..report.result import NOT_CHECKED, WRONG, ArrayCheck
from .numerical import best_central_slope, complex_slope

DIRECTIONS, AT_MOST = 4, 12
"""Directions along which a gradient must agree, and how many are tried to find them."""

SHARP = 0.2
"""Largest error of a slope that counts, as a share of what one typical entry adds to it."""


def own_draw(rng: np.random.Generator, *gradients: Any) -> np.random.Generator:
    """Make a generator whose numbers nobody knows before the gradients are returned."""
    digest = hashlib.sha256()
    for gradient in gradients:
        digest.update(np.ascontiguousarray(np.asarray(gradient)).tobytes())
    words = np.frombuffer(digest.digest(), np.uint32)
    return np.random.default_rng([int(rng.integers(2**63)), *words.tolist()])


def check_directions(
    check: ArrayCheck,
    f: Callable,
    x: np.ndarray,
    analytic: bool,
    tolerance: float,
    rng: np.random.Generator,
) -> int:
    """Check the entries that were not drawn along random directions.

    Parameters
    ----------
    check : ArrayCheck
        Of a gradient of the shape of x that holds numbers; its verdict is changed.
    f : callable
        From an array like x to a number.
    x : numpy.ndarray
        Where.
    analytic : bool
        Whether f may be asked for its complex step.
    tolerance : float
        Relative error that passes.
    rng : numpy.random.Generator
        Draws the directions.

    Returns
    -------
    int
        Evaluations that it took.
    """
    yours = np.asarray(check.yours, float)
    norm, root = float(np.linalg.norm(yours)), float(np.sqrt(x.size))
    sharp = evaluations = 0
    for _ in range(AT_MOST):
        v = rng.standard_normal(x.shape)
        length = float(np.linalg.norm(v))
        along = float(np.sum(yours * v))
        # A step of length 1, however many entries there are, for the sake of curved functions.
        slope, error = (complex_slope(f, x, v / length), 0.0) if analytic else (np.nan, 0.0)
        evaluations += analytic
        floor = tolerance * norm + 1e-12 * root
        if not abs(along - length * slope) <= floor:
            slope, error, used = best_central_slope(f, x, v / length, f(x), 1e-9)
            evaluations += used + 1
        slope, error = length * slope, length * error
        if abs(along - slope) > floor + 10 * error:  # (2)
            check.verdict = WRONG
            check.error = max(check.error, abs(along - slope) / max(norm, abs(slope)))
            check.reason = (
                f"the {check.checked} entries that were drawn are right, but along a random "
                f"direction the slope is {slope:.5g} and yours gives {along:.5g}"
            )
            return evaluations
        sharp += 10 * error <= max(SHARP / root, tolerance) * norm + 1e-12 * root
        if sharp == DIRECTIONS:
            return evaluations
    check.verdict = NOT_CHECKED
    check.reason = (
        f"the {check.checked} entries that were drawn are right; the others could not be "
        "told from wrong ones, because of kinks or too little precision"
    )
    return evaluations
