"""What `sample`, `reconstruct` and `evaluate` share: which run, which data, where to write."""

import argparse
import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import data as datasets
from ..data import Pixels
from ..data.images import is_picture
from ..data.tables.form import Form
from ..data.tables.options import TableOptions
from ..errors import OptionError, ShapeError
from ..files import first_free, new_file, new_folder, whole_folder, write_atomically
from ..show import plots
from ..train.prepare import prepare_data
from ..train.runs import Run, newest, open_run
from .voice import Voice

KINDS = (".png", ".npz", ".npy")
"""Endings of what is written; rows of a table are written to a `.csv` file instead of a picture."""


def chosen_run(options: argparse.Namespace) -> Run:
    """Open the run that was named, or else the newest, which is then said on standard error."""
    backend = getattr(options, "backend", "auto")
    if options.run is not None:
        return open_run(options.run, backend)
    folder = newest()
    run = open_run(folder, backend)
    untrained = "" if run.training.history else "; it has no finished epoch, so it is untrained"
    options.voice.note(f"run: {folder} (the newest{untrained})")
    return run


def chosen_rows(
    run: Run, name_or_path: str | None, voice: Voice, table: dict[str, Any] | None = None
) -> tuple[np.ndarray | Pixels, str]:
    """Load test rows as the model takes them, and say what they are.

    Parameters
    ----------
    run : Run
        Gives the data by default, the shape, and the binarization.
    name_or_path : str, optional
        Other data: a data set's name or path, or a picture.
    voice : Voice
        Says what was passed over.
    table : dict, optional
        What is said of them if they are a table, as `table_of` gives it.

    Raises
    ------
    ShapeError
        If the examples have another shape than those of the run.
    """
    if name_or_path is not None and is_picture(Path(name_or_path)):
        if "condition" in run.can:
            raise OptionError(
                f"{run.folder} is {run.training.model.title}, which takes each example with its "
                f"class, and {name_or_path} names none; give labelled data, such as a folder with "
                "one subfolder of pictures for each class."
            )
        image = datasets.load_image(name_or_path)
        check_shape(run, image.shape, name_or_path)
        x = prepare_data(image.reshape(1, -1), run.training.settings, "val")
        return x, Path(name_or_path).name
    if name_or_path is None and table:
        raise OptionError(
            f"{TableOptions(**table).given()[0]} was given, but the run's own table is read as it "
            "was; leave it out, or name another table with --data."
        )
    data = run.load_data(name_or_path, **table or {})
    for note in data.notes if name_or_path is not None else ():
        voice.note(note)
    check_shape(run, data.shape, data.name)
    x, _, part = run.test_rows(data)
    return x, f"{data.name} ({part})"


def check_shape(run: Run, shape: tuple[int, ...], name: str) -> None:
    """Refuse examples of another shape than the run's."""
    if tuple(shape) != run.shape:
        raise ShapeError(
            f"{name} has examples of shape {tuple(shape)}, but {run.folder} was trained on shape "
            f"{run.shape}; give data of that shape."
        )


def output(run: Run, out: str | None, stem: str, *, folders: bool = False) -> Path:
    """Where to write: `out`, or the first free `<stem>-<number>.png` in the run folder.

    Rows of a table make a `.csv` file, sequences of symbols a `.txt` file, and other rows without a
    picture an `.npz` file. With `folders`, a name without a suffix is that of a folder of pictures.

    Raises
    ------
    OptionError
        If `out` exists, or is of an unknown kind, or is a picture of a table.
    """
    pictured, spelled = plots.has_picture(run.shape), bool(run.training.model.alphabet)
    first = ".txt" if spelled else ".png" if run.form is None else ".csv"
    kinds = (first, *KINDS[1:])
    if out is None:
        suffix = first if pictured or first != ".png" else ".npz"
        return first_free(run.folder, stem, suffix)
    path = Path(out).expanduser()
    folder = folders and path.suffix == ""
    if (folder or path.suffix.lower() == ".png") and not pictured:
        others = " or ".join(kind for kind in kinds if kind != ".png")
        raise OptionError(
            f"examples of shape {run.shape} have no picture; name a file with --out that ends in "
            f"{others}."
        )
    if path.suffix.lower() not in kinds and not folder:
        folder_too = ", or in nothing for a folder of pictures" if folders else ""
        raise OptionError(
            f"{path} was given as --out; its name must end in {', '.join(kinds)}{folder_too}."
        )
    return new_folder(path) if folder else new_file(path, *kinds)


def write_texts(path: Path, run: Run, arrays: dict[str, np.ndarray]) -> None:
    """Write sequences of symbols, a line for each; several arrays (N, T) side by side, by tabs."""
    columns = [run.texts(array) for array in arrays.values()]
    lines = ["\t".join(texts) for texts in zip(*columns, strict=True)]
    write_atomically(path, lambda file: file.write(("\n".join(lines) + "\n").encode()))


def refuse_sequences(run: Run, what: str) -> None:
    """Refuse what measures or mixes pixels, of a model of sequences.

    Raises
    ------
    OptionError
        If the run's model has an alphabet.
    """
    if run.training.model.alphabet:
        raise OptionError(
            f"{run.folder} is a model of sequences, and between numbers of symbols there is no "
            f"distance; leave out {what}, or name a run on pictures or a table."
        )


def write(
    path: Path,
    picture: Callable | None,
    arrays: dict[str, np.ndarray],
    shape: tuple,
    form: Form | None = None,
) -> None:
    """Write what was computed, in the kind that the file's name asks for, in one piece.

    Parameters
    ----------
    path : Path
        From `output`.
    picture : callable
        `picture() -> Axes`, for a `.png` file.
    arrays : dict of str to numpy.ndarray, (N, n_pixels) or (N,)
        For a `.npz` file, by name; a `.npy` file gets the last one alone.
    shape : tuple of int
        Shape that each row is given in the file.
    form : Form, optional
        Of a table: its rows are written in the units of the table.
    """
    suffix = path.suffix.lower()
    if suffix == ".csv" and form is not None:
        write_atomically(path, lambda file: file.write(csv_text(arrays, form).encode()))
    elif suffix == ".png" and picture is not None:
        plots.save(picture(), path)
    else:
        arrays = {
            name: (x if form is None else form.undo(x)).reshape(len(x), *shape)
            if x.ndim == 2
            else x
            for name, x in arrays.items()
        }
        content = io.BytesIO()
        if suffix == ".npz":
            np.savez(content, **arrays)
        else:
            np.save(content, list(arrays.values())[-1])
        write_atomically(path, lambda file: file.write(content.getvalue()))


def csv_text(arrays: dict[str, np.ndarray], form: Form) -> str:
    """CSV text of rows of a table; beside `x` or `original`, other arrays' columns bear a name."""
    columns: dict[str, Any] = {}
    for name, array in arrays.items():
        if array.ndim == 1:
            columns[form.options.label or "class" if name == "y" else name] = array.tolist()
        else:
            more = "" if name in ("x", "original") else f" ({name})"
            columns |= {column + more: cells for column, cells in form.cells(array).items()}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def write_folder(
    folder: Path,
    x: np.ndarray,
    shape: tuple[int, ...],
    limits: tuple[float, float],
    classes: list[str] | None = None,
) -> None:
    """Write examples as PNG files of 8 bits, `0000.png` and so on.

    Parameters
    ----------
    folder : Path
        From `output`.
    x : numpy.ndarray, (N, n_pixels)
        Examples.
    shape : tuple of int
        Shape of one, (H, W) or (H, W, 3).
    limits : (float, float)
        Values that are black and white.
    classes : list of str, optional
        Name of each example's class: a subfolder, as `minivae train FOLDER` reads them.
    """
    from PIL import Image

    low, high = limits
    bytes_ = np.rint(np.clip((x - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    digits = max(4, len(str(len(x) - 1)))
    with whole_folder(folder) as new:
        for i, pixels in enumerate(bytes_.reshape(len(x), *shape)):
            place = new if classes is None else new / re.sub(r"\W+", "-", classes[i])
            place.mkdir(exist_ok=True)
            Image.fromarray(pixels).save(place / f"{i:0{digits}}.png")
