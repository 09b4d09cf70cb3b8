"""Tunes of the user's own: ABC and MIDI files, folders and archives of them, or music21's corpus.

Of music21 three collections are read, which people have written down in ABC: Ryan's Mammoth
Collection (1883), O'Neill's Music of Ireland (1850 tunes, 1903) and Aird's Airs (1782). Its other
ABC files may not be used commercially. Nothing of music21 is in this package, and it is neither
imported nor run: its files are read where they lie.
"""

import importlib.util
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import DataError
from ...files import open_file, write_atomically
from ..dataset import Dataset
from ..images import is_picture
from .abc_reader import read_abc
from .embedded import of_tunes
from .midi import read_midi
from .tune import Tune

ABC, MIDI, ARCHIVES = (".abc",), (".mid", ".midi"), (".zip", ".whl")
"""Endings of the files that are read."""

MUSIC21 = "music21"
"""What stands for the installed package."""

COLLECTIONS = ("ryansMammoth", "oneills1850", "airdsAirs")
"""Folders of music21's corpus that are read."""

LARGEST = 16_000_000
"""Bytes of an ABC file that are read at most."""


def is_music_file(path: Path) -> bool:
    """Whether a path names an ABC or MIDI file, or a folder that has some and no picture."""
    if path.is_dir():
        found = False
        for file in path.rglob("*"):
            if is_picture(file):
                return False
            found = found or file.suffix.lower() in (*ABC, *MIDI)
        return found
    return path.suffix.lower() in (*ABC, *MIDI)


def load_music(path: Path, *, hold_out: bool = True) -> Dataset:
    """Load windows of the tunes in a file, folder or archive.

    Raises
    ------
    DataError
        If there is no tune that fits. Of many tunes, those that do not are passed over.
    """
    tunes, passed_over = read_tunes(path)
    notes = []
    if passed_over:
        what = "tunes were" if len(passed_over) > 1 else "tune was"
        notes = [f"{len(passed_over)} {what} passed over, the first since {passed_over[0]}"]
    return of_tunes(path.resolve().name, tunes, hold_out=hold_out, notes=notes)


def find_source(source: str) -> Path:
    """Where tunes are: a path, or the corpus of an installed music21.

    Raises
    ------
    DataError
        If there is no such path, or music21 is not installed.
    """
    path = Path(source).expanduser()
    if path.exists():
        return path
    if source == MUSIC21:
        found = importlib.util.find_spec(MUSIC21)
        if found is not None and found.origin:
            return Path(found.origin).parent / "corpus"
        raise DataError(
            "music21 is not installed; `pip install music21`, or give the path of its wheel."
        )
    raise DataError(
        f"there is no {source!r}; give an ABC or MIDI file, a folder or .zip file of them, or "
        f"{MUSIC21}."
    )


def read_tunes(path: Path) -> tuple[list[Tune], list[str]]:
    """Tunes of a file, folder or archive, and a sentence for each that cannot be read.

    Raises
    ------
    DataError
        If there is nothing to read, or the path is one file with one tune that cannot be read.
    """
    tunes: list[Tune] = []
    passed_over: list[str] = []
    if path.suffix.lower() in MIDI and not path.is_dir():
        return [read_midi(path)], []
    for name, content in _contents(path):
        if content is None:
            try:
                tunes.append(read_midi(path / name))
            except DataError as error:
                passed_over.append(str(error))
        else:
            tunes += read_abc(_text(content), name, passed_over)
    if not tunes:
        raise DataError(passed_over[0] if passed_over else f"{path} holds no ABC or MIDI file.")
    return tunes, passed_over


def first_tune(path: Path) -> Tune:
    """The first tune of a file, or why it cannot be read."""
    if path.suffix.lower() in MIDI:
        return read_midi(path)
    ((name, content),) = _contents(path)
    return read_abc(_text(content or b""), name)[0]


def _files(folder: Path) -> Iterator[Path]:
    endings = (*ABC, *MIDI)
    return (p for p in sorted(folder.rglob("*")) if p.suffix.lower() in endings and p.is_file())


def _contents(path: Path) -> Iterator[tuple[str, bytes | None]]:
    """Name and content of each ABC file; of a MIDI file in a folder its name alone."""
    try:
        if path.is_dir():
            files = [str(file.relative_to(path)) for file in _files(path)]
            for file in _chosen(files):
                midi = Path(file).suffix.lower() in MIDI
                yield file, None if midi else _read(path / file)
        elif path.suffix.lower() in ARCHIVES:
            with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
                sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
                names = [name for name in sizes if Path(name).suffix.lower() in ABC]
                for name in _chosen(sorted(names)):
                    if sizes[name] <= LARGEST:
                        yield name, archive.read(name)
        else:
            yield path.name, _read(path)
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check the path.") from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError):
        raise DataError(f"{path} is no .zip file that can be read; unpack it yourself.") from None


def _chosen(names: list[str]) -> list[str]:
    """All files, but of music21's corpus only the three collections."""
    ours = [name for name in names if any(part in COLLECTIONS for part in Path(name).parts)]
    return ours or names


def _read(path: Path) -> bytes:
    with open_file(path) as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise DataError(f"{path} is over {LARGEST // 10**6} MB; divide it.")
    return content


def _text(content: bytes) -> str:
    """Text in UTF-8, or else in Latin-1, as older files are."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def write(path: Path, data: Dataset) -> None:
    """Write melodies as a `.npz` file, to be loaded by its path; the tunes' titles are classes."""
    titles = np.array(data.labels)
    arrays: dict[str, Any] = {
        "x_train": data.pixels_train[:].astype(np.uint8),
        "y_train": titles[data.y_train],
        "alphabet": np.array(data.alphabet),
    }
    if data.pixels_test is not None:
        arrays |= {"x_test": data.pixels_test[:].astype(np.uint8), "y_test": titles[data.y_test]}
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)
    write_atomically(path, lambda file: file.write(content.getvalue()))
