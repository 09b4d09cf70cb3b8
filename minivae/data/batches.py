"""Rows of data in parts: the slices that cover them, and a function applied to each in turn."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..engine.backend import Backend
from ..engine.door import door
from ..engine.kinds import Count, Whole

ROWS = 500
"""Rows that a function is applied to at once, where nothing else is asked for."""


@door
def batches(n: Whole, batch: Count) -> Iterator[slice]:
    """Slices that cover n rows, the last one ragged."""
    for start in range(0, n, batch):
        yield slice(start, min(start + batch, n))


@door
def by_rows(
    backend: Backend, function: Callable, *arrays: Any, rows: int = ROWS, title: str = ""
) -> Any:
    """Apply a function to the rows of arrays in parts, which bound the memory.

    Parameters
    ----------
    backend : Backend
        Where the function computes.
    function : callable
        `function(*parts)` of the same rows of each array gives an array with as many rows, or a
        tuple of such arrays.
    *arrays : array or Pixels, (N, ...)
        Of the host or the backend, as the function takes them.
    rows : int
        How many at once; changes time and memory only.
    title : str
        Title of a progress bar; "" for none.

    Returns
    -------
    numpy.ndarray, (N, ...), or a tuple of them
        What the function gave, on the host.
    """
    slices = list(batches(len(arrays[0]), rows)) or [slice(0, 0)]
    if title:
        from ..engine.progress import bar as tqdm

        slices = tqdm(slices, desc=title, leave=False)
    found, alone = [], False
    for part in slices:
        given = function(*(array[part] for array in arrays))
        alone = not isinstance(given, tuple)
        found.append([backend.to_host(array) for array in ((given,) if alone else given)])
    whole = tuple(np.concatenate(parts) for parts in zip(*found, strict=True))
    return whole[0] if alone else whole
