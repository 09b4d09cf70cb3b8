"""Key signatures of ABC: `K:G`, `K:Ador`, `K:E minor`, `K:D ^g =c`, `K:none`.

A signature is how many sharps, or flats if the number is negative, the circle of fifths says: each
fifth upwards adds a sharp, and each mode is as many fifths away from the major key of its tonic.
"""

import re

FIFTHS = "FCGDAEB"
"""The tones in the order in which they get sharps; from the other end they get flats."""

MODES = {"": 0, "maj": 0, "ion": 0, "mix": -1, "dor": -2, "m": -3, "min": -3, "aeo": -3}
MODES |= {"phr": -4, "loc": -5, "lyd": 1}
"""Fifths of a mode; of a name, the first three letters count."""

SEMITONES = {"^^": 2, "^": 1, "=": 0, "_": -1, "__": -2}
"""Semitones of an accidental."""

_KEY = re.compile(r"([A-G])([#b]?)\s*([A-Za-z]*)(?=\s|$)")
_ACCIDENTAL = re.compile(r"(\^\^?|__?|=)([A-Ga-g])")
_CLEF = re.compile(r"(clef=)?(treble|bass|alto|tenor|perc|none)\S*|(middle|m|stafflines)=\S*")


def signature(text: str) -> dict[str, int] | None:
    """Semitones that each tone is altered by, or None if the text is no key.

    Tones that are not altered are left out.
    """
    text = text.strip()
    found: dict[str, int] = {}
    if text[:2] == "Hp":
        found, text = {"F": 1, "C": 1}, text[2:]  # of the highland pipes
    elif text[:2] == "HP" or text[:4] == "none":
        text = text[2 if text[:2] == "HP" else 4 :]
    elif key := _KEY.match(text):
        tonic, sign, mode = key.groups()
        mode = "m" if mode == "m" else mode.lower()[:3]
        if mode in ("cle", "tre", "bas", "exp"):
            text = text[: key.start(3)] + " " + text[key.start(3) :]
            mode = ""
        if mode not in MODES:
            return None
        n = FIFTHS.index(tonic) - 1 + {"#": 7, "b": -7, "": 0}[sign] + MODES[mode]
        if abs(n) > 7:
            return None
        found = dict.fromkeys(FIFTHS[: max(n, 0)], 1)
        found |= dict.fromkeys(FIFTHS[::-1][: max(-n, 0)], -1)
        text = text[key.end(3) if mode or not key[3] else key.start(3) :]
    for word in text.split():
        if accidental := _ACCIDENTAL.fullmatch(word):
            found[accidental[2].upper()] = SEMITONES[accidental[1]]
        elif word == "exp":
            found = {}
        elif not _CLEF.fullmatch(word):
            return None
    return {tone: by for tone, by in found.items() if by}
