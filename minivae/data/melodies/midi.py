r"""MIDI files: written by ourselves, read with `mido`.

A file of format 0 is two blocks. The head says that there is one track, and how many ticks a
quarter has; the track is a list of events, each after a delay in ticks:

    MThd  length 6   format 0   1 track   480 ticks
    MTrk  length     (delay, event) ...   (0, end of the track)

A delay is a number of any size: seven bits a byte, the highest first, and all bytes but the last
have the eighth bit set. So $200 = 1 \cdot 128 + 72$ is written `81 48`.

Source: *Standard MIDI Files 1.0*, MIDI Manufacturers Association, 1988.
"""

import io
import struct
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from ...errors import DataError, OptionError
from ...files import open_file
from .alphabet import BEAT, Note
from .tune import Tune, from_sounds

TICKS = 480
"""Ticks of a quarter."""

TEMPO = 112
"""Quarters a minute at which melodies are played."""

LARGEST = 4_000_000
"""Bytes of a MIDI file that is read at most: one melody takes a few thousand."""


def midi(notes: Sequence[Note], steps: int = 0, *, tempo: float = TEMPO, program: int = 0) -> bytes:
    """A MIDI file of format 0.

    Parameters
    ----------
    notes : sequence of Note
        In steps of a sixteenth.
    steps : int
        Where the track ends, if it is later than the last note.
    tempo : float
        Quarters a minute.
    program : int
        The instrument, 0 to 127; 0 is a piano.
    """
    step = TICKS // BEAT
    events = [(0, 1, b"\xff\x51\x03" + round(60e6 / tempo).to_bytes(3, "big"))]
    events += [(0, 1, b"\xff\x58\x04\x04\x02\x18\x08"), (0, 1, bytes([0xC0, program]))]
    for start, length, pitch in notes:
        events.append((start * step, 2, bytes([0x90, pitch, 90])))  # on
        events.append(((start + length) * step, 0, bytes([0x80, pitch, 0])))  # off
    # At the same tick a note ends before the next one, perhaps of the same pitch, begins.
    events.sort(key=lambda event: event[:2])
    last = events[-1][0]
    events.append((max(last, steps * step), 3, b"\xff\x2f\x00"))
    track, now = b"", 0
    for tick, _, event in events:
        track += _delay(tick - now) + event
        now = tick
    head = b"MThd" + struct.pack(">IHHH", 6, 0, 1, TICKS)
    return head + b"MTrk" + struct.pack(">I", len(track)) + track


def _delay(ticks: int) -> bytes:
    """A delay, seven bits a byte."""
    found = [ticks & 0x7F]
    while ticks := ticks >> 7:
        found.append(0x80 | ticks & 0x7F)
    return bytes(reversed(found))


def read_midi(path: Path) -> Tune:
    """The tune in a MIDI file.

    Onsets may lie a quarter of a sixteenth beside the grid, and a note that ends less than half a
    sixteenth before the next, or after its beginning, is one that reaches it.

    Raises
    ------
    DataError
        If it is no MIDI file, has no note, several at once, or its notes are on no grid of
        sixteenths.
    OptionError
        If `mido` is not installed.
    """
    sounds = _sounds(path)
    if not sounds:
        raise DataError(f"{path} holds no note; give a MIDI file with a melody.")
    sounds.sort()
    for (start, end, pitch), (after, _, other) in pairwise(sounds):
        if after - start < Fraction(1, 2) or end - after >= Fraction(1, 2):
            raise DataError(
                f"{path} has several voices: at quarter {float(after / BEAT):g} the notes {pitch} "
                f"and {other} sound at once; save the melody's track alone."
            )
    notes = []
    for i, (start, end, pitch) in enumerate(sounds):
        step = round(start)
        if abs(start - step) > Fraction(1, 4):
            raise DataError(
                f"{path} does not fit sixteenths: the note {i + 1} begins at quarter "
                f"{float(start / BEAT):g}; quantise it to sixteenths."
            )
        until = max(step + 1, round(end))
        if i + 1 < len(sounds):
            until = min(until, round(sounds[i + 1][0]))
        notes.append(Note(step, until - step, pitch))
    return from_sounds(path.stem, notes)


def _sounds(path: Path) -> list[tuple[Fraction, Fraction, int]]:
    """(start, end, pitch) of all notes of a file, in sixteenths."""
    try:
        import mido
    except ImportError:
        raise OptionError(
            f"{path} is a MIDI file, which mido reads, and it is not installed; `pip install "
            "'minivae[music]'`."
        ) from None
    try:
        with open_file(path) as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    if content[:4] != b"MThd":
        raise DataError(f"{path} is no MIDI file: it starts with {content[:4]!r}, not b'MThd'.")
    if len(content) > LARGEST:
        raise DataError(f"{path} is over {LARGEST // 10**6} MB, too large for a melody.")
    try:
        file = mido.MidiFile(file=io.BytesIO(content))
        ticks = file.ticks_per_beat
        messages = [m for track in file.tracks for m in _absolute(track)]
    except (OSError, EOFError, ValueError, LookupError, TypeError, struct.error):
        raise DataError(f"{path} is a damaged MIDI file; save it anew.") from None
    if not 0 < ticks < 0x8000:
        raise DataError(f"{path} counts seconds instead of quarters; save it with a tempo.")
    sounds: list[tuple[Fraction, Fraction, int]] = []
    begun: dict[tuple[int, int], Fraction] = {}
    # At one tick, what ends comes first.
    for tick, on, place in sorted(messages):
        now = Fraction(tick * BEAT, ticks)
        if place in begun and (not on or now > begun[place]):
            sounds.append((begun.pop(place), now, place[1]))
        if on:
            begun[place] = now
    return sounds


def _absolute(track: list) -> list[tuple[int, bool, tuple[int, int]]]:
    """(tick, whether a note begins, (channel, pitch)) of a track."""
    now, found = 0, []
    for message in track:
        now += message.time
        if message.type in ("note_on", "note_off"):
            on = message.type == "note_on" and message.velocity > 0
            found.append((now, on, (message.channel, message.note)))
    return found
