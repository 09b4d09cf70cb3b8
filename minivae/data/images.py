"""Pictures: one file, or a folder of equal-sized ones.

Pillow does the work, which matplotlib brings (it is imported here only when a picture is read).
Grey stays one channel. What cannot be seen in red, green and blue is refused rather than lost:
transparency, and all pictures of a film but the first.
"""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ..engine.door import door
from ..errors import DataError
from ..files import open_file

KINDS = frozenset(
    ".png .jpg .jpeg .jpe .bmp .webp .tif .tiff .gif .pgm .ppm .pnm".split()  # noqa: SIM905
)
"""Endings of pictures, in small letters."""

NOBODYS = frozenset(
    "__macosx|@eadir|$recycle.bin|system volume information|lost+found|"  # noqa: SIM905
    "thumbs.db|desktop.ini".split("|")
)
"""Names, in small letters, of what systems leave in folders; hidden names begin with a dot."""

FILMS = frozenset(["GIF", "WEBP", "PNG", "TIFF"])
"""Formats, by Pillow's names, that may hold several pictures; a JPEG may hold a small preview."""


@door
def is_picture(path: Path) -> bool:
    """Whether this names a picture and no folder."""
    return path.suffix.lower() in KINDS and not path.is_dir()


@door
def load_image(path: str | Path) -> np.ndarray:
    """Read a picture.

    Parameters
    ----------
    path : str or Path
        A file of one of `KINDS`, or another that Pillow can read.

    Returns
    -------
    ndarray, shape (H, W) or (H, W, 3), float32
        Grey or red, green, blue in [0, 1], turned as its EXIF entry says. An alpha channel is
        dropped if it is opaque; a palette, or a WebP, of nothing but greys is grey.

    Raises
    ------
    DataError
        If the file is missing, is not a picture, is partly transparent, or holds several pictures.
    """
    from PIL import Image, ImageOps

    path = Path(path).expanduser()
    try:
        with open_file(path) as file, Image.open(file) as image:
            n = getattr(image, "n_frames", 1) if image.format in FILMS else 1
            image.load()
            either = _is_either(image)
            clear = _is_clear(image, path)
            pixels = _pixels(ImageOps.exif_transpose(image), either)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise DataError(
            f"{path} cannot be read as a picture ({reason}), expected a whole file such as a PNG"
        ) from None
    if n > 1:
        raise DataError(f"{path} holds {n} pictures, expected one; save them one by one")
    if clear:
        raise DataError(
            f"{path} is partly transparent, expected grey or RGB; flatten it onto a background "
            f"(black is 0) and save it again"
        )
    if not (pixels.min() >= 0 and pixels.max() <= 1):
        raise DataError(
            f"{path} holds values from {pixels.min():.4g} to {pixels.max():.4g} of no known range, "
            f"expected pixels of 8 or 16 bits, or from 0 to 1; save it as a PNG"
        )
    return np.ascontiguousarray(pixels, np.float32)


def _is_clear(image: Any, path: Path) -> bool:
    """Whether a pixel of a Pillow image is not opaque: by its alpha, or by a colour that is clear.

    A clear colour of grey or RGB is given in the file's own depth, which may not be Pillow's.
    """
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return min(image.convert("RGBA").getchannel("A").getextrema()) < 255
    clear = image.info.get("transparency")
    if clear is None:
        return False
    if image.mode == "P":
        return min(image.convert("RGBA").getchannel("A").getextrema()) < 255
    pixels = np.asarray(image)
    if image.mode == "1":
        clear, pixels = (255 if clear else 0), np.asarray(image.convert("L"))
    elif image.mode in ("RGB", "L"):
        bits = _bits(path)
        clear = np.asarray(clear) >> 8 if bits > 8 else np.asarray(clear) * 255 // (2**bits - 1)
    same = pixels == clear
    return bool((same.all(axis=-1) if pixels.ndim == 3 else same).any())


def _bits(path: Path) -> int:
    """Bits of one channel of a PNG; 8 of another file."""
    with open_file(path) as file:
        header = file.read(26)
    return header[24] if header.startswith(b"\x89PNG") else 8


def _is_either(image: Any) -> bool:
    """Whether the mode tells nothing of grey: of a palette, and of WebP, which has no grey."""
    return image.mode in ("P", "PA") or image.format == "WEBP"


def _pixels(image: Any, either: bool) -> np.ndarray:
    """Pixels of a Pillow image without its alpha: (H, W) or (H, W, 3), of 8 or 16 bits over 1."""
    if image.mode.startswith("I"):
        return np.asarray(image, np.float64) / 65535  # grey of 16 bits
    if image.mode == "F":
        return np.asarray(image)
    grey = image.mode in ("1", "L", "LA", "La")
    if either:
        rgb = np.asarray(image.convert("RGB"))
        grey = bool((np.ptp(rgb, axis=-1) <= 1).all())  # WebP rounds each channel for itself
    return np.asarray(image.convert("L" if grey else "RGB")) / np.float32(255)


@door
def read_folder(folder: Path) -> dict[str, Any]:
    """Read a folder of pictures, or of one subfolder of pictures for each class.

    Parameters
    ----------
    folder : Path
        Files are taken in the order of their names; hidden ones, and what systems leave behind,
        are nobody's class.

    Returns
    -------
    dict
        `x` of shape `(N, H, W)` or `(N, H, W, 3)`; with subfolders also `y`, the class numbers,
        and `labels`, the subfolders' names (in the order of the numbers, if all are numbers);
        `notes`, what was passed over.

    Raises
    ------
    DataError
        If there are no pictures, some lie beside subfolders of them, or two differ in size.
    """
    direct, classes = _pictures(folder), _classes(folder)
    if direct and classes:
        raise DataError(
            f"{folder} holds pictures and subfolders of pictures ({min(classes)}), expected all in "
            f"the folder or all in one subfolder a class"
        )
    if not direct and not classes:
        deeper = next((sub for sub in _folders(folder) if _classes(sub)), None)
        other = "".join(f" ({note.partition(': ')[2]})" for note in _passed_over(folder, {}))
        raise DataError(
            f"{folder} holds no pictures{other}, expected some in it or in one subfolder a class"
            + (f"; give {deeper}, whose subfolders hold some" if deeper else "")
        )
    notes = _passed_over(folder, classes)
    if direct:
        return {"x": _stack(direct), "notes": notes}
    sizes = [len(files) for files in classes.values()]
    return {
        "x": _stack(picture_files(folder)),
        "y": np.repeat(np.arange(len(classes)), sizes),
        "labels": tuple(classes),
        "notes": notes,
    }


@door
def picture_files(folder: Path) -> list[Path]:
    """The files that `read_folder` reads, in its order."""
    return _pictures(folder) or [file for files in _classes(folder).values() for file in files]


def _classes(folder: Path) -> dict[str, list[Path]]:
    """The pictures of each subfolder that has some, in the order of the classes' numbers."""
    files = {sub.name: _pictures(sub) for sub in _folders(folder)}
    names = [name for name in files if files[name]]
    numbered = all(name.isdecimal() for name in names)
    names.sort(key=(lambda name: (int(name), name)) if numbered else None)
    return {name: files[name] for name in names}


def _is_nobodys(path: Path) -> bool:
    """Whether this is hidden, or left by a system."""
    return path.name.startswith(".") or path.name.lower() in NOBODYS


def _folders(folder: Path) -> list[Path]:
    return sorted(sub for sub in folder.iterdir() if sub.is_dir() and not _is_nobodys(sub))


def _pictures(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder that is there; give one of pictures.")
    return sorted(file for file in folder.iterdir() if is_picture(file) and not _is_nobodys(file))


def _passed_over(folder: Path, classes: dict[str, list[Path]]) -> tuple[str, ...]:
    """A sentence that counts what is no picture of a class; none if there is nothing."""
    met: Counter[str] = Counter()
    for place in [folder, *(folder / name for name in classes)]:
        for entry in place.iterdir():
            if _is_nobodys(entry):
                met["hidden"] += 1
            elif entry.is_dir() and not (place == folder and entry.name in classes):
                met["folder"] += 1
            elif entry.is_file() and not is_picture(entry):
                met[entry.suffix.lower() or "no ending"] += 1
    hidden, folders = met.pop("hidden", 0), met.pop("folder", 0)
    parts = [f"{hidden} hidden or left by the system"] if hidden else []
    if met:
        kinds = ", ".join(f"{count} {kind}" for kind, count in met.most_common(5))
        parts.append(f"{sum(met.values())} of other kinds ({kinds})")
    what = [f"files and folders passed over: {', '.join(parts)}"] if parts else []
    if folders:
        what.append(f"folders without pictures, or below a class, passed over: {folders}")
    return (f"{folder.name}: {'; '.join(what)}",) if what else ()


def _stack(files: list[Path], colour: bool = False) -> np.ndarray:
    """Pictures (N, H, W) or (N, H, W, 3); a grey palette or WebP among colours is one."""
    stack, first = np.empty(0, np.float32), None
    for i, file in enumerate(files):
        image = load_image(file)
        if image.ndim == 2 and colour and _may_be_either(file):
            image = np.stack([image] * 3, axis=2)
        if first is None:
            first, colour = image, colour or image.ndim == 3
            stack = np.empty((len(files), *image.shape), np.float32)
        if image.ndim == 3 and not colour and all(map(_may_be_either, files[:i])):
            return _stack(files, colour=True)
        if image.shape != first.shape:
            raise DataError(
                f"{files[0]} is {_size(first)} and {file} is {_size(image)}, expected pictures of "
                f"one size and kind; scale or convert one of them"
            )
        stack[i] = image
    return stack


def _may_be_either(path: Path) -> bool:
    from PIL import Image

    with open_file(path) as file, Image.open(file) as image:
        return _is_either(image)


def _size(image: np.ndarray) -> str:
    return f"{image.shape[0]}x{image.shape[1]} {'grey' if image.ndim == 2 else 'RGB'}"
