"""Reads tunes in ABC, as people write them down in a text file.

    X:1
    T:A tune
    M:4/4
    L:1/8
    K:G
    |: G2 A2 B2 c2 | (3ded c>B A2 z2 :|

Read are the fields K, L and M, at the head or on the way; notes with octaves, accidentals (which
hold until the bar line, for all octaves), lengths and ties; rests; repeats and endings; broken
rhythm, triplets and other tuplets. Grace notes, slurs, ornaments, chord names and words are passed
over. Chords, several voices, orders of parts and whatever else is not known are refused.

Source: *The abc music standard* 2.1, C. Walshaw and others, 2011.
"""

import re
from collections.abc import Iterator
from fractions import Fraction

from ...errors import DataError
from .keys import SEMITONES, signature
from .repeats import MOST, Event, written_out
from .tune import Sound, Tune

_LENGTH = r"(?P<length>\d*(?:/+\d*)?)"

SYNTAX = {
    "field": r"\[(?P<name>[A-Za-z]):(?P<value>[^\]]*)\]",
    "ending": r"\[\s*(?P<numbers>\d{1,2}(?:[,-]\d{1,2})*)",
    "bar": r"(?P<bar>::|:+\|+[:\]]*|\|+:+|\[\|:*|\|[\]|]*)\s*(?P<passes>\d{1,2}(?:[,-]\d{1,2})*)?",
    "chord": r"\[[^\]]*\]?|&",
    "note": r"(?P<accidental>\^\^?|__?|=)?(?P<tone>[A-Ga-g])(?P<octave>[,']*)"
    + _LENGTH.replace("length", "lasts")
    + r"(?P<tie>-?)",
    "rest": r"[zx]" + _LENGTH,
    "bars": r"[ZX](?P<n>\d*)",
    "tuplet": r"\((?P<p>[2-9])(?::(?P<q>\d?))?(?::(?P<r>\d?))?",
    "broken": r"(?P<broken><+|>+)",
    "passed": r'\{[^}]*\}|"[^"]*"|![^!]+!|\+[^+]+\+|[().~HLMOPSTuv`$\s]|y[\d/]*|\\$|!$',
}
"""What stands in a line of music; the first that fits counts."""

_SYNTAX = re.compile("|".join(f"(?P<{kind}_>{pattern})" for kind, pattern in SYNTAX.items()))
_FIELD = re.compile(r"([A-Za-z+]):(?![|:])(.*)")
_FRACTION = re.compile(r"(\d{1,3})/(\d{1,3})")


def read_abc(text: str, name: str, passed_over: list[str] | None = None) -> list[Tune]:
    """The tunes of an ABC file.

    Parameters
    ----------
    text : str
        What the file holds.
    name : str
        Begins every error message: the file's name.
    passed_over : list of str, optional
        Gets a sentence for each tune that cannot be read; without it the first one is an error.

    Raises
    ------
    DataError
        If there is no tune, or one holds what is not known here; it names the line.
    """
    tunes = []
    for lines in _split(text):
        reader = _Reader(name)
        try:
            tunes.append(reader.read(lines))
        except DataError as error:
            if passed_over is None:
                raise
            passed_over.append(str(error))
    if not tunes and not passed_over:
        raise DataError(f"{name} holds no tune in ABC: none has a key (K:) and notes after it.")
    return tunes


def _split(text: str) -> Iterator[list[tuple[int, str]]]:
    """Lines of each tune with their numbers.

    A tune goes from its X: to an empty line; what fields stand before the first, hold for all. A
    file without X: is one tune.
    """
    lines = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        code = re.sub(r"(?<!\\)%.*", "", line).rstrip()
        if code or not line.strip():  # a line of comment alone is no empty line
            lines.append((number, code))
    if not any(line.startswith("X:") for _, line in lines):
        if any(line.startswith("K:") for _, line in lines):
            yield [(number, line) for number, line in lines if line]
        return
    head: list[tuple[int, str]] = []
    tune: list[tuple[int, str]] | None = None
    first = True
    for number, line in [*lines, (len(lines) + 1, "")]:
        if line.startswith("X:") or not line:
            if tune:
                yield head + tune
            tune = [] if line else None
            first = first and not line
        elif tune is not None:
            tune.append((number, line))
        elif first and _FIELD.match(line):
            head.append((number, line))


class _Reader:
    """Reads one tune; what holds at the place where it reads are its attributes."""

    def __init__(self, name: str) -> None:
        self.name, self.line = name, 0
        self.fields: dict[str, str] = {}
        self.metre: Fraction | None = None
        self.first_metre: Fraction | None = None
        self.unit: Fraction | None = None
        self.key: dict[str, int] | None = None
        self.signs = ""  # letters that stand for ornaments
        self.events: list[Event] = []
        self.in_bar: dict[str, int] = {}
        self.tuplet, self.left = Fraction(1), 0
        self.broken = Fraction(1)
        self.last = Sound(None, Fraction(0))
        self.tied = ""  # a note as it is written, without its accidental

    def read(self, lines: list[tuple[int, str]]) -> Tune:
        """Read all lines."""
        letter = ""
        for self.line, line in lines:
            if field := _FIELD.match(line):
                letter = letter if field[1] == "+" else field[1]
                self.field(letter, field[2].strip(), more=field[1] == "+")
            elif self.key is None:
                raise self.unknown(f"music, {line[:20]!r}, before the key", "write K: first")
            else:
                self.music(line)
        if self.key is None or not any(isinstance(event, Sound) for event in self.events):
            raise DataError(f"{self.name}, line {self.line}: a tune has no key (K:) or no note.")
        if self.left or self.broken != 1 or self.tied:
            raise self.unknown("a tie, a tuplet or < > without its notes", "write them after it")
        try:
            bars = written_out(self.events)
        except DataError as error:
            raise DataError(f"{self.name}, line {self.line}: {error}") from None
        return Tune(self.fields.get("T", self.name), self.first_metre, bars, self.fields)

    def field(self, letter: str, value: str, more: bool = False) -> None:
        """A field, of which only a few change what is played."""
        if letter == "K":
            self.key = signature(value)
            self.fields.setdefault("K", value)
            if self.key is None:
                raise self.unknown(f"the key {value!r}", "write one such as K:G, K:Ador or K:none")
        elif letter == "M":
            metre = {"C": "4/4", "C|": "2/2"}.get(value, value)
            self.metre = None if metre == "none" else self.fraction("the metre M", metre)
            if not any(isinstance(event, Sound) for event in self.events):
                self.first_metre = self.metre
            elif self.metre != self.first_metre:
                raise self.unknown(f"a new metre, {value},", "give tunes in one metre")
        elif letter == "L":
            self.unit = self.fraction("the length L", value)
        elif letter == "V" and self.fields.setdefault("V", value.split()[0] if value else "") != (
            value.split()[0] if value else ""
        ):
            raise self.unknown("several voices", "give tunes of one voice")
        elif letter == "P" and self.key is None:
            raise self.unknown(f"an order of parts, P:{value}", "write the tune out")
        elif letter == "U":
            self.signs += value[:1]
        elif letter == "m":
            raise self.unknown("a macro, m:", "write it out")
        elif more:
            self.fields[letter] = f"{self.fields.get(letter, '')} {value}".strip()
        elif letter not in "wWsV":
            self.fields.setdefault(letter, value)

    def music(self, line: str) -> None:
        """A line of music."""
        at = 0
        while at < len(line):
            if line[at] in self.signs:
                at += 1
                continue
            found = _SYNTAX.match(line, at)
            if not found:
                raise self.unknown(f"{line[at]!r} in {line[at : at + 12]!r}", "leave it out")
            kind = next(kind for kind in SYNTAX if found[f"{kind}_"] is not None)
            self.take(kind, found)
            at = found.end()

    def take(self, kind: str, found: re.Match) -> None:
        """What was found in a line."""
        if kind == "field":
            self.field(found["name"], found["value"].strip())
        elif kind == "chord":
            raise self.unknown(f"several notes at once, {found[0]!r}", "give one voice alone")
        elif kind == "note":
            pitch = self.pitch(found["accidental"], found["tone"], found["octave"])
            written = found["tone"] + found["octave"]
            self.sound(pitch, found["lasts"], tied=written if found["tie"] else "")
        elif kind == "rest":
            self.sound(None, found["length"])
        elif kind == "bars":
            if self.metre is None:
                raise self.unknown("a rest of whole bars without a metre", "write rests as z")
            for _ in range(min(int(found["n"] or 1), MOST + 1)):
                self.events += [Sound(None, self.metre), "|"]
        elif kind == "tuplet":
            self.begin_tuplet(int(found["p"]), found["q"], found["r"])
        elif kind == "broken":
            self.break_rhythm(found["broken"])
        elif kind == "bar":
            self.bar(found["bar"], found["passes"])
        elif kind == "ending":
            self.bar("|", found["numbers"])

    def bar(self, line: str, passes: str | None) -> None:
        """A bar line; what was altered in the bar is not any more."""
        self.in_bar = {}
        ends, begins = line[0] == ":", line[-1] == ":"
        if ends:
            self.events.append(":|")
        if begins:
            self.events.append("|:")
        if not ends and not begins:
            self.events.append("|" if line == "|" else "||")
        if passes:
            self.events.append(passes)

    def pitch(self, accidental: str | None, tone: str, octave: str) -> int:
        """Pitch of a note as MIDI numbers it; its accidental holds until the bar line."""
        assert self.key is not None
        letter = tone.upper()
        natural = 60 + {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}[letter]
        natural += 12 * (tone.islower() + octave.count("'") - octave.count(","))
        if accidental:
            self.in_bar[letter] = SEMITONES[accidental]
        elif self.tied == tone + octave:  # over a bar line too
            return self.last.pitch or 0
        return natural + self.in_bar.get(letter, self.key.get(letter, 0))

    def sound(self, pitch: int | None, length: str, tied: str = "") -> None:
        """A note or a rest."""
        if self.tied and self.last.pitch != pitch:
            raise self.unknown("a tie to another note", "write a slur as ( )")
        if self.unit is None:
            short = self.metre is not None and self.metre < Fraction(3, 4)
            self.unit = Fraction(1, 16) if short else Fraction(1, 8)
        lasts = self.unit * self.times(length) * self.broken
        self.broken = Fraction(1)
        if self.left:
            lasts *= self.tuplet
            self.left -= 1
        self.last, self.tied = Sound(pitch, lasts, bool(tied)), tied
        self.events.append(self.last)

    def begin_tuplet(self, p: int, q: str | None, r: str | None) -> None:
        """The next r notes are played p in the time of q."""
        compound = self.metre is not None and self.metre.numerator % 3 == 0
        usual = {2: 3, 3: 2, 4: 3, 6: 2, 8: 3}.get(p, 3 if compound else 2)
        self.tuplet, self.left = Fraction(int(q or usual) or 1, p), int(r or p)

    def break_rhythm(self, signs: str) -> None:
        """`>` makes the note before it half as long again and the next half as long."""
        if not self.events or not isinstance(self.events[-1], Sound) or len(signs) > 3:
            raise self.unknown(f"{signs} without a note before it", "write it between two notes")
        less = Fraction(1, 2 ** len(signs))
        first, second = (2 - less, less) if signs[0] == ">" else (less, 2 - less)
        self.last = self.last._replace(length=self.last.length * first)
        self.events[-1], self.broken = self.last, second

    def times(self, text: str) -> Fraction:
        """`2`, `3/2`, `/`, `//`, `/4` as a factor of the unit."""
        above, slashes, below = re.fullmatch(r"(\d*)(/*)(\d*)", text).groups()  # type: ignore[union-attr]
        divisor = int(below) if below else 2 ** len(slashes)
        if len(text) > 6 or divisor == 0 or int(above or 1) == 0:
            raise self.unknown(f"the length {text!r}", "write one such as 2, 3/2 or /")
        return Fraction(int(above or 1), divisor)

    def fraction(self, what: str, text: str) -> Fraction:
        """`3/4` as a number."""
        found = _FRACTION.fullmatch(text.strip())
        if not found or 0 in map(int, found.groups()):
            raise self.unknown(f"{what}:{text}", "write it such as 4/4")
        return Fraction(int(found[1]), int(found[2]))

    def unknown(self, what: str, instead: str) -> DataError:
        """The error that says what is not known here, and where it stands."""
        return DataError(f"{self.name}, line {self.line}: {what} is not read here; {instead}.")
