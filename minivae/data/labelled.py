"""Rows that carry their class: the pixels of an example, then its label as a one-hot vector.

    [ pixels (D) | 0 0 0 1 0 0 0 0 0 0 (C) ]

A classifier and a conditional VAE learn from such rows, by the same loop as all models: whatever
shuffles, fetches or binarizes rows need not know that there are labels in them, for zeros and ones
stay what they are.
"""

from collections.abc import Sequence

import numpy as np

from ..engine.backend import Indices
from ..engine.door import door
from ..errors import DataError
from .dataset import Dataset
from .pixels import Pixels


@door
def class_names(data: Dataset) -> tuple[str, ...]:
    """Names of a data set's classes, each of which has a training example.

    Raises
    ------
    DataError
        If the data have no labels, the labels are no numbers from 0, or a class has no example.
    """
    y, y_test = data.y_train, data.y_test
    if y is None or (data.pixels_test is not None and y_test is None):
        part = "training" if y is None else "test"
        raise DataError(
            f"{data.name!r} has no labels of its {part} examples, but a class has to be learned "
            "from them; give labelled data, such as an .npz file with x and y, a table with "
            "--label, or a folder with one subfolder of pictures for each class."
        )
    every = y if y_test is None else np.concatenate([y, y_test])
    if every.min() < 0:
        raise DataError(
            f"{data.name!r} has the label {every.min()}, but classes are numbered from 0; "
            "number them 0, 1, 2 and so on, or name them by strings."
        )
    n_classes = max(int(every.max()) + 1, len(data.labels or ()))
    if n_classes > len(y) + 1000:  # a number that is no class, such as a postcode
        raise DataError(
            f"{data.name!r} has the label {every.max()}, which makes {n_classes} classes of "
            f"{len(y)} examples; number the classes 0, 1, 2 and so on."
        )
    names = tuple(data.labels or ())
    names += tuple(str(k) for k in range(len(names), n_classes))
    count = np.bincount(y, minlength=n_classes)
    if not count.all():
        missing = [names[k] for k in np.flatnonzero(count == 0)]
        which = f"class {missing[0]!r} has" if len(missing) == 1 else f"{len(missing)} classes have"
        first = "" if len(missing) == 1 else f", {missing[0]!r} first"
        raise DataError(
            f"{which} no training example in {data.name!r}{first}; give examples of each class, "
            "or number the classes without gaps."
        )
    return names


@door
def labelled(x: np.ndarray | Pixels, y: np.ndarray, n_classes: int) -> np.ndarray | Pixels:
    """Append labels to rows, as one-hot vectors.

    Parameters
    ----------
    x : numpy.ndarray or Pixels
        Examples.
    y : numpy.ndarray, int
        Their classes.
    n_classes : int
        C.

    Returns
    -------
    numpy.ndarray or Pixels, (N, D + C)
        Of the kind and dtype of x.

    Raises
    ------
    DataError
        If there is not one label for each example, or one is not in 0 ... C - 1.
    """
    y = np.asarray(y)
    if not x.shape or y.shape != (len(x),) or y.dtype.kind not in "iu":
        raise DataError(
            f"{y.dtype} labels of shape {y.shape} were given for {x.shape[0] if x.shape else 0} "
            "examples; give one whole number for each."
        )
    if y.size and not (y.min() >= 0 and y.max() < n_classes):
        wrong = y.min() if y.min() < 0 else y.max()
        raise DataError(
            f"there is a label {wrong}, but the classes are 0 to {n_classes - 1}; leave out those "
            "examples, or train a model for their classes."
        )
    one_hot = np.eye(n_classes, dtype=x.dtype)[y]
    if isinstance(x, Pixels) and x.divisor in range(256):
        one = np.uint8(x.divisor)  # the byte that stands for 1
        return Pixels(np.concatenate([x.bytes, one_hot.astype("u1") * one], axis=1), x.divisor)
    return np.concatenate([x[:], one_hot], axis=1)


@door
def numbers_of(data: Dataset, y: Indices | None, names: Sequence[str]) -> np.ndarray:
    """Class numbers (N,) that labels of a data set have in a model which knows classes by name.

    Parameters
    ----------
    data : Dataset
        Names its classes; where it does not, their numbers are their names.
    y : numpy.ndarray, (N,), int, or None
        Labels of one part of the data.
    names : sequence of str
        The model's classes.

    Raises
    ------
    DataError
        If there are no labels, or the model knows one of them not.
    """
    if y is None:
        raise DataError(
            f"{data.name!r} has no labels, but the model was trained on examples with theirs; give "
            "labelled data."
        )
    number = {name: k for k, name in enumerate(names)}
    present, place = np.unique(y, return_inverse=True)
    known = data.labels or ()
    called = [known[k] if 0 <= k < len(known) else str(k) for k in present.tolist()]
    strangers = [name for name in called if name not in number]
    if strangers:
        raise DataError(
            f"{data.name!r} has examples of class {strangers[0]!r}, but the model was trained on "
            f"the classes {', '.join(names)}; give data of those."
        )
    return np.array([number[name] for name in called], int)[place]


@door
def named(y: Indices, names: Sequence[str]) -> np.ndarray:
    """Classes y (N,) as a file holds them: numbers, or names where these are not 0, 1, 2, ...."""
    numbered = list(names) == [str(k) for k in range(len(names))]
    if numbered:
        return y
    if y.size and not (y.min() >= 0 and y.max() < len(names)):
        raise DataError(
            f"classes {y.min()} to {y.max()} were given with {len(names)} names; give a name for "
            "each class, counted from 0."
        )
    return np.array(names)[y]
