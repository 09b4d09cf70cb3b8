"""`minivae explore`: what it draws of which model, and what it refuses."""

from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from matplotlib.image import imread
from PIL import Image

from minivae import data as datasets
from minivae.cli import walk_rows, walks
from minivae.cli.main import main
from minivae.errors import OptionError
from minivae.train.prepare import prepare_data
from minivae.train.runs import open_run
from minivae.uses.explore import paths as explore

STILL = {"interpolation.png", "traversals.png", "arithmetic.png", "latents.png"}
MOVING = {"interpolation.gif", "traversals.gif", "arithmetic.gif"}


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MINIVAE_DATA", raising=False)
    monkeypatch.setattr(walks, "FRAMES", 6)


def call(*words):
    try:
        return main([str(word) for word in words])
    except SystemExit as exit:
        return exit.code


def train(out, *words, data="digits8", limit=200):
    with mock.patch("minivae.cli.pictures.draw", return_value=[]):
        sizes = ("--hidden", 12, "--limit", limit, "--epochs", 2, "--batch", 32, "--quiet")
        assert call("train", data, *sizes, *words, "--out", out) == 0
    return out


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Trained runs by name, which no test changes."""
    folder = tmp_path_factory.mktemp("runs")
    np.save(folder / "table.npy", np.random.default_rng(0).standard_normal((60, 5)))
    return {
        "plane": train(folder / "plane", "--latent", 2),
        "space": train(folder / "space", "--latent", 4),
        "line": train(folder / "line", "--latent", 1),
        "autoencoder": train(folder / "ae", "--latent", 3, "--model", "autoencoder"),
        "codes": train(folder / "codes", "--latent", 2, "--model", "autoencoder"),
        "table": train(
            folder / "t", "--latent", 3, "--likelihood", "gaussian", data=folder / "table.npy"
        ),
    }


def made(folder):
    """Names of a folder's files, each of which can be opened as what its name says."""
    for path in Path(folder).iterdir():
        with Image.open(path) as image:
            assert image.format == path.suffix[1:].upper()
            assert (getattr(image, "n_frames", 1) > 1) == (path.suffix == ".gif")
    return {path.name for path in Path(folder).iterdir()}


@pytest.mark.parametrize(
    ("name", "drawn", "notes"),
    [
        ("plane", STILL | MOVING | {"manifold.png"}, []),
        ("space", STILL | MOVING, ["no manifold: the model has 4 latent dimensions, not 2"]),
        ("autoencoder", STILL | MOVING, ["no manifold: the model has 3 latent"]),
        ("codes", STILL | MOVING, ["no manifold: an autoencoder has no prior"]),
        ("line", (STILL | MOVING) - {"latents.png"}, ["no manifold", "no latents"]),
        ("table", {"latents.png"}, ["(5,) have no picture", "no interpolation", "no arithmetic"]),
    ],
)
def test_all_that_a_model_has_is_drawn(runs, capsys, name, drawn, notes):
    assert call("explore", runs[name], "--out", "walks") == 0
    assert made("walks") == drawn
    out, err = capsys.readouterr()
    assert {Path(line).name for line in out.splitlines()} == drawn
    for note in notes:
        assert note in err
    assert [path.name for path in Path().iterdir()] == ["walks"]


@pytest.mark.parametrize(
    ("has", "words"),
    [
        ({"kind": "gan", "can": {"sample"}}, "no encoder"),
        ({"kind": "cvae", "can": {"encode", "condition"}}, "a class"),
    ],
)
def test_a_model_without_a_latent_space_of_its_own_is_refused(refuses, has, words):
    with refuses(OptionError, words, has["kind"]):
        walks.check_model(SimpleNamespace(**has), paths=True)


def test_the_newest_run_gets_a_new_folder_each_time(runs):
    folder = Path("runs/001-mine")
    folder.mkdir(parents=True)
    (folder / "checkpoint.npz").write_bytes((runs["plane"] / "checkpoint.npz").read_bytes())
    for _ in range(2):
        assert call("explore", "--only", "manifold") == 0
    found = sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))
    assert found == ["explore-1/manifold.png", "explore-2/manifold.png"]


def test_the_same_run_gives_the_same_files(runs):
    for out in ("a", "b"):
        assert call("explore", runs["plane"], "--only", "interpolation", "--out", out) == 0
    for name in ("interpolation.png", "interpolation.gif"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()


def test_a_morph_goes_from_one_file_to_another(runs, monkeypatch):
    digits = datasets.load("digits8").x_test[:2]
    for name, digit in zip("ab", digits, strict=True):
        grey = np.rint(255 * digit.reshape(8, 8)).astype(np.uint8)
        picture = grey if name == "a" else np.stack([grey] * 3, axis=2)  # the same, saved as RGB
        Image.fromarray(picture).save(f"{name}.png")
    run = open_run(runs["space"])
    given, rng = [], np.random.default_rng(0)
    monkeypatch.setattr(
        explore,
        "interpolate",
        lambda model, a, b, n, path: given.append((a, b, n, path)) or rng.random((n, 64)),
    )
    words = ("--morph", "a.png", "b.png", "--steps", 5, "--out", "morph")
    assert call("explore", runs["space"], *words) == 0
    assert made("morph") == {"interpolation.png", "interpolation.gif"}
    prepared = prepare_data(np.rint(255 * digits) / 255, run.training.settings, "val")
    for a, b, _, _ in given:
        assert set(np.unique([a, b])) <= {0, 1}  # binarized, as the model has learned
        assert abs(a - prepared[0]).mean() < 0.5
    assert [(n, path) for _, _, n, path in given[:2]] == [(5, "linear"), (5, "spherical")]


def test_images_are_chosen_by_their_numbers(runs):
    run = open_run(runs["space"])
    x, _, _ = run.test_rows(run.load_data())
    (pair,) = walk_rows.pairs(x, None, [3, 14])
    np.testing.assert_array_equal(pair, x[[3, 14]])


def test_pairs_are_of_different_classes():
    x, y = np.arange(12.0)[:, None], np.array([2, 2, 0, 1, 0, 3, 1, 4, 5, 5, 2, 2])
    pairs = walk_rows.pairs(x, y, None)
    assert [(float(a[0]), float(b[0])) for a, b in pairs] == [(2, 5), (3, 7), (0, 8)]
    for without in (None, np.ones(12, int)):
        pairs = walk_rows.pairs(x, without, None)
        assert [(float(a[0]), float(b[0])) for a, b in pairs] == [(0, 4), (1, 5), (2, 6), (3, 7)]


def test_one_image_is_no_pair(refuses):
    with refuses(OptionError, "one test image"):
        walk_rows.pairs(np.zeros((1, 4)), None, None)


def test_arithmetic_takes_the_classes_that_are_named(runs):
    run = open_run(runs["space"])
    data = run.load_data()
    x, y, _ = run.test_rows(data)
    options = mock.Mock(having=None, lacking=None, classes=["3", "8"])
    having, lacking, names = walk_rows.groups(run, x, y, data, options)
    np.testing.assert_array_equal(having, x[y == 8])
    np.testing.assert_array_equal(lacking, x[y == 3])
    assert names == ("class 8", "class 3")


def test_arithmetic_takes_classes_of_the_median_distance(runs):
    run = open_run(runs["space"])
    data = run.load_data()
    x, y, _ = run.test_rows(data)
    options = mock.Mock(having=None, lacking=None, classes=None)
    *_, names = walk_rows.groups(run, x, y, data, options)
    z = run.codes(x)
    means = np.array([z[y == k].mean(axis=0) for k in range(10)])
    distances = np.linalg.norm(means[:, None] - means[None], axis=2)
    to, start = (int(name.removeprefix("class ")) for name in names)
    assert start < to
    assert np.sort(distances[np.triu_indices(10, 1)])[22] == pytest.approx(distances[start, to])


def test_arithmetic_takes_groups_from_files(runs, capsys):
    digits = datasets.load("digits8")
    for k in (0, 1):
        np.save(f"{k}.npy", digits.x_train[digits.y_train == k].reshape(-1, 8, 8))
    Path("one").mkdir()
    one = np.rint(255 * digits.x_train[1].reshape(8, 8)).astype(np.uint8)
    Image.fromarray(one).save("one.png")
    Image.fromarray(one).save("one/1.png")
    for without in ("1.npy", "one.png"):
        words = ("--with", "0.npy", "--without", without, "--only", "arithmetic")
        assert call("explore", runs["space"], *words, "--out", f"from {without}") == 0
        assert made(f"from {without}") == {"arithmetic.png", "arithmetic.gif"}
    rows = walk_rows.all_rows(open_run(runs["space"]), "0.npy")
    assert len(rows) == (digits.y_train == 0).sum()


def test_the_columns_are_the_steps(runs):
    for steps in (11, 20):
        words = ("--only", "interpolation", "--images", 0, 1, "--steps", steps)
        assert call("explore", runs["plane"], *words, "--out", f"s{steps}") == 0
    widths = [imread(f"s{steps}/interpolation.png").shape[1] for steps in (11, 20)]
    assert widths[1] - widths[0] == 9 * (80 + 4)


def test_the_page_is_written_whole(runs, capsys):
    assert call("explore", runs["plane"], "--html", "page.html") == 0
    assert capsys.readouterr().out == "page.html\n"
    text = Path("page.html").read_text()
    assert text.startswith("<!DOCTYPE html>")
    assert text.endswith("</html>\n")
    assert "{{" not in text
    assert [path.name for path in Path().iterdir()] == ["page.html"]


def wide_picture():
    Image.fromarray(np.zeros((9, 9), np.uint8)).save("wide.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("a.png")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("plane --html page.html --only latents", "--html was given together with --only"),
        ("plane --html page.txt", "must end in .html"),
        ("plane --html nowhere/page.html", "there is no folder nowhere"),
        ("plane --html wide.html", "exists already"),
        ("plane --html p.html --data mnist5k", "shape (28, 28)"),
        ("line --html p.html", "1 latent dimension"),
        ("table --html p.html", "(5,) have no picture"),
        ("plane --out wide.html", "exists already"),
        ("plane --out nowhere/walks", "there is no folder nowhere"),
        ("plane --only all", "invalid choice: 'all'"),
        ("space --only manifold", "cannot be drawn, since the model has 4 latent dimensions"),
        ("table --only traversals", "cannot be drawn, since examples of shape (5,)"),
        ("line --only latents", "1 latent dimension"),
        ("plane --images 0 999", "--images 999 was given, but the test images are 0 to"),
        ("plane --only traversals --images 999 0", "--images 999 was given"),
        ("plane --images 0", "expected 2 arguments"),
        ("plane --morph a.png", "expected 2 arguments"),
        ("plane --morph a.png wide.png", "wide.png has examples of shape (9, 9)"),
        ("plane --morph a.png missing.png", "missing.png cannot be read"),
        ("plane --morph a.png a.png --classes 1 2", "--morph was given together with --classes"),
        ("plane --classes 3 11", "there is no class '11'"),
        ("plane --classes 1 2 --with a.png --without a.png", "--classes was given together with"),
        ("plane --with a.png", "takes two, --with and --without"),
        ("plane --with a.png --without wide.png", "(9, 9)"),
        ("plane --steps 1", "at least 2 images"),
        ("plane --data mnist5k", "shape (28, 28)"),
        ("missing", "does not exist"),
    ],
)
def test_bad_input_is_refused_in_one_sentence(runs, capsys, words, message):
    wide_picture()
    Path("wide.html").touch()
    before = sorted(Path().rglob("*"))
    files = {name: sorted(folder.iterdir()) for name, folder in runs.items()}
    name, *rest = words.split()
    assert call("explore", runs.get(name, name), *rest) == 2
    err = capsys.readouterr().err
    last = err.splitlines()[-1]
    assert last.startswith("minivae: ")
    assert message in last
    assert last.endswith((".", "?"))
    assert "Traceback" not in err
    assert sorted(Path().rglob("*")) == before
    assert {name: sorted(folder.iterdir()) for name, folder in runs.items()} == files
