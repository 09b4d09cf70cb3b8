"""The exercises as a notebook for nbgrader, and as test files for otter.

A notebook is JSON (nbformat 4.5), so it is written without nbformat. nbgrader reads the metadata of
its cells, schema version 3: the task and the forward pass are locked, the backward pass is a
solution cell, and the check that follows is a locked cell with points, which gives all of them
unless it raises.
"""

import json
from typing import Any

from .catalog import Task
from .gaps import cut, functions, mark, task

_HEAD = "Run the cells from top to bottom. Write your code where it says `# your code here`."


def notebook(exercises: tuple[Task, ...], *, solved: bool) -> str:
    """Write the notebook as JSON.

    Parameters
    ----------
    exercises : tuple of Task
        What is in it.
    solved : bool
        The instructor's, with the solutions between nbgrader's marks; else the students'.
    """
    cells = [
        _cell("markdown", "exercises", f"# Exercises\n\n{_HEAD}", solved, locked=True),
        _cell("code", "imports", "import numpy as np\n", solved, locked=True),
    ]
    for exercise in exercises:
        forward, backward = functions(exercise)
        fill = mark if solved else cut
        text = f"## {exercise.name} ({exercise.points} points)\n\n{task(exercise)}"
        name, points = exercise.name, exercise.points
        cells += [
            _cell("markdown", f"{name}-task", text, solved, locked=True),
            _cell("code", f"{name}-forward", forward, solved, locked=True),
            _cell("code", f"{name}-backward", fill(backward), solved, solution=True),
            _cell("code", f"{name}-check", check(exercise), solved, locked=True, points=points),
        ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    content = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def _cell(
    kind: str,
    name: str,
    source: str,
    solved: bool,
    *,
    locked: bool = False,
    solution: bool = False,
    points: float | None = None,
) -> dict[str, Any]:
    graded: dict[str, Any] = {
        "schema_version": 3,
        "grade_id": name,
        "grade": points is not None,
        "solution": solution,
        "locked": locked,
        "task": False,
    }
    if points is not None:
        graded["points"] = points
    if not solved:
        graded["cell_type"] = kind  # by which nbgrader sees that a student has changed it
    cell: dict[str, Any] = {
        "cell_type": kind,
        "id": name,
        "metadata": {"nbgrader": graded},
        "source": source.rstrip("\n").splitlines(keepends=True),
    }
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell


def check(exercise: Task) -> str:
    """Python code that checks the student's functions, or raises with the report."""
    name = exercise.name
    first, *lines = exercise.example_lines()
    wanted = ", ".join(f'"{argument}"' for argument in exercise.wrt)
    return "\n".join(
        [
            "import numpy as np",
            "from minivae.check import assert_gradients",
            "",
            "rng = np.random.default_rng(1)",
            f"inputs = {first}",
            *lines,
            f"wrt = [{wanted}]",
            f"pair = {name}_forward, {name}_backward",
            f'assert_gradients(*pair, inputs, wrt=wrt, name="{name}", strict=True)',
            "",
        ]
    )


def otter_test(exercise: Task) -> str:
    """Write a test file of otter in its OK format: the check as a doctest."""
    code, inside = [], False
    for line in check(exercise).splitlines():
        if line:
            code.append(("... " if inside else ">>> ") + line)
            inside = line.endswith("{") or (inside and line != "}")
    body = "\n".join(f"                    {line}" for line in code)
    return f'''"""{exercise.headline}"""

OK_FORMAT = True

test = {{
    "name": "{exercise.name}",
    "points": {exercise.points},
    "suites": [
        {{
            "type": "doctest",
            "scored": True,
            "setup": "",
            "teardown": "",
            "cases": [
                {{
                    "hidden": False,
                    "locked": False,
                    "code": r"""
{body}
                    """,
                }},
            ],
        }},
    ],
}}
'''
