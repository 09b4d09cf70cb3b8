"""A file of cells as a table of numbers: its encoding, its columns, what becomes of text.

>>> table = read_table("tumours.csv", TableOptions(label="diagnosis"))
>>> table.columns, table.x, table.labels
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ..dataset import Dataset
from ..hold_out import held_out_rows
from .cells import VOID, Cells
from .columns import assembled, collected, places, wanted_of
from .form import Field, Form, columns_of
from .layout import Layout, find_layout
from .options import TableOptions, quoted
from .source import bar, head_of, opened
from .written import counted

SUFFIXES = (".csv", ".tsv", ".txt", ".dat", ".data")
"""Files that are read as tables."""


@dataclass(frozen=True, eq=False)
class Table:
    """A file of cells.

    Attributes
    ----------
    columns : tuple of str, D names
        The columns that hold numbers for the model.
    x : numpy.ndarray, (N, D), float64
        Their numbers; NaN where one is missing and shall be filled.
    rows : numpy.ndarray, (N,), int
        Number of each row in the file, from 0.
    fields : tuple of (str, tuple of str)
        The file's columns that they are made of; see `Form`.
    labels : numpy.ndarray of str, (N,), optional
        The column of classes, as text.
    notes : tuple of str
        What was passed over, left out or taken as what: a sentence each.
    """

    columns: tuple[str, ...]
    x: np.ndarray
    rows: np.ndarray
    fields: tuple[Field, ...]
    labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()


def is_table(path: Any) -> bool:
    """Whether this names a file that is read as a table."""
    return isinstance(path, str | os.PathLike) and Path(path).suffix.lower() in SUFFIXES


def read_table(
    path: str | Path,
    options: TableOptions | None = None,
    *,
    fields: Sequence[Field] | None = None,
    progress: bool = False,
) -> Table:
    """Read a file of cells.

    Parameters
    ----------
    path : str or Path
        The file. Its encoding and its separator are found out; see `layout.py`.
    options : TableOptions, optional
        What is said about it.
    fields : sequence of (str, tuple of str), optional
        Take these columns, in this order, with these texts if they are one-hot, and pass over all
        others; by default all that are neither the label nor to be ignored.
    progress : bool
        Show a progress bar.

    Raises
    ------
    DataError
        If the file cannot be read, can be read in two ways, lacks a column, or a cell holds no
        finite number.
    """
    path, options = Path(path).expanduser(), options or TableOptions()
    named = [
        *options.ignore,
        *options.one_hot,
        *([options.label] if options.label is not None else []),
    ]
    if fields is not None:
        named = [
            *(name for name, _ in fields),
            *([options.label] if options.label is not None else []),
        ]
    with opened(path) as source:
        layout = find_layout(str(path), head_of(source), options.header, named)
        place = places(path, layout, named)
        wanted, chosen = wanted_of(path, layout, options, fields, place)
    cells = Cells(str(path), layout, wanted)
    with opened(path) as source, bar(source, path.name, progress) as moved:
        numbers, texts = collected(cells, source, moved)
    N = cells.tally.rows
    if N == 0:
        raise DataError(
            f"{path} holds names of columns and no row; give a row of cells for each example."
        )
    notes = [f"{path.name}: {note}" for note in _notes(cells, layout)]
    keep = np.ones(N, bool)
    label = place[options.label] if options.label is not None else None
    if label is not None and label in cells.tally.missing:
        count, row, line = cells.tally.missing.pop(label)
        if not options.drop_unlabelled:
            raise DataError(
                f"{path}, column {options.label!r}, names no class in {count} of {N} rows, the "
                f"first in row {row + 1} (line {line}); name it, or leave those rows out with "
                "--drop-unlabelled."
            )
        keep &= np.array(texts[label][1], bool)[texts[label][0]]
        notes.append(f"{path.name}: {count} of {N} rows without a class were left out")
    if cells.tally.missing and options.missing == "refuse":
        raise DataError(_lacking(path, layout, cells))
    strangers = options.missing == "drop"
    x, found = assembled(cells, chosen, numbers, texts, strangers=strangers)
    if cells.tally.missing:
        holes = np.isnan(x)
        if options.missing == "drop":
            full = ~holes.any(axis=1)
            notes.append(
                f"{path.name}: {int((~full).sum())} of {N} rows with a missing cell were left out"
            )
            keep &= full
        else:
            notes += [f"{path.name}: {_filled(layout, cells)}"]
    if not keep.any():
        raise DataError(f"{path} has no whole row among its {N}; fill the missing cells in.")
    rows = np.flatnonzero(keep)
    labels = None
    if label is not None:
        codes, names = texts[label]
        labels = np.array(names)[codes[rows]]
    x = x if len(rows) == N else x[rows]
    return Table(tuple(columns_of(found)), x, rows, tuple(found), labels, tuple(notes))


def _notes(cells: Cells, layout: Layout) -> list[str]:
    """What was passed over, or taken as what."""
    notes, tally = list(layout.notes), cells.tally
    if tally.empty:
        notes.append(f"{counted(tally.empty, 'row')} without any entry passed over")
    if tally.remarks:
        notes.append(f"{counted(tally.remarks, 'line')} of remarks between the rows passed over")
    if void := len(cells.of[VOID]):
        notes.append(f"{counted(void, 'column')} with neither a name nor an entry passed over")
    return notes


def _lacking(path: Path, layout: Layout, cells: Cells) -> str:
    """The sentence about missing cells."""
    d = min(cells.tally.missing)
    count, row, line = cells.tally.missing[d]
    more = len(cells.tally.missing) - 1
    others = f" (and {more} more column{'s' * (more > 1)} lack{'s' * (more == 1)} some)"
    return (
        f"{path}, column {layout.names[d]!r}, lacks {count} of {cells.tally.rows} numbers, the "
        f"first in row {row + 1} (line {line}){others * (more > 0)}; fill them with --missing "
        "median, leave their rows out with --missing drop, or leave the column out with --ignore "
        f"{quoted([layout.names[d]])}."
    )


def _filled(layout: Layout, cells: Cells) -> str:
    """The sentence about what was filled in."""
    missing = cells.tally.missing
    each = [f"{layout.names[d]!r} {missing[d][0]}" for d in sorted(missing)]
    of = ", ".join(each[:5]) + (", ..." if len(each) > 5 else "")
    total = sum(count for count, _, _ in missing.values())
    are = "is" if total == 1 else "are"
    return f"{counted(total, 'missing cell')} ({of}) {are} filled with the median of the column"


def table_data(
    path: str | Path,
    options: TableOptions | None = None,
    *,
    form: Form | None = None,
    hold_out: bool = True,
    progress: bool = False,
) -> Dataset:
    """Read a file of cells as data to train on: standardised, and with a part held out.

    Parameters
    ----------
    path, options, progress
        As for `read_table`.
    form : Form, optional
        That of a model, whose columns and scale are taken; by default they are those of the
        training rows.
    hold_out : bool
        False leaves all rows together, in their order.
    """
    options, fields = options or TableOptions(), None
    if form is not None:
        options, fields = options.over(form.options), form.known_fields()
    table = read_table(path, options, fields=fields, progress=progress)
    y, names = _classes(table.labels)
    held_out = held_out_rows(len(table.x), y) if hold_out else np.zeros(len(table.x), bool)
    if form is None:
        form = Form.of(table.x[~held_out] if held_out.any() else table.x, table.fields, options)
    x = form.apply(form.pick(table.x, table.columns))
    train, test = x[~held_out], (x[held_out] if held_out.any() else None)
    y_train, y_test = (None, None) if y is None else (y[~held_out], y[held_out])
    return Dataset(
        Path(path).name,
        train,
        y_train,
        test,
        None if test is None else y_test,
        (len(form.columns),),
        names,
        form,
        table.notes + form.note(Path(path).name, table.columns),
    )


def _classes(labels: np.ndarray | None) -> tuple[np.ndarray | None, tuple[str, ...] | None]:
    """Class numbers (N,) and their names, in the order of the numbers if all are numbers."""
    if labels is None:
        return None, None
    every = np.unique(labels).tolist()
    if all(name.isdecimal() for name in every):
        every.sort(key=lambda name: (int(name), name))
    number = {name: k for k, name in enumerate(every)}
    return np.array([number[name] for name in labels.tolist()], np.int64), tuple(every)
