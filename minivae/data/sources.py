"""MNIST and Fashion-MNIST in full: their four IDX files, mirrors, and how a file is verified.

MNIST is known by the SHA-256 of the *decompressed* files, so that a recompressed copy is as good as
the original. Of Fashion-MNIST only the published `.gz` files' sums are known here: those are
accepted by their sum, and a download must have it. A copy that the user decompressed or compressed
anew cannot be compared with them; it is accepted if it is an IDX file of the right shape and, for
labels, has equally many of every class. That shows a damaged or a wrong file, not an altered pixel.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import DataError
from . import idx

STEMS = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
"""The files' names, without `.gz`, and the array that each one holds."""


@dataclass(frozen=True)
class Source:
    """A data set in four IDX files, its mirrors and its SHA-256 sums.

    Parameters
    ----------
    name, what : str
        Its name here, and a description.
    mirrors : tuple of str
        Addresses that end in `/`; a file's name and `.gz` are appended.
    sha256 : dict
        The sum of each part (see `STEMS`).
    sums_of_gz : bool
        True if the sums are those of the `.gz` files, False for the decompressed content.
    labels : tuple of str
        Names of the classes.
    n_train, n_test, shape
        Numbers of images, and the shape of one.
    """

    name: str
    what: str
    mirrors: tuple[str, ...]
    sha256: dict[str, str]
    sums_of_gz: bool
    labels: tuple[str, ...]
    n_train: int = 60_000
    n_test: int = 10_000
    shape: tuple[int, int] = (28, 28)


SOURCES = {
    "mnist": Source(
        name="mnist",
        what="MNIST, handwritten digits",
        mirrors=(
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "http://yann.lecun.com/exdb/mnist/",
        ),
        sha256={
            "x_train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "y_train": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "x_test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "y_test": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        },
        sums_of_gz=False,
        labels=tuple("0123456789"),
    ),
    "fashion_mnist": Source(
        name="fashion_mnist",
        what="Fashion-MNIST, articles of clothing",
        mirrors=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
        sha256={
            "x_train": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "y_train": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "x_test": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "y_test": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
        sums_of_gz=True,
        labels=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    ),
}


def read_part(source: Source, path: Path, part: str, *, must_match: bool = False) -> np.ndarray:
    """Read one of the four files and verify it as the module's docstring says.

    Parameters
    ----------
    source : Source
        The data set that the file should be a part of.
    path : Path
        An IDX file, gzip-compressed or not.
    part : str
        A key of `STEMS`.
    must_match : bool
        Require the SHA-256 sum, even where the sum is that of a `.gz` file.

    Returns
    -------
    ndarray, uint8
        Shape `(N, H, W)` for images, `(N,)` for labels.

    Raises
    ------
    DataError
        If the file is damaged or is another one.
    """
    packed = idx.read_bytes(path)
    content = idx.unpack(packed, path)
    found = hashlib.sha256(packed if source.sums_of_gz else content).hexdigest()
    if found != source.sha256[part]:
        problem = f"its {'' if source.sums_of_gz else 'decompressed '}SHA-256 is {found}"
        if must_match or not source.sums_of_gz:
            raise DataError(
                f"{path} is damaged or is not {STEMS[part]} of {source.name}: {problem}, expected "
                f"{source.sha256[part]}; replace it"
            )
        _check_structure(source, path, part, idx.parse(content, path))
    return idx.parse(content, path)


def _check_structure(source: Source, path: Path, part: str, values: np.ndarray) -> None:
    """Verify what can be without a sum: type, shape, and as many labels of each class."""
    n = source.n_train if part.endswith("train") else source.n_test
    expected = (n, *source.shape) if part.startswith("x") else (n,)
    if values.dtype != np.uint8 or values.shape != expected:
        raise DataError(
            f"{path} is not {STEMS[part]} of {source.name}: it holds {values.dtype} values of "
            f"shape {values.shape}, expected uint8 of shape {expected}; replace it"
        )
    n_classes = len(source.labels)
    if part.startswith("y"):
        counts = np.bincount(values, minlength=n_classes)
        if counts.tolist() != [n // n_classes] * n_classes:
            raise DataError(
                f"{path} is not {STEMS[part]} of {source.name}: its classes have "
                f"{counts.tolist()} labels, expected {n // n_classes} in each of {n_classes}; "
                f"replace it"
            )
