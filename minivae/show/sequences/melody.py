"""Melodies: a piano roll to look at, a MIDI file and a WAV file to listen to."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ...data.melodies import embedded, own
from ...data.melodies.alphabet import is_music, joined
from ...data.melodies.midi import midi
from ...data.melodies.sound import wav
from ...data.melodies.tune import beginning
from ..roll import rolls
from .kind import Kind, Sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def find(text: str, alphabet: Sequence[str]) -> np.ndarray | None:
    """The first two bars of a tune of the package, or of the first tune in a file.

    Raises
    ------
    DataError
        If the file holds no melody that fits.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() in (*own.ABC, *own.MIDI):
        return beginning(own.first_tune(path))
    return embedded.find(text)


def _picture(sheet: Sheet) -> "Figure":
    """Rolls in rows; several ways are columns, which go downwards."""
    if sheet.ways == 1:
        return rolls(sheet.rows, sheet.captions, title=sheet.title)
    order = np.arange(len(sheet.rows)).reshape(sheet.ways, -1).T.ravel()
    captions = [sheet.captions[i] for i in order]
    return rolls(sheet.rows[order], captions, title=sheet.title, columns=sheet.ways)


def _midi(sheet: Sheet) -> bytes:
    return midi(*joined(sheet.rows))


def _wav(sheet: Sheet) -> bytes:
    return wav(*joined(sheet.rows))


KIND = Kind(
    name="melody",
    fits=is_music,
    formats={
        ".png": _picture,
        ".mid": _midi,
        ".wav": _wav,
    },
    each=(".mid", ".wav"),
    find=find,
    named="the title of a tune, or an .abc or .mid file",
)
