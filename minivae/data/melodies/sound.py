r"""Sound of melodies: a WAV file, of tones that are added up.

A note of pitch $p$ has the frequency

$$ f = 440 \cdot 2^{(p - 69) / 12} \tag{1} $$

hertz, in equal temperament: pitch 69 is the a of 440, and twelve semitones double it. Its sound is
a sum of harmonics, each weaker than the one before, that die away:

$$ y(t) = e^{-t / \tau} \sum_{h=1}^{6} h^{-3/2} \sin(2 \pi h f t) \tag{2} $$

and fades in and out within 5 ms, for a step in the wave is heard as a click. Harmonics above half
of the sampling rate would come back as other tones, and are left out.
"""

import io
import wave
from collections.abc import Sequence

import numpy as np

from .alphabet import BEAT, Note
from .midi import TEMPO

RATE = 22_050
"""Samples a second."""

DECAY = 0.6
"""tau in seconds."""

FADE = 0.005
"""Seconds of fading in and out."""

TAIL = 0.3
"""Seconds of silence at the end."""

HARMONICS = 6


def frequency(pitch: float) -> float:
    """Hertz of a pitch."""
    return 440.0 * 2.0 ** ((pitch - 69) / 12)  # (1)


def tone(pitch: int, seconds: float) -> np.ndarray:
    """Samples (n,), float64, of one note."""
    t = np.arange(round(seconds * RATE)) / RATE
    f = frequency(pitch)
    harmonics = [h for h in range(1, HARMONICS + 1) if h * f < RATE / 2]
    y = np.exp(-t / DECAY) * sum(h**-1.5 * np.sin(2 * np.pi * h * f * t) for h in harmonics)  # (2)
    return y * np.clip(np.minimum(t, seconds - t) / FADE, 0, 1)


def samples(notes: Sequence[Note], steps: int = 0, *, tempo: float = TEMPO) -> np.ndarray:
    """Samples (n,), float64 between -1 and 1, of notes in steps of a sixteenth."""
    step = 60 / tempo / BEAT
    end = max([steps, *(note.start + note.length for note in notes)])
    y = np.zeros(round((end * step + TAIL) * RATE))
    for start, length, pitch in notes:
        sound = tone(pitch, length * step)
        first = round(start * step * RATE)
        y[first : first + len(sound)] += sound
    return 0.4 * y


def wav(notes: Sequence[Note], steps: int = 0, *, tempo: float = TEMPO) -> bytes:
    """A WAV file, mono, 16 bits.

    Parameters
    ----------
    notes : sequence of Note
        In steps of a sixteenth.
    steps : int
        Where it ends, if that is later than the last note.
    tempo : float
        Quarters a minute.
    """
    y = np.rint(32767 * np.clip(samples(notes, steps, tempo=tempo), -1, 1))
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(y.astype("<i2").tobytes())
    return content.getvalue()
