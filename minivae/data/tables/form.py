r"""What a model remembers of the table it was fitted to: columns, categories, and their scale.

Columns are known by their names, so another order does no harm. Standardised, a column has the mean
0 and the standard deviation 1 on the rows that a model was fitted to:

$$ u_{nd} = (x_{nd} - m_d) / s_d \tag{1} $$

A column of zeros and ones that stands for one text of a column of text stays what it is.

A column is constant if it varies by nothing but rounding: by less than some units in the last place
of its numbers, in float64 or, if it has but two or three numbers, in float32. Divided by the spread
of such noise, any other number would lie thousands of standard deviations away.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ...errors import DataError, ShapeError
from .options import TableOptions, listed, quoted
from .written import counted

Field = tuple[str, tuple[str, ...]]
"""A column of a file: its name and, if it is one-hot, its texts; else nothing."""

ROUNDING = 64 * float(np.finfo(np.float64).eps)
"""Spread, relative to the largest number of a column, that is rounding in float64."""

BLOCK = 1 << 20
"""Numbers that are copied at once."""


def columns_of(fields: Sequence[Field]) -> list[str]:
    """Names of a model's columns: `name` of numbers, `name=text` for each text of one-hot ones."""
    return [
        name if text is None else f"{name}={text}"
        for name, texts in fields
        for text in (texts or (None,))
    ]


@dataclass(frozen=True)
class Form:
    """How a model sees a table.

    Attributes
    ----------
    columns : tuple of str, D names
        The model's columns.
    mean, sd : tuple of float, D each
        On the rows that the model was fitted to.
    fill : tuple of float, D each
        What takes the place of a missing number: the median, or the most frequent text.
    fields : tuple of (str, tuple of str)
        The file's columns that they are made of, in the model's order.
    options : TableOptions
        How the table was read.
    """

    columns: tuple[str, ...]
    mean: tuple[float, ...]
    sd: tuple[float, ...]
    fill: tuple[float, ...] = ()
    fields: tuple[Field, ...] = ()
    options: TableOptions = field(default_factory=TableOptions)

    @classmethod
    def of(
        cls, x: np.ndarray, fields: Sequence[Field | str], options: TableOptions | None = None
    ) -> "Form":
        """Form of x (N, D), NaN where a number is missing.

        Raises
        ------
        DataError
            If a column is constant, by its name, unless the options leave it out.
        """
        known: tuple[Field, ...] = tuple((f, ()) if isinstance(f, str) else f for f in fields)
        x = np.asarray(x)
        N, D = x.shape
        columns, whole = columns_of(known), np.array([not t for _, t in known for _ in t or [0]])
        mean, sd, fill = np.zeros(D), np.ones(D), np.zeros(D)
        low, high = np.zeros(D), np.zeros(D)
        few = np.zeros(D, bool)
        width = max(1, BLOCK // N)
        for start in range(0, D, width):
            at = slice(start, start + width)
            with np.errstate(over="ignore", invalid="ignore"):
                block = np.array(x[:, at].T, "float64", order="C")  # a column is a run in memory
                fill[at] = _medians(block, columns[at])
                mean[at], sd[at] = block.mean(axis=1), block.std(axis=1)
            low[at], high[at] = block.min(axis=1), block.max(axis=1)
            size = np.maximum(np.abs(low[at]), np.abs(high[at]))
            spread = high[at] / 2 - low[at] / 2
            for d in np.flatnonzero(spread <= size * float(np.finfo(np.float32).eps)):
                few[start + d] = spread[d] <= size[d] * ROUNDING or len(np.unique(block[d])) < 4
        constant = np.flatnonzero(few & whole)
        if constant.size:
            still = set(constant.tolist())
            vary = [
                (f, at) for f, at in zip(known, groups(known), strict=True) if at[0] not in still
            ]
            if not (vary and options and options.drop_constant):
                named = options is not None
                raise DataError(_constant(columns, constant.tolist(), (low, high), N, named))
            places = [d for _, at in vary for d in at]
            return cls.of(x[:, places], [f for f, _ in vary], options)
        vast = np.flatnonzero(whole & ~(np.isfinite(mean) & np.isfinite(sd) & (sd > 0)))
        if vast.size:
            raise DataError(
                f"the column {columns[vast[0]]!r} holds numbers whose squares leave the range of "
                "float64; give it in another unit."
            )
        for group in groups(known):
            if len(group) > 1 or not whole[group.start]:
                fill[group] = np.arange(len(group)) == mean[group].argmax()
        mean[~whole], sd[~whole] = 0, 1
        m, s, f = (tuple(values.tolist()) for values in (mean, sd, fill))
        return cls(tuple(columns), m, s, f, known, options or TableOptions())

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
                f"({listed(self.columns)}); give those."
            )
        largest = float(np.finfo(np.float32).max)
        mean, sd, fill = (np.array(v) for v in (self.mean, self.sd, self.fill or self.mean))
        out = np.empty(x.shape, np.float32)
        for rows in _rows(x):
            u = np.array(x[rows], "float64")
            np.copyto(u, fill, where=np.isnan(u))
            with np.errstate(over="ignore"):
                u = (u - mean) / sd  # (1)
            out[rows] = np.clip(u, -largest, largest)
        return out

    def pick(self, x: np.ndarray, columns: Sequence[str]) -> np.ndarray:
        """Of x (N, D') with these columns those of the form: all but the ones left out."""
        if len(columns) == len(self.columns):
            return x
        place = {name: d for d, name in enumerate(columns)}
        return x[:, [place[name] for name in self.columns]]

    def note(self, name: str, columns: Sequence[str]) -> tuple[str, ...]:
        """A sentence about the columns of a file of that name that are left out; none if none."""
        n = len(columns) - len(self.columns)
        return (f"{name}: left out {counted(n, 'column')} without variation",) if n else ()

    def undo(self, u: np.ndarray) -> np.ndarray:
        """The table x (N, D), float64, that is u (N, D) when it is standardised."""
        return np.asarray(u, "float64") * self.sd + self.mean  # (1), solved for x

    def cells(self, u: np.ndarray) -> dict[str, list[str]]:
        """Standardised rows u (N, D) as the columns of a file: numbers, or the likeliest text."""
        x, found = self.undo(u), {}
        for (name, texts), at in zip(self.known_fields(), groups(self.known_fields()), strict=True):
            if texts:
                found[name] = [texts[k] for k in x[:, list(at)].argmax(axis=1)]
            else:
                found[name] = [f"{value:.7g}" for value in x[:, at.start].tolist()]
        return found

    def groups(self) -> list[tuple[str, range]]:
        """Name of each of the file's columns, and its places among the model's."""
        fields = self.known_fields()
        return [(name, at) for (name, _), at in zip(fields, groups(fields), strict=True)]

    def known_fields(self) -> tuple[Field, ...]:
        """`fields`; an older record has none but columns of numbers."""
        return self.fields or tuple((name, ()) for name in self.columns)

    def record(self) -> dict[str, Any]:
        """The form as JSON types."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> "Form":
        """The form that a record holds; older records have columns, mean and sd alone."""
        known = {name: tuple(record[name]) for name in ("columns", "mean", "sd")}
        fields = tuple((name, tuple(texts)) for name, texts in record.get("fields", ()))
        fill, options = tuple(record.get("fill", ())), TableOptions(**record.get("options", {}))
        return cls(**known, fill=fill, fields=fields, options=options)


def groups(fields: Sequence[Field]) -> Iterator[range]:
    """Places of each of the file's columns among the model's."""
    start = 0
    for _, texts in fields:
        yield range(start, start + (len(texts) or 1))
        start += len(texts) or 1


def _rows(x: np.ndarray) -> Iterator[slice]:
    step = max(1, BLOCK // x.shape[1])
    return (slice(start, start + step) for start in range(0, len(x), step))


def _medians(block: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Median of each column of a block (d, N), over the numbers that are there; fills the holes."""
    missing = np.isnan(block.sum(axis=1))
    found = np.empty(len(block))
    found[~missing] = np.median(block[~missing], axis=1)
    for d in np.flatnonzero(missing).tolist():
        holes = np.isnan(block[d])
        if holes.all():
            raise DataError(
                f"the column {names[d]!r} is missing in all {block.shape[1]} rows to train on; "
                f"leave it out with --ignore {quoted([names[d]])}."
            )
        found[d] = np.median(block[d, ~holes])
        block[d, holes] = found[d]
    return found


def _constant(
    columns: Sequence[str],
    which: list[int],
    ends: tuple[np.ndarray, np.ndarray],
    n: int,
    named: bool,
) -> str:
    """The sentence about columns that do not vary; those of an array have no names."""
    (low, high), names = (end[which[0]] for end in ends), [columns[d] for d in which]
    others = f" (and {len(names) - 1} more)" if len(names) > 1 else ""
    but = "" if low == high else " but for rounding"
    how = f" with --ignore {quoted(names)}, or" if len(names) <= 20 else ""
    out = f"{how} with --drop-constant" if named else " of the array, whose columns count from 0"
    return (
        f"the column {names[0]!r}{others} is {low:g} in all {n} rows to train on{but}, so it has "
        f"no scale; leave it out{out}, or bring rows in which it varies."
    )
