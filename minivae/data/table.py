r"""Tables of numbers: a CSV file with a header, and the scale on which a model takes its columns.

A cell that is no number is refused by its row and column, a column that cannot be used by its name.
Columns are known by their names, so another order does no harm. Standardised, a column has the mean
0 and the standard deviation 1 on the rows that a model was fitted to:

$$ u_{nd} = (x_{nd} - m_d) / s_d \tag{1} $$
"""

import csv
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError, ShapeError

SUFFIXES = (".csv", ".tsv")
"""Files that are read as tables."""

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")
"""Cells that stand for a missing number, in small letters."""


@dataclass(frozen=True, eq=False)
class Table:
    """A CSV file.

    Attributes
    ----------
    columns : tuple of str, D names
        The columns that hold numbers for the model.
    x : numpy.ndarray, (N, D), float64
        Their numbers.
    labels : numpy.ndarray of str, (N,), optional
        The column of classes, as text.
    """

    columns: tuple[str, ...]
    x: np.ndarray
    labels: np.ndarray | None = None


def read_csv(
    path: str | Path,
    *,
    label: str | None = None,
    ignore: Collection[str] = (),
    columns: Sequence[str] | None = None,
) -> Table:
    """Read a CSV file whose first line names the columns.

    Parameters
    ----------
    path : str or Path
        The file, in UTF-8. Cells are separated by commas, semicolons or tabs, whichever the first
        line has.
    label : str, optional
        The column that holds the class of each row, as text.
    ignore : collection of str
        Columns to pass over.
    columns : sequence of str, optional
        Take these columns, in this order, and pass over all others; by default all that are neither
        `label` nor in `ignore`, in the order of the file.

    Raises
    ------
    DataError
        If the file cannot be read, has no header, lacks a column, or a cell holds no finite number.
    """
    path = Path(path).expanduser()
    header, rows, lines = _cells(path)
    wanted = [*(ignore if columns is None else columns), *([] if label is None else [label])]
    absent = [name for name in wanted if name not in header]
    if absent:
        raise DataError(
            f"{path} lacks the column{'s' * (len(absent) > 1)} {_names(absent)}, for it has "
            f"{_names(header)}; add what is missing, or correct the name."
        )
    if columns is None:
        columns = [name for name in header if name != label and name not in ignore]
    if not columns:
        raise DataError(f"{path} has no column of numbers left; name fewer to be left out.")
    if "" in columns:
        raise DataError(
            f"{path} has no name for its column {header.index('') + 1}, which may be a mere row "
            "number; give it a name, or delete it."
        )
    x = np.empty((len(rows), len(columns)))
    for d, name in enumerate(columns):
        place = header.index(name)
        x[:, d] = _numbers(path, name, [row[place] for row in rows], lines)
    labels = None
    if label is not None:
        labels = np.array([row[header.index(label)].strip() for row in rows])
    return Table(tuple(columns), x, labels)


def _cells(path: Path) -> tuple[list[str], list[list[str]], list[int]]:
    """Header, rows of cells as text, and the line in the file that each row ends on."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            separator = max(",;\t", key=first.count)
            reader = csv.reader(file, delimiter=separator, strict=True)
            numbered = [(row, reader.line_num) for row in reader if row]
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); check its name.") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} is no CSV file in UTF-8 ({str(error).rstrip('.')}); save it as one."
        ) from None
    if len(numbered) < 2:
        raise DataError(
            f"{path} has {len(numbered)} lines; give a header that names the columns, and at least "
            "one row of numbers."
        )
    header = [name.strip() for name in numbered[0][0]]
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"{path} names the column {_names(doubled[:1])} twice; rename one of them.")
    if all(_is_number(name) for name in header):
        raise DataError(
            f"{path} begins with the numbers {', '.join(header[:3])}, ...; put a first line above "
            "them that names the columns."
        )
    for row, line in numbered[1:]:
        if len(row) != len(header):
            raise DataError(
                f"{path}, line {line}, has {len(row)} cells, but the header names {len(header)} "
                "columns; mend that line."
            )
    return header, [row for row, _ in numbered[1:]], [line for _, line in numbered[1:]]


def _numbers(path: Path, name: str, cells: list[str], lines: list[int]) -> list[float]:
    """One column as numbers; what is missing or none is refused by name and line."""
    missing = [i for i, cell in enumerate(cells) if cell.strip().lower() in MISSING]
    if missing:
        raise DataError(
            f"{path}, column {name!r}, lacks {len(missing)} of {len(cells)} numbers, the first in "
            f"row {missing[0] + 1} (line {lines[missing[0]]}); fill them in, or leave that column "
            "or these rows out."
        )
    for i, cell in enumerate(cells):
        if not _is_number(cell):
            raise DataError(
                f"{path}, row {i + 1} (line {lines[i]}), column {name!r}, holds {cell.strip()!r}, "
                "which is no finite number; correct it, or leave that column out."
            )
    return [float(cell) for cell in cells]


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and "_" not in text
    except ValueError:
        return False


def _names(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names[:5])) + (", ..." if len(names) > 5 else "")


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each column: how a model sees a table.

    Attributes
    ----------
    columns : tuple of str, D names
        The columns, in the model's order.
    mean, sd : tuple of float, D each
        On the rows that the model was fitted to.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]

    @classmethod
    def of(cls, x: np.ndarray, columns: Sequence[str]) -> "Scale":
        """Scale of x (N, D).

        Raises
        ------
        DataError
            If a column is constant, by its name.
        """
        x = np.asarray(x, "float64")
        constant = np.flatnonzero(x.max(axis=0) == x.min(axis=0))
        if constant.size:
            first = constant[0]
            others = f" (and {constant.size - 1} more)" if constant.size > 1 else ""
            raise DataError(
                f"the column {columns[first]!r}{others} is {x[0, first]:g} in all {len(x)} rows to "
                "train on, so it has no scale; leave it out, or bring rows in which it varies."
            )
        with np.errstate(over="ignore", invalid="ignore"):
            mean, sd = x.mean(axis=0), x.std(axis=0)
        vast = np.flatnonzero(~(np.isfinite(mean) & np.isfinite(sd) & (sd > 0)))
        if vast.size:
            raise DataError(
                f"the column {columns[vast[0]]!r} holds numbers whose squares leave the range of "
                "float64; give it in another unit."
            )
        return cls(tuple(columns), tuple(mean.tolist()), tuple(sd.tolist()))

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Standardised x (N, D), float32; what is beyond its range becomes its largest number.

        Raises
        ------
        ShapeError
            If x has another width.
        """
        if x.ndim != 2 or x.shape[1] != len(self.columns):
            raise ShapeError(
                f"the table has shape {x.shape}, but {len(self.columns)} columns are expected "
                f"({_names(self.columns)}); give those."
            )
        with np.errstate(over="ignore"):
            u = (np.asarray(x, "float64") - self.mean) / self.sd  # (1)
        largest = float(np.finfo(np.float32).max)
        return np.clip(u, -largest, largest).astype(np.float32)
