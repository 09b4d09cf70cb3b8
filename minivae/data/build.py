"""Make the two embedded files anew: `python -m minivae.data.build MNIST_FOLDER [--out FOLDER]`.

`mnist5k` is made of the four MNIST files: the first 500 images of each class in the training file
and the first 100 of each class in the test file, in the files' order. `digits8` is made of the
1,797 digits that scikit-learn ships (only this script needs it): the first 1,500 rows are the
training set and the last 297 the test set, in scikit-learn's order.

The arrays come out byte for byte as they are in the package, so their SHA-256 sums prove it.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from ..files import write_atomically
from . import embedded
from .download import file_in
from .sources import SOURCES, STEMS, read_part

PER_CLASS_TRAIN, PER_CLASS_TEST = 500, 100
DIGITS_TRAIN = 1500


def first_of_each_class(y: np.ndarray, n: int) -> np.ndarray:
    """Return the rows of the first `n` labels of each class, in ascending order.

    Parameters
    ----------
    y : ndarray, shape (N,), int
        Class numbers.
    n : int
        Rows a class.

    Returns
    -------
    ndarray, int32 (little-endian)
    """
    rows = [np.flatnonzero(y == k)[:n] for k in np.unique(y)]
    return np.sort(np.concatenate(rows)).astype("<i4")


def mnist5k(folder: Path) -> dict[str, np.ndarray]:
    """Select `mnist5k` from a folder with the four MNIST files, which are verified.

    Raises
    ------
    DataError
        If a file is missing or is not MNIST's.
    """
    full = {}
    for part, stem in STEMS.items():
        path = file_in(folder, part)
        if path is None:
            raise DataError(f"{folder} holds no {stem}.gz, expected the four files of MNIST")
        full[part] = read_part(SOURCES["mnist"], path, part)
    train = first_of_each_class(full["y_train"], PER_CLASS_TRAIN)
    test = first_of_each_class(full["y_test"], PER_CLASS_TEST)
    return {
        "x_train": full["x_train"][train],
        "y_train": full["y_train"][train],
        "x_test": full["x_test"][test],
        "y_test": full["y_test"][test],
        "train_index": train,
        "test_index": test,
    }


def digits8() -> dict[str, np.ndarray]:
    """Take `digits8` from scikit-learn, as unsigned 8-bit integers 0..16."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    x, y = digits.images.astype(np.uint8), digits.target.astype(np.uint8)
    n = DIGITS_TRAIN
    return {"x_train": x[:n], "y_train": y[:n], "x_test": x[n:], "y_test": y[n:]}


def write(path: Path, arrays: dict[str, Any]) -> None:
    """Write a compressed `.npz` file."""
    write_atomically(path, lambda file: np.savez_compressed(file, **arrays))


def main(argv: list[str] | None = None) -> None:
    """Write both files and print each array's SHA-256 sum."""
    parser = argparse.ArgumentParser(prog="python -m minivae.data.build", description=__doc__)
    parser.add_argument("mnist_folder", type=Path, help="folder of the four MNIST files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="where to write")
    options = parser.parse_args(argv)
    for name, arrays in (("digits8", digits8()), ("mnist5k", mnist5k(options.mnist_folder))):
        write(options.out / f"{name}.npz", arrays)
        for key, array in arrays.items():
            print(f"{name} {key} {array.dtype.str} {array.shape} {embedded.sha256(array)}")


if __name__ == "__main__":
    main()
