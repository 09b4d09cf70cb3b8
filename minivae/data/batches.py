"""Slices that cover the rows of data."""

from collections.abc import Iterator


def batches(n: int, batch: int) -> Iterator[slice]:
    """Slices that cover n rows, the last one ragged."""
    for start in range(0, n, batch):
        yield slice(start, min(start + batch, n))
