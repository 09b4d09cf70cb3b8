"""Files as courses hand them out: packages, notebooks, scripts, imports that are not there."""

import json
import textwrap
import time

import pytest

from minivae.course.grading import grade_file
from minivae.course.grading.files import copies_of, source_of

from .conftest import LINEAR, WRONG

pytestmark = pytest.mark.slow

RELU = """
import numpy as np

def relu_forward(x):
    return np.maximum(x, 0), x

def relu_backward(dout, cache):
    return dout * (cache > 0)
"""
TWICE = """
def twice_forward(x):
    return relu_forward(2 * x)

def twice_backward(dout, cache):
    return 2 * relu_backward(dout, cache)
"""


@pytest.fixture
def course(tmp_path):
    """Write the files of a course; return the folder."""

    def write(**files):
        for name, source in files.items():
            path = tmp_path / "course" / name.replace("__", "/")
            path = path.with_suffix(".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        return tmp_path / "course"

    return write


IMPORTS = {
    "beside it": ("hw__nn__layers", "from layers import *"),
    "with a dot": ("hw__nn__layers", "from .layers import *"),
    "by the name of its folder": ("hw__nn__layers", "from nn.layers import *"),
    "from the folder above": ("hw__common__layers", "from common.layers import *"),
    "with two dots": ("hw__common__layers", "from ..common.layers import *"),
    "by the name of the course": ("hw__common__layers", "from hw.common.layers import *"),
    "one name": ("hw__nn__layers", "from nn.layers import relu_forward, relu_backward"),
}


@pytest.mark.parametrize("how", IMPORTS)
def test_a_file_of_a_package(course, how):
    place, line = IMPORTS[how]
    folder = course(**{place: RELU, "hw__nn__mine": line + "\n" + TWICE})
    grade = grade_file(folder / "hw" / "nn" / "mine.py")
    assert [(e.name, e.verdict) for e in grade.exercises] == [("twice", "right")]


def test_a_package_does_not_run_what_is_not_asked_for(course):
    folder = course(
        hw____init__="raise ValueError", hw__layers=RELU, hw__mine="from .layers import *\n" + TWICE
    )
    assert grade_file(folder / "hw" / "mine.py").verdict == "right"


def test_a_folder_that_is_called_as_a_module_of_pythons(course):
    folder = course(code__layers=RELU, code__mine="from .layers import *\n" + TWICE)
    assert grade_file(folder / "code" / "mine.py").verdict == "right"


def test_what_is_above_a_submission_is_not_copied(course):
    folder = course(other__layers=RELU, mine__hw="from other.layers import *\n" + TWICE)
    file = (folder / "mine" / "hw.py").resolve()
    assert len(copies_of(file, None, alone=False)) == 2
    assert list(copies_of(file, folder / "mine", alone=False)) == [file]
    assert list(copies_of(file, None, alone=True)) == [file]
    grade = grade_file(folder / "mine")
    assert grade.verdict == "not checked"
    assert "No module named 'other'" in str(grade)


MISSING = {
    "an import": "import h5py_of_old\n",
    "names": "from IPython_of_old.display import clear_output, Image\n",
    "one of several": "import os, tensorflow_of_old as tf\n",
    "a decorator": "from numba_of_old import njit\n@njit\ndef helper(a):\n    return a\n",
    "a base class": "import torch_of_old.nn as nn\nclass Net(nn.Module):\n    pass\n",
    "an annotation": "import torch_of_old as torch\ndef helper(a: torch.Tensor):\n    return a\n",
    "an old name": "from past_of_old.builtins import xrange\nassert list(xrange(2)) == [0, 1]\n",
    "data": "data = open('cifar10.npz')\nX_train = data['X']\n",
    "a plot": "import matplotlib_of_old as plt\nplt.figure(figsize=(3, 4))\nplt.show()\n",
    "a test": "assert 1 == 2\n",
    "NumPy's old names": "import numpy as np\nassert np.float is float\nx = np.zeros(3, np.int)\n",
}


@pytest.mark.parametrize("what", MISSING)
def test_what_the_functions_do_not_need_may_fail(graded, what):
    grade = graded(MISSING[what] + LINEAR)
    assert [(e.name, e.verdict) for e in grade.exercises] == [("linear", "right")]
    assert graded(MISSING[what] + WRONG).verdict == "wrong"


def test_what_they_need_is_named(graded):
    grade = graded("from im2col_of_old import relu\n" + RELU.replace("np.maximum(x, 0)", "relu(x)"))
    assert grade.verdict == "not checked"
    assert "No module named 'im2col_of_old' (line 6 of homework.py)" in grade.exercises[0].problem
    assert "was loaded without what failed: No module named" in str(grade)


def test_annotations_from_the_future(graded):
    assert graded("from __future__ import annotations\ndef f(x: Unknown): ...\n" + LINEAR).passed


def notebook(path, *cells):
    content = [
        {"cell_type": "code", "metadata": {}, "outputs": [], "source": cell.splitlines(True)}
        for cell in cells
    ]
    markdown = {"cell_type": "markdown", "metadata": {}, "source": ["# x = 1"]}
    path.write_text(json.dumps({"cells": [markdown, *content], "nbformat": 4}))
    return path


def test_a_notebook_is_the_cells_that_define(tmp_path):
    path = notebook(
        tmp_path / "homework.ipynb",
        "%matplotlib inline\n!pip install nothing\nimport numpy as np\nK = 1.0\n",
        "EPS = 1e-3",
        "def scale_forward(x):\n    return K * x + EPS, None\n\nscale_forward(unknown)\n",
        "for i in range(10**9):\n    pass\n",
        "scale_forward?\n",
        "this is no Python\n",
        "def scale_backward(dout, cache):\n    return K * dout\nprint('printed')\n",
    )
    source = source_of(path)
    assert "unknown" not in source
    assert "for i" not in source
    start = time.monotonic()
    grade = grade_file(path)
    assert [(e.name, e.verdict) for e in grade.exercises] == [("scale", "right")]
    assert grade.printed == ""
    assert time.monotonic() - start < 20


def test_lines_of_a_notebook_are_those_of_its_cells(tmp_path):
    before = "import numpy as np\n%matplotlib inline\nprint(1)\n"
    forward = "print(2)\n\ndef twice_forward(x):\n    y = np.sin(2 * x)\n    return y, x\n"
    backward = "%timeit 1\ndef twice_backward(dy, x):\n    dx = dy * np.cos(2 * x)\n    return dx\n"
    path = notebook(tmp_path / "wrong.ipynb", before, forward, backward)
    text = " ".join(str(grade_file(path)).split())
    assert "cell 3, line 3: `dx = dy * np.cos(2 * x)` lacks a factor" in text
    raising = backward.replace("dy * np", "dy.nothing * np")
    path = notebook(tmp_path / "raising.ipynb", before, forward, raising)
    assert "(cell 3, line 3 of raising.ipynb)" in " ".join(str(grade_file(path)).split())


def test_a_notebook_beside_a_file_of_its_name(tmp_path):
    (tmp_path / "homework.py").write_text(WRONG)
    path = notebook(tmp_path / "homework.ipynb", LINEAR)
    assert grade_file(path).verdict == "right"
    assert grade_file(tmp_path / "homework.py").verdict == "wrong"


@pytest.mark.parametrize("text", ["no JSON", "{}", '{"cells": 3}', "[]"])
def test_what_is_no_notebook_is_said(tmp_path, text):
    path = tmp_path / "homework.ipynb"
    path.write_text(text)
    grade = grade_file(path)
    assert grade.verdict == "not checked"
    assert "homework.ipynb" in grade.problem


def test_targets_run_in_several_processes_in_order(student):
    sources = [LINEAR.replace("linear", f"linear{i}") for i in range(5)]
    path = student("\n".join(sources) + WRONG.replace("linear", "last"))
    one, three = grade_file(path), grade_file(path, jobs=3)
    names = [f"linear{i}" for i in range(5)] + ["last"]
    assert [e.name for e in three.exercises] == [e.name for e in one.exercises] == names
    assert [e.verdict for e in three.exercises] == ["right"] * 5 + ["wrong"]


def test_the_checks_own_complex_numbers_are_no_warning_of_the_students(graded):
    grade = graded("""
    import numpy as np
    def copy_forward(x):
        out = np.zeros(x.shape)
        out[...] = 3 * x
        return out, None
    def copy_backward(dout, cache):
        return 3 * dout
    """)
    assert (grade.verdict, grade.printed) == ("right", "")
