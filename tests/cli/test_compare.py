"""`minivae compare`: what it lists, runs, writes and refuses."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from matplotlib.image import imread

from minivae.cli.commands import compare
from minivae.cli.main import main
from minivae.errors import DataError
from minivae.models.registry import Option
from minivae.show.canvas import new_figure, save
from minivae.uses.experiments.page import Section, page, text_table


@pytest.fixture(autouse=True)
def in_tmp(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run_small(folder, *, seeds=4, progress=True):
    (Path(folder) / "numbers.csv").write_text("seed\n" + "\n".join(map(str, range(seeds))))
    figure = new_figure(3, 2)
    figure.add_subplot().plot([0, seeds])
    save(figure, Path(folder) / "line.png")
    return {
        "tables": [("Counts <all>", ["", "n"], [["seeds", str(seeds)], ["a & b", "1.0"]])],
        "pictures": ["line.png"],
        "text": "A is more than B: confirmed; 2 against 1.\nB is red: refuted; it is blue.",
    }


def run_failing(folder, *, seeds=4, progress=True):
    (Path(folder) / "half.csv").write_text("half")
    raise DataError("the data are not here; fetch them.")


def run_long(folder, *, seeds=1, progress=True, steps=(1, 2), rate=0.5, data=None):
    """Write a file for each step; Ctrl-C comes after each."""
    for step in steps:
        file = Path(folder) / f"step{step}"
        if not file.exists():
            file.write_text(str(rate))
            raise KeyboardInterrupt
    return {"tables": [], "pictures": [], "text": f"{seeds} {list(steps)} {rate}"}


@pytest.fixture
def small(monkeypatch):
    """Three experiments in the place of the real ones."""
    known = {
        "small": SimpleNamespace(NAME="small", WHAT="what is <small>", run=run_small),
        "failing": SimpleNamespace(NAME="failing", WHAT="what fails", run=run_failing),
        "long": SimpleNamespace(
            NAME="long",
            WHAT="what takes hours",
            run=run_long,
            RESUMES=True,
            OPTIONS={
                "steps": Option(int, (1, 2), "which", many=True),
                "rate": Option(float, 0.5, "how fast"),
                "data": Option(str, None, "of what"),
            },
        ),
    }
    monkeypatch.setattr(compare, "experiments", lambda: known)


def call(*words):
    return main(["compare", *words])


def test_the_list_is_of_the_real_ones(capsys):
    assert call("--list") == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 96
    lines = re.sub(r"\n +", " ", out).splitlines()
    names = [line.split()[0] for line in lines]
    assert {"modes", "stability"} <= set(names)
    assert all(re.search(r"\(\d+ seeds\)$", line) for line in lines)
    for name, module in compare.experiments().items():
        assert module.__name__ == f"minivae.uses.experiments.{name}"
        assert module.__doc__


def test_it_writes_tables_pictures_and_a_page(small, capsys):
    assert call("small", "small") == 0
    out = capsys.readouterr().out
    assert out.count("what is <small>") == 1
    assert "a & b  1.0" in out
    assert "confirmed" in out
    folder = Path("runs/comparison-1")
    assert {path.name for path in folder.rglob("*")} == {
        *("index.html", "small", "numbers.csv", "line.png", "summary.json")
    }
    assert imread(folder / "small" / "line.png").shape[:2] == (300, 450)
    summary = json.loads((folder / "small" / "summary.json").read_text())
    assert summary["tables"][0][2][0] == ["seeds", "4"]

    html = (folder / "index.html").read_text()
    assert "What is &lt;small&gt;" in html
    assert "Counts &lt;all&gt;" in html
    assert "a &amp; b" in html
    assert '<span class="good">confirmed</span>' in html
    assert '<span class="bad">refuted</span>' in html
    assert "<code>minivae compare small</code>" in html
    # Everything is inside: no address but that of the picture's own bytes.
    assert set(re.findall(r'(?:src|href)="([^"]{,10})', html)) == {"data:image", "#small"}
    assert not re.search(r"https?:|<script|<link", html)

    assert call("small", "--seeds", "2") == 0
    assert (Path("runs/comparison-2") / "small" / "numbers.csv").read_text() == "seed\n0\n1"
    assert "compare small --seeds 2" in (Path("runs/comparison-2") / "index.html").read_text()


def test_an_experiment_that_fails_leaves_nothing_and_takes_nothing_away(small, capsys):
    assert call("failing", "--out", "none") == 2
    assert not Path("none").exists()
    capsys.readouterr()
    assert call("failing", "small", "--out", "both") == 2  # the other one runs all the same
    err = capsys.readouterr().err
    assert err == "minivae: failing failed: the data are not here; fetch them.\n"
    assert sorted(path.name for path in Path("both").iterdir()) == ["index.html", "small"]


def test_what_takes_hours_goes_on_where_it_was_stopped(small, capsys):
    words = ["long", "--steps", "1", "2", "--rate", "0.25", "--seeds", "3", "--data", "a b"]
    assert call(*words, "--out", "slow one") == 130
    assert capsys.readouterr().err == (
        "interrupted; go on with: minivae compare long --seeds 3 --steps 1 2 --rate 0.25 "
        "--data 'a b' --resume 'slow one'\n"
    )
    words += ["--resume", "slow one"]
    assert call(*words) == 130
    assert {path.name for path in Path("slow one/long").iterdir()} == {"step1", "step2"}
    assert call(*words) == 0
    summary = json.loads(Path("slow one/long/summary.json").read_text())
    assert summary["text"] == "3 [1, 2] 0.25"
    assert "compare long --seeds 3 --steps 1 2" in Path("slow one/index.html").read_text()


def test_all_of_them_are_those_that_take_no_hours(small):
    assert compare.choose([], compare.experiments()) == ["small", "failing"]


def test_what_takes_hours_leaves_no_empty_folder(small):
    compare.experiments()["long"].run = run_failing_at_once
    assert call("long", "--out", "none") == 2
    assert not Path("none").exists()


def run_failing_at_once(folder, *, seeds=1, progress=True):
    raise DataError("the data are not here; fetch them.")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("smal", "there is no experiment 'smal' (did you mean 'small'?); choose among: small, fai"),
        ("small --seeds 0", "at least 1"),
        ("small --jobs 0", "--jobs 0 was given; give 1 to 64"),
        ("small --seeds many", "no whole number"),
        ("small --out full", "full exists already"),
        ("small --out full/file", "exists already"),
        ("small --rate 2", "--rate was given, but long does not run, whose it is; leave it out"),
        ("--list --steps 2", "--steps was given, but --list runs nothing"),
        ("--list --resume full", "--resume was given, but --list runs nothing"),
        ("small --resume full", "--resume was given with small, but it goes with one experiment"),
        ("small long --resume full", "with small long, but it goes with one experiment that can"),
        ("--resume full", "with no name, but it goes with one experiment"),
        ("long --resume full", "there is no long in it to go on with"),
        ("long --resume full --out new", "--out was given, but a resumed experiment stays in"),
        ("long --rate fast", "fast"),
    ],
)
def test_bad_input_is_one_sentence(small, words, message, capsys):
    Path("full").mkdir()
    Path("full/file").write_text("x")
    try:
        status = call(*words.split())
    except SystemExit as exit:
        status = exit.code
    assert status == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert message in err
    assert sorted(map(str, Path().rglob("*"))) == ["full", "full/file"]


def test_columns_of_a_text_table_are_aligned():
    text = text_table("Title", ["", "long header"], [["a", "1"], ["bcd", "22"]])
    assert text.splitlines() == [
        "Title",
        "       long header",
        "  a              1",
        "  bcd           22",
    ]


def test_an_open_verdict_keeps_its_words(tmp_path):
    said = "X: not confirmed (no clear difference); 1 against 1."
    summary = {"tables": [], "pictures": [], "text": said}
    html = page([Section("x", "what", "minivae compare x", 1.0, tmp_path, summary)])
    assert ': <span class="open">not confirmed (no clear difference)</span>; 1 against 1.' in html
