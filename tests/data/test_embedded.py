"""The embedded data sets: their sums, their balance, their origin."""

import os
from pathlib import Path

import numpy as np
import pytest

from minivae.data import download, embedded, load
from minivae.errors import DataError

SETS = list(embedded.EMBEDDED.values())


@pytest.mark.parametrize("entry", SETS, ids=lambda e: e.name)
def test_each_array_has_its_stated_sum_shape_and_type(entry):
    with np.load(entry.path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    assert {k: embedded.sha256(a) for k, a in arrays.items()} == embedded.SHA256[entry.name]
    assert arrays["x_train"].shape == (entry.n_train, *entry.shape)
    assert arrays["x_test"].shape == (entry.n_test, *entry.shape)
    assert {arrays[k].dtype for k in ("x_train", "y_train", "x_test", "y_test")} == {np.dtype("u1")}
    assert entry.path.stat().st_size < 1_100_000


def test_sums_do_not_depend_on_the_memory_layout():
    x = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert embedded.sha256(np.asfortranarray(x)) == embedded.sha256(x)
    assert embedded.sha256(x.T) != embedded.sha256(x)


def test_mnist5k_has_as_many_of_each_class():
    arrays = embedded.read(embedded.EMBEDDED["mnist5k"])
    assert np.bincount(arrays["y_train"]).tolist() == [500] * 10
    assert np.bincount(arrays["y_test"]).tolist() == [100] * 10
    assert (arrays["x_train"].max(), arrays["x_train"].min()) == (255, 0)


def test_digits8_holds_the_uci_counts_and_levels():
    arrays = embedded.read(embedded.EMBEDDED["digits8"])
    y = np.concatenate([arrays["y_train"], arrays["y_test"]])
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.unique(arrays["x_train"]).tolist() == list(range(17))
    assert np.bincount(arrays["y_test"]).min() >= 25


@pytest.mark.parametrize(("name", "scale"), [("digits8", 16), ("mnist5k", 255)])
def test_load_scales_the_stored_pixels(name, scale):
    arrays, data = embedded.read(embedded.EMBEDDED[name]), load(name)
    assert data.x_train.dtype == np.float32
    for part in ("train", "test"):
        stored = arrays[f"x_{part}"].reshape(len(arrays[f"x_{part}"]), -1)
        np.testing.assert_allclose(
            getattr(data, f"x_{part}"), stored / np.float64(scale), rtol=1e-7, atol=0
        )
        np.testing.assert_array_equal(getattr(data, f"y_{part}"), arrays[f"y_{part}"])
    assert (data.x_train.min(), data.x_train.max()) == (0, 1)
    assert data.labels == tuple("0123456789")


@pytest.mark.skipif(not os.environ.get("MINIVAE_DATA"), reason="MINIVAE_DATA is not set")
def test_mnist5k_is_full_mnist_at_the_stored_rows():
    part, full = embedded.read(embedded.EMBEDDED["mnist5k"]), load("mnist")
    for split in ("train", "test"):
        rows = part[f"{split}_index"]
        assert np.all(np.diff(rows) > 0)
        np.testing.assert_array_equal(
            part[f"x_{split}"].reshape(len(rows), -1),
            np.rint(getattr(full, f"x_{split}")[rows] * 255),
        )
        np.testing.assert_array_equal(part[f"y_{split}"], getattr(full, f"y_{split}")[rows])


@pytest.mark.skipif(not os.environ.get("MINIVAE_DATA"), reason="MINIVAE_DATA is not set")
def test_full_mnist_has_the_published_counts():
    data = load("mnist")
    assert (data.x_train.shape, data.x_test.shape) == ((60_000, 784), (10_000, 784))
    counts = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert np.bincount(data.y_train).tolist() == counts
    assert data.shape == download.SOURCES["mnist"].shape


def test_a_damaged_or_altered_file_is_named(tmp_path, monkeypatch):
    entry = embedded.EMBEDDED["digits8"]
    arrays, whole = embedded.read(entry), entry.path.read_bytes()
    copy = tmp_path / "digits8.npz"
    monkeypatch.setattr(embedded.Embedded, "path", copy)

    arrays["y_test"][0] += 1
    np.savez_compressed(copy, **arrays)
    with pytest.raises(DataError, match=r"digits8\.npz .* SHA-256 of y_test differs"):
        embedded.load(entry)
    del arrays["y_test"]
    np.savez_compressed(copy, **arrays)
    with pytest.raises(DataError, match=r"SHA-256 of y_test differs"):
        embedded.load(entry)
    copy.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"digits8\.npz cannot be read .* install"):
        embedded.load(entry)
    copy.unlink()
    with pytest.raises(DataError, match=r"digits8\.npz cannot be read"):
        embedded.load(entry)


def test_the_licences_list_every_set_with_its_sums():
    text = (Path(embedded.__file__).parent / "DATA_LICENSES.md").read_text()
    for name, sums in embedded.SHA256.items():
        assert f"## `{name}.npz`" in text
        for key, digest in sums.items():
            assert f"| `{key}` | `{digest}` |" in text
    assert "CC BY 4.0" in text
    assert "CC BY-SA 3.0" in text
