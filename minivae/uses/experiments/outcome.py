"""What an experiment hands over: a CSV file of all its numbers, and words for their means."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...files import write_atomically
from ..statistics import mean_interval

Record = dict[str, Any]


def write_csv(path: Path, records: Sequence[Record]) -> None:
    """Write one row for each record, whole or not at all; the columns are the first one's keys."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))


def column(records: Sequence[Record], name: str, **where: Any) -> np.ndarray:
    """Values of one column in the records that match, one for each, in order."""
    chosen = [r[name] for r in records if all(r[key] == value for key, value in where.items())]
    return np.array(chosen, dtype=float)


def mean_sd(values: np.ndarray, digits: int = 2) -> str:
    """Mean and standard deviation over the seeds, as in "7.30 ± 0.48"; one value stands alone."""
    mean = f"{values.mean():.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {values.std(ddof=1):.{digits}f}"


def order(a: np.ndarray, b: np.ndarray) -> int:
    """Which of two groups has the higher mean: 1 for a, -1 for b, 0 where it cannot be told.

    It can be told if the 95% interval of the mean difference, seed by seed, leaves out 0.
    """
    if len(a) < 2 or not np.isfinite(a - b).all():
        return 0
    interval = mean_interval(a - b)
    return int(interval.low > 0) - int(interval.high < 0)


def steadier(a: float, b: float) -> int:
    """Which of two standard deviations is the smaller: 1 for a, -1 for b, 0 if it cannot be told.

    It can be told if one is more than 1.5 times the other.
    """
    return int(b > 1.5 * a) - int(a > 1.5 * b)


def verdict(claim: str, outcome: int, figures: str) -> str:
    """Say whether a common claim holds: 1 confirmed, -1 the contrary, 0 not told apart."""
    words = {
        1: "confirmed",
        -1: "refuted",
        0: "not confirmed (no difference that these seeds can tell)",
    }
    return f"{claim}: {words[outcome]}; {figures}."
