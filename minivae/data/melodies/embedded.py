"""`melodies`: tunes in the public domain, in two-bar windows, in eleven keys.

The tunes are written down in `tunes.abc`, which is ours; who made them, and when, it says too. A
window begins at each bar, and is there as high as it was written down and up to five semitones
higher and lower, as far as the range goes. No two rows are alike.

Whole tunes are held out, every fifth: a window of a tune that was learned from is no new music,
least of all in another key.
"""

from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ...errors import DataError
from ..dataset import Dataset
from ..pixels import Pixels
from .abc_reader import read_abc
from .alphabet import ALPHABET, STEPS
from .tune import Tune, beginning, transposed, windows

NAME = "melodies"
WHAT = "two bars each of tunes in the public domain, in eleven keys, held out by tune"
STATE = "embedded"

PATH = Path(__file__).with_name("tunes.abc")

SIZES = (2167, 436, (STEPS,))
"""Training melodies, test melodies, and the shape of one."""

KEYS = range(-5, 6)
"""Semitones that a tune is moved by."""

MANY = 200
"""Tunes that are moved to other keys at most: more are in many keys already."""

EVERY = 5
"""Tunes 5, 10, 15, ... are held out."""


@cache
def tunes() -> list[Tune]:
    """The tunes, in the order of the file."""
    return read_abc(PATH.read_text(encoding="utf-8"), PATH.name)


def find(title: str) -> np.ndarray | None:
    """Tokens (T,) of the first two bars of the tune whose title begins so, or None."""
    wanted = title.casefold().strip()
    for tune in tunes():
        if wanted and tune.title.casefold().startswith(wanted):
            return beginning(tune)
    return None


def load(*, hold_out: bool = True) -> Dataset:
    """Load the melodies; with `hold_out` False all are training rows."""
    return of_tunes(NAME, tunes(), hold_out=hold_out)


def of_tunes(
    name: str, tunes: Sequence[Tune], *, hold_out: bool = True, notes: Sequence[str] = ()
) -> Dataset:
    """Windows of tunes in all keys, as a data set; of over `MANY` tunes as they are written down.

    Its classes are the tunes. Windows that training and test would share are test rows alone.

    Raises
    ------
    DataError
        If no window fits.
    """
    kept: dict[bool, tuple[list[np.ndarray], list[np.ndarray]]] = {False: ([], []), True: ([], [])}
    seen: set[bytes] = set()
    keys = KEYS if len(tunes) <= MANY else (0,)
    left_out = 0
    titles: list[str] = []
    problems: list[str] = []
    # Held-out tunes first, so that what two tunes share is theirs.
    numbered = [(hold_out and i % EVERY == EVERY - 1, tune) for i, tune in enumerate(tunes)]
    for held, tune in sorted(numbered, key=lambda entry: not entry[0]):
        try:
            pitches, off_grid = windows(tune)
        except DataError as error:
            problems.append(str(error))
            continue
        left_out += off_grid
        rows = np.concatenate([transposed(pitches, by) for by in keys])
        new = []
        for row in rows:
            if row.tobytes() not in seen:
                seen.add(row.tobytes())
                new.append(row)
        if new:
            x, y = kept[held]
            x.append(np.array(new))
            y.append(np.full(len(new), len(titles)))
            titles.append(tune.title)
    x, y = kept[False]
    if not x:
        raise DataError(problems[0] if problems else f"{name} has no window of 2 bars that fits.")
    more = (
        [f"{left_out} windows with notes between the sixteenths were left out"] if left_out else []
    )
    if problems:
        more.append(f"{len(problems)} tunes were passed over, the first since {problems[0]}")
    test, y_test = kept[True]
    return Dataset(
        name,
        Pixels(np.concatenate(x), 1),
        np.concatenate(y),
        Pixels(np.concatenate(test), 1) if test else None,
        np.concatenate(y_test) if test else None,
        (STEPS,),
        tuple(titles),
        notes=(*notes, *more),
        alphabet=ALPHABET,
    )
