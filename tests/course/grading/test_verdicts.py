"""What a grade says: exit codes, points for what is right, and nothing taken where nobody knows."""

import csv
import io
import json
import textwrap

import pytest

from minivae.cli import main
from minivae.course.grading import grade_file, grades_csv, load_rubric, rubric_from_dict, trial
from minivae.course.grading.gradescope import results

from .conftest import LINEAR, WRONG
from .schema import check_results
from .test_commands import run

pytestmark = pytest.mark.slow

ALL = {"name": "linear", "inputs": {"x": "B I", "W": "I O", "b": "O"}, "points": 9}
NOISY = """
import numpy as np
def drop_forward(x):
    mask = np.random.rand(*x.shape) > 0.5
    return x * mask, mask
def drop_backward(dout, mask):
    return dout * mask
"""
RAISES = """
import numpy as np
def squared_loss(p, t):
    d = p - t
    return 0.5 * np.sum(d**2), {"p": d / count}
"""


@pytest.mark.parametrize(
    ("source", "code", "tally"),
    [
        (LINEAR, 0, "1 of 1 right"),
        (WRONG, 1, "0 of 1 right, 1 wrong"),
        (NOISY, 3, "0 of 1 right, 1 right, but ..."),
        (RAISES, 4, "0 of 1 right, 1 not checked"),
        (LINEAR + NOISY + RAISES, 4, "1 of 3 right, 1 right, but ..., 1 not checked"),
        (WRONG + NOISY + RAISES, 1, "0 of 3 right, 1 right, but ..., 1 wrong, 1 not checked"),
        (LINEAR + NOISY, 3, "1 of 2 right, 1 right, but ..."),
    ],
)
def test_each_verdict_has_an_exit_code(student, capsys, source, code, tally):
    assert run(student(source)) == code
    assert capsys.readouterr().out.splitlines()[-1] == f"homework.py: {tally}"


def test_help_lists_the_exit_codes():
    from minivae.course.grading import cli

    for code, word in {0: "right:", 1: "wrong:", 3: "right, but", 4: "not checked"}.items():
        assert f"\n  {code}  {word}" in cli.EPILOG


def test_a_file_that_does_not_import_is_never_right(student, capsys):
    folder = student(LINEAR, "good.py").parent
    student("def f(:\n" + WRONG, "bad.py")
    grade = grade_file(folder)
    assert [(e.name, e.verdict) for e in grade.exercises] == [("linear", "right")]
    assert (grade.verdict, run(folder)) == ("not checked", 4)
    assert "bad.py does not import" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("returned", "share"),
    [
        ("return {'x': dout @ W.T, 'W': x.T @ dout, 'b': dout.sum(0)}", 1),
        ("return {'x': dout @ W.T, 'W': x.T @ dout}", (2 / 3) ** 2),
        ("return {'b': dout.sum(0)}", (1 / 3) ** 2),
        ("return {'x': 0 * x, 'W': 0 * W, 'b': dout.sum(0)}", (1 / 3) ** 2),
        ("return {'x': 0 * x, 'W': 0 * W, 'b': dout.sum(0), 'spare': 0.0}", (1 / 3) ** 2),
        ("return {}", 0),
    ],
)
@pytest.mark.parametrize("truth", [{}, {"kind": "linear"}, "solution"])
def test_points_are_for_the_gradients_that_are_asked_for(student, tmp_path, truth, returned, share):
    end = "return dout @ W.T, x.T @ dout, dout.sum(axis=0)"
    assert end in LINEAR
    table = {"exercise": [ALL | (truth if isinstance(truth, dict) else {})]}
    if truth == "solution":
        (tmp_path / "solution.py").write_text(LINEAR)
        del table["exercise"][0]["inputs"]
        (tmp_path / "solution.py").write_text(LINEAR + EXAMPLE)
        table["solution"] = "solution.py"
    rubric = rubric_from_dict(table, tmp_path / "rubric.toml")
    grade = grade_file(student(LINEAR.replace(end, returned)), rubric)
    assert grade.score == pytest.approx(9 * share, abs=1e-3), str(grade)


EXAMPLE = """
def example():
    n = np.random.default_rng(1).standard_normal
    return {"x": n((3, 5)), "W": n((5, 2)), "b": n(2)}
"""
SCALE = """
import numpy as np
class Scale:
    def __init__(self, n):
        self.g = np.linspace(1, 2, n)
        self.extra = np.linspace(2, 3, n)
    def forward(self, x):
        self.x = x
        return x * self.g + self.extra
    def backward(self, dout):
        self.dg = 2 * (dout * self.x).sum(0)
        self.dextra = dout.sum(0)
        return dout * self.g
"""


def test_parameters_that_nobody_asked_for_gain_nothing(graded):
    """Where nobody names them, parameters are one gradient together, however many there are."""
    exercise = {"name": "Scale", "inputs": {"x": "B D"}, "init": {"n": "D"}, "points": 4}
    assert graded(SCALE, exercise).score == 4 * (1 / 2) ** 2
    assert graded(SCALE, {**exercise, "gradients": ["x", "g"]}).score == 1.0
    assert graded(SCALE, {**exercise, "gradients": ["x", "missing"]}).score == 1.0
    assert graded(SCALE.replace("2 * (dout", "(dout"), exercise).score == 4.0


USELESS = """
import numpy as np
class linear:
    def __init__(self):
        for i in range(300):
            setattr(self, f"p{i}", np.ones(1))
    def forward(self, x, W, b):
        return x @ W + b
    def backward(self, dout):
        return {"x": 0, "W": 0, "b": 0, **{f"p{i}": np.zeros(1) for i in range(300)}}
"""
TRIVIAL = USELESS.replace("x @ W + b", "x @ W + b + sum(getattr(self, f'p{i}') for i in range(30))")
TRIVIAL = TRIVIAL.replace("np.zeros(1) for", "np.sum(dout).reshape(1) for").replace("300", "30")


@pytest.mark.parametrize("source", [USELESS, TRIVIAL], ids=["useless", "trivial"])
@pytest.mark.parametrize("truth", ["nothing", "inputs", "kind", "solution"])
def test_gradients_that_nobody_asked_for_are_worth_nothing(student, tmp_path, source, truth):
    table = {"exercise": [{"name": "linear", "points": 4}]}
    if truth in ("inputs", "kind"):
        table["exercise"][0] |= {"inputs": ALL["inputs"]}
    if truth == "kind":
        table["exercise"][0] |= {"kind": "linear"}
    if truth == "solution":
        table["solution"] = "solution.py"
        (tmp_path / "solution.py").write_text(LINEAR + EXAMPLE)
    grade = grade_file(student(source), rubric_from_dict(table, tmp_path / "rubric.toml"))
    # All that can be won without deriving x, W and b is one part of four, by the parameters.
    most = 4 * (1 / 4) ** 2 if truth in ("nothing", "inputs") and source is TRIVIAL else 0
    assert grade.score <= most, str(grade)


def test_a_part_of_what_a_function_takes_is_not_all(graded):
    """Where a rubric names nothing at all, it asks for the gradients of all arguments."""
    end = "return dout @ W.T, x.T @ dout, dout.sum(axis=0)"
    part = LINEAR.replace(end, 'return {"b": dout.sum(0)}')
    assert graded(part, {"name": "linear", "points": 9}).score == pytest.approx(1.0)
    assert graded(LINEAR, {"name": "linear", "points": 9}).score == 9.0


@pytest.mark.parametrize("truth", [True, False])
def test_parameters_that_are_called_otherwise_are_left_to_a_person(student, tmp_path, truth):
    (tmp_path / "solution.py").write_text(SCALE.replace("2 * (dout", "(dout"))
    exercise = {"name": "Scale", "inputs": {"x": "B D"}, "init": {"n": "D"}, "points": 9}
    table = {"exercise": [exercise], "solution": "solution.py"}
    other = SCALE.replace("2 * (dout", "(dout").replace("self.g ", "self.gain ")
    other = other.replace("self.g)", "self.gain)").replace("self.g\n", "self.gain\n")
    source = other.replace("* self.g ", "* self.gain ").replace("self.dg", "self.dgain")
    source = SCALE.replace("2 * (dout", "(dout") if truth else source
    grade = grade_file(student(source), rubric_from_dict(table, tmp_path / "rubric.toml"))
    assert grade.is_open is not truth, str(grade)
    assert grade.score == (9.0 if truth else 4.0)
    assert ("a gradient of g was asked for" in str(grade)) is not truth


def test_a_forward_pass_gets_points_only_where_the_rubric_gives_them(graded):
    exercise = {"name": "linear", "kind": "linear", "points": 4}
    stub = LINEAR.replace("return dout @ W.T, x.T @ dout, dout.sum(axis=0)", "return {}")
    assert graded(stub, exercise).score == 0
    assert graded(stub, {**exercise, "forward_points": 1}).score == 1
    wrong = stub.replace("x @ W + b", "x @ W - b")
    assert graded(wrong, {**exercise, "forward_points": 1}).score == 0
    assert graded(LINEAR, {**exercise, "forward_points": 1}).score == 4


MEAN = LINEAR.replace("x.T @ dout, dout.sum(axis=0)", "x.T @ dout / len(x), dout.mean(axis=0)")


def test_the_instructors_truth_decides_on_a_mean_in_the_layer(student, graded, tmp_path):
    assert graded(MEAN).verdict == "right, but"
    assert graded(MEAN, ALL).score == 9
    assert graded(MEAN, ALL | {"kind": "linear"}).verdict == "wrong"
    for solution, verdict in ((LINEAR, "wrong"), (MEAN, "right")):
        (tmp_path / "solution.py").write_text(solution)
        rubric = rubric_from_dict(
            {"solution": "solution.py", "exercise": [ALL]}, tmp_path / "rubric.toml"
        )
        assert grade_file(student(MEAN), rubric).verdict == verdict
        assert grade_file(student(LINEAR), rubric).verdict == "right"


STOPPED = """
import numpy as np
def pull_forward(z, e):
    d = z - e  # z is stop_grad(z)
    return np.sum(d**2), d
def pull_backward(dloss, d):
    return 0 * d, -2 * dloss * d
"""


def test_the_instructors_truth_decides_on_a_stopped_gradient(student, tmp_path):
    (tmp_path / "solution.py").write_text(STOPPED)
    exercise = {"name": "pull", "inputs": {"z": "B D", "e": "B D"}, "points": 4}
    alone = rubric_from_dict({"exercise": [exercise]})
    grade = grade_file(student(STOPPED), alone)
    assert (grade.verdict, grade.score) == ("not checked", 1.0)
    assert "so far; the rest could not be checked: tell your instructor" in str(grade)
    rubric = rubric_from_dict(
        {"solution": "solution.py", "exercise": [exercise]}, tmp_path / "rubric.toml"
    )
    grade = grade_file(student(STOPPED), rubric)
    assert (grade.verdict, grade.score) == ("right", 4.0), str(grade)
    grade = grade_file(student(STOPPED.replace("0 * d", "3 * dloss * d")), rubric)
    assert (grade.verdict, grade.score) == ("wrong", 1.0)


def test_a_crash_of_the_doctor_takes_no_points(student, tmp_path, monkeypatch, capsys):
    def broken(*args, **options):
        raise ValueError("no idea")

    monkeypatch.setattr(trial, "check_subject", broken)
    rubric = tmp_path / "rubric.toml"
    rubric.write_text('[[exercise]]\nname = "linear"\nkind = "linear"\npoints = 4\n')
    out = tmp_path / "results.json"
    path = student(LINEAR)
    assert run(path, "--points", rubric, "--gradescope", out, "--json") == 4
    (exercise,) = json.loads(capsys.readouterr().out)["exercises"]
    assert exercise["crashes"][0].startswith("ValueError: no idea at test_verdicts.py:")
    assert exercise["open"]
    content = json.loads(out.read_text())
    check_results(content)
    assert "score" not in content
    assert "score" not in content["tests"][0]
    assert "tell your instructor" in " ".join(content["tests"][0]["output"].split())
    assert "no idea" not in out.read_text()
    table = tmp_path / "grades.csv"
    code = run("--batch", path.parent, "--points", rubric, "--csv", table)
    (row,) = csv.DictReader(io.StringIO(table.read_text()))
    assert (code, row["score"], row["linear"], row["verdict"]) == (4, "", "", "not checked")
    assert "look at linear" in row["remarks"]
    assert "ValueError: no idea" in row["remarks"]


def test_a_crash_before_any_point_stops_nothing(student, monkeypatch):
    from minivae.course.grading import submission

    def broken(target, exercise, *rest):
        if exercise.name == "linear":
            raise TypeError("no idea")
        return choices(target, exercise, *rest)

    choices = submission.points_of
    monkeypatch.setattr(submission, "points_of", broken)
    sigmoid = textwrap.dedent("""
        def sigmoid_forward(x):
            s = 1 / (1 + np.exp(-x))
            return s, s
        def sigmoid_backward(dout, s):
            return dout * s * (1 - s)
    """)
    rubric = rubric_from_dict(
        {"exercise": [ALL, {"name": "sigmoid", "kind": "sigmoid", "points": 2}]}
    )
    grade = grade_file(student(LINEAR + sigmoid), rubric)
    assert [e.verdict for e in grade.exercises] == ["not checked", "right"]
    assert (grade.score, grade.is_open) == (2.0, True)
    assert grade.exercises[0].crashes[0].startswith("TypeError: no idea")
    content = results(grade)
    check_results(content)
    assert content["score"] == 2.0
    assert ["score" in test for test in content["tests"]] == [False, True]


def test_code_that_raises_has_its_points_lost_and_not_open(graded):
    grade = graded(LINEAR.replace("    x, W = cache", "    x, W = 1 / 0"), ALL | {"kind": "linear"})
    assert (grade.verdict, grade.score, grade.is_open) == ("not checked", 0.0, False)
    assert "0," in grades_csv([grade])


def test_code_whose_way_of_being_called_is_unknown_is_open(graded):
    source = """
    import numpy as np
    def scale_forward(x, w):
        return x * w, {"x": x, "w": w}
    def scale_backward(cache, labels, other):
        return labels * cache["w"], labels * cache["x"]
    """
    grade = graded(source, {"name": "scale", "inputs": {"x": "B D", "w": "B D"}})
    assert (grade.verdict, grade.is_open) == ("not checked", True)
    assert "tell your instructor" in str(grade)


def test_rubrics_say_what_is_wrong_with_their_points(tmp_path):
    from minivae.errors import OptionError

    path = tmp_path / "rubric.toml"
    path.write_text('[[exercise]]\nname = "a"\npoints = 2\ncontract_points = 1\nforward_points = 2')
    with pytest.raises(OptionError, match="forward_points: 2 is not between 0 and what is left"):
        load_rubric(path)


def test_json_is_one_object_and_nothing_else(student, capsys):
    path = student(LINEAR)
    assert main(["check", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "right"
