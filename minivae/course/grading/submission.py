"""Grade a submission: a file or a folder of files, with a rubric or without one."""

import queue
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ...check.gradients import crash_line
from ...check.report.result import NOT_CHECKED
from ...check.verdict.conventions.names import is_base
from ...engine.door import door
from ...engine.kinds import Jobs
from ...errors import MinivaeError, OptionError
from .discover import Target, choose, names_of
from .example import example_text
from .exercise_grade import ExerciseGrade, empty_grade
from .grade import Grade
from .inventory import Inventory
from .lane import Lane
from .limits import SECONDS, SECONDS_OPEN, Limits, Overrun, Span, interrupted, limited_memory
from .points import GUESSED, points_of
from .remote import NoLossError
from .roles import LOSS
from .rubric import Exercise, Rubric
from .search import NoGuessError
from .trial import CRASHED, SLOW, try_points, unharmed
from .truth import Solution
from .words import NotReadError, SandboxError, StudentError, one_line


@door
def grade_file(
    path: str | Path,
    rubric: Rubric | None = None,
    *,
    name: str | None = None,
    timeout: float | None = None,
    memory: int = 2048,
    alone: bool | None = None,
    jobs: Jobs = 1,
    insist: bool = False,
    seed: int | None = None,
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
    timeout : float, optional
        Seconds in all, which the exercises share; `SECONDS` or, without a rubric, `SECONDS_OPEN`.
    memory : int
        MB for a process that runs the code, and for what the grader makes of its answers.
    alone : bool, optional
        The file is the whole submission; those beside it belong to others. By default so with a
        rubric; without one, `copies_of` tells which files it may import.
    jobs : int
        How many targets are checked at once, each in a process of its own, without a rubric.
    insist : bool
        Grade also where the system cannot confine the code.
    seed : int, optional
        Draws the inputs, the upstream gradients and the entries, to repeat a grade; a fresh one by
        default, which the code that is graded cannot know.

    Returns
    -------
    Grade
        Also for a submission that does not run, with the reason in it.

    Raises
    ------
    OptionError
        If the rubric, its solution, the name or a limit is wrong, or the code cannot be confined;
        never for what is submitted.
    """
    start = time.monotonic()
    path = Path(path)
    if timeout is None:
        timeout = SECONDS if rubric is not None else SECONDS_OPEN
    limits = Limits(timeout, memory, insist=insist or rubric is None)
    seed = secrets.randbits(32) if seed is None else seed
    solution = Solution(rubric.solution) if rubric is not None and rubric.solution else None
    if rubric is not None and name is not None:
        rubric = rubric.only(name)
    grade = Grade(one_line(path.resolve().name), seed=seed)
    if alone is None:
        alone = rubric is not None and not path.is_dir()
    with limited_memory(memory), Submission(path, rubric, limits, alone, jobs, seed) as submission:
        try:
            submission.fill(grade, rubric, solution, name)
        except MinivaeError:
            raise
        except (Exception, Overrun) as error:  # something that nobody thought of
            grade.problem, grade.crash = CRASHED, crash_line(error)
    grade.printed, grade.defences = submission.printed, submission.defences
    grade.seconds = time.monotonic() - start
    return grade


class Submission:
    """The files of a submission; each runs in a sandbox, or its targets in several at once."""

    def __init__(
        self,
        path: Path,
        rubric: Rubric | None,
        limits: Limits,
        alone: bool,
        jobs: int,
        seed: int,
    ) -> None:
        self.found = Inventory(path, rubric.file if rubric is not None else "")
        self.whole, self.seed = Span.of(limits.seconds), seed
        top = path if path.is_dir() else path.parent if rubric is not None else None
        packages = rubric.packages if rubric is not None else ()
        self.lanes = [Lane(limits, self.whole, alone, top, packages) for _ in range(jobs)]
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

    def fill(
        self, grade: Grade, rubric: Rubric | None, solution: Solution | None, name: str | None
    ) -> None:
        """Fill in the grade."""
        if self.found.problem:
            grade.problem = self.found.problem
            for exercise in rubric.exercises if rubric is not None else ():
                grade.exercises.append(empty_grade(exercise, grade.problem))
        elif rubric is not None:
            lane = self.lanes[0]
            for i, exercise in enumerate(rubric.exercises):
                lane.span = self.whole.later(lane.late).share(len(rubric.exercises) - i)
                grade.exercises.append(self.grade(empty_grade(exercise), lane, exercise, solution))
        else:
            grade.exercises += self.grade_all(name)
            if not grade.exercises:
                grade.problem = self.found.why_nothing(self.left_out)
            else:
                grade.problem = "; ".join(self.found.failures.values())
                grade.left_out = self.left_out

    def grade_all(self, name: str | None) -> list[ExerciseGrade]:
        """Check everything that is found, or the one of that name, in all lanes at once."""
        found, first = self.found, self.lanes[0]
        try:
            with interrupted(first.left):
                found.look_at_all(first)
        except Overrun:
            self.left_out.append(SLOW)
        wanted = [
            (file, target)
            for file in found.files
            for target in found.targets.get(file, ())
            if (name in names_of(target) if name is not None else target.sure)
        ]
        free: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        for lane in self.lanes:
            free.put(lane)
        whole, guard, waiting = self.whole.later(first.late), threading.Lock(), len(wanted)

        def grade_one(which: tuple[Path, Target]) -> ExerciseGrade | None:
            nonlocal waiting
            lane = free.get()
            with guard:
                lane.span = whole.share(-(-waiting // len(self.lanes)))
                waiting -= 1
            try:
                empty = ExerciseGrade(which[1].name, counts=False)
                return self._run_alone(empty, lane, None, None, *which)
            except NoLossError:
                return None  # nobody's exercise
            finally:
                free.put(lane)

        with ThreadPoolExecutor(len(self.lanes)) as pool:
            graded = list(pool.map(grade_one, wanted))
        grades = []
        for (file, target), grade in zip(wanted, graded, strict=True):
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
            if found.notes.get(file) and grade.verdict == NOT_CHECKED:
                notes = "; ".join(found.notes[file])
                grade.notes.append(f"{one_line(file.name)} was loaded without what failed: {notes}")
        if not grades and name is not None and not found.failures:
            targets = [t for file in found.files for t in found.targets[file]]
            choose(targets, name, one_line(found.files[0].name))
        return grades

    @unharmed
    def grade(
        self, grade: ExerciseGrade, lane: Lane, exercise: Exercise, solution: Solution | None
    ) -> ExerciseGrade:
        """Grade one exercise of the rubric."""
        found, missing = self.found, ""
        own = lane.span
        first = [file for file in found.files if file.stem == exercise.name]
        files = [*first, *(f for f in found.files if f not in first)]
        for file in files:
            late = lane.late
            lane.span = own.share(1 if file is files[-1] else 2)  # half of it for the others
            targets = found.look(file, lane)
            lane.span = own = own.later(lane.late - late)
            try:
                target = choose(targets, exercise.name, one_line(file.name))
            except OptionError as error:
                missing = missing or found.failures.get(file) or str(error)
                continue
            try:
                return self._run(grade, lane, exercise, solution, file, target)
            except NoLossError as error:
                missing = missing or f"{target.name}: {error}"
        notes = "; ".join(note for file in found.files for note in found.notes.get(file, ()))
        grade.problem = f"{missing} What failed was passed over: {notes}" if notes else missing
        grade.doubtful = bool(found.unread)
        return grade

    def _run(
        self,
        grade: ExerciseGrade,
        lane: Lane,
        exercise: Exercise | None,
        solution: Solution | None,
        file: Path,
        target: Target,
    ) -> ExerciseGrade:
        example = self.found.examples.get(file)
        if isinstance(example, StudentError):
            grade.notes.append(str(example))
            example = None
        try:
            points, grade.origin, target = points_of(
                target, exercise, example, solution, lane.sandbox(file), self.seed
            )
        except NoGuessError as error:
            grade.problem = f"{target.name}: {error}"
            grade.example = example_text(target, error.guess)
            return grade
        except NoLossError:
            raise
        except (OptionError, StudentError) as error:
            grade.problem, grade.doubtful = str(error), isinstance(error, NotReadError)
            return grade
        except SandboxError as error:
            grade.problem = f"{target.name}: {error}"
            return grade
        grade.guessed = grade.origin.startswith(GUESSED)
        try_points(grade, lane, file, target, points, exercise, solution, self.seed)
        return grade

    _run_alone = unharmed(_run)


def _is_unwritten(problems: list[str]) -> bool:
    return any("it is not written yet" in problem for problem in problems)
