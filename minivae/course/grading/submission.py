"""Grade a submission: a file or a folder of files, with a rubric or without one."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...check.verdict.conventions.names import is_base
from ...errors import OptionError
from .discover import Target, choose, discover
from .exercise_grade import ExerciseGrade, empty_grade
from .files import files_of
from .grade import Grade
from .points import Point, choices_of
from .remote import NoLossError
from .rubric import Exercise, Rubric
from .sandbox import Limits, Sandbox, SandboxError, StudentError, printable
from .trial import SECONDS, try_point, unharmed
from .truth import Solution

LOSS = re.compile(r"loss|cost|elbo|nll|objective|criterion|cross_?entropy", re.IGNORECASE)
"""What a function is called that must be checked, if it returns several things."""


def grade_file(
    path: str | Path,
    rubric: Rubric | None = None,
    *,
    name: str | None = None,
    timeout: float = 20.0,
    memory: int = 2048,
    alone: bool = False,
) -> Grade:
    """Grade a submission.

    Parameters
    ----------
    path : str or Path
        A Python file, or a folder of them. In a folder an exercise is looked for in the file of its
        name first.
    rubric : Rubric, optional
        What must be there and what it is worth. Without one, everything that can be checked is, for
        a point each.
    name : str, optional
        Check this one alone.
    timeout : float
        Seconds for each exercise, and for importing a file.
    memory : int
        MB for the process that runs the code.
    alone : bool
        The file is the whole submission; those beside it belong to others.

    Returns
    -------
    Grade
        Also for a submission that does not run, with the reason in it.

    Raises
    ------
    OptionError
        If the rubric, its solution, the name or a limit is wrong; never for what is submitted.
    """
    start = time.monotonic()
    path, limits = Path(path), Limits(timeout, memory)
    solution = Solution(rubric.solution) if rubric is not None and rubric.solution else None
    if rubric is not None and name is not None:
        rubric = rubric.only(name)
    grade = Grade(printable(path.resolve().name))
    with Submission(path, rubric, limits, alone) as submission:
        if submission.problem:
            _fail(grade, rubric, submission.problem)
        elif rubric is not None:
            for exercise in rubric.exercises:
                grade.exercises.append(submission.grade(exercise, solution))
        else:
            grade.exercises += submission.grade_all(name)
            if not grade.exercises:
                grade.problem = submission.why_nothing()
            else:
                grade.problem = "; ".join(submission.failures.values())
                grade.left_out = submission.left_out
    grade.printed, grade.defences = submission.printed, submission.defences
    grade.seconds = time.monotonic() - start
    return grade


def _fail(grade: Grade, rubric: Rubric | None, problem: str) -> None:
    grade.problem = problem
    for exercise in rubric.exercises if rubric is not None else ():
        grade.exercises.append(empty_grade(exercise, problem))


class Submission:
    """The files of a submission; each runs in a sandbox, one at a time.

    Attributes
    ----------
    files : list of Path
        The Python files.
    problem : str
        Why there are none.
    """

    def __init__(self, path: Path, rubric: Rubric | None, limits: Limits, alone: bool) -> None:
        self.limits, self.alone = limits, alone
        self.files, self.problem = files_of(path, rubric.file if rubric is not None else "")
        self.targets: dict[Path, list[Target]] = {}
        self.examples: dict[Path, Any] = {}
        self.failures: dict[Path, str] = {}
        self.left_out: list[str] = []
        self.printed = ""
        self.defences: list[str] = []
        self.open: Sandbox | None = None
        self.opened: Path | None = None

    def __enter__(self) -> "Submission":
        return self

    def __exit__(self, *exception: object) -> None:
        self._close()

    def _close(self) -> None:
        if self.open is not None:
            self.open.close()
            self.printed = (self.printed + self.open.printed)[:20_000]
        self.open = None

    def sandbox(self, file: Path) -> Sandbox:
        """The sandbox in which a file is loaded; raises what loading it raises."""
        if self.open is not None and self.opened == file and not self.open.died:
            return self.open
        self._close()
        if file in self.failures:
            raise StudentError(self.failures[file])
        self.opened = file
        try:
            self.open = Sandbox(file, self.limits, alone=self.alone)
        except (StudentError, SandboxError) as error:
            self.failures[file] = f"{file.name} does not import: {error}"
            raise StudentError(self.failures[file]) from None
        self.defences = self.open.defences
        return self.open

    def look(self, file: Path) -> list[Target]:
        """What can be checked in a file; an empty list if it does not import."""
        if file in self.targets:
            return self.targets[file]
        self.targets[file] = []
        try:
            sandbox = self.sandbox(file)
            sandbox.restart_clock()
            self.targets[file] = discover(sandbox.call("describe"))
        except (StudentError, SandboxError) as error:
            self.failures.setdefault(file, f"{file.name} cannot be read: {error}")
            return []
        try:
            self.examples[file] = sandbox.call("example")
        except (StudentError, SandboxError) as error:
            self.examples[file] = StudentError(f"example() does not run: {error}")
        return self.targets[file]

    def why_nothing(self) -> str:
        """Why nothing was found, in a sentence."""
        if self.failures:
            return "; ".join(self.failures.values())
        if self.left_out:
            return self.left_out[0]
        return (
            "nothing was found that can be checked; write NAME_forward and NAME_backward, or a "
            "class with forward and backward, or a function that returns (loss, gradients)"
        )

    def grade_all(self, name: str | None) -> list[ExerciseGrade]:
        """Check everything that is found, or the one of that name."""
        grades = []
        for file in self.files:
            for target in self.look(file):
                names = (target.name, target.forward, target.backward)
                if name not in names if name is not None else not target.sure:
                    continue
                empty = ExerciseGrade(target.name, counts=False)
                try:
                    grade = self._run(empty, None, None, file, target)
                except NoLossError:
                    continue  # nobody's exercise
                guessed = "example()" not in grade.origin
                helper = target.form == "loss" and name is None and not grade.reports and guessed
                helper = helper and not LOSS.search(target.name)
                problems = [grade.problem, *(point.problem for point in grade.points)]
                if helper:  # a function that returns two things need not be a loss
                    self.left_out += list(filter(None, problems))[:1]
                elif not (name is None and is_base(target.name) and _is_unwritten(problems)):
                    grades.append(grade)
        if not grades and name is not None and not self.failures:
            choose([t for file in self.files for t in self.look(file)], name, self.files[0].name)
        return grades

    def grade(self, exercise: Exercise, solution: Solution | None) -> ExerciseGrade:
        """Grade one exercise of the rubric."""
        grade = empty_grade(exercise)
        first = [file for file in self.files if file.stem == exercise.name]
        missing = ""
        for file in [*first, *(f for f in self.files if f not in first)]:
            targets = self.look(file)
            try:
                target = choose(targets, exercise.name, file.name)
            except OptionError as error:
                missing = missing or self.failures.get(file) or str(error)
                continue
            try:
                return self._run(grade, exercise, solution, file, target)
            except NoLossError as error:
                missing = missing or f"{target.name}: {error}"
        grade.problem = missing
        return grade

    @unharmed
    def _run(
        self,
        grade: ExerciseGrade,
        exercise: Exercise | None,
        solution: Solution | None,
        file: Path,
        target: Target,
    ) -> ExerciseGrade:
        example = self.examples.get(file)
        if isinstance(example, StudentError):
            grade.notes.append(str(example))
            example = None
        choices = choices_of(target, exercise, example, solution)
        first = None
        while True:
            try:
                points, origin = next(choices)
            except StopIteration:
                return first or grade
            except OptionError as error:
                grade.problem = str(error)
                return grade
            trial = replace(grade, origin=origin, points=[], notes=list(grade.notes))
            trial.guessed = "names of the arguments" in origin
            died = self._try(trial, points, exercise, solution, file, target)
            first = first or trial
            if trial.reports or died or trial.problem:
                return trial if trial.reports else first

    def _try(
        self,
        grade: ExerciseGrade,
        points: list[Point],
        exercise: Exercise | None,
        solution: Solution | None,
        file: Path,
        target: Target,
    ) -> bool:
        """Try a target at some points; return whether its process died."""
        grade.trusted = exercise is not None and bool(exercise.kind or solution)
        died = False
        for i, point in enumerate(points):
            try:
                sandbox = self.sandbox(file)
            except StudentError as error:
                grade.problem = str(error)
                return True
            if i == 0:
                sandbox.restart_clock()
            result = try_point(sandbox, target, point, exercise, solution, SECONDS[min(i, 1)])
            died = bool(sandbox.died)
            if result.problem and not point.must_run and i:
                grade.notes.append(f"not tried at {point.label}: {result.problem}")
                if not died:
                    continue
                result.decides = True  # to hang or to die is not to refuse other sizes
            grade.points.append(result)
            if died or (result.problem and i == 0):
                break
        return died


def _is_unwritten(problems: list[str]) -> bool:
    return any("it is not written yet" in problem for problem in problems)
