"""Verification of single files, with a sum and without, and the list of sources."""

import gzip

import numpy as np
import pytest

from minivae.data.sources import SOURCES, STEMS, read_part
from minivae.errors import DataError


@pytest.mark.parametrize("packed", [True, False])
def test_a_repacked_file_is_accepted_by_its_structure(tiny, tmp_path, packed):
    source = tiny.source("tiny", [], sums_of_gz=True)
    for part, content in tiny.content.items():
        path = tmp_path / part
        path.write_bytes(gzip.compress(content, 1, mtime=5) if packed else content)
        np.testing.assert_array_equal(read_part(source, path, part), tiny.arrays[part])


@pytest.mark.parametrize(
    ("part", "array", "problem"),
    [
        ("x_train", np.zeros((9, 2, 3), "u1"), r"uint8 values of shape \(9, 2, 3\), expected"),
        ("x_test", np.zeros((10, 3, 2), "u1"), r"expected uint8 of shape \(10, 2, 3\)"),
        ("y_train", np.zeros(10, "u1"), r"classes have \[10, 0, .*\] labels, expected 1 in each"),
        ("y_test", np.arange(1, 11).astype("u1"), "expected 1 in each of 10"),
    ],
)
def test_a_repacked_file_of_another_structure_is_refused(
    tiny, idx_bytes, tmp_path, part, array, problem
):
    path = tmp_path / part
    path.write_bytes(idx_bytes(array))
    with pytest.raises(DataError, match=problem):
        read_part(tiny.source("tiny", [], sums_of_gz=True), path, part)


def test_a_repacked_file_must_still_be_idx(tiny, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(tiny.content["x_train"][:-1])
    with pytest.raises(DataError, match="cut short"):
        read_part(tiny.source("tiny", [], sums_of_gz=True), path, "x_train")


def test_the_sources_are_complete():
    for name, source in SOURCES.items():
        assert source.name == name
        assert len(source.mirrors) >= 2
        assert all(m.startswith("http") and m.endswith("/") for m in source.mirrors)
        assert set(source.sha256) == set(STEMS)
        assert all(len(bytes.fromhex(s)) == 32 for s in source.sha256.values())
        assert len(source.labels) == 10
