"""nbgrader and otter themselves read what is written for them."""

import json

import pytest

from minivae.course.exercises import EXERCISES, write_exercises, write_solutions

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore"),  # what their own imports warn of
]
MISSING = "no gradient was returned for this argument"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    write_exercises(folder / "student", notebooks=True, otter=True)
    write_solutions(folder / "teacher", notebooks=True)
    return folder


def test_nbgrader_validates_and_clears_the_solutions(folder):
    pytest.importorskip("nbgrader")
    from nbgrader.nbgraderformat import read
    from nbgrader.preprocessors import ClearSolutions

    for who in ("student", "teacher"):
        with open(folder / who / "exercises.ipynb") as file:
            notebook = read(file, as_version=4)
    stub = {"python": "# your code here"}
    cleared, _ = ClearSolutions(code_stub=stub).preprocess(notebook, {})
    text = (folder / "student" / "exercises.ipynb").read_text()
    given = {cell["id"]: cell for cell in json.loads(text)["cells"]}
    for cell in cleared.cells:
        assert cell.source == "".join(given[cell.id]["source"])


def test_otter_itself_runs_the_test_files(folder):
    pytest.importorskip("otter")
    from otter.test_files import OKTestFile

    for exercise in EXERCISES:
        test = OKTestFile.from_file(str(folder / "student" / "tests" / exercise.file))
        for who, grade in (("teacher", exercise.points), ("student", 0)):
            names = {}
            exec((folder / who / exercise.file).read_text(), names)
            test.run(names)
            assert test.score == grade
            assert (MISSING in test.test_case_results[0].message) is (who == "student")
