"""Grade a submission: a file or a folder of files, with a rubric or without one."""

import queue
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ...check.report.result import NOT_CHECKED, WRONG
from ...check.report.told import cut, told
from ...check.verdict.conventions.names import is_base
from ...errors import OptionError
from .discover import Target, choose, discover, names_of
from .example import example_text
from .exercise_grade import ExerciseGrade, empty_grade
from .files import files_of
from .grade import Grade
from .points import GUESSED, Point, points_of
from .remote import NoLossError
from .rubric import Exercise, Rubric
from .sandbox import Limits, Sandbox, SandboxError, StudentError, printable
from .search import NoGuessError
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
    jobs: int = 1,
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
    jobs : int
        How many targets are checked at once, each in a process of its own, without a rubric.

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
    with Submission(path, rubric, limits, alone, jobs) as submission:
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


class Lane:
    """One sandbox at a time, with the file that is loaded in it: what runs beside other lanes.

    Attributes
    ----------
    printed, defences
        Of all its sandboxes.
    """

    def __init__(self, limits: Limits, alone: bool, top: Path | None) -> None:
        self.limits, self.alone, self.top = limits, alone, top
        self.open: Sandbox | None = None
        self.opened: Path | None = None
        self.printed = ""
        self.defences: list[str] = []

    def close(self) -> None:
        """End the sandbox."""
        if self.open is not None:
            self.open.close()
            self.printed = (self.printed + self.open.printed)[:20_000]
        self.open = None

    def sandbox(self, file: Path) -> Sandbox:
        """The sandbox in which a file is loaded; raises what loading it raises."""
        if self.open is not None and self.opened == file and not self.open.died:
            return self.open
        self.close()
        self.opened = file
        try:
            self.open = Sandbox(file, self.limits, alone=self.alone, top=self.top)
        except (StudentError, SandboxError) as error:
            raise StudentError(f"{file.name} does not import: {error}") from None
        self.defences = self.open.defences
        return self.open


class Submission:
    """The files of a submission; each runs in a sandbox, or its targets in several at once.

    Attributes
    ----------
    files : list of Path
        The Python files.
    problem : str
        Why there are none.
    """

    def __init__(
        self, path: Path, rubric: Rubric | None, limits: Limits, alone: bool, jobs: int = 1
    ) -> None:
        self.files, self.problem = files_of(path, rubric.file if rubric is not None else "")
        top = path if path.is_dir() else path.parent if rubric is not None else None
        self.lanes = [Lane(limits, alone, top) for _ in range(jobs)]
        self.targets: dict[Path, list[Target]] = {}
        self.examples: dict[Path, Any] = {}
        self.failures: dict[Path, str] = {}
        self.notes: dict[Path, list[str]] = {}
        self.left_out: list[str] = []

    def __enter__(self) -> "Submission":
        return self

    def __exit__(self, *exception: object) -> None:
        for lane in self.lanes:
            lane.close()

    @property
    def printed(self) -> str:
        """What the files printed."""
        return self.lanes[0].printed

    @property
    def defences(self) -> list[str]:
        """What the processes that ran them had given up."""
        return self.lanes[0].defences

    def look(self, file: Path) -> list[Target]:
        """What can be checked in a file; an empty list if it does not import."""
        if file in self.targets:
            return self.targets[file]
        self.targets[file] = []
        try:
            sandbox = self.lanes[0].sandbox(file)
        except StudentError as error:
            self.failures[file] = str(error)
            return []
        try:
            sandbox.restart_clock()
            self.targets[file] = discover(sandbox.call("describe"))
        except (StudentError, SandboxError) as error:
            self.failures[file] = f"{file.name} cannot be read: {error}"
            return []
        self.notes[file] = [note for note in sandbox.notes if isinstance(note, str)]
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
        without = [note for notes in self.notes.values() for note in notes]
        return (
            "nothing was found that can be checked; write NAME_forward and NAME_backward, or a "
            "class with forward and backward, or a function that returns (loss, gradients)"
        ) + (f"; the file was loaded without what failed: {'; '.join(without)}" if without else "")

    def grade_all(self, name: str | None) -> list[ExerciseGrade]:
        """Check everything that is found, or the one of that name, in all lanes at once."""
        wanted = [
            (file, target)
            for file in self.files
            for target in self.look(file)
            if (name in names_of(target) if name is not None else target.sure)
        ]
        free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in self.lanes:
            free.put(lane)

        def grade_one(which: tuple[Path, Target]) -> ExerciseGrade | None:
            lane = free.get()
            try:
                return self._run(
                    ExerciseGrade(which[1].name, counts=False), None, None, lane, *which
                )
            except NoLossError:
                return None  # nobody's exercise
            finally:
                free.put(lane)

        with ThreadPoolExecutor(len(self.lanes)) as pool:
            found = list(pool.map(grade_one, wanted))
        grades = []
        for (file, target), grade in zip(wanted, found, strict=True):
            if grade is None:
                continue
            guessed = "example()" not in grade.origin
            helper = target.form == "loss" and name is None and not grade.reports and guessed
            helper = helper and not LOSS.search(target.name)
            problems = [grade.problem, *(point.problem for point in grade.points)]
            if helper:  # a function that returns two things need not be a loss
                self.left_out += list(filter(None, problems))[:1]
            elif not (name is None and is_base(target.name) and _is_unwritten(problems)):
                grades.append(grade)
            if self.notes.get(file) and grade.verdict == NOT_CHECKED:
                notes = "; ".join(self.notes[file])
                grade.notes.append(f"{file.name} was loaded without what failed: {notes}")
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
                return self._run(grade, exercise, solution, self.lanes[0], file, target)
            except NoLossError as error:
                missing = missing or f"{target.name}: {error}"
        notes = "; ".join(note for file in self.files for note in self.notes.get(file, ()))
        grade.problem = f"{missing} What failed was passed over: {notes}" if notes else missing
        return grade

    @unharmed
    def _run(
        self,
        grade: ExerciseGrade,
        exercise: Exercise | None,
        solution: Solution | None,
        lane: Lane,
        file: Path,
        target: Target,
    ) -> ExerciseGrade:
        example = self.examples.get(file)
        if isinstance(example, StudentError):
            grade.notes.append(str(example))
            example = None
        try:
            sandbox = lane.sandbox(file)
            sandbox.restart_clock()
            points, grade.origin, target = points_of(target, exercise, example, solution, sandbox)
        except NoGuessError as error:
            grade.problem = f"{target.name}: {error}"
            grade.example = example_text(target, error.guess)
            return grade
        except NoLossError:
            raise
        except (OptionError, StudentError) as error:
            grade.problem = str(error)
            return grade
        except SandboxError as error:
            grade.problem = f"{target.name}: {error}"
            return grade
        grade.guessed = grade.origin.startswith(GUESSED)
        self._try(grade, points, exercise, solution, lane, file, target)
        return grade

    def _try(
        self,
        grade: ExerciseGrade,
        points: list[Point],
        exercise: Exercise | None,
        solution: Solution | None,
        lane: Lane,
        file: Path,
        target: Target,
    ) -> None:
        """Try a target at some points."""
        grade.trusted = exercise is not None and bool(exercise.kind or solution)
        for i, point in enumerate(points):
            try:
                sandbox = lane.sandbox(file)
            except StudentError as error:
                grade.problem = str(error)
                return
            if i == 0:
                sandbox.restart_clock()
            hint = "edit" if exercise is None else exercise.hint
            seek = hint not in ("verdict", "gradient") and all(
                found.verdict != WRONG
                for found in grade.points  # once is enough
            )
            result = try_point(
                sandbox, target, point, exercise, solution, SECONDS[min(i, 1)], seek=seek
            )
            if result.report is not None:
                result.report = told(result.report, hint)
            for mend in filter(None, (cut(mend, hint) for mend in result.mends)):
                result.problem += f"; {mend.text}"
            if result.problem and not point.must_run and i:
                grade.notes.append(f"not tried at {point.label}: {result.problem}")
                if not sandbox.died:
                    continue
                result.decides = True  # to hang or to die is not to refuse other sizes
            grade.points.append(result)
            if sandbox.died or (result.problem and i == 0):
                return


def _is_unwritten(problems: list[str]) -> bool:
    return any("it is not written yet" in problem for problem in problems)
