"""Write exercises, or their solutions, into a folder; nothing that exists is ever overwritten."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ...engine.door import door
from ...errors import OptionError
from ...files import refuse_what_exists, write_new_files
from ..grading.rubric import Rubric, to_toml
from .catalog import choose
from .gaps import solution_module, solved_file, student_file
from .gradescope import run_autograder, setup_sh
from .notebook import notebook, otter_test

TITLE = "Exercises: backward passes by hand"
NOTEBOOK, RUBRIC, SOLUTION = "exercises.ipynb", "rubric.toml", "solution.py"


@door
def write_exercises(
    folder: str | Path,
    only: Sequence[str] | None = None,
    *,
    notebooks: bool = False,
    otter: bool = False,
) -> list[Path]:
    """Write what students get: a file for each exercise with a gap, and the rubric.

    Parameters
    ----------
    folder : str or Path
        Where; it is made if it is not there.
    only : sequence of str, optional
        Names of the exercises; all by default.
    notebooks : bool
        Also one notebook of all of them, for nbgrader or to work in.
    otter : bool
        Also a test file of otter for each, in `tests/`.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OptionError
        If there is no exercise of a name, or one of the files exists; then nothing is written.
    """
    exercises = choose(only)
    files = {exercise.file: student_file(exercise) for exercise in exercises}
    files[RUBRIC] = to_toml(Rubric(exercises, TITLE))
    if notebooks:
        files[NOTEBOOK] = notebook(exercises, solved=False)
    if otter:
        files |= {f"tests/{exercise.file}": otter_test(exercise) for exercise in exercises}
    return _write(Path(folder).expanduser(), files)


@door
def write_solutions(
    folder: str | Path,
    only: Sequence[str] | None = None,
    *,
    notebooks: bool = False,
    gradescope: bool = False,
) -> list[Path]:
    """Write what the instructor keeps: the solved files, and a rubric that grades by them.

    Parameters
    ----------
    folder : str or Path
        Where; it is made if it is not there.
    only : sequence of str, optional
        Names of the exercises; all by default.
    notebooks : bool
        Also the notebook with the solutions between nbgrader's marks.
    gradescope : bool
        Also the files of an autograder for Gradescope, in `gradescope/`, to be zipped.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OptionError
        If there is no exercise of a name, or one of the files exists; then nothing is written.
    """
    from ... import __version__

    exercises = choose(only)
    files = {exercise.file: solved_file(exercise) for exercise in exercises}
    files[SOLUTION] = solution_module(exercises)
    # The solutions are the truth, in the place of the operations of minivae.
    graded = tuple(replace(exercise, kind="") for exercise in exercises)
    files[RUBRIC] = to_toml(Rubric(graded, TITLE, Path(SOLUTION)))
    if notebooks:
        files[NOTEBOOK] = notebook(exercises, solved=True)
    if gradescope:
        files |= {
            "gradescope/setup.sh": setup_sh(__version__),
            "gradescope/run_autograder": run_autograder(),
            f"gradescope/{RUBRIC}": files[RUBRIC],
            f"gradescope/{SOLUTION}": files[SOLUTION],
        }
    written = _write(Path(folder).expanduser(), files)
    for path in written:
        if path.name == "run_autograder":
            path.chmod(0o755)
    return written


def _write(folder: Path, files: dict[str, str]) -> list[Path]:
    """Write the files if none of them exists."""
    paths = {folder / name: text for name, text in files.items()}
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder} is a file, but a folder is needed; name another one.")
    for path in paths:
        instead = "name another folder, or choose other exercises with --only"
        refuse_what_exists(path, instead)
    write_new_files(paths)
    return list(paths)
