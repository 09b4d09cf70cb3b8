"""Tables through the commands: trained on, sampled, scored and given back in their own units."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from minivae.cli.main import main
from minivae.train.runs import open_run
from minivae.uses.anomaly import detector as anomaly
from minivae.uses.anomaly.of_run import of_run

SMALL = ["--epochs", "2", "--hidden", "16", "--latent", "2"]


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def call(*words):
    """Run the command in this process; return its exit code."""
    try:
        return main([*map(str, words)])
    except SystemExit as exit:
        return exit.code


def table(name="t.csv", n=200, columns="ab", kind=True, cell=str, seed=0):
    """Write a table: a, b around 1e6 and -3, and a class; return its numbers."""
    rng = np.random.default_rng(seed)
    x = rng.normal([1e6, -3], [5, 0.1], (n, 2)).round(4)
    lines = [",".join([*columns, *(["kind"] if kind else [])])]
    for i, row in enumerate(x.tolist()):
        cells = [cell(row["ab".index(c)]) for c in columns]
        lines.append(",".join([*cells, *(["good" if i % 4 else "bad"] if kind else [])]))
    Path(name).write_text("\n".join(lines) + "\n")
    return x


def rows(name):
    with open(name, newline="") as file:
        return list(csv.DictReader(file))


def test_train_takes_a_table_as_a_detector_does(capsys):
    x = table()
    assert call("train", "t.csv", "--label", "kind", "--epochs", 2, "--out", "run") == 0
    out = capsys.readouterr().out
    assert "columns standardised" in out
    assert "VAE(2-64-4, relu, gaussian_shared" in out
    run = open_run("run")
    assert run.training.settings.batch == 32
    assert run.form.columns == ("a", "b")
    assert run.form.options.label == "kind"
    np.testing.assert_allclose(run.form.mean, x.mean(axis=0), rtol=1e-3)
    assert json.loads(Path("run/config.json").read_text())["options"]["label"] == "kind"
    data = run.load_data()
    np.testing.assert_allclose(data.x_train.std(axis=0), 1, rtol=1e-3)
    assert call("train", "--resume", "run", "--epochs", 3, "--quiet") == 0
    Path("t.csv").write_text(Path("t.csv").read_text().replace("-3.0", "-4.0"))
    assert call("evaluate", "run") == 2
    assert "no longer holds the data" in capsys.readouterr().err


def test_the_commands_of_a_run_speak_in_the_tables_units(capsys):
    table()
    assert call("train", "t.csv", "--ignore", "kind", *SMALL, "--out", "run", "--quiet") == 0
    assert call("sample", "run", "--n", 40, "--out", "s.csv") == 0
    sampled = np.array([[float(row["a"]), float(row["b"])] for row in rows("s.csv")])
    assert len(sampled) == 40
    np.testing.assert_allclose(sampled.mean(axis=0), [1e6, -3], atol=3)
    assert call("sample", "run", "--n", 4, "--out", "s.npz") == 0
    np.testing.assert_allclose(np.load("s.npz")["x"], sampled[:4], atol=1)
    other = table("new.csv", columns="ba", kind=False, seed=1)
    assert call("reconstruct", "run", "--data", "new.csv", "--n", 20, "--out", "r.csv") == 0
    found = rows("r.csv")
    assert list(found[0]) == ["a", "b", "a (reconstruction)", "b (reconstruction)"]
    whole = {f"{a:.7g},{b:.7g}" for a, b in other}
    assert all(f"{row['a']},{row['b']}" in whole for row in found)
    assert call("sample", "run", "--silent") == 2
    assert call("sample", "run") == 0
    assert Path("run/sample-1.csv").exists()
    capsys.readouterr()
    assert call("sample", "run", "--out", "s.png") == 2
    assert "no picture; name a file with --out that ends in .csv" in capsys.readouterr().err
    assert call("evaluate", "run", "--data", "new.csv", "--json") == 0
    assert json.loads(capsys.readouterr().out)["examples"] == 20


def test_a_run_without_names_and_with_holes_keeps_what_was_said(capsys):
    Path("t.csv").write_text("".join(f"{i % 7},{i % 5},red\n{i % 6},,blue\n" for i in range(60)))
    said = ["--header", "no", "--missing", "median", "--one-hot", "3"]
    assert call("train", "t.csv", *said, *SMALL, "--out", "run") == 0
    out = capsys.readouterr().out
    assert "called 1 to 3" in out
    assert "60 missing cells ('2' 60)" in out
    Path("new.csv").write_text("1,2,red\n,3,blue\n")
    assert call("reconstruct", "run", "--data", "new.csv", "--out", "r.csv") == 0
    assert "1 missing cell ('1' 1) is" in capsys.readouterr().err
    assert [row["3"] for row in rows("r.csv")] == ["red", "blue"]
    assert rows("r.csv")[1]["1"] == "3"  # the median of those that were trained on
    assert (
        call("reconstruct", "run", "--data", "new.csv", "--missing", "drop", "--out", "q.csv") == 0
    )
    assert len(rows("q.csv")) == 1
    assert call("reconstruct", "run", "--header", "no") == 2
    assert "name another table with --data" in capsys.readouterr().err


@pytest.mark.parametrize("model", ["gan", "autoencoder"])
def test_other_models_learn_a_table_too(model):
    table(kind=False)
    assert call("train", "t.csv", "--model", model, *SMALL, "--out", "run", "--quiet") == 0
    run = open_run("run")
    x = table("new.csv", kind=False, seed=3)
    made = "sample" if "sample" in run.can else "reconstruct"
    words = ["--n", 5] if made == "sample" else ["--n", 5, "--data", "new.csv"]
    assert call(made, "run", *words, "--out", "m.csv") == 0
    np.testing.assert_allclose([float(row["a"]) for row in rows("m.csv")], x[:, 0].mean(), atol=99)


def test_a_conditional_run_takes_its_classes_from_the_column(capsys):
    table()
    words = ["--label", "kind", "--conditional", *SMALL, "--out", "run", "--quiet"]
    assert call("train", "t.csv", *words) == 0
    assert call("sample", "run", "--label", "bad", "--n", 3, "--out", "s.csv") == 0
    assert [row["kind"] for row in rows("s.csv")] == ["bad"] * 3
    table("new.csv", seed=2)
    assert call("evaluate", "run", "--data", "new.csv") == 0
    capsys.readouterr()
    assert call("train", "t.csv", "--ignore", "kind", "--conditional", "--out", "no") == 2
    assert "a table with --label" in capsys.readouterr().err
    assert not Path("no").exists()


def test_augment_makes_rows_of_a_table(capsys):
    table()
    words = ["--label", "kind", "--per-class", 4, "--epochs", 2]
    assert call("augment", "t.csv", *words, "--out", "more.csv") == 0
    made = rows("more.csv")
    assert [row["kind"] for row in made] == ["bad", "bad", "good", "good"] * 2
    assert [row["how"] for row in made] == ["prior"] * 4 + ["posterior"] * 4
    np.testing.assert_allclose([float(row["a"]) for row in made], 1e6, atol=40)
    assert call("augment", "t.csv", *words, "--with-real", "--out", "all.npz") == 0
    arrays = np.load("all.npz")
    assert arrays["x_train"].shape == (188, 2)
    np.testing.assert_allclose(arrays["x_test"].mean(axis=0), [1e6, -3], atol=5)
    capsys.readouterr()
    assert call("augment", "t.csv", "--per-class", 4, "--ignore", "kind", "--out", "n.npz") == 2
    assert "a table with --label" in capsys.readouterr().err
    assert call("augment", "digits8", "--label", "kind", "--out", "n.npz") == 2
    assert "digits8 is no table" in capsys.readouterr().err


def test_a_run_scores_rows_as_a_detector_does(capsys):
    table("t.csv", n=500, kind=False)
    assert call("train", "t.csv", *SMALL, "--out", "run", "--quiet") == 0
    Path("new.csv").write_text("b,a\n-3,1000000\n-3,1000900\n,1000000\n")
    words = ["anomaly", "score", "run", "new.csv", "--missing", "drop"]
    assert call(*words) == 0
    assert "1 of 3 rows with a missing cell were left out" in capsys.readouterr().out
    found = rows("scores.csv")
    assert [(row["row"], row["alarm"], row["odd_column"]) for row in found] == [
        ("0", "0", ""),
        ("1", "1", "a"),
    ]
    detector = of_run(open_run("run"))
    alarm = detector.alarms["neg_elbo"]
    assert (alarm.n_threshold, alarm.n_checked) == (25, 25)
    assert alarm.rate < 0.3


def test_a_run_is_refused_as_a_detector(capsys):
    table("t.csv", n=200, kind=False)
    assert call("train", "t.csv", *SMALL, "--out", "few", "--quiet") == 0
    assert call("train", "digits8", *SMALL, "--out", "digits", "--quiet") == 0
    capsys.readouterr()
    for run, words in (("few", "20 test rows, but"), ("digits", "drawn from grey ones")):
        assert call("anomaly", "score", run, "t.csv") == 2
        assert words in capsys.readouterr().err
    assert not Path("scores.csv").exists()


def test_a_detector_keeps_how_its_table_was_read(capsys):
    lines = "".join(f"{i % 7},{i % 5},{'good' if i % 9 else ''}\n" for i in range(300))
    Path("t.csv").write_text(lines.replace("\n3,", "\n?,"))
    words = ["anomaly", "fit", "t.csv", "--header", "no", "--label", "3", "--out", "d.npz"]
    assert call(*words, "--normal", "good") == 2
    assert "--drop-unlabelled" in capsys.readouterr().err
    words += ["--drop-unlabelled", "--missing", "median", *SMALL]
    assert call(*words, "--normal", "good") == 0
    out = capsys.readouterr().out
    assert "34 of 300 rows without a class were left out" in out
    assert "missing cells ('1' " in out
    form = anomaly.load("d.npz").form
    assert (form.columns, form.options.header, form.options.missing) == (
        ("1", "2"),
        False,
        "median",
    )
    Path("new.csv").write_text("1,2,x\n,3,y\n")
    assert call("anomaly", "score", "d.npz", "new.csv", "--quiet") == 0
    assert len(rows("scores.csv")) == 2


def test_columns_that_do_not_vary_are_left_out_on_request(capsys):
    lines = [f"{i % 7},5,{i % 6}" for i in range(200)]
    Path("t.csv").write_text("\n".join(["a,b,c", *lines]) + "\n")
    for words in (
        ["anomaly", "fit", "t.csv", "--out", "d.npz"],
        ["train", "t.csv", "--out", "run"],
    ):
        assert call(*words, *SMALL) == 2
        assert "--ignore b, or with --drop-constant" in capsys.readouterr().err
        assert call(*words, "--drop-constant", *SMALL) == 0
        assert "left out 1 column without variation" in capsys.readouterr().out
    assert anomaly.load("d.npz").form.columns == ("a", "c")
    assert call("anomaly", "score", "d.npz", "t.csv", "--quiet") == 0
    assert call("evaluate", "run") == 0


def test_one_hot_columns_are_odd_under_their_own_name():
    rng = np.random.default_rng(0)
    lines = [f"{a:.4f},{'hot' if a > 0 else 'cold'}" for a in rng.normal(0, 1, 600)]
    Path("t.csv").write_text("a,state\n" + "\n".join(lines) + "\n")
    words = ["--one-hot", "state", "--epochs", 60, "--out", "d.npz", "--quiet"]
    assert call("anomaly", "fit", "t.csv", *words) == 0
    Path("new.csv").write_text("state,a\nhot,1\nhot,60\n")
    assert call("anomaly", "score", "d.npz", "new.csv", "--quiet") == 0
    assert [row["odd_column"] for row in rows("scores.csv")] == ["", "a"]


BAD = [
    ("train t.csv", "'kind' holds text ('bad', 'good')"),
    ("train t.csv --label kind --likelihood bernoulli", "columns of a table are standardised"),
    ("train t.csv --ignore kind --drop-unlabelled", "name it with --label"),
    ("train t.csv --ignore kind --one-hot kind", "'kind' was named twice"),
    ("train t.csv --header maybe", "invalid choice"),
    ("train digits8 --missing drop", "digits8 is no table"),
    ("anomaly fit digits8 --label kind", "digits8 is no table"),
    ("train none.csv", "there is no data set or file 'none.csv'"),
]


@pytest.mark.parametrize(("words", "message"), BAD)
def test_what_is_refused_leaves_nothing(words, message, capsys):
    table()
    assert call(*words.split()) == 2
    out, err = capsys.readouterr()
    assert message in err
    assert err.count("\n") == 1, err
    assert out == ""
    assert [path.name for path in Path().iterdir()] == ["t.csv"]


def test_what_was_passed_over_is_said(capsys):
    from PIL import Image

    for i in range(12):
        path = Path("pictures", "ab"[i % 2], f"{i}.png")
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4), 20 * i, np.uint8)).save(path)
    (Path("pictures") / ".ipynb_checkpoints").mkdir()
    assert call("train", "pictures", *SMALL, "--out", "run") == 0
    assert "pictures: files and folders passed over: 1 hidden" in capsys.readouterr().out
    assert call("anomaly", "fit", "pictures", "--quantile", 0.5, *SMALL, "--held-out", 0.5) == 0
    assert "pictures: files and folders passed over: 1 hidden" in capsys.readouterr().out
