"""Sequences of symbols in a `.npz` file: rows of numbers, and the `alphabet` that they count.

    numpy.savez("own.npz", x=rows, alphabet=["·", "a", "b"])

Number 0 is the padding, so the alphabet begins with its symbol (see `alphabet.py`).
"""

from typing import Any

import numpy as np

from ..errors import DataError
from .alphabet import check_alphabet
from .dataset import Dataset, class_numbers
from .hold_out import HOLD_OUT, held_out_rows
from .pixels import Pixels


def from_symbols(
    name: str,
    x: np.ndarray,
    alphabet: np.ndarray,
    y: np.ndarray | None = None,
    x_test: np.ndarray | None = None,
    y_test: np.ndarray | None = None,
    hold_out: bool = True,
) -> Dataset:
    """Check somebody's rows of symbols (N, T), and hold out a test set if they bring none.

    Raises
    ------
    DataError
        If they are no whole numbers that count the alphabet, or do not fit together.
    """
    if alphabet.ndim != 1 or alphabet.dtype.kind != "U":
        raise DataError(f"{name}: the alphabet holds {alphabet.dtype}, expected texts (V,)")
    if x_test is None and y_test is not None:
        raise DataError(f"{name}: y_test came without x_test, expected both or neither")
    symbols = tuple(str(symbol) for symbol in alphabet)
    parts: list[Any] = []
    for rows in (x,) if x_test is None else (x, x_test):
        if rows.ndim != 2 or rows.size == 0 or rows.dtype.kind not in "iu":
            raise DataError(
                f"{name}: sequences came as {rows.dtype} of shape {rows.shape}, expected whole "
                "numbers (N, T), at least one"
            )
        check_alphabet(name, symbols, float(rows.min()), float(rows.max()))
        parts.append(rows.astype(np.uint8))
    train, test = parts[0], parts[1] if x_test is not None else None
    if test is not None and test.shape[1] != train.shape[1]:
        raise DataError(
            f"{name}: sequences of {train.shape[1]} and of {test.shape[1]} symbols were given, "
            "expected one length"
        )
    n_test = 0 if test is None else len(test)
    y, y_test, labels = class_numbers(name, y, len(train), y_test, n_test)
    if test is None and hold_out and len(train) >= HOLD_OUT:
        held = held_out_rows(len(train), y)
        train, test = train[~held], train[held]
        if y is not None:
            y, y_test = y[~held], y[held]
    return Dataset(
        name,
        Pixels(train, 1),
        y,
        None if test is None else Pixels(test, 1),
        y_test,
        (train.shape[1],),
        labels,
        alphabet=symbols,
    )
