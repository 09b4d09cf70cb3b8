"""The file of a table as text: its encoding, and what it is if it is none."""

import codecs
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from ...errors import DataError
from ...files import open_file

MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""What a file begins with, and its encoding; the longer marks come first."""

OTHERS = {
    b"PK\x03\x04": "a zip file or an Excel workbook; save the sheet as CSV in UTF-8",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV in UTF-8",
    b"\x1f\x8b": "compressed; unpack it with gunzip",
    b"<!doctype": "a web page; look whether the download went wrong",
    b"<html": "a web page; look whether the download went wrong",
    b"<?xml": "XML; write a line of cells for each row",
    b'{"': "JSON; write a line of cells for each row",
    b"[{": "JSON; write a line of cells for each row",
    b"[[": "JSON; write a line of cells for each row",
    b"@relation": "an ARFF file; delete what stands above its rows, and name the columns",
    b"version https://git-lfs": "a pointer to a file in Git LFS; fetch it with git lfs pull",
    b"%pdf": "a PDF document; save the table as CSV in UTF-8",
    b"PAR1\x15": "a Parquet file; write it as CSV",
    b"\x89HDF": "an HDF5 file; write it as CSV",
    b"BZh": "compressed; unpack it with bunzip2",
    b"\xfd7zXZ": "compressed; unpack it with unxz",
    b"\x28\xb5\x2f\xfd": "compressed; unpack it with unzstd",
}
"""What a file that is no table begins with, small or large letters, and what it is."""

NO_TEXT = bytes({*range(1, 32)} - {*b"\t\n\v\f\r\x1a\x1b"})
"""Bytes that stand in no text of one byte a letter."""

HEAD_ROWS, HEAD_SIZE = 200, 1 << 20
"""Lines from which the layout is found: so many, or fewer if they are long, but 8 at least."""


class Source:
    """A file of cells that is open.

    Attributes
    ----------
    raw : file of bytes
        The file.
    encoding : str
        Of its text.
    size : int
        Bytes.
    """

    def __init__(self, raw: BufferedReader, path: Path) -> None:
        self.raw, self.size = raw, os.fstat(raw.fileno()).st_size
        self.encoding = _encoding(path, raw.read(1 << 12))
        raw.seek(0)

    def texts(self, size: int) -> Iterator[str]:
        """The text in whole lines, about `size` bytes at a time; each line ends with a newline."""
        if self.encoding.startswith("utf-8") and self.lines_end_with_newline():
            encoding = self.encoding  # bytes are cut at line ends, and decoded in one go each
            while block := self.raw.read(size):
                text = (block + self.raw.readline()).decode(encoding)
                yield text.replace("\r\n", "\n") if "\r" in text else text
                encoding = "utf-8"
        else:
            with self.text() as file:
                while text := file.read(size):
                    yield text + file.readline()

    @contextmanager
    def text(self) -> Iterator[io.TextIOWrapper]:
        """The file as text, its line ends made equal; it stays open afterwards."""
        file = io.TextIOWrapper(self.raw, self.encoding)
        try:
            yield file
        finally:
            file.detach()

    def lines_end_with_newline(self) -> bool:
        """Whether there is a newline among the first characters, or no carriage return."""
        start = self.raw.peek(1 << 16)
        return b"\n" in start or b"\r" not in start


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """Open a file; what goes wrong while it is read becomes a `DataError`."""
    encoding = ""
    try:
        with open_file(path) as raw:
            source = Source(raw, path)
            encoding = source.encoding
            yield source
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{path} cannot be read ({reason}); check its name.") from None
    except UnicodeError:
        raise DataError(_no_utf8(path, encoding)) from None


def _encoding(path: Path, start: bytes) -> str:
    for mark, name in MARKS.items():
        if start.startswith(mark):
            return name
    for mark, what in OTHERS.items():
        if start.lower().lstrip(b"\r\n\t ").startswith(mark.lower()):
            raise DataError(f"{path} is no file of cells but {what}.")
    # Letters of UTF-16 that are ASCII have a zero byte each, always on the same side.
    left, right = start[::2].count(0), start[1::2].count(0)
    if max(left, right) > len(start) / 5 and min(left, right) == 0:
        return "utf-16-le" if right else "utf-16-be"
    if left or right or start.translate(None, NO_TEXT) != start:
        raise DataError(f"{path} holds bytes that are no text; give a file of cells, such as CSV.")
    return "utf-8"


def _no_utf8(path: Path, encoding: str) -> str:
    if encoding.startswith("utf-16") or encoding.startswith("utf-32"):
        return f"{path} is cut short or damaged: it begins as {encoding.upper()} and is none."
    number, byte = 0, ""
    with open_file(path) as file:
        for line in file:
            number += 1
            try:
                line.decode()
            except UnicodeDecodeError as error:
                byte = f"0x{line[error.start]:02x}"
                break
    return (
        f"{path}, line {number}, holds the byte {byte}, which is not UTF-8, so it was saved in an "
        "older code page; save it as CSV in UTF-8."
    )


def head_of(source: Source) -> list[str]:
    """Lines of the beginning, whole rows."""
    lines: list[str] = []
    size = quotes = 0
    with source.text() as file:
        for line in file:
            lines.append(line)
            size, quotes = size + len(line), quotes + line.count('"')
            enough = len(lines) >= HEAD_ROWS or (size > HEAD_SIZE and len(lines) >= 8)
            if quotes % 2 == 0 and enough:
                break
    return lines


@contextmanager
def bar(source: Source, name: str, progress: bool) -> Iterator[Any]:
    """What to call after each part: it moves a bar, which shows itself after a second."""
    if not progress:
        yield lambda: None
        return
    from ...engine.progress import bar as tqdm

    how = {"unit": "B", "unit_scale": True, "desc": f"read {name}", "delay": 1, "leave": False}
    with tqdm(total=source.size, **how) as shown:
        yield lambda: shown.update(source.raw.tell() - shown.n)
