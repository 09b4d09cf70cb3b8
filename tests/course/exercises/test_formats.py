"""The notebook for nbgrader and the test files for otter: valid, and they grade.

The rules of nbgrader's metadata and otter's way to run a doctest are written out here;
`test_graders.py` asks the two themselves.
"""

import contextlib
import doctest
import io
import json
import re

import pytest

from minivae.course.exercises import EXERCISES, write_exercises, write_solutions

EACH = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
MISSING = "no gradient was returned for this argument"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    write_exercises(folder / "student", notebooks=True, otter=True)
    write_solutions(folder / "teacher", notebooks=True)
    return folder


def cells_of(folder, who):
    cells = json.loads((folder / who / "exercises.ipynb").read_text())["cells"]
    return {cell["id"]: cell for cell in cells}


def run(cells, exercise):
    """Execute the cells of one exercise, with their check."""
    names = {}
    for part in ("imports", *(f"{exercise.name}-{what}" for what in ("forward", "backward"))):
        exec("".join(cells[part]["source"]), names)
    exec("".join(cells[f"{exercise.name}-check"]["source"]), names)
    return names


@EACH
def test_check_passes_with_the_solution(folder, exercise):
    cells = cells_of(folder, "student")
    cells[f"{exercise.name}-backward"] = cells_of(folder, "teacher")[f"{exercise.name}-backward"]
    run(cells, exercise)


@EACH
def test_check_raises_the_report_with_a_gap(folder, exercise):
    with pytest.raises(AssertionError, match=MISSING) as raised:
        run(cells_of(folder, "student"), exercise)
    text = str(raised.value)
    assert f"{exercise.name}: WRONG" in text
    assert all(f"d{name}" in text for name in exercise.wrt)


@pytest.mark.parametrize("who", ["student", "teacher"])
def test_metadata_follows_nbgraders_schema(folder, who):
    cells = cells_of(folder, who)
    assert len(cells) == 2 + 4 * len(EXERCISES)  # no id is there twice
    for name, cell in cells.items():
        graded = cell["metadata"]["nbgrader"]
        assert graded["schema_version"] == 3
        assert graded["grade_id"] == name
        assert re.fullmatch(r"[a-zA-Z0-9_\-]+", name)
        for key in ("grade", "solution", "locked", "task"):
            assert isinstance(graded[key], bool)
        assert ("points" in graded) == graded["grade"] == name.endswith("-check")
        assert graded["solution"] == name.endswith("-backward")
        assert graded["locked"] != graded["solution"]
        assert graded.get("cell_type") == (cell["cell_type"] if who == "student" else None)
    points = [cells[f"{exercise.name}-check"]["metadata"]["nbgrader"] for exercise in EXERCISES]
    assert [p["points"] for p in points] == [exercise.points for exercise in EXERCISES]


def test_only_the_teachers_notebook_has_solutions(folder):
    begin, end = "### BEGIN SOLUTION", "### END SOLUTION"
    for name, cell in cells_of(folder, "teacher").items():
        source = "".join(cell["source"])
        expected = int(cell["metadata"]["nbgrader"]["solution"])
        assert (source.count(begin), source.count(end)) == (expected, expected), name
    for cell in cells_of(folder, "student").values():
        assert "SOLUTION" not in "".join(cell["source"])


def test_notebooks_are_valid_for_nbformat(folder):
    nbformat = pytest.importorskip("nbformat")
    for who in ("student", "teacher"):
        nbformat.validate(nbformat.read(folder / who / "exercises.ipynb", as_version=4))


def otter_case(folder, exercise):
    names = {}
    exec((folder / "student" / "tests" / exercise.file).read_text(), names)
    assert names["OK_FORMAT"] is True
    test = names["test"]
    assert (test["name"], test["points"]) == (exercise.name, exercise.points)
    (suite,) = test["suites"]
    assert suite["type"] == "doctest"
    (case,) = suite["cases"]
    assert case["hidden"] is case["locked"] is False
    return case["code"]


def otter_run(code, names):
    """Run a case as otter does: as a doctest among the student's names."""
    examples = doctest.DocTestParser().parse(code, "case")
    examples = [example for example in examples if isinstance(example, doctest.Example)]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runner = doctest.DocTestRunner(verbose=True)
        runner.run(doctest.DocTest(examples, names, "case", None, None, code), clear_globs=False)
    return runner.summarize(verbose=False).failed == 0, printed.getvalue()


@EACH
def test_otter_passes_a_solution_and_shows_the_report_of_a_gap(folder, exercise):
    code = otter_case(folder, exercise)
    for who, right in (("teacher", True), ("student", False)):
        names = {}
        exec((folder / who / exercise.file).read_text(), names)
        passed, shown = otter_run(code, names)
        assert passed is right, shown
        assert (f"{exercise.name}: WRONG" in shown) is (MISSING in shown) is not right
