"""What a run keeps of its data: enough to show them, to read them again, and to know them again.

What is read back may have been damaged since, or written by hand, so `damaged` looks at all of it.
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from .. import data as datasets
from ..data import Dataset
from ..data.batches import batches
from ..data.tables.form import Form
from ..errors import DataError


def describe(data: Dataset) -> dict[str, Any]:
    """What a run keeps of its data, as JSON types, to show them and to know them again."""
    return {
        "name": data.name,
        "shape": list(data.shape),
        "range": [float(data.pixels_train.min()), float(data.pixels_train.max())],
        "n_train": len(data.pixels_train),
        "n_test": 0 if data.pixels_test is None else len(data.pixels_test),
        "sha256": fingerprint(data),
        **({} if data.form is None else {"form": data.form.record()}),
    }


def fingerprint(data: Dataset) -> str:
    """SHA-256 of the training rows and of the test rows as float32, in whatever form they are."""
    digest = hashlib.sha256()
    for x in (data.pixels_train, data.pixels_test):
        if x is not None:
            for rows in batches(len(x), 1000):
                digest.update(np.ascontiguousarray(x[rows]).data)
    return digest.hexdigest()


def damaged(extra: Any, n_pixels: int) -> str:
    """Name the first part of what a run keeps that is not as `describe` and a training left it.

    Parameters
    ----------
    extra : dict
        What the checkpoint keeps beside the training; see `Run`.
    n_pixels : int
        Values of one example in the model.

    Returns
    -------
    str
        Such as "data.range"; "" if nothing is damaged.
    """
    for name, fits in PARTS.items():
        value = extra
        for key in name.split("."):
            value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
        if not fits(value):
            return name
    if math.prod(extra["data"]["shape"]) != n_pixels:
        return "data.shape"
    try:
        form = form_of(extra["data"])
    except (AttributeError, KeyError, TypeError, ValueError):  # a MinivaeError is a ValueError too
        return "data.form"
    return "" if form is None or _fits_together(form, n_pixels) else "data.form"


MISSING = object()
"""What is where nothing is; it fits nowhere."""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


PARTS: dict[str, Callable[[Any], bool]] = {
    "data.name": _is_text,
    "data.shape": lambda v: isinstance(v, list) and 0 < len(v) < 4 and all(map(_is_count, v)),
    "data.range": lambda v: isinstance(v, list) and len(v) == 2 and all(map(_is_number, v)),
    "data.n_train": _is_count,
    "data.n_test": _is_count,
    "data.sha256": _is_text,
    "options.data": _is_text,
    "options.limit": lambda v: v is None or _is_count(v),
    "options.backend": _is_text,
    "changes": lambda v: v is MISSING or isinstance(v, list),
    "note": _is_text,
}
"""Name of each part, and whether a value may be it."""


def _fits_together(form: Form, n_pixels: int) -> bool:
    """Whether the parts of a form are of one width, and of the types that they should be."""
    fields = form.known_fields()
    numbers = (form.mean, form.sd, form.fill or form.mean)
    return (
        len(form.columns) == sum(len(texts) or 1 for _, texts in fields) == n_pixels
        and all(map(_is_text, form.columns))
        and all(map(_is_text, (text for name, texts in fields for text in (name, *texts))))
        and all(len(values) == n_pixels and all(map(_is_number, values)) for values in numbers)
        and all(sd > 0 for sd in form.sd)
    )


def form_of(kept: dict[str, Any]) -> Form | None:
    """Columns and scale of the table that `describe` recorded, if it was one."""
    return None if kept.get("form") is None else Form.from_record(kept["form"])


def load_again(options: dict[str, Any], kept: dict[str, Any], folder: Path) -> Dataset:
    """Load data by the options of a run, as they were loaded when it began.

    Raises
    ------
    DataError
        If they cannot be loaded, or are others than those that were kept.
    """
    form = form_of(kept)
    table = {} if form is None else asdict(form.options)
    data = datasets.load(options["data"], limit=options["limit"], form=form, **table)
    if fingerprint(data) != kept["sha256"]:
        raise DataError(
            f"{options['data']} no longer holds the data that {folder} was trained on; put them "
            "back, or train a new run."
        )
    return data
