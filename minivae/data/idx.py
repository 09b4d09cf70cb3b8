"""The IDX format, in which MNIST is published: a big-endian header, then the values.

======== ====================================================================
bytes    meaning
======== ====================================================================
0, 1     zero
2        type of the values, see `TYPES`
3        number of dimensions, n
4 n      length of each dimension, as unsigned 32-bit integers
the rest the values, last dimension fastest
======== ====================================================================

Source: the format's description on Y. LeCun's MNIST page, http://yann.lecun.com/exdb/mnist/.
"""

import gzip
import os
import zlib
from math import prod
from pathlib import Path

import numpy as np

from ..engine.available import require_memory
from ..errors import DataError
from ..files import open_file

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
"""The third byte of an IDX file, and the NumPy type it stands for."""

GZIP = b"\x1f\x8b"
"""The first two bytes of every gzip file: the content tells, not the file's name."""


def read_bytes(path: Path) -> bytes:
    """Read a whole file; a `DataError` says why it cannot be."""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            require_memory(size, str(path), "give a smaller file")
            return file.read()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}); check its permissions"
        ) from None


def unpack(packed: bytes, path: Path) -> bytes:
    """Decompress gzip bytes; return anything else as it is. `path` is for the message only."""
    if not packed.startswith(GZIP):
        return packed
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is a damaged gzip file ({error}), expected a whole one; copy it again"
        ) from None


def parse(content: bytes, path: Path) -> np.ndarray:
    """Read an array from the bytes of an IDX file.

    Parameters
    ----------
    content : bytes
        The decompressed file.
    path : Path
        Where it came from, for the message.

    Returns
    -------
    ndarray
        In the machine's byte order, writeable.

    Raises
    ------
    DataError
        If the header is not one of IDX, or the length is not the one it states.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] not in TYPES or content[3] == 0:
        raise DataError(
            f"{path} starts with {content[:4]!r}, expected an IDX file: two zero bytes, a type and "
            f"a number of dimensions"
        )
    dtype, n_dims = np.dtype(TYPES[content[2]]), content[3]
    start = 4 + 4 * n_dims
    shape = tuple(
        int.from_bytes(content[i : i + 4], "big") for i in range(4, min(start, len(content)), 4)
    )
    expected = start + prod(shape) * dtype.itemsize
    if len(content) != expected:
        raise DataError(
            f"{path} has {len(content)} bytes, expected {expected} for the shape {shape} in its "
            f"header; the file is cut short or damaged, copy it again"
        )
    values = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return values.astype(dtype.newbyteorder("="))


def read(path: Path) -> np.ndarray:
    """Read the array in an IDX file, gzip-compressed or not."""
    return parse(unpack(read_bytes(path), path), path)
