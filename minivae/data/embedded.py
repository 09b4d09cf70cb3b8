"""The data sets that lie in the package itself and need no network: `digits8` and `mnist5k`.

Each is one compressed `.npz` of unsigned 8-bit arrays `x_train`, `y_train`, `x_test`, `y_test`,
made by `minivae.data.build`; the licences are in `DATA_LICENSES.md` beside it. `mnist5k` also holds
`train_index` and `test_index`: the rows of the full MNIST files that it is made of.

`SHA256` has the sum of each array's bytes (in C order, without the `.npy` header), so it does not
depend on how the file was compressed. It is verified at every load; that takes a few milliseconds.
"""

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from .dataset import Dataset, from_arrays

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class Embedded:
    """A data set in the package: what it is, how many images, of what shape."""

    name: str
    what: str
    n_train: int
    n_test: int
    shape: tuple[int, ...]
    labels: tuple[str, ...] = DIGITS

    @property
    def path(self) -> Path:
        """The `.npz` file."""
        return Path(__file__).with_name(f"{self.name}.npz")


EMBEDDED = {
    "digits8": Embedded(
        "digits8",
        "handwritten digits in 17 grey levels (the last 297 rows are the test set)",
        1500,
        297,
        (8, 8),
    ),
    "mnist5k": Embedded(
        "mnist5k",
        "the first 500 training and 100 test images of each class of MNIST",
        5000,
        1000,
        (28, 28),
    ),
}

SHA256: dict[str, dict[str, str]] = {
    "digits8": {
        "x_train": "ee6301bf158c604c728193674edc03a6cc3988014a924e6e067edddcdcbfd740",
        "y_train": "e2fd6b6f26a4b1209a81b338ea6e2e743f689f6e990db31cfd6d59849794c750",
        "x_test": "2155cbb21b093cdae6d5f69cf8a2ddd7d0a14feeebf8ffe7991092f8e2321fa0",
        "y_test": "e7e87e0ab1d1814c4420ecd904dea92bf6a05de1b7d724842fa0ccce6c7b11f3",
    },
    "mnist5k": {
        "x_train": "fe57609667d7a8b640987a51018781e61c7b264afff6868ef379b0c87cb9335c",
        "y_train": "0c3aeda58dd36b213d655eb72b9ac9181c90bd3e333a19809cb32b1508f64d77",
        "x_test": "6973118ee26132cec5e8bca46303f598e8d7f3fd72a7056c43f828e761c432f0",
        "y_test": "dd09f7c420b0ae3b12e27577950099656961d334160a05f57159510b1011915e",
        "train_index": "68ee34a5c78be8390b55a012fab6cb3c70cbe1de324b6e7023c6f3888e0fdb3a",
        "test_index": "71ffbd05d97b0f43f3a400ad79c71e68649bb95112bb3db152c62cf5f7a62a93",
    },
}


def sha256(array: np.ndarray) -> str:
    """Return the SHA-256 of an array's bytes in C order, as hexadecimal digits."""
    return hashlib.sha256(np.ascontiguousarray(array).data).hexdigest()


def read(entry: Embedded) -> dict[str, np.ndarray]:
    """Read and verify the arrays of an embedded data set, as they are stored.

    Raises
    ------
    DataError
        If the file is missing or damaged, or a SHA-256 sum differs.
    """
    try:
        # opened here: np.load leaves a file open that it cannot make out
        with entry.path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{entry.path} cannot be read ({error}), expected the file that came with minivae; "
            f"install the package again"
        ) from None
    sums = {key: sha256(array) for key, array in arrays.items()}
    if sums != SHA256[entry.name]:
        wrong = sorted(
            key
            for key in sums.keys() | SHA256[entry.name].keys()
            if sums.get(key) != SHA256[entry.name].get(key)
        )
        raise DataError(
            f"{entry.path} is not the file that came with minivae: the SHA-256 of "
            f"{', '.join(wrong)} differs; install the package again"
        )
    return arrays


def load(entry: Embedded) -> Dataset:
    """Load an embedded data set with pixels in [0, 1]."""
    arrays = read(entry)
    return from_arrays(
        entry.name,
        arrays["x_train"],
        arrays["y_train"],
        arrays["x_test"],
        arrays["y_test"],
        entry.labels,
    )
