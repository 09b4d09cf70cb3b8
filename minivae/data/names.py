"""First names: 5,163 of them, from the census of 1990 of the United States; in `names.txt`.

Each line holds a name in small letters, and who bears it: f, m, or b for both. A name is a sequence
of 2 to 11 letters and the symbol that ends it; the class is who bears it. How frequent a name is,
is left out: each stands once, so that names held out are names that were never seen.
"""

from pathlib import Path

import numpy as np

from ..errors import DataError
from .alphabet import END, PADDING, numbered
from .dataset import Dataset
from .hold_out import held_out_rows
from .pixels import Pixels

NAME = "names"
WHAT = "first names, letter by letter (census of the United States, 1990)"
STATE = "embedded"

ALPHABET = (PADDING, *"abcdefghijklmnopqrstuvwxyz", END)
"""Nothing, the letters, and the end."""

BEARERS = {"f": "women", "m": "men", "b": "both"}
"""What stands behind a name in the file, and the class that it is."""

STEPS = 12
"""The longest name has 11 letters, and then comes its end."""

SIZES = (4647, 516, (STEPS,))
"""Training names, test names, and the shape of one."""

PATH = Path(__file__).with_name("names.txt")


def read() -> tuple[list[str], np.ndarray]:
    """All names, sorted, and the number of each one's class (N,).

    Raises
    ------
    DataError
        If the file is missing or damaged.
    """
    try:
        lines = PATH.read_text(encoding="ascii").split("\n")[:-1]
        pairs = [line.split(" ") for line in lines]
        names, bearers = [name for name, _ in pairs], [list(BEARERS).index(b) for _, b in pairs]
    except (OSError, ValueError) as error:
        raise DataError(
            f"{PATH} cannot be read ({error}), expected the file that came with minivae; install "
            "the package again."
        ) from None
    return names, np.array(bearers, "int64")


def load(*, hold_out: bool = True) -> Dataset:
    """Load the names; a tenth of those of each class is the test set."""
    names, y = read()
    rows = numbered(NAME, names, ALPHABET, STEPS)
    held = held_out_rows(len(rows), y) if hold_out else np.zeros(len(rows), bool)
    x, x_test = Pixels(rows[~held], 1), Pixels(rows[held], 1) if hold_out else None
    y_test, labels = y[held] if hold_out else None, tuple(BEARERS.values())
    return Dataset(NAME, x, y[~held], x_test, y_test, (STEPS,), labels, alphabet=ALPHABET)
