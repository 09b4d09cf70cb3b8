"""Data to learn from: sets in the package, sets that are made, two to download, and the user's own.

They come as rows, scaled and checked, and leave as minibatches. No model is known here, and nothing
is downloaded unless a set that is not on this machine is asked for by name.

>>> from minivae.data import load
>>> load("mnist5k")
Dataset('mnist5k': 5000 train, 1000 test, each 28 x 28, values 0 to 1, 10 classes)
"""

import difflib
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import Any

from ..engine.door import door
from ..errors import DataError, OptionError
from . import download, embedded, files, names, sprites
from .dataset import Dataset, thin
from .images import load_image
from .melodies import embedded as melodies
from .melodies import motifs
from .melodies.own import is_music_file, load_music
from .pixels import Pixels
from .tables.form import Form
from .tables.options import TableOptions
from .tables.reading import SUFFIXES, is_table, table_data

__all__ = ["NAMES", "Available", "Dataset", "Pixels", "available", "fetch", "load", "load_image"]

OWN: dict[str, Any] = {module.NAME: module for module in (sprites, names, melodies, motifs)}
"""Modules that make a data set themselves: each has NAME, WHAT, STATE, SIZES, PATH and `load`."""

NAMES = (*embedded.EMBEDDED, *OWN, *download.SOURCES)
"""The data sets that `load` knows by name."""


@door
@dataclass(frozen=True)
class Available:
    """A data set that `load` knows by name, and where it is now.

    Parameters
    ----------
    name, what : str
        Its name and a description.
    state : str
        "embedded", "drawn", "in MINIVAE_DATA", "cached" or "to download".
    where : str
        The file or folder, or the first mirror's address.
    n_train, n_test : int
        Numbers of images.
    shape : tuple of int
        Shape of one image.
    """

    name: str
    what: str
    state: str
    where: str
    n_train: int
    n_test: int
    shape: tuple[int, ...]


@door
def load(
    name_or_path: str | PathLike,
    *,
    limit: int | None = None,
    hold_out: bool = True,
    form: Form | None = None,
    progress: bool = False,
    **table: Any,
) -> Dataset:
    """Load a data set by its name, or the user's own by its path.

    Parameters
    ----------
    name_or_path : str or path
        One of `NAMES`, or the path of a `.npy`, `.npz` or IDX file, of a table (`.csv` and the
        like), of an ABC or MIDI file, or of a folder of pictures or of music. A name wins over a
        path; write `./mnist` for a folder of that name.
    limit : int, optional
        Keep at most so many training rows, and so many test rows, spread evenly over the data.
    hold_out : bool
        False leaves all rows of data without a test set in `pixels_train`, in their order.
    form : Form, optional
        Of a model whose table had one: another table is read and standardised as that one was.
    progress : bool
        Show a progress bar while a big table is read.
    **table
        `label`, `ignore`, `header`, `one_hot`, `missing`, `drop_unlabelled` of a table, as in
        `TableOptions`. Its columns are standardised, by the rows of the training set.

    Returns
    -------
    Dataset
        Data without a test set have a tenth of their rows held out as one, drawn with a fixed seed
        from every class in proportion.

    Raises
    ------
    DataError
        If the name or path is unknown, the data cannot be read or downloaded, or they hold values
        that are NaN or infinite.
    OptionError
        If `limit` is not a positive whole number, or something is said of a table that is none.
    """
    whole = isinstance(limit, Integral) and not isinstance(limit, bool)
    if limit is not None and not (whole and limit >= 1):
        raise OptionError(f"limit is {limit!r}, expected a whole number of rows, 1 or more")
    if not isinstance(name_or_path, str | PathLike):
        raise OptionError(
            f"load was given a {type(name_or_path).__name__}, expected the name of a data set "
            f"({', '.join(NAMES)}) or a path"
        )
    options = TableOptions(**table)
    path = Path(name_or_path).expanduser()
    if name_or_path in NAMES or not is_table(path) or path.is_dir():
        options.refuse_for(str(name_or_path))
    if name_or_path in embedded.EMBEDDED:
        data = embedded.load(embedded.EMBEDDED[name_or_path])
    elif name_or_path in OWN:
        data = OWN[str(name_or_path)].load(hold_out=hold_out)
    elif name_or_path in download.SOURCES:
        data = download.load(download.SOURCES[name_or_path])
    elif not path.exists():
        raise _unknown(str(name_or_path), or_a_path=True)
    elif is_table(path) and not path.is_dir():
        data = table_data(path, options, form=form, hold_out=hold_out, progress=progress)
    elif is_music_file(path):
        data = load_music(path, hold_out=hold_out)
    else:
        data = files.load_path(path, hold_out=hold_out)
    return data if limit is None else thin(data, limit)


@door
def fetch(name: str) -> Path:
    """Make sure that a data set is on this machine, verified, and say where.

    Parameters
    ----------
    name : str
        One of `NAMES`.

    Returns
    -------
    Path
        The embedded file, the one that draws the pictures, or the folder of the four IDX files.

    Raises
    ------
    DataError
        If the name is unknown, or the files are damaged, or cannot be downloaded.
    """
    if name in embedded.EMBEDDED:
        embedded.read(embedded.EMBEDDED[name])
        return embedded.EMBEDDED[name].path
    if name in OWN:
        return OWN[name].PATH
    if name in download.SOURCES:
        return download.obtain(download.SOURCES[name])[0]
    raise _unknown(str(name), or_a_path=False)


def available() -> list[Available]:
    """List the data sets that `load` knows by name, and where each one is.

    Nothing is downloaded, and no big file is read.
    """
    found = []
    for entry in embedded.EMBEDDED.values():
        size = (entry.n_train, entry.n_test, entry.shape)
        found.append(Available(entry.name, entry.what, "embedded", str(entry.path), *size))
    for own in OWN.values():
        found.append(Available(own.NAME, own.WHAT, own.STATE, str(own.PATH), *own.SIZES))
    for source in download.SOURCES.values():
        place = download.find(source)
        if place is None:
            state, where = "to download", source.mirrors[0]
        else:
            state, where = "in MINIVAE_DATA" if place[1] else "cached", str(place[0])
        size = (source.n_train, source.n_test, source.shape)
        found.append(Available(source.name, source.what, state, where, *size))
    return found


def _unknown(name: str, *, or_a_path: bool) -> DataError:
    close = difflib.get_close_matches(name.lower().replace("-", "_"), NAMES)
    meant = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
    path = f" or the path of a .npy, .npz, IDX or {SUFFIXES[0]} file or of a folder of pictures"
    return DataError(
        f"there is no data set {'or file ' if or_a_path else ''}{name!r}, expected one of "
        f"{', '.join(NAMES)}{path if or_a_path else ''}{meant}"
    )
