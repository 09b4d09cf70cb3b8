"""What every loader returns: rows of numbers, with their labels, a test set and the image shape.

Pixels are brought to [0, 1] by the *kind* of the numbers. The first rule that fits wins:

====================================================== =================
values, in train and test together                     divided by
====================================================== =================
booleans, or integers that are all 0 or 1              1 (binary pixels)
integers 0..16 in rows of 64 (8x8 digits, 17 levels)   16
unsigned 8-bit integers                                255
everything else                                        1 (kept as it is)
====================================================== =================

Booleans and unsigned 8-bit integers stay bytes, as `Pixels`, and become float32 when rows of them
are fetched; everything else becomes float32 at once.

Floats are therefore never rescaled: a table of measurements stays what it was, and a model with a
Bernoulli likelihood says itself that it wants [0, 1].
"""

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np

from ..engine.door import door
from ..errors import DataError, DtypeError, ShapeError
from .alphabet import check_alphabet
from .hold_out import HOLD_OUT, class_by_class, held_out_rows
from .pixels import AnyArray, Pixels
from .tables.form import Form


@door
@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """A training set and, where there is one, a test set.

    Parameters
    ----------
    name : str
        The name given to `load`, or the file's or folder's own name.
    pixels_train : ndarray of float32 or Pixels, shape (N, D)
        One example a row; images are flattened, with values in [0, 1].
    y_train : ndarray, shape (N,), int64, or None
        Class numbers.
    pixels_test : ndarray of float32 or Pixels, shape (M, D), or None
        None only where the data are too few to hold any out.
    y_test : ndarray, shape (M,), int64, or None
        Class numbers of the test rows.
    shape : tuple of int
        Shape of one example: `(28, 28)`, `(H, W, 3)`, or `(D,)` for a table.
    labels : tuple of str, or None
        `labels[k]` is the name of class `k`.
    form : Form, or None
        Of a table: names and scale of its columns, which are standardised in the rows.
    notes : tuple of str
        What was passed over or left out when the data were read, a sentence each.
    alphabet : tuple of str, or None
        Of sequences: the symbols that whole numbers in the rows stand for; see `alphabet.py`.

    Attributes
    ----------
    x_train : ndarray, shape (N, D), float32
        `pixels_train` as one float32 array. It is made of `Pixels` when it is first asked for, and
        then kept: four times their memory, which `fit(training, data.pixels_train)` does without.
    x_test : ndarray, shape (M, D), float32, or None
        `pixels_test` likewise.

    Raises
    ------
    DtypeError
        If `pixels_train` or `pixels_test` is neither float32 nor `Pixels`.
    ShapeError
        If rows, labels and `shape` do not fit together.
    """

    name: str
    pixels_train: np.ndarray | Pixels
    y_train: np.ndarray | None
    pixels_test: np.ndarray | Pixels | None
    y_test: np.ndarray | None
    shape: tuple[int, ...]
    labels: tuple[str, ...] | None = None
    form: Form | None = None
    notes: tuple[str, ...] = ()
    alphabet: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        for part, x, y in (
            ("train", self.pixels_train, self.y_train),
            ("test", self.pixels_test, self.y_test),
        ):
            if x is None:
                continue
            if x.dtype != np.float32:
                raise DtypeError(
                    f"pixels_{part} of {self.name!r} is {x.dtype}, expected float32 or Pixels; use "
                    f".astype('f4')"
                )
            if x.ndim != 2 or x.shape[1] != prod(self.shape):
                raise ShapeError(
                    f"pixels_{part} of {self.name!r} has shape {x.shape}, expected rows of "
                    f"{prod(self.shape)} values for examples of shape {self.shape}"
                )
            if self.alphabet is not None:
                check_alphabet(self.name, self.alphabet, float(x.min()), float(x.max()))
            if y is not None and y.shape != (len(x),):
                raise ShapeError(
                    f"y_{part} of {self.name!r} has shape {y.shape}, expected one label for each "
                    f"of the {len(x)} rows of pixels_{part}"
                )

    @cached_property
    def x_train(self) -> np.ndarray:
        """The training rows as one float32 array (N, D)."""
        return np.asarray(self.pixels_train)

    @cached_property
    def x_test(self) -> np.ndarray | None:
        """The test rows as one float32 array (M, D), or None."""
        return None if self.pixels_test is None else np.asarray(self.pixels_test)

    def __repr__(self) -> str:
        """Sizes, shape, range of values and number of classes on one line."""
        x, n_test = self.pixels_train, 0 if self.pixels_test is None else len(self.pixels_test)
        size = " x ".join(map(str, self.shape))
        text = f"Dataset({self.name!r}: {len(x)} train, {n_test} test, each {size}"
        values = f"values {x.min():.4g} to {x.max():.4g}"
        text += f", {f'of {len(self.alphabet) - 1} symbols' if self.alphabet else values}"
        if self.y_train is not None:
            text += f", {len(np.unique(self.y_train))} classes"
        return text + ")"


@door
def thin(data: Dataset, limit: int) -> Dataset:
    """Keep at most `limit` rows of the training set and at most `limit` of the test set.

    The rows are drawn with a fixed seed, from every class in proportion, and stay in their order.
    """

    def kept(x: np.ndarray | Pixels, y: np.ndarray | None) -> np.ndarray | slice:
        if len(x) <= limit:
            return slice(None)
        return np.sort(class_by_class(len(x), y)[np.arange(limit) * len(x) // limit])

    def rows(x: np.ndarray | Pixels | None, y: np.ndarray | None) -> tuple:
        if x is None:
            return None, None
        which = kept(x, y)
        return _select(x, which), None if y is None else y[which]

    train, y_train = rows(data.pixels_train, data.y_train)
    test, y_test = rows(data.pixels_test, data.y_test)
    return replace(data, pixels_train=train, y_train=y_train, pixels_test=test, y_test=y_test)


@door
def from_arrays(
    name: str,
    x: AnyArray,
    y: AnyArray | None = None,
    x_test: AnyArray | None = None,
    y_test: AnyArray | None = None,
    labels: tuple[str, ...] | None = None,
    notes: tuple[str, ...] = (),
    hold_out: bool = True,
) -> Dataset:
    """Check somebody's arrays, scale their pixels and hold out a test set if they bring none.

    Parameters
    ----------
    name : str
        Begins every error message, so the file's name serves best.
    x, x_test : ndarray
        (N, D), (N, H, W) or (N, H, W, C), of any numbers; `C = 1` is dropped.
    y, y_test : ndarray, optional
        Whole numbers, or strings, which become `labels`, one for each example.
    labels : tuple of str, optional
        Names of the classes that `y` counts.
    notes : tuple of str
        What was passed over; kept with the data.
    hold_out : bool
        False leaves all rows of `x` together, in their order.

    Returns
    -------
    Dataset
        A tenth of the rows, drawn with a fixed seed from every class in proportion, is the test
        set where `x_test` is None and there are ten.

    Raises
    ------
    DataError
        If the arrays are no numbers, not finite, empty or do not fit together.
    """
    if x_test is None and y_test is not None:
        raise DataError(f"{name}: y_test came without x_test, expected both or neither")
    x = _checked(name, "x", x)
    if x_test is not None:
        x_test = _checked(name, "x_test", x_test)
        if x_test.shape[1:] != x.shape[1:]:
            raise DataError(
                f"{name}: examples of x_test have shape {x_test.shape[1:]} and those of x "
                f"{x.shape[1:]}, expected the same shape"
            )
    y, y_test, names = class_numbers(name, y, len(x), y_test, 0 if x_test is None else len(x_test))
    divisor = _divisor([x] if x_test is None else [x, x_test])
    rows, test = _rows(x, divisor), None if x_test is None else _rows(x_test, divisor)
    if test is None and hold_out and len(x) >= HOLD_OUT:
        held_out = held_out_rows(len(x), y)
        rows, test = _select(rows, ~held_out), _select(rows, held_out)
        if y is not None:
            y, y_test = y[~held_out], y[held_out]
    return Dataset(name, rows, y, test, y_test, x.shape[1:], labels or names, notes=notes)


def _rows(x: np.ndarray, divisor: int) -> np.ndarray | Pixels:
    """Flatten examples to rows `(N, D)`: bytes and their divisor, or scaled float32."""
    rows = x.reshape(len(x), -1)
    if rows.dtype in (np.bool_, np.uint8):
        return Pixels(rows.view(np.uint8), divisor)
    rows = rows.astype(np.float32)
    rows /= np.float32(divisor)
    return rows


def _select(x: np.ndarray | Pixels, rows: np.ndarray | slice) -> np.ndarray | Pixels:
    """Keep these rows, in the form that they are stored in."""
    return x.select(rows) if isinstance(x, Pixels) else x[rows]


def _divisor(arrays: list[np.ndarray]) -> int:
    """Return what the module's table of rules divides these arrays by."""
    if any(a.dtype.kind not in "iu" for a in arrays):
        return 1
    low, high = min(a.min() for a in arrays), max(a.max() for a in arrays)
    if low >= 0 and high <= 1:
        return 1
    if low >= 0 and high <= 16 and all(a[0].size == 64 for a in arrays):
        return 16
    return 255 if all(a.dtype == np.uint8 for a in arrays) else 1


def _checked(name: str, part: str, x: np.ndarray) -> np.ndarray:
    """Refuse what cannot be trained on; return the array without a channel axis of length 1."""
    if x.dtype.kind not in "biuf":
        raise DataError(f"{name}: {part} holds {x.dtype}, expected real numbers")
    if x.ndim not in (2, 3, 4) or x.size == 0:
        raise DataError(
            f"{name}: {part} has shape {x.shape}, expected at least one example in an array of "
            f"shape (N, D), (N, H, W) or (N, H, W, C)"
        )
    if x.ndim == 4 and x.shape[1] in (1, 3) and x.shape[3] not in (1, 3):
        raise DataError(
            f"{name}: {part} has shape {x.shape}, which looks like channels first, expected "
            f"(N, H, W, C); use .transpose(0, 2, 3, 1)"
        )
    if x.dtype.kind == "f":
        with np.errstate(over="ignore"):  # a float64 past float32's range becomes infinite here
            bad = ~np.isfinite(x.astype(np.float32, copy=False))
        if bad.any():
            first = tuple(int(i) for i in np.unravel_index(bad.argmax(), x.shape))
            raise DataError(
                f"{name}: {part} has {bad.sum()} values that are NaN or infinite in float32, the "
                f"first is {x[first]} at index {first}; remove those rows or fill them in"
            )
    return x[..., 0] if x.ndim == 4 and x.shape[3] == 1 else x


def class_numbers(
    name: str, y: np.ndarray | None, n: int, y_test: np.ndarray | None, n_test: int
) -> tuple[np.ndarray | None, np.ndarray | None, tuple[str, ...] | None]:
    """Turn labels into int64 `(N,)`; strings are counted in sorted order and become names."""
    present = {"y": (y, n), "y_test": (y_test, n_test)}
    found = {}
    for part, (labels, rows) in present.items():
        if labels is None:
            continue
        if labels.shape not in ((rows,), (rows, 1)):
            raise DataError(
                f"{name}: {part} has shape {labels.shape}, expected one label for each of the "
                f"{rows} rows"
            )
        found[part] = labels.reshape(rows)
    names = None
    if found and all(labels.dtype.kind == "U" for labels in found.values()):
        every = np.unique(np.concatenate(list(found.values())))
        names = tuple(str(text) for text in every)
        found = {part: np.searchsorted(every, labels) for part, labels in found.items()}
    for part, labels in found.items():
        whole = labels.dtype.kind in "biuf" and bool(
            np.isfinite(labels).all() and (np.floor(labels) == labels).all()
        )
        if not whole:
            raise DataError(f"{name}: {part} holds {labels.dtype} values, expected whole numbers")
        found[part] = labels.astype(np.int64)
    return found.get("y"), found.get("y_test"), names
