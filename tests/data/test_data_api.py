"""The public names: load, fetch, available, and what importing them costs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minivae import data
from minivae.data import download, embedded
from minivae.errors import DataError, OptionError


def test_importing_loads_neither_pooch_nor_matplotlib_nor_sklearn():
    code = (
        "import sys, minivae.data\n"
        "heavy = {'pooch', 'requests', 'matplotlib', 'PIL', 'sklearn'} & set(sys.modules)\n"
        "print(sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(data.__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_the_names():
    assert data.NAMES == (
        "digits8",
        "mnist5k",
        "sprites",
        "names",
        "melodies",
        "motifs",
        "mnist",
        "fashion_mnist",
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("mnits", "did you mean 'mnist' or 'mnist5k'?"),
        ("Fashion-MNIST", "did you mean 'fashion_mnist'?"),
        ("digits", "did you mean 'digits8'?"),
    ],
)
def test_an_unknown_name_brings_the_names_and_the_close_ones(name, meant):
    with pytest.raises(DataError) as caught:
        data.load(name)
    text = str(caught.value)
    assert f"no data set or file {name!r}" in text
    names = "digits8, mnist5k, sprites, names, melodies, motifs, mnist, fashion_mnist"
    assert f"{names} or the path of" in text
    assert text.endswith(meant)
    with pytest.raises(DataError) as caught:
        data.fetch(name)
    assert "path" not in str(caught.value)
    assert str(caught.value).endswith(meant)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no data set or file '\S+own\.npy'"):
        data.load(tmp_path / "own.npy")


def test_a_path_object_is_never_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "digits8.npy", np.ones((2, 3)))
    (tmp_path / "digits8.npy").rename(tmp_path / "digits8")
    assert data.load("digits8").shape == (8, 8)
    assert data.load(Path("digits8")).shape == (3,)
    assert data.load("./digits8").shape == (3,)


@pytest.mark.parametrize("what", [3, None, b"mnist", ["mnist"]])
def test_neither_name_nor_path_is_refused(what):
    with pytest.raises(OptionError, match=r"name_or_path=.*, but .* a text or a path"):
        data.load(what)


def test_limit_keeps_so_many_of_each_set():
    small, full = data.load("digits8", limit=300), data.load("digits8")
    assert len(small.x_train) == 300
    shares = np.bincount(small.y_train) - np.bincount(full.y_train) / 5
    assert np.abs(shares).max() <= 1  # every class in proportion
    assert len(small.x_test) == 297
    assert len(data.load("digits8", limit=np.int64(10)).x_test) == 10


@pytest.mark.parametrize("limit", [0, -1, 2.0, True, "10"])
def test_a_limit_that_is_no_count_is_refused(limit):
    with pytest.raises(OptionError, match=r"limit.*a whole number"):
        data.load("digits8", limit=limit)


def test_fetch_of_an_embedded_set_is_its_verified_file():
    assert data.fetch("mnist5k") == embedded.EMBEDDED["mnist5k"].path


def test_available_follows_a_set_from_the_mirror_to_the_users_folder(
    server, cache, tiny, tmp_path, monkeypatch
):
    server.pages = tiny.pages("/")
    source = tiny.source("mnist", [server.address + "/"])
    monkeypatch.setattr(download, "SOURCES", {"mnist": source})

    def state():
        records = {record.name: record for record in data.available()}
        assert list(records) == [
            "digits8",
            "mnist5k",
            "sprites",
            "names",
            "melodies",
            "motifs",
            "mnist",
        ]
        assert records["digits8"].state == "embedded"
        assert Path(records["mnist5k"].where).is_file()
        assert (records["mnist5k"].n_train, records["mnist5k"].n_test) == (5000, 1000)
        assert (records["mnist"].n_train, records["mnist"].shape) == (10, (2, 3))
        return records["mnist"].state, records["mnist"].where

    assert state() == ("to download", server.address + "/")
    assert data.fetch("mnist") == cache / "mnist"
    assert state() == ("cached", str(cache / "mnist"))
    assert data.load("mnist").shape == (2, 3)
    tiny.lay(tmp_path / "mine" / "mnist")
    monkeypatch.setenv("MINIVAE_DATA", str(tmp_path / "mine"))
    assert state() == ("in MINIVAE_DATA", str(tmp_path / "mine" / "mnist"))
    assert data.fetch("mnist") == tmp_path / "mine" / "mnist"
