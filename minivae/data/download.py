"""MNIST and Fashion-MNIST: found on this machine, or downloaded; verified by `read_part`.

The four IDX files are looked for, in this order, in

1. the folder `<name>/` inside the one that the environment variable `MINIVAE_DATA` names,
2. the folder that `MINIVAE_DATA` names,
3. the cache, `pooch.os_cache("minivae")/<name>/`,

and a folder counts if it holds all four, gzip-compressed or not. Else what is missing in the cache
is downloaded into it, from the first mirror that delivers a file with the right SHA-256. A file
enters the cache by a rename, after its verification: there is never half a file in it. Files in
`MINIVAE_DATA` belong to the user and are only read.
"""

import os
import tempfile
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from ..errors import DataError
from .dataset import Dataset, from_arrays
from .sources import SOURCES as SOURCES
from .sources import STEMS, Source, read_part

TIMEOUT = (5.0, 30.0)
"""Seconds to wait for a connection, and for the next bytes."""


def user_folder() -> Path | None:
    """Return the folder that `MINIVAE_DATA` names, or None if it is not set.

    Raises
    ------
    DataError
        If it names something that is not a folder.
    """
    value = os.environ.get("MINIVAE_DATA")
    if not value:
        return None
    folder = Path(value).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"the environment variable MINIVAE_DATA names {value}, which is not a folder; correct "
            f"or unset it"
        )
    return folder


def cache_folder(source: Source) -> Path:
    """Return the folder into which a data set is downloaded; it need not exist yet."""
    import pooch  # loads requests: a tenth of a second that only this path should cost

    return Path(pooch.os_cache("minivae")) / source.name


def _files(folder: Path) -> dict[str, Path]:
    """Files of the parts that are in a folder."""
    found = ((part, file_in(folder, part)) for part in STEMS)
    return {part: path for part, path in found if path is not None}


def file_in(folder: Path, part: str) -> Path | None:
    """Return the file of a part (see `STEMS`) in a folder, or None."""
    for name in (STEMS[part] + ".gz", STEMS[part]):
        if (folder / name).is_file():
            return folder / name
    return None


def find(source: Source) -> tuple[Path, bool] | None:
    """Find the folder that holds all four files.

    Returns
    -------
    (folder, belongs_to_user) or None
        Nothing is verified yet.
    """
    user = user_folder()
    if user is not None:
        for folder in (user / source.name, user):
            if _complete(folder) and (folder != user or _is_of(source, folder)):
                return folder, True
    cache = cache_folder(source)
    return (cache, False) if _complete(cache) else None


def _complete(folder: Path) -> bool:
    return len(_files(folder)) == len(STEMS)


def _is_of(source: Source, folder: Path) -> bool:
    """Tell whose files lie directly in `MINIVAE_DATA`, for all sources give them the same names.

    The test labels, the smallest file, decide: they must not be another source's.
    """
    for other in SOURCES.values():
        if other.name != source.name:
            try:
                read_part(other, _files(folder)["y_test"], "y_test")
            except DataError:
                continue
            return False
    return True


def obtain(source: Source) -> tuple[Path, dict[str, np.ndarray]]:
    """Find or download a data set and verify it.

    Returns
    -------
    folder : Path
        Where its four files lie.
    arrays : dict
        `x_train`, `y_train`, `x_test`, `y_test`, uint8.

    Raises
    ------
    DataError
        If a file of the user's is damaged, or nothing is here and no mirror delivers.
    """
    place = find(source)
    if place is not None and place[1]:
        folder = place[0]
        return folder, {part: read_part(source, p, part) for part, p in _files(folder).items()}
    folder = cache_folder(source)
    arrays = {}
    for part in STEMS:
        path = file_in(folder, part)
        problem = "which is not on this machine"
        if path is not None:
            try:
                arrays[part] = read_part(source, path, part)
                continue
            except DataError:  # what is damaged in the cache is replaced by a good download
                problem = f"of which the copy {path} is damaged"
        arrays[part] = _download(source, part, folder, problem)
    return folder, arrays


def load(source: Source) -> Dataset:
    """Load MNIST or Fashion-MNIST with pixels in [0, 1], downloading it if it must be."""
    _, arrays = obtain(source)
    return from_arrays(
        source.name,
        arrays["x_train"],
        arrays["y_train"],
        arrays["x_test"],
        arrays["y_test"],
        source.labels,
    )


def _download(source: Source, part: str, folder: Path, problem: str) -> np.ndarray:
    """Bring one file into `folder` from the first mirror that has the right one; return its array.

    A mirror that cannot be reached, answers with an error or sends other bytes is passed over.
    `problem` says in the error message why the file was wanted.
    """
    name = STEMS[part] + ".gz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        beside = tempfile.TemporaryDirectory(prefix=".part-", dir=folder)
    except OSError as error:
        raise DataError(
            f"{source.name} cannot be downloaded, since {folder} cannot be written "
            f"({error.strerror}): put its four files into a folder and name that in MINIVAE_DATA, "
            f"or use 'mnist5k' or 'digits8', which need no network"
        ) from None
    reasons = []
    with beside as temporary:
        arrived = Path(temporary) / name
        for mirror in source.mirrors:
            host = urlsplit(mirror).netloc
            try:
                _stream(mirror + name, arrived)
                values = read_part(source, arrived, part, must_match=True)
            except OSError as error:  # as every exception of requests is
                reasons.append(f"{host}: {_reason(error)}")
            except DataError:
                reasons.append(f"{host}: wrong content")
            else:
                os.replace(arrived, folder / name)
                return values
    user = os.environ.get("MINIVAE_DATA")
    raise DataError(
        f"{source.name} ({source.what}) needs {name}, {problem} (MINIVAE_DATA is "
        f"{user or 'not set'}) and which no mirror delivered ({', '.join(reasons)}): put "
        f"{', '.join(f'{stem}.gz' for stem in STEMS.values())} by hand into {folder} or into a "
        f"folder that MINIVAE_DATA names, or use 'mnist5k' or 'digits8', which need no network"
    )


def _reason(error: OSError) -> str:
    """Say in a word or two why a mirror failed."""
    response = getattr(error, "response", None)
    return type(error).__name__ if response is None else f"HTTP {response.status_code}"


def _stream(url: str, path: Path) -> None:
    """Write what lies at an address into a file, with a progress bar on standard error."""
    import pooch
    from tqdm import tqdm

    # pooch replaces the total by the file's length; a bar without any total counts as no bar
    with tqdm(desc=path.name, total=1, unit="B", unit_scale=True, leave=False) as bar:
        pooch.HTTPDownloader(
            progressbar=bar,
            chunk_size=1 << 16,
            timeout=TIMEOUT,
            headers={"Accept-Encoding": "identity"},  # the .gz as it is: its sum is the one known
        )(url, str(path), None)
