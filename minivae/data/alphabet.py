"""Sequences of symbols: an alphabet, numbers that stand for its symbols, and texts made of them.

A data set of sequences has an alphabet, and its rows (N, T) hold numbers of symbols, whole numbers
from 0. Number 0 is `PADDING`: nothing at all, behind the end of a sequence that is shorter than T.
Where sequences have lengths of their own, the symbol `END` closes each, and is one to be learned as
any other. A row is bytes with the divisor 1 (`Pixels`), so at most 255 symbols can be told apart.
"""

from collections.abc import Sequence

import numpy as np

from ..engine.backend import Indices
from ..engine.door import door
from ..errors import DataError

PADDING = "·"
"""Symbol 0 of every alphabet: what stands behind the end."""

END = "."
"""What closes a sequence where they have lengths of their own."""


@door
def check_alphabet(name: str, alphabet: Sequence[str], low: float, high: float) -> None:
    """Refuse an alphabet without `PADDING` at 0, or numbers from `low` to `high` beyond it.

    Raises
    ------
    DataError
        In one sentence that begins with the name of the data set.
    """
    if not alphabet or alphabet[0] != PADDING or len(set(alphabet)) < len(alphabet):
        raise DataError(
            f"{name}: the alphabet begins with {list(alphabet[:3])}, expected {PADDING!r} and then "
            "symbols no two of which are alike."
        )
    if not (low >= 0 and high < len(alphabet) <= 256):
        raise DataError(
            f"{name}: the numbers of symbols range from {low:g} to {high:g}, expected 0 to "
            f"{len(alphabet) - 1} for {len(alphabet)} symbols, and at most 256 of these."
        )


@door
def numbered(
    name: str, texts: Sequence[str], alphabet: Sequence[str], steps: int | None = None
) -> np.ndarray:
    """Turn texts into rows (N, T) of numbers, uint8, each closed by `END` and then padded.

    Parameters
    ----------
    name : str
        Begins every error message.
    texts : sequence of str
        One sequence each, a symbol a letter.
    alphabet : sequence of str
        The symbols. Without `END` among them all texts must have one length.
    steps : int, optional
        T; as many as the longest takes by default.

    Raises
    ------
    DataError
        If there is no text, one is empty, holds what the alphabet lacks, or has another length.
    """
    number = {symbol: i for i, symbol in enumerate(alphabet) if i and symbol != END}
    end = [list(alphabet).index(END)] if END in alphabet else []
    lengths = {len(text) for text in texts}
    if not texts or 0 in lengths:
        raise DataError(f"{name}: a sequence is empty, expected at least one symbol in each.")
    steps = max(lengths) + len(end) if steps is None else steps
    if not end and lengths != {steps}:
        raise DataError(
            f"{name}: sequences of {min(lengths)} to {max(lengths)} symbols were given, expected "
            f"{steps} in each, for the alphabet has no symbol that ends one."
        )
    rows = np.zeros((len(texts), steps), np.uint8)
    for row, text in zip(rows, texts, strict=True):
        lacking = [letter for letter in text if letter not in number]
        if lacking:
            raise DataError(
                f"{name}: {text!r} holds {lacking[0]!r}, expected symbols of the alphabet: "
                f"{' '.join(number)}."
            )
        if len(text) + len(end) > steps:
            raise DataError(
                f"{name}: {text!r} has {len(text)} symbols, expected at most {steps - len(end)}."
            )
        row[: len(text) + len(end)] = [*(number[letter] for letter in text), *end]
    return rows


@door
def spelled(rows: np.ndarray, alphabet: Sequence[str]) -> list[str]:
    """Texts of rows (N, T) of numbers, up to the end of each; symbols of several letters apart.

    Raises
    ------
    DataError
        If a number is none of the alphabet's.
    """
    if rows.size and not (rows.min() >= 0 and rows.max() < len(alphabet)):
        raise DataError(
            f"numbers from {rows.min():g} to {rows.max():g} were to be spelled, expected 0 to "
            f"{len(alphabet) - 1}, those of the alphabet."
        )
    between = "" if all(len(symbol) == 1 for symbol in alphabet) else " "
    texts = []
    for row in np.asarray(rows, int):
        symbols = [alphabet[k] for k in row]
        stops = [i for i, symbol in enumerate(symbols) if symbol in (PADDING, END)]
        texts.append(between.join(symbols[: stops[0]] if stops else symbols))
    return texts


@door
def closed(rows: Indices, alphabet: Sequence[str]) -> Indices:
    """Rows (N, T) of numbers with nothing behind the first `END`, as the data have them."""
    if END not in alphabet:
        return rows
    ended = (rows == list(alphabet).index(END)).cumsum(axis=1)
    return rows * (ended - (rows == list(alphabet).index(END)) == 0)
