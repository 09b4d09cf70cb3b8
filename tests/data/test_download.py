"""Finding, downloading and verifying, against a server on this machine."""

import gzip

import numpy as np
import pytest

from minivae.data import download
from minivae.data.sources import STEMS
from minivae.errors import DataError


def files_under(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*"))


WHOLE_CACHE = sorted(["tiny", *(f"tiny/{stem}.gz" for stem in STEMS.values())])


def assert_is(arrays, tiny):
    assert set(arrays) == set(tiny.arrays)
    for part, array in tiny.arrays.items():
        np.testing.assert_array_equal(arrays[part], array)


# ---- downloading ----


@pytest.mark.parametrize("sums_of_gz", [False, True])
def test_a_download_is_verified_cached_and_not_repeated(server, cache, tiny, sums_of_gz):
    server.pages = tiny.pages("/a/")
    source = tiny.source("tiny", [server.address + "/a/"], sums_of_gz=sums_of_gz)
    folder, arrays = download.obtain(source)
    assert folder == cache / "tiny"
    assert_is(arrays, tiny)
    assert files_under(cache) == WHOLE_CACHE
    assert (folder / "t10k-labels-idx1-ubyte.gz").read_bytes() == tiny.gz["y_test"]
    assert server.encodings == {"identity"}
    assert len(server.asked) == 4
    assert_is(download.obtain(source)[1], tiny)
    assert len(server.asked) == 4


def test_load_scales_and_names(server, cache, tiny):
    server.pages = tiny.pages("/a/")
    data = download.load(tiny.source("tiny", [server.address + "/a/"]))
    np.testing.assert_allclose(data.x_train, tiny.arrays["x_train"].reshape(10, 6) / 255, rtol=1e-7)
    assert (data.name, data.shape, data.labels) == ("tiny", (2, 3), tuple("0123456789"))


def test_the_next_mirror_is_tried_after_each_kind_of_failure(server, cache, tiny, nobody):
    name = STEMS["x_train"] + ".gz"
    server.pages = {"/page/" + name: b"<html>log in</html>", "/cut/" + name: tiny.gz["x_train"]}
    server.cut = {"/cut/" + name}
    altered = bytearray(tiny.content["x_train"])
    altered[-1] ^= 1
    server.pages["/altered/" + name] = gzip.compress(bytes(altered))
    server.pages.update(tiny.pages("/good/"))
    mirrors = [server.address + f"/{kind}/" for kind in ("absent", "page", "cut", "altered")]
    source = tiny.source("tiny", [nobody, *mirrors, server.address + "/good/"])
    assert_is(download.obtain(source)[1], tiny)
    asked = [path.split("/")[1] for path in server.asked if name in path]
    assert asked == ["absent", "page", "cut", "altered", "good"]
    assert files_under(cache) == WHOLE_CACHE


def test_a_recompressed_copy_passes_where_the_content_is_known(server, cache, tiny):
    server.pages = {
        f"/a/{stem}.gz": gzip.compress(tiny.content[part], 1, mtime=5)
        for part, stem in STEMS.items()
    }
    mirror = server.address + "/a/"
    assert_is(download.obtain(tiny.source("tiny", [mirror]))[1], tiny)
    with pytest.raises(DataError, match="wrong content"):
        download.obtain(tiny.source("packed", [mirror], sums_of_gz=True))
    assert files_under(cache / "packed") == []


def test_a_wrong_sum_everywhere_leaves_no_file(server, cache, tiny, other_tiny):
    server.pages = other_tiny.pages("/a/")
    with pytest.raises(DataError, match=r"no mirror delivered \(127\.0\.0\.1:\d+: wrong content\)"):
        download.obtain(tiny.source("tiny", [server.address + "/a/"]))
    assert files_under(cache) == ["tiny"]


def test_offline_says_what_was_wanted_and_what_to_do_in_one_sentence(cache, tiny, nobody):
    source = tiny.source("tiny", [nobody, nobody])
    with pytest.raises(DataError) as caught:
        download.obtain(source)
    text = str(caught.value)
    assert text.startswith(
        "tiny (ten small images) needs train-images-idx3-ubyte.gz, which is not on this machine "
        "(MINIVAE_DATA is not set) and which no mirror delivered (127.0.0.1:"
    )
    assert text.count("ConnectionError") == 2
    assert text.endswith(
        "put train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, "
        f"t10k-labels-idx1-ubyte.gz by hand into {cache / 'tiny'} or into a folder that "
        "MINIVAE_DATA names, or use 'mnist5k' or 'digits8', which need no network"
    )
    assert "\n" not in text
    assert ". " not in text
    assert files_under(cache) == ["tiny"]


def test_an_answer_of_http_error_is_told_by_its_number(server, cache, tiny):
    with pytest.raises(DataError, match="HTTP 404"):
        download.obtain(tiny.source("tiny", [server.address + "/"]))


def test_files_put_by_hand_into_the_cache_are_used(cache, tiny, nobody):
    tiny.lay(cache / "tiny", packed=False)
    assert_is(download.obtain(tiny.source("tiny", [nobody]))[1], tiny)


def test_only_the_missing_and_damaged_files_are_downloaded(server, cache, tiny):
    tiny.lay(cache / "tiny")
    (cache / "tiny" / "train-labels-idx1-ubyte.gz").write_bytes(tiny.gz["y_train"][:-4])
    (cache / "tiny" / "t10k-images-idx3-ubyte.gz").unlink()
    server.pages = tiny.pages("/")
    assert_is(download.obtain(tiny.source("tiny", [server.address + "/"]))[1], tiny)
    assert server.asked == ["/train-labels-idx1-ubyte.gz", "/t10k-images-idx3-ubyte.gz"]
    assert files_under(cache) == WHOLE_CACHE


def test_a_damaged_cache_offline_keeps_the_file_and_says_so(cache, tiny, nobody):
    damaged = tiny.lay(cache / "tiny") / "train-images-idx3-ubyte.gz"
    damaged.write_bytes(b"half")
    with pytest.raises(DataError, match=r"of which the copy .*train-images\S+\.gz is damaged"):
        download.obtain(tiny.source("tiny", [nobody]))
    assert damaged.read_bytes() == b"half"


def test_an_interrupted_download_leaves_nothing(cache, tiny, monkeypatch):
    def interrupted(url, path):
        path.write_bytes(tiny.gz["x_train"][:5])
        raise KeyboardInterrupt

    monkeypatch.setattr(download, "_stream", interrupted)
    with pytest.raises(KeyboardInterrupt):
        download.obtain(tiny.source("tiny", ["http://a/"]))
    assert files_under(cache) == ["tiny"]


def test_a_cache_that_cannot_be_written_is_one_sentence(cache, tiny, nobody):
    cache.write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written \(.+\): put its four files"):
        download.obtain(tiny.source("tiny", [nobody]))


def test_the_progress_bar_names_the_file(server, cache, tiny, capsys):
    server.pages = tiny.pages("/")
    download.obtain(tiny.source("tiny", [server.address + "/"]))
    shown = capsys.readouterr().err
    assert all(f"{stem}.gz:" in shown for stem in STEMS.values())


def test_the_cache_is_poochs(monkeypatch, tmp_path, tiny):
    pooch = pytest.importorskip("pooch")
    monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / project)
    assert download.cache_folder(tiny.source("tiny", [])) == tmp_path / "minivae" / "tiny"


# ---- the folder that MINIVAE_DATA names ----


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("sub", ["tiny", "."])
def test_the_users_folder_is_used_where_it_holds_all_four(
    cache, tiny, nobody, tmp_path, monkeypatch, sub, packed
):
    folder = tiny.lay(tmp_path / "mine" / sub, packed=packed)
    monkeypatch.setenv("MINIVAE_DATA", str(tmp_path / "mine"))
    found, arrays = download.obtain(tiny.source("tiny", [nobody]))
    assert found == folder
    assert_is(arrays, tiny)
    assert not cache.exists()


def test_the_subfolder_wins_over_the_folder_and_both_over_the_cache(
    cache, tiny, other_tiny, tmp_path, monkeypatch
):
    source = tiny.source("tiny", [])
    monkeypatch.setenv("MINIVAE_DATA", str(tmp_path / "mine"))
    tiny.lay(cache / "tiny")
    (tmp_path / "mine").mkdir()
    assert download.find(source) == (cache / "tiny", False)
    tiny.lay(tmp_path / "mine")
    assert download.find(source) == (tmp_path / "mine", True)
    tiny.lay(tmp_path / "mine" / "tiny")
    assert download.find(source) == (tmp_path / "mine" / "tiny", True)


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_file_of_the_users_is_named_and_kept(
    cache, server, tiny, other_tiny, tmp_path, monkeypatch, damage
):
    folder = tiny.lay(tmp_path / "mine" / "tiny")
    bad = folder / "t10k-images-idx3-ubyte.gz"
    content = tiny.gz["x_test"][:-6] if damage == "cut" else other_tiny.gz["x_test"]
    bad.write_bytes(content)
    monkeypatch.setenv("MINIVAE_DATA", str(tmp_path / "mine"))
    server.pages = tiny.pages("/")
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz is .*damaged") as caught:
        download.obtain(tiny.source("tiny", [server.address + "/"]))
    assert str(bad) in str(caught.value)
    assert bad.read_bytes() == content
    assert server.asked == []


def test_an_incomplete_folder_of_the_users_is_not_enough(
    cache, tiny, nobody, tmp_path, monkeypatch
):
    folder = tiny.lay(tmp_path / "mine")
    (folder / "t10k-images-idx3-ubyte.gz").unlink()
    monkeypatch.setenv("MINIVAE_DATA", str(folder))
    with pytest.raises(DataError, match=r"MINIVAE_DATA is \S+mine"):
        download.obtain(tiny.source("tiny", [nobody]))


def test_minivae_data_must_name_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("MINIVAE_DATA", str(tmp_path / "typo"))
    with pytest.raises(DataError, match=r"MINIVAE_DATA names \S+typo, which is not a folder"):
        download.user_folder()
    monkeypatch.setenv("MINIVAE_DATA", "")
    assert download.user_folder() is None


def test_files_directly_in_the_folder_are_told_apart_by_the_test_labels(
    cache, tiny, other_tiny, tmp_path, monkeypatch
):
    one, two = tiny.source("one", []), other_tiny.source("two", [])
    monkeypatch.setattr(download, "SOURCES", {"one": one, "two": two})
    monkeypatch.setenv("MINIVAE_DATA", str(tiny.lay(tmp_path / "mine")))
    assert download.find(one) == (tmp_path / "mine", True)
    assert download.find(two) is None
