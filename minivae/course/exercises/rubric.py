"""The rubric of a set of exercises, and what Gradescope needs to grade with it."""

from .catalog import Exercise

TITLE = "Exercises: backward passes by hand"


def rubric(exercises: tuple[Exercise, ...], *, solution: str | None = None) -> str:
    """Write `rubric.toml`.

    Parameters
    ----------
    exercises : tuple of Exercise
        What is graded.
    solution : str, optional
        The file with the solutions beside the rubric, whose forward passes are the truth. Without
        one, that of the operation of minivae is, where there is one.
    """
    lines = [f'title = "{TITLE}"']
    if solution is not None:
        lines.append(f'solution = "{solution}"')
    for exercise in exercises:
        inputs = ", ".join(f'{name} = "{axes}"' for name, axes in exercise.inputs.items())
        lines += ["", "[[exercise]]", f'name = "{exercise.name}"', f"points = {exercise.points}"]
        if exercise.kind and solution is None:
            lines.append(f'kind = "{exercise.kind}"')
        lines.append(f"inputs = {{{inputs}}}")
        if exercise.fixed:
            names = ", ".join(f'"{name}"' for name in exercise.fixed)
            lines.append(f"fixed = [{names}]")
        if exercise.sizes:
            sizes = ", ".join(f"{letter} = {size}" for letter, size in exercise.sizes.items())
            lines.append(f"sizes = {{{sizes}}}")
    return "\n".join(lines) + "\n"


def setup_sh(version: str) -> str:
    """Gradescope's `setup.sh`: it runs once, when the image is built, and has a network."""
    return f"""\
#!/usr/bin/env bash
# Installs minivae for the autograder; needs Python 3.11 or newer (a base image of Ubuntu 24.04).
# A wheel in the zip is installed if there is one, else the release.
set -euo pipefail
apt-get update
apt-get install -y python3-venv
python3 -m venv /autograder/venv
shopt -s nullglob
wheels=(/autograder/source/*.whl)
/autograder/venv/bin/pip install "${{wheels[@]:-minivae=={version}}}"
"""


def run_autograder() -> str:
    """Gradescope's `run_autograder`: it runs for each submission."""
    return """\
#!/usr/bin/env bash
# Grades one submission; the results are written whatever the submission does.
/autograder/venv/bin/minivae check /autograder/submission \\
    --points /autograder/source/rubric.toml \\
    --gradescope /autograder/results/results.json
# An exit code other than 0 would mean that the autograder itself has failed.
if [ -s /autograder/results/results.json ]; then exit 0; else exit 1; fi
"""
