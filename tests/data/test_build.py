"""The script that makes the embedded files makes the same arrays again."""

import os

import numpy as np
import pytest

from minivae.data import build, download, embedded
from minivae.errors import DataError


def assert_same(arrays, name):
    assert {k: embedded.sha256(a) for k, a in arrays.items()} == embedded.SHA256[name]
    stored = embedded.read(embedded.EMBEDDED[name])
    assert {k: (a.dtype, a.shape) for k, a in arrays.items()} == {
        k: (a.dtype, a.shape) for k, a in stored.items()
    }


def test_first_rows_of_each_class_keep_their_order():
    y = np.array([2, 0, 2, 1, 0, 2, 1, 1, 0])
    rows = build.first_of_each_class(y, 2)
    assert rows.tolist() == [0, 1, 2, 3, 4, 6]
    assert rows.dtype == np.dtype("<i4")


def test_digits8_comes_out_of_scikit_learn_again():
    pytest.importorskip("sklearn")
    assert_same(build.digits8(), "digits8")


@pytest.mark.skipif(not os.environ.get("MINIVAE_DATA"), reason="MINIVAE_DATA is not set")
def test_mnist5k_comes_out_of_full_mnist_again():
    folder, belongs_to_user = download.find(download.SOURCES["mnist"])
    assert belongs_to_user
    assert_same(build.mnist5k(folder), "mnist5k")


def test_a_missing_or_wrong_mnist_file_is_named(tmp_path, tiny):
    with pytest.raises(DataError, match=r"holds no train-images-idx3-ubyte\.gz"):
        build.mnist5k(tmp_path)
    tiny.lay(tmp_path)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is damaged or is not"):
        build.mnist5k(tmp_path)


def test_the_files_are_written_whole_and_sums_are_printed(tmp_path, monkeypatch, capsys):
    arrays = {"x_train": np.arange(4, dtype=np.uint8)}
    monkeypatch.setattr(build, "digits8", lambda: arrays)
    monkeypatch.setattr(build, "mnist5k", lambda folder: arrays)
    build.main(["anywhere", "--out", str(tmp_path)])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["digits8.npz", "mnist5k.npz"]
    with np.load(tmp_path / "mnist5k.npz") as archive:
        np.testing.assert_array_equal(archive["x_train"], arrays["x_train"])
    digest = embedded.sha256(arrays["x_train"])
    assert f"mnist5k x_train |u1 (4,) {digest}" in capsys.readouterr().out.splitlines()


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "digits8.npz"
    path.write_bytes(b"old")

    def interrupted(source, target):
        raise KeyboardInterrupt

    monkeypatch.setattr("minivae.files.os.replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build.write(path, {"x": np.zeros(2)})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
