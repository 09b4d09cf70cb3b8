"""The IDX reader against bytes written out by hand."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from minivae.data import idx
from minivae.errors import DataError

PATH = Path("some-idx")


def test_a_file_written_by_hand():
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 255])
    values = idx.parse(content, PATH)
    np.testing.assert_array_equal(values, [[1, 2, 3], [4, 5, 255]])
    assert values.dtype == np.uint8
    assert values.flags.writeable


@pytest.mark.parametrize(
    ("code", "value", "packed"),
    [
        (0x08, 200, b"\xc8"),
        (0x09, -2, b"\xfe"),
        (0x0B, -2, b"\xff\xfe"),
        (0x0C, 258, b"\0\0\1\2"),
        (0x0D, 1.5, b"\x3f\xc0\0\0"),
        (0x0E, 1.5, b"\x3f\xf8\0\0\0\0\0\0"),
    ],
)
def test_every_type_is_read_big_endian(code, value, packed):
    values = idx.parse(bytes([0, 0, code, 1, 0, 0, 0, 1]) + packed, PATH)
    assert values.tolist() == [value]
    assert values.dtype.isnative


def test_gzip_is_known_by_its_content_not_its_name(tmp_path):
    content = bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])
    (tmp_path / "plain.gz").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    assert idx.read(tmp_path / "plain.gz").tolist() == [7, 9]
    assert idx.read(tmp_path / "packed").tolist() == [7, 9]


@pytest.mark.parametrize(
    "content",
    [b"", b"\0\0\x08", b"\1\0\x08\1", b"\0\0\x07\1\0\0\0\0", b"\0\0\x08\0", b"x,y\n1,2\n"],
    ids=["empty", "short", "first byte", "type", "no dimensions", "csv"],
)
def test_a_foreign_header_is_refused(content):
    with pytest.raises(DataError, match=r"some-idx starts with .* expected an IDX file"):
        idx.parse(content, PATH)


@pytest.mark.parametrize(
    ("content", "sizes"),
    [
        (bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2]), "has 10 bytes, expected 11"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 1, 1, 2]), "has 10 bytes, expected 9"),
        (bytes([0, 0, 0x0C, 1, 0, 0, 0, 2, 1, 2]), "has 10 bytes, expected 16"),
        (bytes([0, 0, 8, 3, 0, 0]), "has 6 bytes, expected 16"),
    ],
    ids=["cut", "too long", "wide type", "cut header"],
)
def test_a_wrong_length_is_refused(content, sizes):
    with pytest.raises(DataError, match=sizes):
        idx.parse(content, PATH)


@pytest.mark.parametrize("damage", ["cut", "flipped", "header"])
def test_a_damaged_gzip_file_is_named(tmp_path, damage):
    packed = bytearray(gzip.compress(bytes(range(256)) * 4))
    if damage == "cut":
        del packed[-9:]
    elif damage == "flipped":
        packed[len(packed) // 2] ^= 0xFF
    else:
        del packed[3:]
    path = tmp_path / "images.gz"
    path.write_bytes(packed)
    with pytest.raises(DataError, match=r"images\.gz is a damaged gzip file"):
        idx.read(path)


def test_an_unreadable_path_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(it is a folder"):
        idx.read_bytes(tmp_path)
