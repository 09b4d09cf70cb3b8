"""Tables of numbers at the estimator's door, in the words that users of scikit-learn know."""

import math
import warnings
from numbers import Integral, Real
from typing import Any

import numpy as np

from ...errors import DataError, DtypeError, OptionError, ShapeError
from ...models.mlp import check_widths


def generator(random_state: Any) -> np.random.Generator:
    """Turn None, an int, a RandomState or a Generator into a Generator.

    A RandomState and a Generator are drawn from, so that the next call finds other numbers.
    """
    if isinstance(random_state, np.random.RandomState):
        return np.random.default_rng(random_state.randint(2**32, size=4, dtype=np.uint32))
    whole = isinstance(random_state, Integral) and random_state >= 0
    if not (whole or random_state is None or isinstance(random_state, np.random.Generator)):
        raise OptionError(
            f"random_state={random_state!r} was given, but it must be None, a whole number of at "
            "least 0, a numpy RandomState or a numpy Generator."
        )
    return np.random.default_rng(random_state)


def check_number(name: str, value: Any, *, least: int, whole: bool = False) -> None:
    """Raise `OptionError` unless `value` is a finite number, `least` or more."""
    if not (isinstance(value, Integral if whole else Real) and least <= value < math.inf):
        kind = "whole number" if whole else "number"
        raise OptionError(f"{name}={value!r} was given, but it must be a {kind}, {least} or more.")


def as_table(X: Any, dtype: np.dtype, who: str, columns: int | None = None) -> np.ndarray:
    """Return X as a finite array (N, columns) of `dtype`, with at least one row and one column.

    Raises
    ------
    ShapeError, DtypeError, DataError
        With the phrases that users of scikit-learn, and its checks, know from there.
    """
    if hasattr(X, "tocsr"):
        raise DtypeError(f"X is a sparse matrix, but {who} takes dense data; give X.toarray().")
    try:
        given = x = np.asarray(X)
        if given.dtype.kind in "biufO":
            with np.errstate(over="ignore"):  # what overflows becomes inf and is refused below
                x = given.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        refusal = DtypeError if isinstance(error, TypeError) else DataError
        reason = str(error).partition(". ")[0].rstrip(".")
        raise refusal(
            f"X is no table of numbers: {reason}; leave columns of text out, or make zeros and "
            "ones of them first."
        ) from None
    if x.dtype != dtype:
        what = "Complex" if given.dtype.kind == "c" else given.dtype
        raise DataError(f"{what} data not supported: {who} takes real numbers; convert X to them.")
    if x.ndim != 2:
        raise ShapeError(
            f"Reshape your data: X has shape {x.shape}, but {who} takes (n_samples, n_features); "
            "use X.reshape(1, -1) for one sample, X.reshape(-1, 1) for one feature, and "
            "X.reshape(len(X), -1) for images."
        )
    for count, what in zip(x.shape, ("sample(s)", "feature(s)"), strict=True):
        if count == 0:
            raise ShapeError(f"X has 0 {what} (shape={x.shape}) while a minimum of 1 is required.")
    bad = np.argwhere(~np.isfinite(x))
    if len(bad):
        raise DataError(
            f"X holds NaN, inf or a value too large for {dtype} in {len(bad)} places, the first in "
            f"row {bad[0, 0]}, column {bad[0, 1]}; impute or leave out what is missing."
        )
    if columns is not None and x.shape[1] != columns:
        raise ShapeError(
            f"X has {x.shape[1]} features, but {who} is expecting {columns} features as input."
        )
    return x


def column_names(X: Any) -> np.ndarray | None:
    """Names of a data frame's columns if all of them are strings, else None."""
    names = list(getattr(X, "columns", ()))
    all_strings = names and all(isinstance(name, str) for name in names)
    return np.array(names, dtype=object) if all_strings else None


def split(
    x: np.ndarray, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Rows to train on and rows set aside, a `fraction` of x (N, D) drawn by `rng`.

    Raises
    ------
    DataError
        If one of the two would be empty.
    """
    aside = math.ceil(fraction * len(x))
    if not 0 < aside < len(x):
        raise DataError(
            f"validation_fraction={fraction} of {len(x)} rows was given, but it must leave rows to "
            "train on and rows to validate on; give a fraction between 0 and 1, and more rows."
        )
    order = rng.permutation(len(x))
    return x[order[aside:]], x[order[:aside]]


UNLIKE = 10.0
"""How far from 1 a standard deviation may be, as a factor, before it is said."""


def warn_unscaled(x: np.ndarray, who: str) -> None:
    """Warn if columns of x (N, D) have standard deviations far from 1; constant ones have none.

    A model's first weights, and one standard deviation for all columns, suit columns of about unit
    variance; of two columns, one of a thousandth of the other's spread is not learned.
    """
    spread = x.std(axis=0, dtype="float64")
    spread = spread[spread > 0]
    if spread.size == 0 or (spread.max() <= UNLIKE and spread.min() >= 1 / UNLIKE):
        return
    warnings.warn(
        f"the columns of X have standard deviations from {spread.min():.2g} to {spread.max():.2g}, "
        f"but {who} suits columns of about 1; put a StandardScaler before it: "
        f"make_pipeline(StandardScaler(), {who}()).",
        stacklevel=4,
    )


def check_options(name: str, value: Any, such: str) -> None:
    """Raise `OptionError` unless a parameter is None or a dict of options."""
    if not isinstance(value, dict | None):
        raise OptionError(
            f"{name}={value!r} was given, but it must be None or a dict, such as {such}."
        )


def shape_of(shape: Any, n_features: int) -> tuple[int, ...]:
    """Shape of one example, whose `n_features` numbers are a row.

    Raises
    ------
    OptionError, ShapeError
        If it is no shape, or one of another number of numbers.
    """
    found = (n_features,) if shape is None else check_widths(shape, "shape")
    if math.prod(found) != n_features:
        raise ShapeError(
            f"shape={shape!r} was given, but X has {n_features} columns; give a shape of as many "
            "numbers."
        )
    return found
