"""`minivae exercises`."""

import argparse
from pathlib import Path

import pytest

from minivae.course.exercises import EXERCISES
from minivae.course.exercises.cli import configure, run
from minivae.errors import OptionError


def command(*words):
    parser = argparse.ArgumentParser()
    configure(parser)
    return run(parser.parse_args([*map(str, words)]))


def test_list(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    assert command("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == [
        "name",
        *(e.name for e in EXERCISES),
    ]
    # linear: 3 x 5 + 5 x 7 + 7 derivatives for 4 points
    assert lines[1].split()[:3] == ["linear", "4", "57"]


def test_new_prints_what_it_wrote(tmp_path, capsys):
    folder = tmp_path / "homework"
    assert command("new", folder, "--only", "kl", "--notebook", "--otter") == 0
    names = ["kl.py", "rubric.toml", "exercises.ipynb", "tests/kl.py"]
    assert capsys.readouterr().out.splitlines() == [str(folder / name) for name in names]
    assert all((folder / name).is_file() for name in names)


def test_solutions(tmp_path, capsys):
    assert command("solutions", tmp_path / "solved", "--only", "kl", "--gradescope") == 0
    names = {path.name for path in (tmp_path / "solved").rglob("*") if path.is_file()}
    assert names == {"kl.py", "solution.py", "rubric.toml", "setup.sh", "run_autograder"}
    assert len(capsys.readouterr().out.splitlines()) == 7


def test_the_list_fits_the_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "60")
    assert command("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.startswith(" " * 30) for line in lines)


def test_the_page_for_instructors_counts_them():
    page = Path(__file__).parents[3] / "tutorials" / "grading.md"
    words = {8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen"}
    assert f"There are {words[len(EXERCISES)]}:" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["new"], "was given no folder"),
        (["list", "homework"], "takes no folder"),
        (["new", "homework", "--gradescope"], "--gradescope belongs to `exercises solutions`"),
        (["solutions", "homework", "--otter"], "--otter belongs to `exercises new`"),
        (["new", "homework", "--only", "linaer"], "no exercise 'linaer'"),
    ],
)
def test_bad_words_are_refused_in_one_sentence(tmp_path, monkeypatch, refuses, words, sentence):
    monkeypatch.chdir(tmp_path)
    with refuses(OptionError, sentence):
        command(*words)
    assert list(tmp_path.iterdir()) == []
