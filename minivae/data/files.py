"""The user's own arrays: `.npy`, `.npz` and IDX files, and folders of pictures.

What a file is, its first bytes tell, not its name. Pickled objects are never loaded.
"""

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..errors import DataError
from ..files import open_file
from . import idx
from .dataset import Dataset, from_arrays
from .images import is_picture, read_folder
from .sequences import from_symbols
from .tables.reading import is_table

X_NAMES = ("x_train", "x", "images", "data")
Y_NAMES = ("y_train", "y", "labels")
"""Names of the examples and labels in a `.npz` file; the first that is there counts."""


def load_path(path: Path, *, hold_out: bool = True) -> Dataset:
    """Load a file or a folder of the user's.

    Parameters
    ----------
    path : Path
        One of

        - a `.npy` file, or an IDX file (gzip-compressed or not), of examples;
        - a `.npz` file with the examples as `x_train`, `x`, `images` or `data`, or as its only
          array, and optionally labels (`y_train`, `y` or `labels`), `x_test` and `y_test`, or of
          sequences the `alphabet` (see `sequences.py`);
        - a folder of pictures, or of one subfolder of pictures for each class.
    hold_out : bool
        False leaves the rows together, in their order, if the file brings no test set.

    Returns
    -------
    Dataset
        With a tenth of the rows held out as a test set, if the file brings none.

    Raises
    ------
    DataError
        If the path is none of these or what it holds cannot be trained on.
    """
    arrays = read_folder(path) if path.is_dir() else _read_file(path)
    make: Callable[..., Dataset] = from_symbols if "alphabet" in arrays else from_arrays
    return make(path.resolve().name, **arrays, hold_out=hold_out)


def _read_file(path: Path) -> dict[str, np.ndarray]:
    try:
        with open_file(path) as file:
            start = file.read(6)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); check its permissions"
        ) from None
    if path.suffix.lower() in (".xlsx", ".xlsm", ".xls", ".ods"):
        raise DataError(f"{path} is a spreadsheet; save the sheet as CSV in UTF-8.")
    if start.startswith((b"\x93NUMPY", b"PK")):
        return _read_numpy(path)
    if start.startswith(idx.GZIP) and is_table(path.with_suffix("")):
        raise DataError(f"{path} is a compressed table; unpack it with gunzip.")
    if start.startswith((idx.GZIP, b"\0\0")):
        return {"x": idx.read(path)}
    if is_picture(path):
        raise DataError(f"{path} is one picture; give a folder of many, all of one size.")
    raise DataError(
        f"{path} is of an unknown kind (it starts with {start!r}), expected a .npy, .npz, IDX or "
        f".csv file or a folder of pictures; numpy.save writes a .npy file"
    )


def _read_numpy(path: Path) -> dict[str, np.ndarray]:
    try:
        with open_file(path) as file:  # opened here: np.load leaves a damaged file open
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return {"x": loaded}
            with loaded as archive:
                arrays = {name: archive[name] for name in archive.files}
        strangers = [name for name, a in arrays.items() if not isinstance(a, np.ndarray)]
        if strangers:
            raise ValueError(f"{strangers[0]} in it is no array")
    except (OSError, EOFError, ValueError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        problem = "it holds Python objects" if "pickle" in str(error).lower() else str(error)
        raise DataError(
            f"{path} cannot be read ({problem}), expected a whole .npy or .npz file of numbers"
        ) from None
    return _choose(path, arrays)


def _choose(path: Path, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Pick examples and labels out of a `.npz` file by their names."""
    x_name = next((name for name in X_NAMES if name in arrays), None)
    y_name = next((name for name in Y_NAMES if name in arrays), None)
    if x_name is None:
        beside = (*Y_NAMES, "x_test", "y_test", "alphabet")
        others = [name for name in arrays if name not in beside]
        if len(others) != 1:
            raise DataError(
                f"{path} holds the arrays {', '.join(arrays) or '(none)'}, expected the examples "
                f"as one of {', '.join(X_NAMES)} or as the only array; save it with numpy.savez("
                f"file, x=...)"
            )
        x_name = others[0]
    chosen = {"x": arrays[x_name]}
    for key, name in (
        ("y", y_name),
        ("x_test", "x_test"),
        ("y_test", "y_test"),
        ("alphabet", "alphabet"),
    ):
        if name in arrays:
            chosen[key] = arrays[name]
    return chosen
