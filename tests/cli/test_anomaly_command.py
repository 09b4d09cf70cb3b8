"""`minivae anomaly`: what it writes, what it prints, and how it refuses."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from minivae import files
from minivae.cli.main import main
from minivae.uses.anomaly import detector as anomaly
from minivae.uses.anomaly.rates import auroc

SMALL = ["--hidden", "16", "--latent", "3", "--epochs", "2", "--samples", "8"]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def call(*words):
    """Run the command in this process; return its exit code."""
    try:
        return main(["anomaly", *map(str, words)])
    except SystemExit as exit:
        return exit.code


def rows(name):
    with open(name, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A detector of digits that are no ones; no test changes it."""
    path = tmp_path_factory.mktemp("digits") / "no-ones.npz"
    assert call("fit", "digits8", "--without", "1", *SMALL, "--out", path, "--quiet") == 0
    return path


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A detector of a table; no test changes it."""
    folder = tmp_path_factory.mktemp("machine")
    here = Path.cwd()
    os.chdir(folder)
    normal_table()
    assert call("fit", "normal.csv", *SMALL, "--out", "machine.npz", "--quiet") == 0
    os.chdir(here)
    return folder / "machine.npz"


def normal_table(name="normal.csv", extra=None):
    x = np.random.default_rng(0).standard_normal((200, 3))
    lines = ["a,b,c" + (",x" if extra else "")]
    lines += [",".join(f"{v:.5f}" for v in row) + (f",{extra}" if extra else "") for row in x]
    Path(name).write_text("\n".join(lines) + "\n")


def test_fit_prints_thresholds_and_false_alarms(capsys):
    assert call("fit", "digits8", "--without", "1", *SMALL) == 0
    out, err = capsys.readouterr()
    assert err == ""
    detector = anomaly.load("runs/digits8-detector-1.npz")
    lines = out.splitlines()
    assert lines[-1] == "runs/digits8-detector-1.npz"
    assert "classes 0 2 3 4 5 6 7 8 9" in lines[0]
    assert "grey pixels under a Bernoulli" in out
    for name, alarm in detector.alarms.items():
        (line,) = (line for line in lines if line.startswith(f"{name} "))
        low, high = 100 * alarm.interval.low, 100 * alarm.interval.high
        assert f"{alarm.threshold:.2f}" in line
        share = f"{alarm.false_alarms} = {100 * alarm.rate:.1f} % ({low:.1f} to {high:.1f} %)"
        assert share in line
    assert call("fit", "digits8", *SMALL, "--quiet") == 0
    assert capsys.readouterr().out == "runs/digits8-detector-2.npz\n"


def test_score_writes_a_table_and_prints_what_the_classes_say(digits, capsys):
    assert call("score", digits, "digits8") == 0
    out = capsys.readouterr().out
    detector = anomaly.load(digits)
    examples, scores = detector.read("digits8"), detector.score("digits8")
    found = rows("scores.csv")
    assert list(found[0]) == ["row", "label", *scores, "alarm"]
    assert [int(row["row"]) for row in found] == list(range(len(examples)))
    assert [row["label"] for row in found] == examples.labels.tolist()
    for name, values in scores.items():
        np.testing.assert_allclose([float(row[name]) for row in found], values, rtol=1e-5)
        ones = examples.labels == "1"
        assert f"{name} {auroc(values[ones], values[~ones]):.3f}" in out
    alarms = scores["neg_elbo"] > detector.alarms["neg_elbo"].threshold
    assert [int(row["alarm"]) for row in found] == alarms.astype(int).tolist()
    assert f"false alarms {alarms[~ones].sum()} of {(~ones).sum()} normal examples" in out
    assert f"found        {alarms[ones].sum()} of {ones.sum()} anomalies" in out


def test_score_by_another_score_with_a_map(digits, capsys):
    words = ("--score", "kl", "--map", "map.png", "--top", 12, "--limit", 50, "--out", "s.csv")
    assert call("score", digits, "digits8", *words) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-2:] == ["s.csv", "map.png"]
    threshold = anomaly.load(digits).alarms["kl"].threshold
    assert len(rows("s.csv")) == 50
    for row in rows("s.csv"):
        assert int(row["alarm"]) == (float(row["kl"]) > threshold)
    pixels = imread("map.png")[..., :3]
    assert pixels.shape[1] > 10 * 56
    assert pixels.std() > 0.05
    red, green, blue = (pixels[..., i] for i in range(3))
    assert ((red > green + 0.3) & (red > blue + 0.3)).any()  # brighter than expected
    assert ((blue > green + 0.3) & (blue > red + 0.3)).any()  # darker


def test_a_picture_is_scored_by_its_file(digits):
    Path("in").mkdir()
    from PIL import Image

    Image.fromarray(np.eye(8, dtype=np.uint8) * 200).save("in/line.png")
    assert call("score", digits, "in/line.png") == 0
    assert call("score", digits, "in", "--out", "folder.csv") == 0
    (one,), (same,) = rows("scores.csv"), rows("folder.csv")
    assert one["file"] == same["file"] == "line.png"
    assert one["neg_elbo"] == same["neg_elbo"]
    assert "label" not in one


def test_a_table_names_the_odd_column(machine, capsys):
    Path("new.csv").write_text("kind,c,b,a\ngood,0,0.1,0\nbad,0,9,0\nbad,-9,0,0\n")
    assert call("score", machine, "new.csv", "--label", "kind", "--normal", "good") == 0
    assert "AUROC        neg_elbo 1.000" in capsys.readouterr().out
    found = rows("scores.csv")
    assert [row["label"] for row in found] == ["good", "bad", "bad"]
    assert [row["odd_column"] for row in found][1:] == ["b", "c"]
    assert [row["alarm"] for row in found] == ["0", "1", "1"]


def test_a_table_without_known_classes(machine, capsys):
    normal_table()
    assert call("score", machine, "normal.csv", "--quiet") == 0
    assert capsys.readouterr().out == "scores.csv\n"
    assert "label" not in rows("scores.csv")[0]


def test_one_kind_alone_has_no_auroc(digits, capsys):
    from minivae.data import load

    data = load("digits8")
    ones = data.y_test == 1
    np.savez("ones.npz", x=data.x_test[ones].reshape(-1, 8, 8), y=data.y_test[ones])
    assert call("score", digits, "ones.npz") == 0
    assert "none: all examples are of one kind" in capsys.readouterr().out


def word_file():
    normal_table(extra="hot")


def constant_file():
    normal_table(extra="7")


def narrow_file():
    np.save("narrow.npy", np.zeros((4, 2)))


def less_file():
    Path("less.csv").write_text("a,c\n1,2\n")


def there_already():
    Path("there.csv").write_text("mine")
    Path("there.npz").write_text("mine")


BAD_FITS = [
    ("nowhere.csv", None, "nowhere.csv cannot be read (No such file"),
    ("normal.csv", word_file, "the column 'x' holds text ('hot')"),
    ("normal.csv", constant_file, "'x' is 7 in all 160 rows"),
    ("normal.csv --limit 50", normal_table, "needs 19"),
    ("normal.csv --label kind", normal_table, "lacks the column 'kind'"),
    ("normal.csv --without 3", normal_table, "has no classes"),
    ("normal.csv --likelihood bernoulli", normal_table, "standardised"),
    ("normal.csv --likelihood normal", normal_table, "choose one of: bernoulli"),
    ("normal.csv --hidden 0", normal_table, "at least 1"),
    ("digits8 --without 11", None, "no class '11'"),
    ("digits8 --normal 1 --without 2", None, "give one"),
    ("digits8 --quantile 1.5", None, "between 0 and 1"),
    ("digits8 --backend gpu9", None, "invalid choice: 'gpu9'"),
    ("digits8 --out there.npz", there_already, "exists already"),
    ("digits8 --out model.pt", None, "must end in .npz"),
    ("digits8 --out no/model.npz", None, "there is no folder no;"),
    ("digits8 --latnet 3", None, "no option '--latnet'"),
]


@pytest.mark.parametrize(("words", "prepare", "message"), BAD_FITS)
def test_a_fit_is_refused_and_leaves_nothing(words, prepare, message, capsys):
    if prepare is not None:
        prepare()
    refused(capsys, message, "fit", *words.split())


BAD_SCORES = [
    ("machine narrow.npy", narrow_file, "shape (2,), but the detector was fitted to normal.csv"),
    ("machine less.csv", less_file, "lacks the column 'b'"),
    ("machine digits8", None, "shape (8, 8)"),
    ("machine normal.csv --map map.png", normal_table, "no picture"),
    ("machine normal.csv --score nll", normal_table, "choose one of: neg_elbo"),
    ("digits mnist5k", None, "shape (28, 28), but the detector was fitted to digits8"),
    ("digits digits8 --out there.csv", there_already, "exists already"),
    ("digits digits8 --out scores.txt", None, "must end in .csv"),
    ("digits digits8 --map map.jpg", None, "must end in .png"),
    ("digits digits8 --top 0 --map m.png", None, "--top 0"),
    ("digits digits8 --normal 11", None, "no class '11'"),
    ("nowhere.npz digits8", None, "nowhere.npz does not exist"),
]


@pytest.mark.parametrize(("words", "prepare", "message"), BAD_SCORES)
def test_a_score_is_refused_and_leaves_nothing(words, prepare, message, digits, machine, capsys):
    if prepare is not None:
        prepare()
    model, *others = words.split()
    path = {"digits": digits, "machine": machine}.get(model, model)
    refused(capsys, message, "score", path, *others)


def test_two_files_are_written_together_or_not_at_all(digits, capsys, monkeypatch):
    write, calls = files.write_atomically, []

    def full_disk(path, content):
        calls.append(path)
        if len(calls) == 2:
            raise OSError(28, "No space left on device", str(path))
        write(path, content)

    monkeypatch.setattr(files, "write_atomically", full_disk)
    refused(capsys, "No space left", "score", digits, "digits8", "--map", "map.png")
    assert len(calls) == 2


def refused(capsys, message, *words):
    """Assert exit code 2, one sentence with these words, and no file that was not there."""
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    assert call(*words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("minivae: "), err
    assert message in err, err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("action", ["fit", "score"])
def test_help_has_examples(action, capsys):
    assert call(action, "--help") == 0
    assert f"examples:\n  minivae anomaly {action} " in capsys.readouterr().out
