"""The numbers of each epoch as a table that other programs read."""

import csv
import io
from collections.abc import Collection
from typing import Any


def metrics(history: list[dict[str, Any]], *, without: Collection[str] = (), start: int = 0) -> str:
    """CSV text of a history, a row for each epoch; numbers in full, so that nothing is lost.

    Parameters
    ----------
    history : list of dict
        As `Training.history`.
    without : collection of str
        Numbers that get no column, such as the KL of an autoencoder, which has none.
    start : int
        Rows from this epoch on; the first comes with the header.
    """
    columns = [name for name in (history[0] if history else {"epoch": 0}) if name not in without]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    if not start:
        writer.writeheader()
    writer.writerows(history[start:])
    return text.getvalue()
