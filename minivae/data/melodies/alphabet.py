"""What a melody is made of: one symbol for each sixteenth, and the notes that symbols stand for.

====== ======= =====================================================
number symbol  what happens in this sixteenth
====== ======= =====================================================
1      `-`     nothing new: the note sounds on, or the silence goes on
2      `z`     silence begins
3 ...  `G3`    a note begins, here the lowest one, G below middle C
====== ======= =====================================================

So three quarters of middle C and a rest of a quarter are `C4 - - - - - - - - - - - z - - -`. A hold
that follows nothing is silence, and so is 0, the padding that every alphabet begins with. Pitches
are numbered as MIDI numbers them: 60 is middle C, and one more is a semitone higher.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from ...errors import DataError, ShapeError
from ..alphabet import PADDING

HOLD, REST, FIRST = 1, 2, 3
"""Numbers of the two symbols that are no pitch, and of the first that is one."""

LOW, HIGH = 55, 88
"""The lowest and the highest pitch: G3 and E6."""

BEAT, STEPS = 4, 32
"""Sixteenths of a quarter, and of a melody: 2 bars of 4/4."""

_NAMES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")


def pitch_name(pitch: int) -> str:
    """Name of a pitch: 60 is `C4`."""
    return f"{_NAMES[pitch % 12]}{pitch // 12 - 1}"


ALPHABET = (PADDING, "-", "z", *map(pitch_name, range(LOW, HIGH + 1)))
"""The symbols, in the order of their numbers."""


class Note(NamedTuple):
    """A pitch, the step at which it begins, and the steps that it sounds."""

    start: int
    length: int
    pitch: int


def is_music(alphabet: Sequence[str] | None) -> bool:
    """Whether symbols are those of melodies."""
    return alphabet is not None and tuple(alphabet) == ALPHABET


def to_notes(tokens: np.ndarray) -> list[Note]:
    """Notes of one melody, tokens (T,)."""
    notes: list[Note] = []
    sounding = False
    for step, token in enumerate(np.asarray(tokens, int).tolist()):
        if token == HOLD and sounding:
            notes[-1] = notes[-1]._replace(length=notes[-1].length + 1)
        elif token != HOLD:
            sounding = token >= FIRST
            if sounding:
                notes.append(Note(step, 1, LOW + token - FIRST))
    return notes


def to_tokens(notes: Iterable[Note], steps: int = STEPS) -> np.ndarray:
    """Tokens (T,), uint8, of notes in the order in which they begin.

    A note sounds until its end, or until the next one begins. What lies beyond the last step is
    cut off.

    Raises
    ------
    DataError
        If a pitch is outside of the range.
    """
    tokens = np.full(steps, HOLD, np.uint8)
    end = 0  # where silence begins
    for note in notes:
        if note.start >= steps:
            break
        if not LOW <= note.pitch <= HIGH:
            raise DataError(
                f"there is a note {pitch_name(note.pitch)}, but melodies lie between "
                f"{pitch_name(LOW)} and {pitch_name(HIGH)}; transpose it by octaves."
            )
        if note.start > end:
            tokens[end] = REST
        tokens[note.start] = FIRST + note.pitch - LOW
        end = note.start + note.length
    if end < steps:
        tokens[end] = REST
    return tokens


def joined(tokens: np.ndarray, gap: int = 4 * BEAT) -> tuple[list[Note], int]:
    """Notes of melodies (N, T), one after the other with silence between, and all steps."""
    expect_melodies(tokens)
    stride = tokens.shape[1] + gap
    notes = [
        note._replace(start=note.start + i * stride)
        for i, melody in enumerate(tokens)
        for note in to_notes(melody)
    ]
    return notes, max(0, len(tokens) * stride - gap)


def expect_melodies(tokens: np.ndarray) -> None:
    """Refuse what is no array (N, T) of numbers of symbols."""
    if tokens.ndim != 2 or tokens.dtype.kind not in "iuf":
        raise ShapeError(
            f"melodies came as {tokens.dtype} of shape {tokens.shape}, expected numbers of symbols "
            "(N, T)."
        )
    wrong = tokens[~np.isin(tokens, np.arange(len(ALPHABET)))]
    if wrong.size:
        raise DataError(
            f"there is a symbol {wrong[0]:g}, but a melody's are 0 to {len(ALPHABET) - 1}; give "
            "symbols of the alphabet of melodies."
        )
