r"""How sure a number is: confidence intervals for a mean and for a proportion.

**A mean** of n independent values, normally distributed or many, with $s$ their standard deviation
(divided by n - 1):

$$ \bar x \pm t_{n-1} \, s / \sqrt n \tag{1} $$

Of two treatments that were tried on the same seeds, the *differences* are such values: what the
seeds have in common cancels in them.

$t$ is a quantile of Student's distribution with $\nu$ degrees of freedom. For whole $\nu$ its
distribution function is a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4), with
$\theta = \arctan(t / \sqrt\nu)$ and $A$ the probability of $[-t, t]$:

$$ A = \tfrac2\pi \left( \theta + \sin\theta \left( \cos\theta + \tfrac23 \cos^3\theta + \dots
     + \tfrac{2 \cdot 4 \cdots (\nu - 3)}{3 \cdot 5 \cdots (\nu - 2)} \cos^{\nu - 2}\theta \right)
     \right), \quad \nu \text{ odd} \tag{2} $$
$$ A = \sin\theta \left( 1 + \tfrac12 \cos^2\theta + \dots
     + \tfrac{1 \cdot 3 \cdots (\nu - 3)}{2 \cdot 4 \cdots (\nu - 2)} \cos^{\nu - 2}\theta \right),
     \quad \nu \text{ even} \tag{3} $$

These few lines stand here, since nothing else in the package needs SciPy.

**A proportion** of k in n leaves those rates $p$ possible under which neither so many nor so few
would be a surprise, that is, with $X$ binomial (Clopper and Pearson 1934),

$$ P(X \ge k \mid p_\text{low}) = \alpha / 2, \qquad P(X \le k \mid p_\text{high}) = \alpha / 2
   \tag{4} $$

The interval covers the true rate with probability $1 - \alpha$ or more, for any n, also where k is
0.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from ..engine.door import door
from ..engine.kinds import Between
from ..errors import DataError, OptionError


@door
@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval.

    Attributes
    ----------
    value, low, high : float
        The estimate, and the two ends.
    """

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        """The three numbers, each in the given format: `f"{interval:.1f}"`."""
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


@door
def mean_interval(values: Sequence[float] | np.ndarray, confidence: float = 0.95) -> Interval:
    """Confidence interval of a mean, by Student's distribution.

    Parameters
    ----------
    values : sequence of float, (n,)
        Independent values; for the difference of two treatments, the differences of the pairs.
    confidence : float
        Probability that the interval holds the true mean.

    Raises
    ------
    DataError
        If there are fewer than two values, or one is not finite.
    """
    values = np.asarray(values, "float64")
    if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
        raise DataError(
            f"an interval of the mean of {values.size} values, shape {values.shape}, was asked "
            "for; give a row of at least two finite numbers."
        )
    n = len(values)
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    t = student_quantile((1 + confidence) / 2, n - 1)
    half = t * deviation / math.sqrt(n)  # (1)
    return Interval(mean, mean - half, mean + half)


@door
def proportion_interval(k: int, n: int, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's confidence interval of a proportion, k successes in n trials.

    Raises
    ------
    OptionError
        If it is not true that 0 <= k <= n and 1 <= n, or the confidence is not between 0 and 1.
    """
    if not 0 <= k <= n or n < 1:
        raise OptionError(f"{k} of {n} was given; give 0 <= k <= n, with n at least 1.")
    tail = (1 - _between_0_and_1(confidence)) / 2
    i = np.arange(1, n + 1)
    log_choose = np.concatenate([[0.0], np.cumsum(np.log((n - i + 1) / i))])

    def at_least(k: int, p: float) -> float:
        """P(X >= k)."""
        j = np.arange(k, n + 1)
        return float(np.exp(log_choose[k:] + j * math.log(p) + (n - j) * math.log1p(-p)).sum())

    low = 0.0 if k == 0 else _root(lambda p: at_least(k, p) - tail, 0.0, 1.0)  # (4)
    high = 1.0 if k == n else _root(lambda p: at_least(k + 1, p) - (1 - tail), 0.0, 1.0)  # (4)
    return Interval(k / n, low, high)


def _root(increasing: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function of a number between low and high is 0, by bisection."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if increasing(middle) < 0 else (low, middle)
    return high


@door
def student_quantile(p: float, dof: Annotated[int, Between(1, 10**6, "[]")]) -> float:
    """Quantile of Student's distribution: t with P(T <= t) = p.

    Parameters
    ----------
    p : float
        Between 0 and 1.
    dof : int
        Degrees of freedom, at least 1.
    """
    _between_0_and_1(p)
    if dof < 1 or dof != int(dof):
        raise OptionError(f"dof={dof} was given, but it must be a whole number of at least 1.")
    # The angle is bisected: it lies in an interval that is known, and A rises with it.
    inside = abs(2 * p - 1)
    theta = _root(lambda theta: _student_inside(theta, dof) - inside, 0.0, math.pi / 2)
    return math.copysign(math.tan(theta) * math.sqrt(dof), p - 0.5) if inside else 0.0


def _student_inside(theta: float, dof: int) -> float:
    """Probability of [-t, t], with theta = arctan(t / sqrt(dof))."""
    cos, sin = math.cos(theta), math.sin(theta)
    odd = dof % 2
    term = cos if odd else 1.0
    total = 0.0 if dof == 1 else term
    for power in range(2 + odd, dof - 1, 2):
        term *= cos**2 * (power - 1) / power
        total += term
    return 2 / math.pi * (theta + sin * total) if odd else sin * total  # (2), (3)


def _between_0_and_1(p: float) -> float:
    if not 0 < p < 1:
        raise OptionError(f"the probability {p} was given, but it must lie between 0 and 1.")
    return p
