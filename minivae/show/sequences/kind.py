"""What a kind of sequences says of itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Sheet:
    """Sequences to be shown together.

    Attributes
    ----------
    rows : numpy.ndarray, (N, T)
        Numbers of symbols.
    alphabet : sequence of str
        The symbols.
    captions : sequence of str
        What stands beside each row; "" for nothing.
    title : str
        What they are.
    ways : int
        The rows are so many ways of equal length, one after the other; a picture may show them
        side by side.
    """

    rows: np.ndarray
    alphabet: Sequence[str]
    captions: Sequence[str]
    title: str = ""
    ways: int = 1


Writer = Callable[[Sheet], "bytes | Axes | Figure"]
"""Makes the content of a file, or a picture."""


@dataclass(frozen=True)
class Kind:
    """A kind of sequences.

    Attributes
    ----------
    name : str
        Such as "melody".
    fits : callable
        `fits(alphabet) -> bool`.
    formats : dict
        The endings of files that hold many sequences, and what makes each.
    each : tuple of str
        Of those, the endings in which every sequence has a file of its own too.
    find : callable
        `find(text) -> row (T,) or None`: a sequence that is named, or in a file.
    named : str
        What can be named so, for a sentence.
    """

    name: str
    fits: Callable[[Sequence[str]], bool]
    formats: dict[str, Writer]
    each: tuple[str, ...]
    find: Callable[[str, Sequence[str]], np.ndarray | None]
    named: str
