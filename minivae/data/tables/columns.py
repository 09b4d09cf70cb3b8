"""The columns of a table: which are wanted, their numbers and texts, texts as zeros and ones."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ...errors import DataError
from .cells import IDLE, NUMBERS, PART, TEXT, VOID, Cells
from .form import Field
from .layout import Layout
from .options import TableOptions, listed, quoted
from .source import Source
from .written import is_marked

MOST_TEXTS = 100
"""Texts of a column that is made one-hot, at most: beyond, it holds names rather than kinds."""


Choice = tuple[str, tuple[str, ...] | None]
"""A chosen column: its name, and its texts if it is one-hot (none of them known yet: ())."""


def places(path: Path, layout: Layout, named: Sequence[str]) -> dict[str, int]:
    """Place of each column, by its name; those that were named must be there."""
    names = layout.names
    doubled = [name for name, count in Counter(names).items() if count > 1 and name]
    if doubled:
        raise DataError(f"{path} names the column {listed(doubled[:1])} twice; rename one of them.")
    place = {name: d for d, name in enumerate(names)}
    absent = [name for name in dict.fromkeys(named) if name not in place]
    if absent:
        raise DataError(
            f"{path} lacks the column{'s' * (len(absent) > 1)} {listed(absent)}, for it has "
            f"{listed(names)}; add what is missing, or correct the name."
        )
    return place


def wanted_of(
    path: Path,
    layout: Layout,
    options: TableOptions,
    fields: Sequence[Field] | None,
    place: dict[str, int],
) -> tuple[list[str], list[Choice]]:
    """What is wanted of each column, and the chosen ones: name and texts (None: numbers)."""
    wanted = [IDLE] * len(layout.names)
    chosen: list[Choice]
    if fields is not None:
        chosen = [(name, texts or None) for name, texts in fields]
    else:
        idle = {*options.ignore, options.label}
        nameless = [d for d, name in enumerate(layout.names) if not name and "" not in idle]
        for d in nameless:
            wanted[d] = VOID
        names = [name for name in layout.names if name and name not in idle]
        chosen = [(name, () if name in options.one_hot else None) for name in names]
        text = [name for name, texts in chosen if texts is None and name in layout.text]
        if text:
            raise DataError(_of_text(path, layout, text))
    if not chosen:
        raise DataError(f"{path} has no column of numbers left; name fewer to be left out.")
    for name, texts in chosen:
        wanted[place[name]] = NUMBERS if texts is None else TEXT
    if options.label is not None:
        wanted[place[options.label]] = TEXT
    return wanted, chosen


def _of_text(path: Path, layout: Layout, names: list[str]) -> str:
    """The sentence about columns of text; one that holds ever new texts is not to be one-hot."""
    for name in names:
        if is_marked(layout.text[name][0]):
            return (
                f"{path}: the column {name!r} holds numbers written as {layout.text[name][0]!r}; "
                "write them with digits and a decimal point alone, leave the column out with "
                f"--ignore {_some([name])}, or name the column of classes with --label."
            )
    few = [name for name in names if len(layout.text[name]) <= MOST_TEXTS // 4]
    one_hot = f"make zeros and ones of the texts with --one-hot {_some(few)}, " if few else ""
    several = len(names) > 1
    return (
        f"{path}: the column{'s' * several} {listed(names)} hold{'s' * (not several)} text "
        f"({listed(layout.text[names[0]])}), and a model takes numbers; {one_hot}leave the text "
        f"out with --ignore {_some(names)}, or name the column of classes with --label."
    )


def _some(names: list[str]) -> str:
    return quoted(names[:20]) + " ..." * (len(names) > 20)


class _Texts:
    """Texts of a column as numbers, in the order in which they came."""

    def __init__(self) -> None:
        self.number: dict[str, int] = {}
        self.codes: list[np.ndarray] = []

    def add(self, texts: list[str]) -> None:
        """Take up some more."""
        number = self.number
        for text in dict.fromkeys(texts):
            number.setdefault(text, len(number))
        self.codes.append(np.fromiter((number[text] for text in texts), np.int32, len(texts)))


def collected(
    cells: Cells, source: Source, moved: Callable
) -> tuple[np.ndarray, dict[int, tuple[np.ndarray, list[str]]]]:
    """All numbers (N, D), and the texts of each text column: codes (N,) and what they stand for.

    The array is made for as many rows as the first part promises, and what is never written to
    takes no memory; so the table is there once, and not a second time in parts.
    """
    D, n = len(cells.of[NUMBERS]), 0
    x = np.empty((0, D))
    texts = {d: _Texts() for d in cells.of[TEXT]}
    for part in cells.parts(source.texts(PART)):
        m = len(part.numbers)
        if n + m > len(x):
            more = (source.size / max(1, source.raw.tell()) - 1) * (n + m)
            enough = n + m + int(1.05 * max(0, more))
            if n == 0:
                x = np.empty((enough, D))
            x.resize((enough, D), refcheck=False)
        x[n : n + m] = part.numbers
        for d, found in part.texts.items():
            texts[d].add(found)
        n += m
        moved()
    x.resize((n, D), refcheck=False)
    whole = {
        d: (np.concatenate([np.empty(0, np.int32), *found.codes]), list(found.number))
        for d, found in texts.items()
    }
    return x, whole


def assembled(
    cells: Cells,
    chosen: list[Choice],
    numbers: np.ndarray,
    texts: dict[int, tuple[np.ndarray, list[str]]],
    *,
    strangers: bool,
) -> tuple[np.ndarray, list[Field]]:
    """The chosen columns in their order, one-hot where they are text, and what they are.

    Where a text is missing, its columns are NaN. So they are where a text is none that the model
    knows, if `strangers` are let in; they are refused else.
    """
    names = cells.layout.names
    place = {names[d]: k for k, d in enumerate(cells.of[NUMBERS])}
    if all(known is None for _, known in chosen):
        order = [place[name] for name, _ in chosen]
        in_order = order == list(range(len(order)))
        return numbers if in_order else numbers[:, order], [(name, ()) for name, _ in chosen]
    found: list[np.ndarray] = []
    fields: list[Field] = []
    for name, known in chosen:
        if known is None:
            found.append(numbers[:, [place[name]]])
        else:
            d = names.index(name)
            codes, there = texts[d]
            known = known or _texts_of(cells.path, name, there)
            number = {text: k for k, text in enumerate(known)}
            new = np.isin(codes, [k for k, text in enumerate(there) if text and text not in number])
            if new.any():
                row = int(new.argmax())
                if not strangers:
                    raise DataError(
                        f"{cells.path}, row {row + 1}, column {name!r}, holds "
                        f"{there[codes[row]]!r}, but the model was fitted to {listed(known)}; "
                        "correct it, or leave such rows out with --missing drop."
                    )
                cells.tally.miss(d, row, 0, int(new.sum()))
            rows = np.vstack([np.eye(len(known)), np.full(len(known), np.nan)])
            found.append(rows[np.array([number.get(text, -1) for text in there])[codes]])
        fields.append((name, known or ()))
    return np.concatenate(found, axis=1), fields


def _texts_of(path: str, name: str, there: list[str]) -> tuple[str, ...]:
    """The texts of a column that is made one-hot, sorted."""
    known = sorted(text for text in there if text)
    if len(known) > MOST_TEXTS:
        raise DataError(
            f"{path}, column {name!r}, holds {len(known)} different texts, and {MOST_TEXTS} can be "
            f"made one-hot; leave it out with --ignore {quoted([name])}."
        )
    if len(known) < 2:
        raise DataError(
            f"{path}, column {name!r}, holds {listed(known) or 'nothing'} in all rows, so it says "
            f"nothing; leave it out with --ignore {quoted([name])}."
        )
    return tuple(known)
