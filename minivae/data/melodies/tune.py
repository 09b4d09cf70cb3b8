"""A tune: notes in bars, and its windows of two bars, as tokens.

However a tune was written down, in ABC or in a MIDI file, it is this: a title, a metre, and bars of
notes, each of which lasts so many whole notes.
"""

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from ...errors import DataError
from .alphabet import BEAT, FIRST, HIGH, HOLD, LOW, REST, STEPS, Note, to_tokens

WHOLE = 4 * BEAT
"""Sixteenths of a whole note."""


class Sound(NamedTuple):
    """A note (or a rest, whose pitch is None), how long it lasts in whole notes, and its tie."""

    pitch: int | None
    length: Fraction
    tied: bool = False


@dataclass
class Tune:
    """A tune.

    Attributes
    ----------
    title : str
        Its name.
    metre : Fraction or None
        Length of a bar in whole notes; None where there are no bars.
    bars : list of list of Sound
        Repeats are written out.
    fields : dict
        What else the file says: `C` the composer, `S` the source, and so on.
    """

    title: str
    metre: Fraction | None
    bars: list[list[Sound]]
    fields: dict[str, str] = field(default_factory=dict)

    @property
    def lengths(self) -> list[Fraction]:
        """Length of each bar."""
        return [sum((sound.length for sound in bar), Fraction(0)) for bar in self.bars]


def from_sounds(title: str, notes: list[Note]) -> Tune:
    """A tune of notes in sixteenths, in bars of 4/4; a note over a bar line becomes two, tied."""
    end = notes[-1].start + notes[-1].length
    n_bars = -(-end // WHOLE)
    bars: list[list[Sound]] = [[] for _ in range(n_bars)]

    def add(pitch: int | None, start: int, stop: int) -> None:
        while start < stop:
            until = min(stop, (start // WHOLE + 1) * WHOLE)
            tied = pitch is not None and until < stop
            bars[start // WHOLE].append(Sound(pitch, Fraction(until - start, WHOLE), tied))
            start = until

    now = 0
    for start, length, pitch in notes:
        add(None, now, start)
        add(pitch, start, start + length)
        now = start + length
    add(None, now, n_bars * WHOLE)
    return Tune(title, Fraction(1), bars)


def whole_bars(tune: Tune) -> list[list[Sound] | None]:
    """The bars that fill the metre; None where one does not, and windows must not go across.

    A bar that a repeat sign divides is put together again; an upbeat, and the rest of the bar at
    the tune's end, are left out.

    Raises
    ------
    DataError
        If two bars of 4/4 hold no whole number of the tune's bars, as of 3/4.
    """
    if tune.metre is None or Fraction(STEPS, WHOLE) % tune.metre:
        what = "no metre" if tune.metre is None else f"bars of {_quarters(tune.metre)} quarters"
        raise DataError(
            f"the tune {tune.title!r} has {what}, but windows are of 2 bars of 4/4; give tunes in "
            "4/4, 2/2 or 2/4."
        )
    bars, lengths = tune.bars, tune.lengths
    found: list[list[Sound] | None] = []
    i = 0
    while i < len(bars):
        if lengths[i] == tune.metre:
            found.append(bars[i])
        elif i > 0 and i + 1 < len(bars) and lengths[i] + lengths[i + 1] == tune.metre:
            found.append(bars[i] + bars[i + 1])
            i += 1
        else:
            found.append(None)
        i += 1
    return found


def windows(tune: Tune) -> tuple[np.ndarray, int]:
    """Windows of two bars of 4/4 as they are written, and how many do not fit.

    A window begins at each bar of 4/4, and at every second bar of 2/4. What is tied into it begins
    with it.

    Returns
    -------
    pitches : numpy.ndarray, (N, T), int
        For each sixteenth the pitch that begins there, `-1` if none does and `-2` for a rest: to be
        transposed before they become tokens.
    left_out : int
        Windows with notes that are not on the grid of sixteenths.

    Raises
    ------
    DataError
        As `whole_bars`.
    """
    bars = whole_bars(tune)
    assert tune.metre is not None
    at_once = int(Fraction(STEPS, WHOLE) / tune.metre)
    stride = max(1, at_once // 2)
    first = next((i for i, bar in enumerate(bars) if bar is not None), 0)
    found, left_out = [], 0
    for start in range(first, len(bars) - at_once + 1, stride):
        taken = bars[start : start + at_once]
        if None in taken:
            continue
        row = _row([sound for bar in taken for sound in bar or ()])
        if row is None:
            left_out += 1
        elif (row >= 0).any():
            found.append(row)
    return np.array(found, int).reshape(-1, STEPS), left_out


def _row(sounds: list[Sound]) -> np.ndarray | None:
    """One window, or None if a note is not on the grid."""
    row = np.full(STEPS, -1)
    at, before = Fraction(0), Sound(None, Fraction(0))
    for sound in sounds:
        step = at * WHOLE
        if step.denominator != 1 or (sound.length * WHOLE).denominator != 1:
            return None
        if sound.pitch is None and (at == 0 or before.pitch is not None):
            row[int(step)] = -2
        elif sound.pitch is not None and not (before.tied and before.pitch == sound.pitch):
            row[int(step)] = sound.pitch
        at, before = at + sound.length, sound
    return row


def transposed(pitches: np.ndarray, by: int) -> np.ndarray:
    """Tokens (M, T) of those windows that are in the range when they are moved by semitones."""
    sounds = pitches >= 0
    moved = np.where(sounds, pitches + by, pitches)
    fits = ((moved >= LOW) & (moved <= HIGH) | ~sounds).all(axis=1)
    moved = moved[fits]
    tokens = np.where(moved >= 0, moved - LOW + FIRST, np.where(moved == -2, REST, HOLD))
    return tokens.astype(np.uint8)


def beginning(tune: Tune) -> np.ndarray:
    """Tokens (T,) of the first two whole bars of a tune, or of what there is of them.

    Raises
    ------
    DataError
        If they do not fit: the metre, the grid of sixteenths, or the range.
    """
    pitches, left_out = windows(tune)
    if len(pitches):
        notes = [Note(step, 1, int(pitch)) for step, pitch in enumerate(pitches[0]) if pitch >= 0]
        to_tokens(notes)  # says which pitch is outside of the range
        return transposed(pitches[:1], 0)[0]
    if left_out:
        raise DataError(
            f"the tune {tune.title!r} has notes that do not fit sixteenths; quantise it."
        )
    silent = all(sound.pitch is None for bar in tune.bars for sound in bar)
    what = "no note" if silent else "fewer than 2 whole bars of 4/4, one after the other"
    raise DataError(f"the tune {tune.title!r} has {what}; give one of 2 bars or more.")


def _quarters(length: Fraction) -> str:
    return f"{float(length * 4):g}"
