"""The exercises through the grader: no points for a gap, all for a solution, by either rubric."""

import subprocess

import pytest

from minivae.course.exercises import EXERCISES, write_exercises, write_solutions
from minivae.course.grading import grade_file, load_rubric

pytestmark = pytest.mark.slow

MISSING = "no gradient was returned for this argument"
POINTS = sum(exercise.points for exercise in EXERCISES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    write_exercises(folder / "student")
    write_solutions(folder / "teacher", gradescope=True)
    return folder


def test_solutions_get_all_points(folder):
    grade = grade_file(folder / "teacher", load_rubric(folder / "teacher" / "rubric.toml"))
    assert grade.passed, str(grade)
    assert (grade.score, grade.max_score) == (POINTS, POINTS)


@pytest.mark.parametrize("name", [exercise.name for exercise in EXERCISES if exercise.kind])
def test_students_rubric_knows_the_operations_of_minivae(folder, name):
    rubric = load_rubric(folder / "student" / "rubric.toml")
    grade = grade_file(folder / "teacher", rubric, name=name)
    assert grade.passed, str(grade)
    assert grade.exercises[0].trusted


def test_gaps_get_none_and_hear_why(folder):
    grade = grade_file(folder / "student", load_rubric(folder / "teacher" / "rubric.toml"))
    assert (grade.score, grade.max_score) == (0, POINTS)
    for exercise in grade.exercises:
        assert exercise.verdict == "wrong"
        assert MISSING in exercise.text


def test_one_file_needs_no_rubric(folder):
    solved, stub = (grade_file(folder / who / "kl.py") for who in ("teacher", "student"))
    assert solved.passed, str(solved)
    assert stub.verdict == "wrong"
    assert MISSING in str(stub)


def test_half_of_a_backward_pass_is_not_right(folder, tmp_path):
    source = (folder / "student" / "linear.py").read_text()
    (tmp_path / "linear.py").write_text(source.replace("# your code here", "dx = dy @ W.T"))
    (exercise,) = grade_file(tmp_path / "linear.py").exercises
    assert exercise.gradients == {"x": "right", "W": "wrong", "b": "wrong"}


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_forward_that_lies_gets_nothing(folder, tmp_path, who):
    """A KL of 0, whose gradients are 0, agrees with itself, but not with the right one."""
    source = (folder / "student" / "kl.py").read_text()
    source = source.replace("return kl, cache", "return 0 * kl, cache")
    source = source.replace("# your code here\n", "dmu = dlogvar = 0 * mu\n")
    (tmp_path / "kl.py").write_text(source)
    (alone,) = grade_file(tmp_path / "kl.py").exercises
    assert alone.verdict == "not checked"
    assert alone.score == 0
    graded = grade_file(tmp_path, load_rubric(folder / who / "rubric.toml"), name="kl")
    assert graded.score == 0
    assert "forward returns other values" in str(graded)


def test_scripts_of_gradescope_are_valid_shell(folder):
    for name in ("setup.sh", "run_autograder"):
        path = folder / "teacher" / "gradescope" / name
        done = subprocess.run(["bash", "-n", path], capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
