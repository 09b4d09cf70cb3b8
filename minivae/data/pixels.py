"""Rows of 8-bit pixels that stay 8-bit: `Pixels`.

The 60,000 training images of MNIST are 47 MB as bytes and 188 MB as float32, of which a training
step needs 128 rows. So the bytes are kept, and rows become float32 when they are fetched.
"""

from typing import Annotated, Any

import numpy as np

from ..engine.door import door
from ..engine.kinds import AN_ARRAY, Kind
from ..errors import DtypeError, OptionError, ShapeError
from .minibatch import gather

ROWS = 1000
"""Rows that are float32 at once where all of them are gone through."""


AnyArray = Annotated[
    np.ndarray,
    Kind("a NumPy array", lambda value: isinstance(value, np.ndarray), DtypeError, AN_ARRAY),
]
"""A host array of any dtype: what it holds, `from_arrays` looks at."""

Labels = Annotated[
    np.ndarray,
    Kind(
        "a NumPy array of texts or whole numbers",
        lambda value: isinstance(value, np.ndarray) and value.dtype.kind in "biuU",
        DtypeError,
        "name each class by a text",
    ),
]
"""Classes (N,), by their names or numbers."""

RowNumbers = Annotated[
    Any,
    Kind(
        "a NumPy array of row numbers (N,), or of as many True and False as there are rows",
        lambda value: (
            isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iub"
        ),
        mend="take them from `numpy.flatnonzero`",
    ),
]
"""Which rows, by their numbers."""


def in_range(rows: Any, n: int) -> None:
    """Raise `ShapeError` for numbers of rows that are not among `n`."""
    if isinstance(rows, slice) or not len(rows):
        return
    mask = rows.dtype.kind == "b"
    if len(rows) != n if mask else not (rows.min() >= -n and rows.max() < n):
        given = f"{len(rows)} True and False" if mask else f"rows {rows.min()} to {rows.max()}"
        raise ShapeError(f"{given} were asked for, but there are {n} rows; ask for those.")


@door
class Pixels:
    """Bytes that stand for the float32 array `bytes / divisor`.

    An index gives what it would give of that array, bit for bit, and makes no more of it.
    `numpy.asarray` makes the whole.

    Parameters
    ----------
    values : numpy.ndarray, (N, D), uint8
        The bytes; they are not copied.
    divisor : int
        What they are divided by.

    Attributes
    ----------
    bytes, divisor
        The parameters.
    dtype : numpy.dtype
        float32, that of the rows.

    Raises
    ------
    DtypeError, ShapeError, OptionError
        If the bytes are not uint8, do not lie in rows, or the divisor is below 1.

    Examples
    --------
    >>> x = Pixels(np.array([[0, 51], [102, 255]], np.uint8), 255)
    >>> x[1]
    array([0.4, 1. ], dtype=float32)
    """

    dtype = np.dtype(np.float32)
    ndim = 2

    def __init__(self, values: Any, divisor: int = 255) -> None:
        if getattr(values, "dtype", None) != np.uint8:
            what = getattr(values, "dtype", type(values).__name__)
            raise DtypeError(
                f"Pixels was given {what}, but it keeps bytes, uint8; data of another dtype are "
                "used as a float32 array."
            )
        if values.ndim != 2:
            raise ShapeError(
                f"Pixels was given bytes of shape {values.shape}, but it keeps rows (N, D); "
                "flatten each example with .reshape(len(x), -1)."
            )
        if not divisor >= 1:
            raise OptionError(
                f"divisor={divisor!r} was given, but it is the largest value that a pixel can "
                "have; give 255 for 8-bit images, or 1 for binary ones."
            )
        self.bytes = np.ascontiguousarray(values)
        self.divisor = divisor

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and of columns, (N, D)."""
        return self.bytes.shape

    @property
    def size(self) -> int:
        """How many pixels there are in all."""
        return self.bytes.size

    def __len__(self) -> int:
        return len(self.bytes)

    def __getitem__(self, index: Any) -> np.ndarray:
        return gather(self.bytes, index, self.divisor)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError("the float32 array of Pixels has to be made; leave out copy=False.")
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def select(self, rows: RowNumbers | slice) -> "Pixels":
        """Return these rows as `Pixels`."""
        in_range(rows, len(self))
        return Pixels(self.bytes[rows], self.divisor)

    def min(self) -> np.float32:
        """Smallest value: that of the smallest byte."""
        return self.dtype.type(self.bytes.min()) / self.dtype.type(self.divisor)

    def max(self) -> np.float32:
        """Largest value: that of the largest byte."""
        return self.dtype.type(self.bytes.max()) / self.dtype.type(self.divisor)

    def mean(self, axis: int) -> np.ndarray:
        """Mean over the rows (D,), for `axis` 0, with the rounding of the float32 array's mean.

        NumPy adds the rows of such an array, if they have two columns or more, one after the other.
        So it can be given them in parts, with the sum so far as the first row of each.

        Raises
        ------
        OptionError
            If `axis` is another one.
        """
        if axis != 0:
            raise OptionError(f"axis={axis!r} was given, but the mean of Pixels is over axis 0.")
        total = np.zeros((1, self.shape[1]), self.dtype)
        for start in range(0, len(self), ROWS):
            total = np.concatenate([total, self[start : start + ROWS]]).sum(axis=0, keepdims=True)
        return total[0] / self.dtype.type(len(self))

    def __repr__(self) -> str:
        return f"Pixels({self.shape[0]} x {self.shape[1]} bytes / {self.divisor})"
