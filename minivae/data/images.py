"""Pictures: one file, or a folder of equal-sized PNG files.

matplotlib's reader does the work (it is imported here only when a picture is read). PNG files come
from it as floats in [0, 1], whatever their bit depth.
"""

from pathlib import Path

import numpy as np

from ..errors import DataError


def load_image(path: str | Path) -> np.ndarray:
    """Read a picture.

    Parameters
    ----------
    path : str or Path
        A PNG file, or another kind that matplotlib can read.

    Returns
    -------
    ndarray, shape (H, W) or (H, W, 3), float32
        Grey or red, green, blue in [0, 1]. An alpha channel is dropped if it is opaque.

    Raises
    ------
    DataError
        If the file is missing, is not a picture, or is partly transparent.
    """
    import matplotlib.image

    path = Path(path).expanduser()
    try:
        pixels = matplotlib.image.imread(path)
    except (OSError, ValueError, SyntaxError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(f"{path} cannot be read as a picture ({reason}), expected a PNG") from None
    if _has_few_grey_levels(path):
        # matplotlib divides these by 3 or 15, but they come to it widened to 255 already.
        from PIL import Image

        with Image.open(path) as image:
            pixels = np.asarray(image.convert("L"))
    if pixels.dtype.kind == "u":
        pixels = pixels / np.iinfo(pixels.dtype).max
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        if pixels[..., 3].min() < 1:
            raise DataError(
                f"{path} is partly transparent, expected grey or RGB; flatten it onto a background "
                f"(black is 0) and save it again"
            )
        pixels = pixels[..., :3]
    return np.ascontiguousarray(pixels, np.float32)


def _has_few_grey_levels(path: Path) -> bool:
    """Whether this is a grey PNG with 2 or 4 bits a pixel, as optimisers of PNG files write."""
    with path.open("rb") as file:
        header = file.read(26)
    return header.startswith(b"\x89PNG") and header[24:26] in (b"\x02\x00", b"\x04\x00")


def read_folder(folder: Path) -> dict[str, np.ndarray | tuple[str, ...]]:
    """Read a folder of PNG files, or of one subfolder of PNG files for each class.

    Parameters
    ----------
    folder : Path
        Files are taken in the order of their names; hidden ones are passed over.

    Returns
    -------
    dict
        `x` of shape `(N, H, W)` or `(N, H, W, 3)`; with subfolders also `y`, the class numbers,
        and `labels`, the subfolders' names (in the order of the numbers, if all are numbers).

    Raises
    ------
    DataError
        If there are no PNG files, some lie beside subfolders of them, or two differ in size.
    """
    direct, classes = _png_files(folder), _classes(folder)
    if direct and classes:
        raise DataError(
            f"{folder} holds PNG files and subfolders of PNG files ({min(classes)}), expected all "
            f"in the folder or all in one subfolder a class"
        )
    if not direct and not classes:
        raise DataError(
            f"{folder} holds no PNG files, expected some in it or in one subfolder a class"
        )
    if direct:
        return {"x": _stack(direct)}
    sizes = [len(files) for files in classes.values()]
    return {
        "x": _stack(picture_files(folder)),
        "y": np.repeat(np.arange(len(classes)), sizes),
        "labels": tuple(classes),
    }


def picture_files(folder: Path) -> list[Path]:
    """The files that `read_folder` reads, in its order."""
    return _png_files(folder) or [file for files in _classes(folder).values() for file in files]


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The PNG files of each subfolder that has some, in the order of the classes' numbers."""
    files = {sub.name: _png_files(sub) for sub in folder.iterdir() if sub.is_dir()}
    names = [name for name in files if files[name]]
    numbered = all(name.isdecimal() for name in names)
    names.sort(key=(lambda name: (int(name), name)) if numbered else None)
    return {name: files[name] for name in names}


def _png_files(folder: Path) -> list[Path]:
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() == ".png" and not file.name.startswith(".") and file.is_file()
    )


def _stack(files: list[Path]) -> np.ndarray:
    first = load_image(files[0])
    stack = np.empty((len(files), *first.shape), np.float32)
    for row, file in zip(stack, files, strict=True):
        image = load_image(file)
        if image.shape != first.shape:
            raise DataError(
                f"{files[0]} is {_size(first)} and {file} is {_size(image)}, expected pictures of "
                f"one size and kind; scale or convert one of them"
            )
        row[...] = image
    return stack


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]} {'grey' if image.ndim == 2 else 'RGB'}"
