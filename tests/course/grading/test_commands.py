"""The command, the table of a batch, Gradescope's results, and the messages between processes."""

import argparse
import csv
import io
import json
import time

import numpy as np
import pytest

from minivae.course.grading import cli, grade_file, grade_folder, grades_csv
from minivae.course.grading.gradescope import results
from minivae.course.grading.sandbox import Limits
from minivae.course.grading.worker import messages
from minivae.errors import OptionError

from .conftest import LINEAR, RUBRIC, WRONG
from .schema import check_results

SIGMOID = """
import numpy as np
def sigmoid_forward(x):
    s = 1 / (1 + np.exp(-x))
    return s, s
def sigmoid_backward(dout, cache):
    return dout * cache * (1 - cache)
"""


def run(*words):
    parser = argparse.ArgumentParser()
    cli.configure(parser)
    return cli.run(parser.parse_args([str(word) for word in words]))


def test_exit_codes_and_json(student, tmp_path, capsys):
    out = tmp_path / "results.json"
    path = student(LINEAR + SIGMOID)
    assert run(path, "--json", "--gradescope", out) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["verdict"] == "right"
    assert [e["name"] for e in printed["exercises"]] == ["linear", "sigmoid"]
    content = json.loads(out.read_text())
    check_results(content)
    assert [test["status"] for test in content["tests"]] == ["passed", "passed"]
    assert run(student(WRONG, "wrong.py")) == 1
    text = capsys.readouterr().out
    assert "takes the mean where the sum belongs" in " ".join(text.split())
    assert max(map(len, text.splitlines())) <= 100
    assert run(f"{path}::sigmoid") == 0
    assert "linear" not in capsys.readouterr().out
    with pytest.raises(OptionError, match=r"no file absent.py; name a file or folder"):
        run(tmp_path / "absent.py")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--csv", "x"], "--csv is the table of --batch"),
        (["--json"], "a FILE to check is missing"),
        (["a.py", "--batch", "x"], "--batch goes without FILE"),
        (["a.py", "--timeout", "0"], "the time limit is 0"),
        (["a.py", "--memory", "1"], "the memory limit is 1 MB"),
        (["--batch", "nowhere"], "nowhere is no folder"),
    ],
)
def test_wrong_usage_is_one_sentence(words, expected):
    with pytest.raises(OptionError, match=expected):
        run(*words)


def test_wrong_rubric_leaves_results_that_say_nothing_of_it(student, tmp_path):
    rubric = tmp_path / "hidden-rubric.toml"
    rubric.write_text("nonsense = 1")
    out = tmp_path / "results.json"
    with pytest.raises(OptionError, match="nonsense"):
        run(student(LINEAR), "--points", rubric, "--gradescope", out)
    content = json.loads(out.read_text())
    check_results(content)
    assert "hidden-rubric" not in out.read_text()


def test_folder_of_files_is_one_submission(student, tmp_path):
    student(LINEAR, "linear.py")
    folder = student(SIGMOID, "activations.py").parent
    student("import sys; sys.exit(1)", "notes.py")
    path = tmp_path / "rubric.toml"
    path.write_text(
        RUBRIC + '[[exercise]]\nname = "sigmoid"\nkind = "sigmoid"\ninputs = {x = "B D"}'
    )
    from minivae.course.grading import load_rubric

    grade = grade_file(folder, load_rubric(path))
    assert [(e.name, e.score) for e in grade.exercises] == [("linear", 4.0), ("sigmoid", 1.0)]


def test_batch(tmp_path, rubric, capsys):
    folder = tmp_path / "submissions"
    (folder / "carol").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "alice.py").write_text(LINEAR)
    (folder / "bob.py").write_text(WRONG)
    (folder / "carol" / "linear.py").write_text(LINEAR)
    (folder / "dave.py").write_text("import alice\nfrom alice import *\n")
    (folder / "=cmd().py").write_text("while True: pass\n")
    (folder / "notes.txt").write_text("not a submission")
    rubric_path = tmp_path / "rubric.toml"
    out = tmp_path / "grades.csv"
    code = run("--batch", folder, "--points", rubric_path, "--csv", out, "--timeout", "6")
    assert code == 1
    rows = {row["submission"]: row for row in csv.DictReader(io.StringIO(out.read_text()))}
    assert list(rows) == ["'=cmd().py", "alice.py", "bob.py", "carol", "dave.py", "empty"]
    assert [row["score"] for row in rows.values()] == ["0", "4", "1.7778", "4", "0", "0"]
    assert {row["max_score"] for row in rows.values()} == {"4"}
    assert rows["bob.py"]["linear"] == "1.7778"
    assert "takes the mean where the sum belongs" in rows["bob.py"]["remarks"]
    assert "No module named 'alice'" in rows["dave.py"]["remarks"]
    assert "there is no Python file" in rows["empty"]["remarks"]
    assert "6 submissions" in capsys.readouterr().out


def test_batch_goes_on_where_the_grader_fails(tmp_path, monkeypatch):
    from minivae.course.grading import batch

    (tmp_path / "a.py").write_text(LINEAR)
    monkeypatch.setattr(batch, "grade_file", lambda *a, **k: 1 / 0)
    grades = grade_folder(tmp_path)
    assert "tell your instructor" in grades[0].problem
    assert grades[0].crash.startswith("ZeroDivisionError: division by zero at test_commands.py:")
    assert grades[0].verdict == "not checked"
    (row,) = csv.DictReader(io.StringIO(grades_csv(grades)))
    assert (row["score"], row["verdict"]) == ("", "not checked")
    assert "ZeroDivisionError" in row["remarks"]


def test_empty_batch_is_said(tmp_path):
    with pytest.raises(OptionError, match="holds no submission"):
        grade_folder(tmp_path)


def test_results_without_a_rubric_or_an_exercise(graded):
    content = results(graded("x = 1"))
    check_results(content)
    assert content["tests"][0]["status"] == "failed"
    assert "nothing was found" in content["tests"][0]["output"]


def test_visibility_of_the_rubric(graded):
    exercise = {"name": "linear", "kind": "linear", "visibility": "after_due_date"}
    content = results(graded(LINEAR, exercise))
    assert content["tests"][0]["visibility"] == "after_due_date"


def test_an_exercise_takes_less_than_three_seconds(graded):
    source = """
    import numpy as np
    def abs_forward(x, W, b):
        h = np.abs(x @ W + b)
        return np.maximum(h, 0.1), (x, W, b, h)
    def abs_backward(dout, cache):
        x, W, b, h = cache
        d = dout * (h > 0.1) * np.sign(x @ W + b)
        return d @ W.T, x.T @ d, d.sum(0)
    """
    grade = graded(source)
    assert grade.passed
    assert grade.exercises[0].reports[0].method == "central differences"
    assert min([grade.seconds, *(graded(source).seconds for _ in range(grade.seconds >= 3))]) < 3.0


def test_limits():
    assert Limits().seconds == 60.0
    with pytest.raises(OptionError, match="seconds must be a finite number"):
        Limits(seconds=float("nan"))


VALUES = [
    None,
    True,
    3,
    2.5,
    float("inf"),
    "text",
    [1, (2.0, None)],
    {"a": {"b": [1]}},
    np.arange(6, dtype=np.int32).reshape(2, 3).T,
    np.array(1 + 2j),
    np.zeros((0, 3), np.float32),
    np.array([True, False]),
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_values_survive_a_message(value):
    back = messages.decode(messages.encode(value))
    assert type(back) is type(value)
    np.testing.assert_equal(back, value)
    if isinstance(value, np.ndarray):
        assert back.dtype == value.dtype
        assert back.flags.writeable


def test_other_values_are_opaque():
    back = messages.decode(messages.encode([object(), np.array([None]), np.float64(2.0), 1j]))
    assert [type(part) for part in back[:2]] == [messages.Opaque] * 2
    assert (back[2], back[3]) == (2.0, 1j)
    assert repr(back[0]) == "<object>"


BAD = [
    b"",
    b"\xff\xff\xff\xff",
    b"\x02\x00\x00\x00{]",
    b"\x0b\x00\x00\x00" + b'{"other":1}' + b"left over",
    b'\x1a\x00\x00\x00{"array": ["<f8", [1, 2]]}',
    b'\x1b\x00\x00\x00{"array": ["|O", [1, 2, 3]]}',
    b'\x17\x00\x00\x00{"array": ["<f8", [-1]]}',
    b'\x10\x00\x00\x00{"a": 1, "b": 2}',
    b'\x0f\x00\x00\x00{"pickle": "x"}',
    b"\x20\x00\x00\x00" + b'{"list":[' * 3 + b"1]}]}",
    b"\x10\x4e\x00\x00" + b"[" * 20000,
]


@pytest.mark.parametrize("body", BAD, ids=range(len(BAD)))
def test_broken_bodies_are_refused(body):
    with pytest.raises(messages.MessageError):
        messages.decode(body)


def test_frames_need_the_token_and_a_length():
    token = b"t" * messages.TOKEN
    frame = messages.frame(token, b"body")
    assert messages.read_frame(token, io.BytesIO(frame).read) == b"body"
    with pytest.raises(messages.MessageError, match="token"):
        messages.read_frame(b"u" * messages.TOKEN, io.BytesIO(frame).read)
    with pytest.raises(EOFError):
        messages.read_frame(token, io.BytesIO(frame[:-1]).read)
    with pytest.raises(EOFError):
        messages.read_frame(token, io.BytesIO(b"").read)
    huge = token + b"\xff" * 8
    with pytest.raises(messages.MessageError, match="too long"):
        messages.read_frame(token, io.BytesIO(huge).read)


def test_too_much_is_not_sent():
    with pytest.raises(messages.MessageError, match="more than 64 MB"):
        messages.encode([np.zeros(2**22)] * 3)
    with pytest.raises(messages.MessageError, match="nested"):
        messages.encode([0] * 10**4)
    start = time.monotonic()
    loop = []
    loop.append(loop)
    with pytest.raises(messages.MessageError, match="nested"):
        messages.encode(loop)
    assert time.monotonic() - start < 1


def test_a_batch_by_two_processes_and_resumed(tmp_path, rubric):
    folder, points = tmp_path / "submissions", tmp_path / "rubric.toml"
    folder.mkdir()
    for name in "abcd":
        (folder / f"{name}.py").write_text(WRONG if name == "b" else LINEAR)
    words = ["--batch", folder, "--points", points, "--seed", "3", "--csv"]
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    assert run(*words, one, "--jobs", "1") == run(*words, two, "--jobs", "2") == 1
    assert one.read_bytes() == two.read_bytes()
    kept = one.read_text().splitlines()
    two.write_text("\n".join([*kept[:2], kept[2].replace("b.py,", "b.py,by hand "), ""]))
    run(*words, two, "--resume")
    rows = two.read_text().splitlines()
    assert rows[2].startswith("b.py,by hand ")  # what has a row is not graded again
    assert [*rows[:2], *rows[3:]] == [*kept[:2], *kept[3:]]
    two.write_text("nothing,like\nit,\n")
    with pytest.raises(OptionError, match="is no table of grades"):
        run(*words, two, "--resume")
