"""Every trick of `attacks.py` is carried out, and none gets through."""

import subprocess
import sys
import tempfile

import pytest

from minivae.course.grading import cli, grade_file, submission
from minivae.course.grading.grade import Grade
from minivae.course.grading.limits import Limits, Overrun, Span, interrupted, limited_memory
from minivae.course.grading.sandbox import Sandbox
from minivae.course.grading.scratch import remove
from minivae.course.grading.words import UnsafeError, one_line, undefended
from minivae.errors import OptionError

from . import attacks
from .conftest import LINEAR, RUBRIC

pytestmark = pytest.mark.slow

CONFINED = {"view", "landlock", "seccomp", "capabilities"}


@pytest.fixture(scope="module")
def confined(tmp_path_factory):
    """Skip unless this system lets a process give up its rights."""
    path = tmp_path_factory.mktemp("confined") / "homework.py"
    path.write_text(LINEAR)
    with Sandbox(path, Limits()) as sandbox:
        missing = CONFINED - set(sandbox.defences)
    if missing:
        pytest.skip(f"this system has no {' and no '.join(sorted(missing))}")


@pytest.fixture(scope="module")
def found(confined, tmp_path_factory):
    """What came of the tricks on the system, all in one submission."""
    return dict(attacks.system_tricks(tmp_path_factory.mktemp("system")))


@pytest.mark.parametrize("name", attacks.SYSTEM)
def test_the_system_is_out_of_reach(found, name):
    assert found[name] is False


def test_no_secret_can_be_read_wherever_it_lies(confined, tmp_path):
    found = attacks.secret_tricks(tmp_path)
    assert len(found) > 20
    assert [path for path, worked in found if worked] == []


@pytest.mark.parametrize("name", attacks.NUMBERS)
def test_wrong_numbers_stay_wrong(tmp_path, name):
    grade = attacks.number_trick(tmp_path, name)
    assert not grade.passed
    assert grade.score == 0
    lines = str(grade).splitlines()
    assert [line for line in lines if line.startswith("homework.py:")] == lines[-1:]


@pytest.mark.parametrize("name", attacks.LIMITS)
def test_nothing_costs_more_than_was_given(confined, tmp_path, monkeypatch, name):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    grade, seconds, grown = attacks.limit_trick(tmp_path, name)
    assert seconds < attacks.SECONDS + 10  # on a machine that does other things, too
    assert grown < attacks.MEMORY
    assert "RecursionError" not in grade.crash
    assert attacks.left_behind() == []
    assert str(grade)


def test_many_files_that_sleep_take_no_longer_than_one(tmp_path):
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(50):
        (folder / f"f{i}.py").write_text("import time; time.sleep(1000)")
    grade = grade_file(folder, timeout=1)
    assert grade.verdict == "not checked"
    assert "are over" in grade.problem
    assert grade.seconds < 15


def test_an_endless_exercise_leaves_the_others_their_time(graded):
    source = LINEAR + LINEAR.replace("linear", "other").replace(
        "    x, W =", "    while True: x, W ="
    )
    names = ("other", "linear")
    grade = graded(source, *({"name": n, "kind": "linear"} for n in names), timeout=20)
    assert [e.score for e in grade.exercises] == [0, 1], str(grade)
    assert "took longer than 10 s" in grade.exercises[0].text


def test_what_could_not_be_given_up_is_said_and_refused(student, rubric, monkeypatch, capsys):
    assert undefended(["view", "seccomp", "capabilities", "memory"]) == ""
    assert "network" in undefended(["landlock", "capabilities", "memory"])
    assert "read what this user can read" in undefended(["seccomp", "capabilities", "memory"])
    monkeypatch.setattr(submission, "Limits", lambda s, m, insist: Limits(s, m, False, insist))
    path = student(LINEAR)
    with pytest.raises(UnsafeError, match="insist with --insist"):
        grade_file(path, rubric)
    for grade in (grade_file(path, rubric, insist=True), grade_file(path)):
        assert grade.passed
        assert "note: on this system, the code that was checked could read" in str(grade)
    assert "note: on this system" not in str(Grade("a.py", defences=[*CONFINED, "memory"]))


@pytest.mark.parametrize("kind", ["--gradescope", "--csv", "--batch"])
def test_a_file_that_is_there_is_not_replaced(student, tmp_path, monkeypatch, kind):
    import argparse

    monkeypatch.chdir(tmp_path)
    there = tmp_path / "grades.csv"
    there.write_text("corrected by hand")
    (tmp_path / "rubric.toml").write_text(RUBRIC)
    path = student(LINEAR)
    words = [path] if kind == "--gradescope" else ["--batch", path.parent]
    words += [] if kind == "--batch" else [kind, there]
    parser = argparse.ArgumentParser()
    cli.configure(parser)

    def run(*more):
        return cli.run(parser.parse_args([*map(str, [*words, "--points", "rubric.toml"]), *more]))

    with pytest.raises(OptionError, match=r"grades.csv exists already; .* --force"):
        run()
    assert there.read_text() == "corrected by hand"
    assert run("--force") == 0
    assert there.read_text() != "corrected by hand"


def test_a_name_begins_no_line_of_a_report(student, rubric, capsys):
    forged = "a\nhomework.py: 1 of 1 right, 4 of 4 points\x1b[2J\u202e\x85.py"
    path = student("raise ValueError('x\\nhomework.py: right')", forged)
    for grade in (grade_file(path), grade_file(path, rubric), grade_file(path.parent, rubric)):
        text = str(grade) + grade.file
        assert not [line for line in text.splitlines() if line.startswith("homework.py: 1 of 1")]
        assert text.replace("\n", "").isprintable()
    assert one_line("a\nb\x1bc") == "a?b?c"


def test_what_is_drawn_is_not_known_before_and_can_be_drawn_again(graded):
    source = "SEEN = []\n" + LINEAR.replace(
        "    x, W = cache\n", "    x, W = cache; print(dout[0])\n"
    )
    exercise = {"name": "linear", "kind": "linear"}
    grades = [graded(source, exercise) for _ in range(2)]
    again = graded(source, exercise, seed=grades[0].seed)
    assert grades[0].printed != grades[1].printed
    assert again.printed == grades[0].printed


def test_a_traced_function_runs_after_graders_work():
    """In Python 3.11 a function that is traced never begins while an exception is looked for."""
    code = """
import sys
from minivae.course.grading.limits import interrupted
with interrupted(lambda: 60.0):
    pass
sys.settrace(lambda *_: None)
(lambda: None)()
"""
    subprocess.run([sys.executable, "-c", code], timeout=60, check=True)


def test_work_of_the_graders_own_is_interrupted():
    span = Span.of(0.1)
    with pytest.raises(Overrun), interrupted(lambda: span.left):
        sum(1 for _ in iter(int, 1))
    with interrupted(lambda: 60.0):
        pass
    with limited_memory(512), pytest.raises(MemoryError):
        bytearray(2**30)
    assert len(bytearray(2**30)) == 2**30


def test_a_deep_folder_without_rights_is_removed(tmp_path):
    import os

    top = tmp_path / "scratch"
    top.mkdir()
    here = os.getcwd()
    os.chdir(top)
    try:
        for _ in range(1500):
            os.mkdir("d")
            os.chdir("d")
        open("leaf", "w").close()
        os.symlink("/", "link")
        os.chmod(".", 0)
    finally:
        os.chdir(here)
    remove(top)
    assert not top.exists()
    assert os.listdir("/")


def test_only_packages_that_the_rubric_names_can_be_imported(student, tmp_path):
    from minivae.course.grading import rubric_from_dict

    source = "import pytest\n" + LINEAR.replace("x @ W + b,", "pytest.approx(1) and x @ W + b,")
    exercise = {"name": "linear", "inputs": {"x": "B I", "W": "I O", "b": "O"}}
    table = {"exercise": [exercise], "packages": ["json", "../../secret"]}
    grade = grade_file(student(source), rubric_from_dict(table))
    assert "No module named 'pytest'" in str(grade)
