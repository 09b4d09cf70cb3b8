"""Students' files: nothing of a solution in them, and the check says what is missing."""

import tomllib

import numpy as np
import pytest

from minivae.check import assert_gradients, check_gradients
from minivae.course.exercises import EXERCISES, write_exercises, write_solutions
from minivae.course.exercises.gaps import BEGIN, END, cut, solve
from minivae.errors import OptionError
from minivae.ops import find_case

EACH = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)

MISSING = "no gradient was returned for this argument"


@pytest.fixture(scope="module")
def stubs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("homework")
    write_exercises(folder, notebooks=True, otter=True)
    return folder


@pytest.fixture(scope="module")
def solved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("solved")
    write_solutions(folder, notebooks=True, gradescope=True)
    return folder


def load(path):
    """Names that a file defines."""
    names = {}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names


def report_of(exercise, names, **options):
    pair = names[f"{exercise.name}_forward"], names[f"{exercise.name}_backward"]
    return check_gradients(*pair, names["example"](), **options)


def solution_lines(exercise):
    """Lines of code and comments that stand in the marked part."""
    inside, lines = False, []
    for line in map(str.strip, exercise.source.splitlines()):
        if line in (BEGIN, END):
            inside = line == BEGIN
        elif inside:
            lines.append(line)
    return lines


def test_every_solution_has_a_marked_part_and_lines_in_it():
    for exercise in EXERCISES:
        marks = [line.strip() for line in exercise.source.splitlines()]
        assert (marks.count(BEGIN), marks.count(END)) == (1, 1)
        assert len(solution_lines(exercise)) >= 2


def test_no_line_of_a_solution_is_in_what_students_get(stubs):
    given = [path for path in stubs.rglob("*") if path.is_file()]
    assert len(given) == 2 * len(EXERCISES) + 2
    for exercise in EXERCISES:
        for line in solution_lines(exercise):
            for path in given:
                text = path.read_text().replace('\\"', '"')
                assert line not in text, f"{path.name} holds {line!r} of {exercise.name}"


def test_cut_and_solve():
    source = "def f():\n    a = None\n    # solution:\n    a = 1\n    # end\n    return a\n"
    assert cut(source) == "def f():\n    a = None\n    # your code here\n    return a\n"
    assert solve(source) == "def f():\n    a = None\n    a = 1\n    return a\n"


@EACH
def test_solution_is_right(solved, exercise):
    names = load(solved / exercise.file)
    report = report_of(exercise, names, tolerance=1e-7)
    assert report.passed, str(report)
    assert tuple(array.name for array in report.arrays) == tuple(exercise.wrt)
    for array in report.arrays:
        assert array.shape == exercise.shape(array.name)


@EACH
def test_solution_is_right_in_float32(solved, exercise):
    report = report_of(exercise, load(solved / exercise.file), dtype="float32")
    assert report.passed, str(report)


@EACH
def test_untouched_stub_is_wrong_in_the_right_words(stubs, exercise):
    report = report_of(exercise, load(stubs / exercise.file))
    assert report.verdict == "wrong"
    assert tuple(array.name for array in report.arrays) == tuple(exercise.wrt)
    for array in report.arrays:
        assert array.verdict == "wrong"
        assert array.reason == MISSING
    assert report.habits == []


@EACH
def test_forward_that_is_given_has_the_values_of_minivae(stubs, exercise):
    names = load(stubs / exercise.file)
    arguments = names["example"]()
    got, _ = names[f"{exercise.name}_forward"](**arguments)
    if exercise.kind:
        wanted, _ = find_case(exercise.kind).forward(**arguments)
    elif exercise.name in ("batch_norm", "layer_norm"):
        wanted, _ = find_case(exercise.name).forward(*arguments.values(), 1e-5)
    elif exercise.name in ("conv2d", "conv_transpose2d"):
        case = find_case(exercise.name)
        extra = {"extra": (0, 0)} if "extra" in case.options else {}
        wanted, _ = case.forward(**arguments, stride=(2, 2), padding=((0, 0), (0, 0)), **extra)
    else:
        wanted = {"vae": vae_loss, "iwae": iwae_loss}[exercise.name](**arguments)
    np.testing.assert_allclose(got, wanted, rtol=1e-12)


def test_functions_stand_alone_in_one_module(solved):
    names = load(solved / "solution.py")
    for exercise in EXERCISES:
        arguments = load(solved / exercise.file)["example"]()
        pair = names[f"{exercise.name}_forward"], names[f"{exercise.name}_backward"]
        assert_gradients(*pair, arguments)


def test_rubrics_describe_the_files(stubs, solved):
    student = tomllib.loads((stubs / "rubric.toml").read_text())
    teacher = tomllib.loads((solved / "rubric.toml").read_text())
    assert teacher["solution"] == "solution.py"
    assert "solution" not in student
    for rubric in (student, teacher):
        for entry, exercise in zip(rubric["exercise"], EXERCISES, strict=True):
            assert entry["name"] == exercise.name
            assert entry["points"] == exercise.points
            assert entry["inputs"] == {n: str(spec) for n, spec in exercise.inputs.items()}
            assert entry.get("fixed", []) == list(exercise.fixed)
    kinds = {entry["name"]: entry.get("kind") for entry in student["exercise"]}
    assert kinds["bce"] == "bernoulli"
    assert kinds["vae"] is None


def test_gradescope_files(solved):
    folder = solved / "gradescope"
    assert (folder / "run_autograder").stat().st_mode & 0o111 == 0o111
    assert (folder / "rubric.toml").read_text() == (solved / "rubric.toml").read_text()
    assert (folder / "solution.py").read_text() == (solved / "solution.py").read_text()
    text = (folder / "run_autograder").read_text()
    assert "--gradescope /autograder/results/results.json" in text


def test_only_some(tmp_path):
    written = write_exercises(tmp_path / "a", ["vae", "linear"])
    assert [path.name for path in written] == ["linear.py", "vae.py", "rubric.toml"]
    assert {path.name for path in (tmp_path / "a").iterdir()} == {path.name for path in written}


def test_unknown_name_is_refused(tmp_path, refuses):
    with refuses(OptionError, "no exercise 'linaer'", "choose from: linear, silu, bce"):
        write_exercises(tmp_path / "a", ["kl", "linaer"])
    assert not (tmp_path / "a").exists()


def test_nothing_is_overwritten(tmp_path, refuses):
    mine = "# my work\n"
    (tmp_path / "vae.py").write_text(mine)
    for write in (write_exercises, write_solutions):
        with refuses(OptionError, "vae.py exists already", "--only"):
            write(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["vae.py"]
    assert (tmp_path / "vae.py").read_text() == mine
    write_exercises(tmp_path, ["kl"])  # beside it there is room
    assert {path.name for path in tmp_path.iterdir()} == {"vae.py", "kl.py", "rubric.toml"}


def test_folder_that_is_a_file_is_refused(tmp_path, refuses):
    (tmp_path / "a").write_text("")
    with refuses(OptionError, "is a file, but a folder is needed"):
        write_exercises(tmp_path / "a")


def _log_bernoulli(x, logits):
    p = 1 / (1 + np.exp(-logits))
    return x * np.log(p) + (1 - x) * np.log(1 - p)


def vae_loss(x, eps, W1, b1, Wm, bm, Wv, bv, W2, b2, W3, b3):
    """The loss once more, example by example."""
    total = 0.0
    for row, noise in zip(x, eps, strict=True):
        hidden = np.tanh(row @ W1 + b1)
        mu, variance = hidden @ Wm + bm, np.exp(hidden @ Wv + bv)
        logits = np.tanh((mu + np.sqrt(variance) * noise) @ W2 + b2) @ W3 + b3
        total -= _log_bernoulli(row, logits).sum()
        total += 0.5 * (mu**2 + variance - 1 - np.log(variance)).sum()
    return total / len(x)


def iwae_loss(x, eps, mu, logvar, W, b):
    """The loss once more, from the densities."""
    total = 0.0
    for n in range(len(x)):
        ratios = []
        for noise in eps[n]:
            sigma = np.exp(logvar[n] / 2)
            z = mu[n] + sigma * noise
            joint = np.exp(_log_bernoulli(x[n], z @ W + b).sum() - 0.5 * (z**2).sum())
            ratios.append(joint / np.prod(np.exp(-0.5 * noise**2) / sigma))
        total -= np.log(np.mean(ratios))
    return total / len(x)
