"""What a run keeps of its data: enough to show them, to read them again, and to know them again."""

import hashlib
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
