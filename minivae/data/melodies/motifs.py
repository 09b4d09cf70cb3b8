r"""Motifs: 3,456 melodies, every combination of known factors, made when asked for.

What `sprites` is for pictures, this is for music: whether a code comes apart into scale, key, shape
and rhythm can be measured only where these are known. A melody of two bars has a scale (3), a tonic
(6), an octave (2), a shape, which is the way that its pitches go (6), and a rhythm for each bar (4
each), and every combination is there once, so the factors are independent exactly.

A rhythm says in which sixteenths of its bar a note begins; note $k$ of $n$ lies $c(k / (n - 1))$
degrees of the scale above the tonic, rounded, where $c$ is one of the shapes in `CONTOURS`.

The rows are in the order of the factors, the last one fastest.
"""

from functools import cache
from pathlib import Path

import numpy as np

from ..dataset import Dataset
from ..hold_out import held_out_rows
from ..pixels import Pixels
from .alphabet import ALPHABET, STEPS, Note, to_tokens

NAME = "motifs"
WHAT = "every combination of scale, key, octave, shape and rhythms; made, not stored"
STATE, PATH = "made", Path(__file__)

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "pentatonic": (0, 2, 4, 7, 9),
}
"""Semitones of the degrees above the tonic; also the names of the classes."""

TONICS = (60, 61, 62, 63, 64, 65)
"""C4 to F4."""

CONTOURS = {
    "up": lambda t: 4 * t,
    "down": lambda t: 4 - 4 * t,
    "hill": lambda t: 4 - abs(8 * t - 4),
    "valley": lambda t: abs(8 * t - 4),
    "wave": lambda t: 2 + 2 * np.sin(4 * np.pi * t),
    "stairs": lambda t: 2 * np.minimum(np.floor(3 * t), 2),
}
"""Degrees at the time t, from 0 to 1."""

OCTAVES = (0, 12)
"""Semitones that a melody is moved by."""

RHYTHMS = ((0, 4, 8, 12), (0, 2, 4, 6, 8, 12), (0, 6, 8, 14), (0, 8, 10, 12, 14))
"""Sixteenths of a bar in which a note begins."""

FACTORS = {
    "scale": len(SCALES),
    "tonic": len(TONICS),
    "octave": len(OCTAVES),
    "shape": len(CONTOURS),
    "rhythm 1": len(RHYTHMS),
    "rhythm 2": len(RHYTHMS),
}
"""What the melodies are made of, and how many values each has."""

SIZES = (3111, 345, (STEPS,))
"""Training melodies, test melodies, and the shape of one."""


def factors() -> np.ndarray:
    """Factors (3456, 6) of all melodies, each a whole number from 0, in the columns of FACTORS."""
    return np.indices(tuple(FACTORS.values())).reshape(len(FACTORS), -1).T


def melody(scale: int, tonic: int, octave: int, shape: int, first: int, second: int) -> np.ndarray:
    """Tokens (T,) of one melody, given by its factors."""
    steps = list(SCALES.values())[scale]
    onsets = [*RHYTHMS[first], *(16 + step for step in RHYTHMS[second])]
    t = np.linspace(0, 1, len(onsets))
    degrees = np.rint(list(CONTOURS.values())[shape](t)).astype(int)
    above, places = np.divmod(degrees, len(steps))
    pitches = TONICS[tonic] + OCTAVES[octave] + 12 * above + np.take(steps, places)
    ends = [*onsets[1:], STEPS]
    notes = [
        Note(on, end - on, pitch)
        for on, end, pitch in zip(onsets, ends, pitches.tolist(), strict=True)
    ]
    return to_tokens(notes)


@cache
def melodies() -> np.ndarray:
    """All melodies (3456, T), uint8, in the order of their factors; not to be written to."""
    found = np.array([melody(*row) for row in factors().tolist()])
    found.flags.writeable = False
    return found


def load(*, hold_out: bool = True) -> Dataset:
    """Load the melodies, with their scales as classes; a tenth of them is the test set.

    With `hold_out` False all are training rows, in the order of `factors`.
    """
    x, y = melodies(), factors()[:, 0].astype(np.int64)
    test = held_out_rows(len(x), y) if hold_out else np.zeros(len(x), bool)
    x_test, y_test = (Pixels(x[test], 1), y[test]) if hold_out else (None, None)
    rows, labels = Pixels(x[~test], 1), tuple(SCALES)
    return Dataset(NAME, rows, y[~test], x_test, y_test, (STEPS,), labels, alphabet=ALPHABET)
