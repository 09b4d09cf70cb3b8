"""Student files to grade, and a rubric for them."""

import textwrap

import pytest

from minivae.course.grading import grade_file, load_rubric
from minivae.course.grading.rubric import rubric_from_dict

LINEAR = """
import numpy as np

def linear_forward(x, W, b):
    return x @ W + b, (x, W)

def linear_backward(dout, cache):
    x, W = cache
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)
"""

WRONG = LINEAR.replace("dout.sum(axis=0)", "dout.mean(axis=0)")

RUBRIC = """
[[exercise]]
name = "linear"
kind = "linear"
points = 4
inputs = {x = "B I", W = "I O", b = "O"}
"""


@pytest.fixture
def student(tmp_path):
    """Write a student's file; return its path."""

    def write(source, name="homework.py"):
        folder = tmp_path / "submission"
        folder.mkdir(exist_ok=True)
        path = folder / name
        path.write_text(textwrap.dedent(source))
        return path

    return write


@pytest.fixture
def rubric(tmp_path):
    """The rubric for `linear`."""
    path = tmp_path / "rubric.toml"
    path.write_text(RUBRIC)
    return load_rubric(path)


@pytest.fixture
def graded(student):
    """Grade a source, with the exercises of a rubric given as dicts, or without one."""

    def grade(source, *exercises, name=None, **limits):
        rubric = rubric_from_dict({"exercise": list(exercises)}) if exercises else None
        return grade_file(student(source), rubric, name=name, **limits)

    return grade
