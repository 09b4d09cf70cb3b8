"""Files and folders: whole or not at all, and never over what is there."""

import os
from pathlib import Path

import pytest

from minivae import data
from minivae.course.grading.rubric import load_rubric
from minivae.data import idx
from minivae.data.images import load_image
from minivae.errors import MinivaeError, OptionError, OutOfMemoryError
from minivae.files import first_free, new_file, new_folder, open_file, whole_folder
from minivae.train.checkpoint import load_checkpoint
from minivae.train.runs import open_run


def test_a_file_that_can_be_made(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert new_file("~/a.PNG", ".png", ".npz") == tmp_path / "a.PNG"
    assert new_folder(tmp_path / "a") == tmp_path / "a"


def test_what_exists_is_refused_even_a_link_that_leads_nowhere(tmp_path, refuses):
    (tmp_path / "a.png").symlink_to("nowhere")
    with refuses(OptionError, "a.png exists already; name another file with --map"):
        new_file(tmp_path / "a.png", ".png", option="--map")
    (tmp_path / "b").mkdir()
    with refuses(OptionError, "b exists already; name another folder with --out"):
        new_folder(tmp_path / "b")


def test_a_wrong_name_and_a_missing_folder_are_refused(tmp_path, refuses):
    with refuses(OptionError, "a.txt was given as --out; its name must end in .png or .npz"):
        new_file(tmp_path / "a.txt", ".png", ".npz")
    for make in (lambda path: new_file(path, ".png"), new_folder):
        with refuses(OptionError, "there is no folder", "no; make it first"):
            make(tmp_path / "no" / "a.png")


def test_a_folder_appears_when_it_is_whole(tmp_path):
    with whole_folder(tmp_path / "a") as new:
        (new / "x").write_text("1")
        assert not (tmp_path / "a").exists()
        assert new.parent == tmp_path
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "x"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, OSError])
def test_an_interrupted_folder_leaves_nothing(tmp_path, error):
    def interrupted():
        with whole_folder(tmp_path / "a") as new:
            (new / "x").write_text("1")
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_system_names_the_folder_that_was_asked_for(tmp_path):
    with pytest.raises(FileNotFoundError) as caught, whole_folder(tmp_path / "no" / "a"):
        pass
    assert caught.value.filename == str(tmp_path / "no" / "a")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(OSError) as caught, whole_folder(tmp_path / "full"):  # noqa: PT011
        pass
    assert caught.value.filename == str(tmp_path / "full")
    assert os.listdir(tmp_path / "full") == ["x"]


def test_the_first_free_name(tmp_path):
    for name in ("a-1.png", "a-2.png", "a-4.png"):
        (tmp_path / name).touch()
    assert first_free(tmp_path, "a", ".png") == tmp_path / "a-3.png"
    assert first_free(Path(), "b-no-such") == Path("b-no-such-1")


# ---- what has no end ----

READERS = {
    "a table": lambda path: data.load(str(path.rename(path.with_suffix(".csv")))),
    "an array": lambda path: data.load(str(path.rename(path.with_suffix(".npy")))),
    "an IDX file": idx.read,
    "a picture": load_image,
    "a checkpoint": load_checkpoint,
    "a run": open_run,
    "a rubric": load_rubric,
}


def a_pipe(path):
    os.mkfifo(path)


def an_endless_device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(("make", "what"), [(a_pipe, "named pipe"), (an_endless_device, "device")])
def test_what_is_no_file_is_not_read(tmp_path, make, what, reader):
    path = tmp_path / "thing"
    make(path)
    with pytest.raises(MinivaeError, match=f"thing.* cannot be read.*it is a {what}, not a file"):
        READERS[reader](path)


def test_a_folder_and_a_missing_file_are_said_to_be_such(tmp_path):
    with pytest.raises(OSError, match="it is a folder, not a file"):
        open_file(tmp_path)
    with pytest.raises(FileNotFoundError):
        open_file(tmp_path / "no")
    (tmp_path / "a").write_bytes(b"abc")
    with open_file(tmp_path / "a") as file:
        assert file.read() == b"abc"


def test_a_file_larger_than_memory_is_not_read(tmp_path, refuses):
    path = tmp_path / "large-idx3-ubyte"
    with path.open("wb") as file:
        file.truncate(1 << 42)  # of zeros that take no room
    with refuses(OutOfMemoryError, "large-idx3-ubyte would take 4.4 TB of memory"):
        idx.read(path)
