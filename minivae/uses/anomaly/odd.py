r"""Which column of a row is odd: the one without which the row would be none.

A model that sees a row it never saw the like of rebuilds *all* of its columns badly, so the worst
rebuilt one may be innocent. Therefore each column is put right in turn, and the row is scored
again. Let $x_{-d}$ be the row whose column d is what the others lead to expect: the median at
first, then, some times, what the model rebuilds of the row:

$$ \text{gain}_d = \text{score}(x) - \text{score}(x_{-d}) \tag{1} $$

The column of the largest gain is named if its gain is more than half of what the score has beyond
the threshold, and either twice the gain of any other column or the only one that ends the alarm.
Else no column alone is to blame: several are odd, or a relation between two is broken, which either
could mend.
"""

import numpy as np

from ...models.rows import reconstruct
from .detector import Detector
from .scores import explain, score

ROUNDS = 4
"""How often a column is replaced by what is rebuilt of it."""

CANDIDATES = 8
"""Columns that are put right: those worst rebuilt, and those farthest from their mean, so many."""

NUMBERS = 1 << 22
"""Numbers in the rows that are scored again at once."""

LARGEST = float(np.finfo(np.float64).max) / 4
"""What stands for an infinite score."""


def odd_columns(detector: Detector, u: np.ndarray, scores: np.ndarray, name: str) -> list[str]:
    """Name the column to blame for each row's score, or "".

    Parameters
    ----------
    detector : Detector
        Of a table.
    u : numpy.ndarray, (N, D), float32
        Standardised rows, see `Detector.prepare`.
    scores : numpy.ndarray, (N,)
        What they score.
    name : str
        By which of `SCORES`.

    Returns
    -------
    list of str, N of them
        Columns of the file; "" for a row below the threshold, and where no column alone is odd.
    """
    found = [""] * len(u)
    limit = detector.alarms[name].threshold
    alarms = np.flatnonzero(scores > limit)
    step = max(1, NUMBERS // (2 * CANDIDATES * u.shape[1]))
    for start in range(0, len(alarms), step):
        rows = alarms[start : start + step]
        excess = np.minimum(scores[rows], LARGEST) - limit
        for row, column in zip(
            rows, _to_blame(detector, u[rows], excess, limit, name), strict=True
        ):
            found[row] = column
    return found


def _to_blame(
    detector: Detector, u: np.ndarray, excess: np.ndarray, limit: float, name: str
) -> list[str]:
    """Name the column to blame for each row (N, D) whose score lies beyond the limit, or ""."""
    groups = detector.form.groups()
    places = [list(at) for _, at in groups]
    parts, _ = explain(detector.model, u, detector.noise)
    tried = _candidates(parts, u, places)
    mended = _mended(detector, u.repeat(tried.shape[1], 0), [places[d] for d in tried.ravel()])
    after = score(detector.model, mended, detector.noise)[name].reshape(tried.shape)
    gain = excess[:, None] - (np.minimum(after, LARGEST) - limit)  # (1)
    best, none = gain.argmax(axis=1), np.full((len(u), 1), -LARGEST)
    second, first = np.sort(np.hstack([none, gain]), axis=1)[:, -2:].T
    ends = first >= excess
    alone = (first > excess / 2) & ((first / 2 >= second) | (ends & (second < excess)))
    return [groups[tried[i, best[i]]][0] if alone[i] else "" for i in range(len(u))]


def _candidates(parts: np.ndarray, u: np.ndarray, places: list[list[int]]) -> np.ndarray:
    """Columns (N, C) of the file that may be odd in each row."""
    if len(places) <= 2 * CANDIDATES:
        return np.tile(np.arange(len(places)), (len(u), 1))
    starts = [at[0] for at in places]
    badly = np.add.reduceat(np.minimum(parts, LARGEST / len(starts)), starts, axis=1)
    far = np.maximum.reduceat(np.abs(u), starts, axis=1)
    far[np.arange(len(u))[:, None], np.argsort(-badly, axis=1)[:, :CANDIDATES]] = np.inf
    return np.argsort(-far, axis=1, kind="stable")[:, : 2 * CANDIDATES]


def _mended(detector: Detector, u: np.ndarray, places: list[list[int]]) -> np.ndarray:
    """Rows (N, D) in each of which some places are what the others lead to expect."""
    form = detector.form
    usual = (np.array(form.fill or form.mean) - form.mean) / form.sd
    i = np.repeat(np.arange(len(u)), [len(at) for at in places])
    j = np.concatenate(places)
    u = u.copy()
    u[i, j] = usual[j]
    with np.errstate(all="ignore"):
        for _ in range(ROUNDS):
            rebuilt = reconstruct(detector.model, u)
            u[i, j] = np.nan_to_num(rebuilt[i, j], nan=0.0, posinf=0.0, neginf=0.0)
    return u
