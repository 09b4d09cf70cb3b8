"""Examples as they lie in their source: every row, in its order, with all that names it.

`load` gives data to train on, and holds a part of them out. Here a file is read to say something
about each of its rows, so they stay together and keep their class, their file's name and their
columns.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.door import door
from ..errors import OptionError
from . import NAMES, load, load_image
from .dataset import from_arrays
from .images import is_picture, picture_files
from .pixels import Labels, Pixels, RowNumbers, in_range
from .tables.form import Field, Form
from .tables.options import TableOptions
from .tables.reading import is_table, read_table


@door
@dataclass(frozen=True, eq=False)
class Examples:
    """Rows of a source.

    Attributes
    ----------
    name : str
        What the source is called.
    x : numpy.ndarray or Pixels, (N, D)
        One example a row.
    shape : tuple of int
        Shape of one; (D,) for a table.
    rows : numpy.ndarray, (N,)
        Number of each in the source, from 0.
    columns : tuple of str, optional
        Names of a table's columns.
    fields : tuple of (str, tuple of str), optional
        The file's columns that they are made of; see `Form`.
    notes : tuple of str
        What was passed over or left out, a sentence each.
    labels : numpy.ndarray of str, (N,), optional
        Class of each.
    files : list of str, optional
        File of each.
    """

    name: str
    x: np.ndarray | Pixels
    shape: tuple[int, ...]
    rows: np.ndarray
    columns: tuple[str, ...] | None = None
    labels: Labels | None = None
    files: list[str] | None = None
    fields: tuple[Field, ...] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    def select(self, rows: RowNumbers) -> "Examples":
        """These rows, by their numbers (N,)."""
        in_range(rows, len(self))
        return replace(
            self,
            x=self.x.select(rows) if isinstance(self.x, Pixels) else self.x[rows],
            rows=self.rows[rows],
            labels=None if self.labels is None else self.labels[rows],
            files=None if self.files is None else [self.files[i] for i in rows],
        )

    def as_in(self, form: Form) -> "Examples":
        """These examples with the columns of a form alone."""
        columns = self.columns or [str(d) for d in range(self.shape[0])]
        return replace(
            self,
            x=form.pick(self.x[:], columns),
            shape=(len(form.columns),),
            columns=form.columns if self.columns else None,
            fields=form.fields if self.columns else None,
            notes=self.notes + form.note(self.name, columns),
        )

    def only(
        self, normal: Collection[str | int] | str, without: Collection[str | int] | str
    ) -> "tuple[Examples, list[str] | None]":
        """Keep the rows of normal classes; return them, and the classes (None if all are normal).

        Raises
        ------
        OptionError
            If both are given, or a class that there is not, or the data have no classes.
        """
        normal, without = ([k] if isinstance(k, str) else list(k) for k in (normal, without))
        asked = [str(name) for name in normal + without]
        if not asked:
            return self, None
        if normal and without:
            raise OptionError("both normal classes and classes to leave out were given; give one.")
        if self.labels is None:
            raise OptionError(
                f"{self.name} has no classes, but {', '.join(asked)} was named; for a CSV file, "
                "name the column that holds them with --label."
            )
        there = [str(name) for name in np.unique(self.labels)]
        absent = [name for name in asked if name not in there]
        if absent:
            raise OptionError(
                f"{self.name} has no class {absent[0]!r}; its classes are {', '.join(there[:20])}."
            )
        kept = [name for name in there if (name in asked) == bool(normal)]
        rows = np.flatnonzero(np.isin(self.labels, kept))
        if not rows.size:
            raise OptionError(f"all classes of {self.name} are left out; leave some in.")
        return self.select(rows), kept


@door
def read(
    source: str | Path | np.ndarray,
    part: str = "test",
    *,
    form: Form | None = None,
    limit: int | None = None,
    progress: bool = False,
    **table: Any,
) -> Examples:
    """Read a source.

    Parameters
    ----------
    source : str, path or numpy.ndarray
        The name of a data set, the path of anything that `load` takes or of one picture, or an
        array (N, D), (N, H, W) or (N, H, W, C).
    part : {"train", "test"}
        Which rows, of a source that brings a test set; else all.
    form : Form, optional
        Of a model whose table had one: the same columns are read, as they were.
    limit : int, optional
        Keep at most so many, evenly spread.
    progress : bool
        Show a progress bar while a big table is read.
    **table
        `label`, `ignore`, `header`, `one_hot`, `missing`, `drop_unlabelled` of a table, as in
        `TableOptions`. Its columns are not standardised here.

    Raises
    ------
    DataError
        If it cannot be read.
    OptionError
        If something is said of a table, and it is none.
    """
    options = TableOptions(**table)
    path = None if isinstance(source, np.ndarray) else Path(source).expanduser()
    if path is not None and is_table(path) and not path.is_dir():
        fields = None
        if form is not None:
            options, fields = options.over(form.options), form.known_fields()
        t = read_table(path, options, fields=fields, progress=progress)
        named: dict[str, Any] = {"columns": t.columns, "labels": t.labels}
        named |= {"fields": t.fields, "notes": t.notes}
        found = Examples(path.name, t.x, (len(t.columns),), t.rows, **named)
    else:
        options.refuse_for("the array" if path is None else str(source))
        found = _of_pixels(source, path, part)
    if limit is None or limit >= len(found):
        return found
    if limit < 1:
        raise OptionError(f"limit={limit} was given, but it must be at least 1.")
    return found.select(np.arange(limit) * len(found) // limit)


def _of_pixels(source: Any, path: Path | None, part: str) -> Examples:
    if path is None:
        data = from_arrays("the array", source, hold_out=False)
    elif is_picture(path):
        image = load_image(path)
        row, number = image.reshape(1, -1), np.arange(1)
        return Examples(path.name, row, image.shape, number, files=[path.name])
    else:
        data = load(source, hold_out=False)
        if data.alphabet is not None:
            raise OptionError(
                f"{data.name} holds sequences of symbols, and scores are of pixels or columns; "
                "give pictures or a table."
            )
    x, y = data.pixels_train, data.y_train
    if part == "test" and data.pixels_test is not None:
        x, y = data.pixels_test, data.y_test
    labels = files = None
    if y is not None:
        names = data.labels or ()
        known = {k: names[k] if 0 <= k < len(names) else str(k) for k in np.unique(y).tolist()}
        labels = np.array([known[k] for k in y.tolist()])
    if path is not None and str(source) not in NAMES and path.is_dir():
        files = [str(file.relative_to(path)) for file in picture_files(path)]
    also: dict[str, Any] = {"labels": labels, "files": files, "notes": data.notes}
    return Examples(data.name, x, data.shape, np.arange(len(x)), **also)
