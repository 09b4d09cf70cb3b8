"""Piano rolls: melodies as pictures, time to the right and pitch upwards."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from ..data.melodies.alphabet import BEAT, expect_melodies, pitch_name, to_notes
from ..engine.door import door
from ..engine.kinds import Between
from ..errors import ShapeError
from .canvas import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, LINE = "#3f90da", "0.92"
"""Colours of a note, and of the lines between octaves and bars."""

COLUMNS, MOST = 4, 100
"""Melodies side by side, and melodies that are drawn at most."""


Pitch = Annotated[int, Between(0, 127, "[]")]
"""As MIDI numbers it: 60 is middle C."""

Side = Annotated[int, Between(1, 12, "[]")]
"""Melodies side by side."""


@door
def roll(
    tokens: np.ndarray, ax: "Axes", *, low: Pitch = 55, high: Pitch = 88, title: str = ""
) -> "Axes":
    """Draw one melody.

    Parameters
    ----------
    tokens : numpy.ndarray, (T,)
        Numbers of symbols of the alphabet of melodies.
    ax : matplotlib Axes
        Where to draw.
    low, high : int
        Pitches at the lower and the upper edge.
    title : str
        What stands above it.
    """
    expect_melodies(tokens[None])
    steps = len(tokens)
    for bar in range(0, steps + 1, 4 * BEAT):
        ax.axvline(bar, color="0.8", lw=0.8, zorder=0)
    for beat in range(0, steps, BEAT):
        ax.axvline(beat, color=LINE, lw=0.6, zorder=0)
    for start, length, pitch in to_notes(tokens):
        # A gap behind each note, so that one that is struck again is seen to be.
        ax.barh(pitch, length - 0.25, left=start, height=0.9, color=INK, lw=0)
    octaves = range(12 * math.ceil(low / 12), high + 1, 12)
    ax.set_yticks(octaves, map(pitch_name, octaves), fontsize=7, color="0.4")
    ax.hlines([c - 0.5 for c in octaves], 0, steps, color=LINE, lw=0.8, zorder=0)
    ax.set_xticks([])
    ax.set_xlim(0, steps)
    ax.set_ylim(low - 1, high + 1)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="left", fontsize=8, color="0.25", pad=3)
    return ax


@door
def rolls(
    tokens: np.ndarray, captions: Sequence[str] = (), *, title: str = "", columns: Side = COLUMNS
) -> "Figure":
    """Draw melodies in rows, all over the same pitches.

    Parameters
    ----------
    tokens : numpy.ndarray, (N, T)
        Numbers of symbols; of more than `MOST` melodies the first ones are drawn.
    captions : sequence of str
        What stands above each.
    title : str
        Title of the picture.
    columns : int
        Melodies side by side.

    Raises
    ------
    ShapeError
        If there is no melody, or another number of captions.
    """
    expect_melodies(tokens)
    if len(tokens) == 0 or (captions and len(captions) != len(tokens)) or columns < 1:
        raise ShapeError(
            f"{len(tokens)} melodies, {len(captions)} captions and {columns} columns were given; "
            "give at least one of each, and a caption for each melody or none."
        )
    tokens = tokens[:MOST]
    pitches = [note.pitch for row in tokens for note in to_notes(row)] or [60, 72]
    middle = (min(pitches) + max(pitches)) / 2
    half = max(8.0, (max(pitches) - min(pitches)) / 2)
    limits = {"low": math.floor(middle - half), "high": math.ceil(middle + half)}
    columns = min(columns, len(tokens))
    n_rows = -(-len(tokens) // columns)
    figure = new_figure(max(4.0, 2.6 * columns), 1.05 * n_rows + (0.4 if title else 0.1))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)
    places = figure.subplots(n_rows, columns, squeeze=False).ravel()
    for i, ax in enumerate(places):
        if i < len(tokens):
            roll(tokens[i], ax, title=captions[i] if captions else "", **limits)
            if i % columns:
                ax.set_yticklabels([])
        else:
            ax.set_axis_off()
    return figure
