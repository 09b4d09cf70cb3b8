"""Rubrics: what they may say, what is wrong with them, and how points are given."""

import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from minivae.course.grading import grade_file, load_rubric
from minivae.course.grading.combine import guesses
from minivae.course.grading.discover import Target
from minivae.course.grading.inputs import (
    SIZES,
    Spec,
    draw,
    other_sizes,
    parse_spec,
    vary,
)
from minivae.course.grading.rubric import rubric_from_dict, to_toml
from minivae.course.score import score
from minivae.errors import OptionError

from .conftest import LINEAR, RUBRIC, WRONG

ERRORS = {
    "no TOML": ("[[exercise", "this is no TOML"),
    "no exercise": ("title = 'sheet'", "there is no exercise"),
    "no name": ("[[exercise]]\npoints = 1", "name: it is missing"),
    "unknown key": (RUBRIC + "weight = 2", "weight: there is no such key"),
    "unknown top key": ("grader = 'x'", "grader: there is no such key"),
    "two of a name": (RUBRIC + RUBRIC, "two exercises called 'linear'"),
    "points that are text": (RUBRIC.replace("4", "'four'"), "points: 'four' was given"),
    "negative points": (RUBRIC.replace("4", "-1"), "points: -1 is not a number from 0 on"),
    "too many contract points": (RUBRIC + "contract_points = 5", "contract_points: 5 is not"),
    "axes": (RUBRIC.replace("B I", "batch I"), "inputs.x: 'batch' in 'batch I' is no axis"),
    "axes that are no text": (RUBRIC.replace('"B I"', "3"), "inputs.x: write its axes as text"),
    "fixed": (RUBRIC + 'fixed = ["eps"]', "fixed: 'eps' is not among the inputs"),
    "kind": (RUBRIC.replace('"linear"\npoints', '"conv9"\npoints'), "kind: no operation is called"),
    "sizes": (RUBRIC + "sizes = {B = 0}", "sizes.B: 0 is no positive whole number"),
    "visibility": (RUBRIC + 'visibility = "later"', "visibility: 'later' is not one of visible"),
    "tolerance": (RUBRIC + "tolerance = 2.0", "tolerance: 2.0 is not between 0 and 1"),
    "solution": ('solution = "absent.py"\n' + RUBRIC, "solution: there is no file absent.py"),
    "true": (RUBRIC + "vary_sizes = 1", "vary_sizes: 1 was given, but it must be true or false"),
}


@pytest.mark.parametrize("mistake", ERRORS)
def test_mistake_in_a_rubric_is_one_sentence(tmp_path, mistake):
    text, expected = ERRORS[mistake]
    path = tmp_path / "rubric.toml"
    path.write_text(text)
    with pytest.raises(OptionError) as caught:
        load_rubric(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert expected in message
    assert "\n" not in message


EVERY_KEY = """
title = "Sheet \\"3\\""
file = "homework.py"

[[exercise]]
name = "linear"
points = 4
title = "A linear layer"
kind = "linear"
inputs = {x = "B I", "params.W" = "I O", y = "B labels:O", p = "B 3 unit"}
fixed = ["y"]
options = {keep = 0.7, name = "a"}
init = {n_in = "I"}
sizes = {Q = 9, B = 4}
vary_sizes = false
contract_points = 1
forward_points = 0.5
gradients = ["W"]
tolerance = 1e-05
visibility = "hidden"

[[exercise]]
name = "kl"
points = 1.5
"""


def test_a_rubric_is_written_as_it_is_read(tmp_path):
    rubric = rubric_from_dict(tomllib.loads(EVERY_KEY))
    text = to_toml(rubric)
    assert rubric_from_dict(tomllib.loads(text)) == rubric
    assert [line for line in text.splitlines() if line] == [
        line.replace("points = 4", "points = 4.0").replace(
            "contract_points = 1", "contract_points = 1.0"
        )
        for line in EVERY_KEY.splitlines()
        if line
    ]
    (tmp_path / "solution.py").touch()
    (tmp_path / "rubric.toml").write_text(to_toml(replace(rubric, solution=Path("solution.py"))))
    assert load_rubric(tmp_path / "rubric.toml").solution == tmp_path / "solution.py"


@pytest.mark.parametrize(
    ("gradients", "lost", "expected"),
    [
        ([True, True], 0, 8),
        ([True, True], 3, 5),
        ([True, False], 0, 2),
        ([True, False], 4, 1),
        ([True, True, True, False], 0, 4.5),
        ([False, False], 0, 0),
        ([], 0, 0),
    ],
)
def test_half_of_the_gradients_are_worth_a_quarter(gradients, lost, expected):
    assert score(gradients, points=8, lost=lost) == expected


def test_missing_rubric_is_said(tmp_path):
    with pytest.raises(OptionError, match="the rubric cannot be read"):
        load_rubric(tmp_path / "none.toml")


def test_partial_credit(student, rubric):
    grade = grade_file(student(LINEAR), rubric)
    assert (grade.score, grade.max_score) == (4.0, 4.0)
    assert grade_file(student(WRONG), rubric).score == pytest.approx(4 * (2 / 3) ** 2, abs=1e-3)
    changes = LINEAR.replace("    x, W = cache", "    x, W = cache\n    dout[0] = 0 * dout[0]")
    assert grade_file(student(changes), rubric).score < 1


def test_broken_contract_costs_its_points(graded):
    source = LINEAR.replace("(dout, cache):", "(dout, cache):\n    dx = dout @ cache[1].T")
    source = source.replace(
        "return dout @ W.T, x.T @ dout, dout.sum(axis=0)",
        "dW, db = x.T @ dout, dout.sum(0); dout += 1; return dx, dW, db",
    )
    exercise = {"name": "linear", "kind": "linear", "points": 8, "contract_points": 3}
    assert graded(source, exercise).score == 5.0
    del exercise["contract_points"]
    assert graded(source, exercise).score == 8.0  # nothing is lost that the rubric does not ask for
    assert graded(source, exercise).verdict == "right, but"


def test_arguments_by_other_names_are_matched_in_order(graded):
    source = LINEAR.replace("x, W, b", "inp, weights, offset").replace(
        "x @ W + b, (x, W)", "inp @ weights + offset, (inp, weights)"
    )
    exercise = {"name": "linear", "kind": "linear", "inputs": {"x": "B I", "W": "I O", "b": "O"}}
    grade = graded(source, exercise)
    assert grade.score == 1.0
    assert list(grade.exercises[0].gradients) == ["inp", "weights", "offset"]


def test_gradient_that_is_not_returned_is_wrong(graded):
    source = LINEAR.replace(", dout.sum(axis=0)", "")
    exercise = {"name": "linear", "kind": "linear", "points": 4, "contract_points": 0}
    grade = graded(source, exercise)
    assert grade.exercises[0].gradients == {"x": "right", "W": "right", "b": "wrong"}
    assert grade.score == pytest.approx(4 * (2 / 3) ** 2, abs=1e-3)


def test_gradient_of_fixed_arguments_may_be_returned_or_not(graded):
    source = """
    import numpy as np
    def bce_forward(logits, y):
        loss = np.mean(np.sum(np.logaddexp(0, logits) - y * logits, axis=1))
        return loss, (logits, y)
    def bce_backward(dloss, cache):
        logits, y = cache
        p = 1 / (1 + np.exp(-logits))
        return dloss * (p - y) / len(y)
    """
    exercise = {"name": "bce", "inputs": {"logits": "B D", "y": "B D binary"}, "points": 2}
    assert graded(source, exercise).score == 2.0
    both = source.replace("/ len(y)\n", "/ len(y), None\n")
    assert graded(both, exercise).score == 2.0


def test_solution_is_the_truth(student, tmp_path):
    solution = """
import numpy as np
def energy_loss(params, x, eps):
    h = np.tanh(x @ params["W"]) + eps
    dh = 2 * h * (1 - (h - eps) ** 2)
    return (h ** 2).sum(), {"W": x.T @ dh}
"""
    (tmp_path / "solution.py").write_text(solution)
    rubric = tmp_path / "rubric.toml"
    rubric.write_text(
        'solution = "solution.py"\n[[exercise]]\nname = "energy"\npoints = 2\n'
        'inputs = {"params.W" = "I O", x = "B I", eps = "B O"}\nfixed = ["x", "eps"]\n'
    )
    rubric = load_rubric(rubric)
    assert grade_file(student(solution), rubric).score == 2.0
    # Consistent in itself, but another function: the gradient is that of its own forward pass.
    other = solution.replace("(h ** 2).sum()", "2 * (h ** 2).sum()").replace("dh = 2", "dh = 4")
    grade = grade_file(student(other), rubric)
    assert grade.score == 0.0
    assert "forward returns other values than it should" in grade.exercises[0].text
    assert grade_file(student(other)).verdict == "right"  # without a rubric
    shape = solution.replace("(h ** 2).sum()", "(h ** 2).sum(axis=0)")
    text = grade_file(student(shape), rubric).exercises[0].text
    assert "forward returns the shapes [(7,)], but it should return [()]" in text


def test_solution_that_does_not_run_is_the_rubrics_fault(student, tmp_path):
    (tmp_path / "solution.py").write_text("1 / 0\n")
    path = tmp_path / "rubric.toml"
    path.write_text('solution = "solution.py"\n' + RUBRIC.replace('kind = "linear"\n', ""))
    with pytest.raises(OptionError, match="the solution does not import"):
        grade_file(student(LINEAR), load_rubric(path))
    (tmp_path / "solution.py").write_text(LINEAR.replace("x @ W", "x @ W.T"))
    with pytest.raises(OptionError, match="forward does not run at the rubric's inputs"):
        grade_file(student(LINEAR), load_rubric(path))


def test_kind_with_other_inputs_is_the_rubrics_fault(graded):
    with pytest.raises(OptionError, match="kind: linear takes x, W, b, but the inputs are x, W"):
        graded(LINEAR, {"name": "linear", "kind": "linear", "inputs": {"x": "B I", "W": "I O"}})


def test_class_with_sizes_of_the_rubric(graded):
    source = """
    import numpy as np
    class Linear:
        def __init__(self, a, c):
            self.W, self.b = np.ones((a, c)), np.zeros(c)
        def forward(self, x):
            self.x = x
            return x @ self.W + self.b
        def backward(self, dout):
            self.dW = self.x.T @ dout
            return dout @ self.W.T
    """
    exercise = {
        "name": "Linear",
        "init": {"a": "I", "c": "O"},
        "inputs": {"x": "B I"},
        "contract_points": 0,
    }
    grade = graded(source, exercise)
    assert grade.exercises[0].gradients == {"x": "right", "W": "right", "b": "wrong"}
    assert grade.score == 0.25  # the input's; the parameters, which nobody named, are one


def test_specs():
    assert parse_spec("B D binary") == Spec(("B", "D"), "binary")
    assert parse_spec("B labels:L") == Spec(("B",), "labels", "L")
    assert parse_spec("") == Spec()
    assert parse_spec("3 Z") == Spec(("3", "Z"))


def test_drawn_values_are_of_their_kind():
    rng = np.random.default_rng(0)
    kinds = ("positive", "unit", "binary", "one_hot", "simplex", "mask", "away", "labels:L")
    specs = {kind.partition(":")[0]: parse_spec(f"B D {kind}") for kind in kinds}
    drawn = draw(specs | {"p.W": parse_spec("D"), "s": parse_spec("")}, SIZES, rng)
    assert {a.shape for n, a in drawn.items() if n not in ("p", "s")} == {(3, 11)}
    assert drawn["positive"].min() > 0
    assert 0 < drawn["unit"].min() < drawn["unit"].max() < 1
    assert set(np.unique(drawn["binary"])) == {0.0, 1.0}
    np.testing.assert_array_equal(drawn["one_hot"].sum(-1), 1.0)
    np.testing.assert_allclose(drawn["simplex"].sum(-1), 1.0, rtol=1e-12)
    assert np.abs(drawn["away"]).min() >= 0.2
    assert drawn["labels"].dtype.kind == "i"
    assert 0 <= drawn["labels"].min() <= drawn["labels"].max() < SIZES["L"]
    assert drawn["p"]["W"].shape == (11,)
    assert isinstance(drawn["s"], float)


def test_other_sizes_differ_everywhere():
    others = other_sizes({**SIZES, "D": 4})
    assert all(others[n] != size for n, size in {**SIZES, "D": 4}.items() if size != 1)
    assert others["1"] == 1


def test_varied_values_stay_in_range():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), 3)
    moved = vary({"p": p, "mask": np.eye(3), "n": 3, "zero": np.zeros(4)}, rng)
    np.testing.assert_allclose(moved["p"].sum(-1), 1.0, atol=0.2)
    assert not np.array_equal(moved["p"], p)
    np.testing.assert_array_equal(moved["mask"], np.eye(3))
    assert moved["n"] == 3
    assert moved["zero"].any()


NAMES = {
    ("x", "w1", "b1", "w2", "b2"): [("B", "I"), ("I", "H"), ("H",), ("H", "O"), ("O",)],
    ("mu", "logvar", "eps"): [("B", "Z")] * 3,
    ("x_hat", "x"): [("B", "I")] * 2,
    ("logits", "labels"): [("B", "I"), ("B",)],
    ("x", "gamma", "beta"): [("B", "I"), ("I",), ("I",)],
    ("x", "mask"): [("B", "I")] * 2,
}


def first_guess(names, init=()):
    target = Target("f", "pair", "f", "f_back", [(n, True) for n in names], list(init))
    return next(guesses(target))


@pytest.mark.parametrize("names", NAMES)
def test_shapes_from_names(names):
    assert [spec.axes for spec in first_guess(names).specs.values()] == NAMES[names]


def test_numbers_from_names():
    specs = first_guess(["x", "gamma", "beta", "eps"]).specs
    assert specs["eps"].value == 1e-5
    assert first_guess(["x", "keep"]).specs["keep"].value == 0.7
    target = Target("f", "pair", "f", "g", [("x", True), ("verbose", False)], [])
    assert list(next(guesses(target)).specs) == ["x"]
