"""Repeats and endings of a tune, written out.

A tune is read as marks and sounds in a row. The marks are texts: `|` a bar line, `||` a double one,
`|:` and `:|` where a repeat begins and ends, `1` or `1,2` where an ending begins.
"""

from collections.abc import Sequence

from ...errors import DataError
from .tune import Sound

Event = Sound | str
"""A sound or a mark."""

MOST = 4096
"""Bars of a tune with its repeats that are read at most."""


def written_out(events: Sequence[Event]) -> list[list[Sound]]:
    """Bars of a tune as they are played.

    `:|` goes back to the last `|:`, or else to the last double bar line, end of a repeat, or the
    beginning. An ending is played in the passes that it names; with endings there are as many
    passes as the largest number says, and else two.

    Raises
    ------
    DataError
        If a pass has no ending, or there are too many bars.
    """
    bars: list[list[Sound]] = [[]]
    i, start, turn = 0, 0, 1
    inside = False  # an ending
    while i < len(events):
        event = events[i]
        i += 1
        if isinstance(event, Sound):
            bars[-1].append(event)
            continue
        if _is_ending(event):
            inside = True
            if turn not in passes(event):
                i = _ending(events, i, turn)
            continue
        if bars[-1]:
            bars.append([])
        if len(bars) > MOST:
            raise DataError(f"the tune has over {MOST} bars; give a shorter one.")
        if event == ":|" and turn < _turns(events, start):
            turn, inside, i = turn + 1, False, start
        elif event in (":|", "|:") or (event == "||" and (inside or turn == 1)):
            if inside:
                i = _after_endings(events, i)
            start, turn, inside = i, 1, False
    return [bar for bar in bars if bar]


def passes(text: str) -> set[int]:
    """Numbers of an ending: `1`, `1,3`, `1-3`."""
    found: set[int] = set()
    for part in text.split(","):
        ends = [int(number) for number in part.split("-")]
        found |= set(range(min(ends), max(ends) + 1))
    return found


def _is_ending(event: Event) -> bool:
    return isinstance(event, str) and event[0].isdigit()


def _turns(events: Sequence[Event], start: int) -> int:
    """How often the part that begins at `start` is played."""
    most, ended = 2, False
    for event in events[start:]:
        if isinstance(event, Sound):
            continue
        if _is_ending(event):
            if ended and min(passes(event)) == 1:
                break
            most, ended = max(most, *passes(event)), True
        elif event == "|:" or (event == "||" and ended):
            break
    return most


def _after_endings(events: Sequence[Event], i: int) -> int:
    """Where the endings that follow the place i, of earlier passes, are over."""
    while i < len(events) and _is_ending(events[i]):
        i += 1
        while i < len(events) and events[i] not in (":|", "|:", "||"):
            i += 1
        i += 1
    return min(i, len(events))


def _ending(events: Sequence[Event], i: int, turn: int) -> int:
    """Where the ending of this pass begins, after the place i."""
    for j in range(i, len(events)):
        event = events[j]
        if isinstance(event, str) and _is_ending(event) and turn in passes(event):
            return j + 1
    raise DataError(f"there is no ending for pass {turn}; write one, such as |{turn}.")
