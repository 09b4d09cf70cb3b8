"""The data that walks start from: pairs to go between, and groups to subtract."""

import argparse
import itertools
import math
from pathlib import Path

import numpy as np

from .. import data as datasets
from ..data import Dataset, Pixels
from ..data.images import is_picture
from ..errors import OptionError
from ..train.prepare import prepare_data
from ..train.runs import Run
from .outputs import check_shape


def pairs(
    x: np.ndarray | Pixels, y: np.ndarray | None, numbers: list[int] | None
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Images to go from and to: those of the numbers, or four pairs of different classes."""
    if numbers:
        return [(x[numbers[0]], x[numbers[1]])]
    firsts = [] if y is None else np.unique(y, return_index=True)[1]
    if len(firsts) < 2:
        firsts = range(min(8, len(x)))
    half = len(firsts) // 2
    if half == 0:
        raise OptionError("the data have one test image; name two by --morph.")
    return [(x[firsts[i]], x[firsts[i + half]]) for i in range(min(4, half))]


def checked(numbers: list[int], n: int) -> list[int]:
    """The numbers of test images, all of which must be below n."""
    for number in numbers:
        if not 0 <= number < n:
            raise OptionError(f"--images {number} was given, but the test images are 0 to {n - 1}.")
    return numbers


def groups(
    run: Run,
    x: np.ndarray | Pixels,
    y: np.ndarray | None,
    data: Dataset,
    options: argparse.Namespace,
) -> tuple:
    """The arithmetic's two groups of rows, and what they are called."""
    if options.having:
        rows = [all_rows(run, name) for name in (options.having, options.lacking)]
        return *rows, tuple(Path(name).stem for name in (options.having, options.lacking))
    present = [] if y is None else np.unique(y).tolist()
    labels = dict(enumerate(data.labels or ()))
    names = {k: labels.get(k, str(k)) for k in present}
    if options.classes:
        known = {name: k for k, name in names.items()}
        for name in options.classes:
            if name not in known:
                there = ", ".join(known) or "none"
                raise OptionError(f"there is no class {name!r} in the test data, but: {there}.")
        lack, have = (known[name] for name in options.classes)
    else:
        z = run.codes(x)
        centre = {k: z[y == k].mean(axis=0) for k in present}
        # Of the closest two the difference may be nothing, of the farthest it crosses the others.
        by_distance = sorted(
            itertools.combinations(present, 2),
            key=lambda pair: math.dist(*(centre[k] for k in pair)),
        )
        lack, have = by_distance[len(by_distance) // 2]
    return x[y == have], x[y == lack], (f"class {names[have]}", f"class {names[lack]}")


def all_rows(run: Run, name: str) -> np.ndarray:
    """All rows of a data set, of a folder, or of a single picture."""
    if is_picture(Path(name)):
        return picture(run, name)
    data = run.load_data(name)
    check_shape(run, data.shape, name)
    parts = [part for part in (data.pixels_train, data.pixels_test) if part is not None]
    return prepare_data(np.concatenate([part[:] for part in parts]), run.training.settings, "val")


def picture(run: Run, path: str) -> np.ndarray:
    """A picture as a row (1, n_pixels); one in which red, green and blue are equal may be grey."""
    image = datasets.load_image(path)
    if len(run.shape) == 2 and image.ndim == 3 and (image == image[..., :1]).all():
        image = image[..., 0]
    check_shape(run, image.shape, path)
    return prepare_data(image.reshape(1, -1), run.training.settings, "val")
