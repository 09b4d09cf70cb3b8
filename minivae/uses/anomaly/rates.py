r"""How well a score tells anomalies from normal data, and where the alarm begins.

**AUROC**: the probability that an anomaly scores higher than a normal example, a tie counting one
half. Sort all $m + n$ scores; with $r_i$ the rank of anomaly $i$, equal scores sharing the mean of
their ranks, the pairs that an anomaly wins are its rank less the ranks among the anomalies:

$$ U = \sum_{i=1}^m r_i - \frac{m (m + 1)}2 \tag{1} $$
$$ \text{AUROC} = \frac{U}{m n} \tag{2} $$

**Threshold**: of $n$ scores of held-out normal data, the one of rank

$$ k = \lceil (n + 1) \, q \rceil \tag{3} $$

If one more normal example is drawn as these were, its place among them is any of the $n + 1$ with
the same probability, so it lies above the threshold with probability $1 - k / (n + 1) \le 1 - q$.

Sources: (1) and (2) Mann and Whitney (1947); (3) Vovk, Gammerman and Shafer (2005), chapter 2.
"""

import math

import numpy as np

from ...engine.door import door
from ...engine.kinds import Count, Inside
from ...errors import DataError, OptionError, ShapeError

MOST_HELD_OUT = 1000
"""Normal examples for the thresholds, and as many to check them, at most: their false-alarm rate is
then known to about 1.4 percent."""


@door
def auroc(anomalous: np.ndarray, normal: np.ndarray) -> float:
    """Area under the ROC curve: the probability that an anomaly scores higher.

    Parameters
    ----------
    anomalous, normal : numpy.ndarray, (m,) and (n,)
        Scores, higher for what is more anomalous; infinite ones are welcome.

    Returns
    -------
    float
        1 if every anomaly scores higher than every normal example, 0.5 for a coin.

    Raises
    ------
    ShapeError
        If there is no score on one of the sides, or they are no vectors.
    DataError
        If a score is NaN.
    """
    anomalous, normal = np.asarray(anomalous, "float64"), np.asarray(normal, "float64")
    if not (anomalous.ndim == normal.ndim == 1 and anomalous.size and normal.size):
        raise ShapeError(
            f"scores of shape {anomalous.shape} and {normal.shape} were given; an AUROC takes one "
            "score or more of anomalies (m,) and of normal examples (n,)."
        )
    scores = np.concatenate([anomalous, normal])
    if np.isnan(scores).any():
        raise DataError(
            f"{np.isnan(scores).sum()} of {scores.size} scores are NaN, which have no rank; give "
            "numbers."
        )
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]  # ties share the mean of their ranks
    m, n = anomalous.size, normal.size
    u = ranks[:m].sum() - m * (m + 1) / 2  # (1)
    return float(u / (m * n))  # (2)


@door
def threshold(normal: np.ndarray, quantile: float) -> float:
    """Score above which an example is called an anomaly.

    Parameters
    ----------
    normal : numpy.ndarray, (n,)
        Scores of normal examples that nothing was fitted to.
    quantile : float
        Part of normal examples that shall raise no alarm, above 0 and below 1.

    Raises
    ------
    OptionError
        If the quantile is not between 0 and 1, or the examples are too few for it.
    """
    check_quantile(quantile)
    n = len(normal)
    rank = rank_of(quantile, n)
    if rank > n:
        raise OptionError(
            f"the quantile {quantile:g} was asked for of {n} held-out normal examples, but it "
            f"needs {enough_for(quantile)}; hold out more, or ask for {n / (n + 1):.3g} or less."
        )
    return float(np.sort(normal)[rank - 1])


def check_quantile(quantile: float) -> None:
    """Refuse a quantile that is not between 0 and 1."""
    if not 0 < quantile < 1:
        raise OptionError(
            f"quantile={quantile} was given, but it is the part of normal examples that raise no "
            "alarm; give a number between 0 and 1, such as 0.95."
        )


@door
def rank_of(quantile: float, n: int) -> int:
    """Rank, from 1, of the threshold among n scores; above n if they are too few."""
    # (3); 9 digits, for 0.07 * 100 is above 7
    return max(1, math.ceil(round((n + 1) * quantile, 9)))


@door
def enough_for(quantile: float) -> int:
    """Fewest held-out examples that have this quantile."""
    return max(1, math.ceil(round(quantile / (1 - quantile), 9)))


@door
def split(
    n: Count, held_out: Inside, quantile: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows for the thresholds, rows to check them, and rows to train on, at random.

    Raises
    ------
    OptionError, DataError
        If they are too few for the quantile, or none is left to train on.
    """
    need = enough_for(quantile)
    half = min(max(MOST_HELD_OUT, need), round(n * held_out / 2))
    if half < need:
        raise DataError(
            f"{n} normal examples were given, of which {half} are for the thresholds, but the "
            f"quantile {quantile:g} needs {need}; give {math.ceil(2 * need / held_out)} examples, "
            f"hold out more than {held_out:g}, or ask for a lower quantile."
        )
    order = rng.permutation(n)
    first, second, rest = order[:half], order[half : 2 * half], np.sort(order[2 * half :])
    if len(rest) < 2:
        raise DataError(f"{len(rest)} of {n} normal examples are left to train on; hold out less.")
    return np.sort(first), np.sort(second), rest
