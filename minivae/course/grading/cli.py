"""`minivae check FILE`: check the backward passes in a file, or grade submissions."""

import argparse
import json
import os
import sys
from pathlib import Path

EPILOG = """\
examples:
  minivae check homework.py                    check all that has a forward and a backward pass
  minivae check homework.py::linear            ... or one of them
  minivae check homework.py --points rubric.toml --gradescope results.json
  minivae check --batch submissions --points rubric.toml --csv grades.csv

exit codes:
  0  right: every gradient was compared with a numerical one, and agrees
  1  wrong: a gradient disagrees
  2  wrong usage
  3  right, but ...: a habit is worth a word, such as noise of its own or work in place
  4  not checked: something could not be paired, called or compared; the report says what would help

the file is run in another process, which can read and do no more than it needs, with a limit on
its time, its memory and what it writes; where a system cannot confine it, grading needs --insist
"""

MEMORY = 2048
"""Megabytes that a process may use, if no other number is given."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE[::NAME]",
        help="a Python file, or a folder of them, and what in it to check (default: all)",
    )
    parser.add_argument("--points", metavar="RUBRIC", help="what is graded, and its points (TOML)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    gradescope = "write the results for Gradescope, whatever happens"
    parser.add_argument("--gradescope", metavar="FILE", help=gradescope)
    batch = "grade each file and subfolder of FOLDER, and write a table"
    parser.add_argument("--batch", metavar="FOLDER", help=batch)
    parser.add_argument("--csv", metavar="FILE", help="the table of --batch (grades.csv)")
    parser.add_argument(
        "--timeout", type=float, metavar="S", help="seconds for a submission (60; 300 if ungraded)"
    )
    parser.add_argument(
        "--jobs", type=int, metavar="N", help="processes that check a file at once (the cores)"
    )
    parser.add_argument(
        "--memory", type=int, metavar="MB", help=f"memory of the process ({MEMORY})"
    )
    parser.add_argument("--force", action="store_true", help="replace the file of results or table")
    insist = "grade also where the system cannot confine the code that is graded"
    parser.add_argument("--insist", action="store_true", help=insist)
    seed = "draw the inputs and entries as a grade with this seed did (a fresh one)"
    parser.add_argument("--seed", type=int, metavar="N", help=seed)


def wanted(options: argparse.Namespace) -> bool:
    """Whether the options ask for a file or a folder to be checked."""
    names = ("file", "points", "gradescope", "batch", "csv", "json", "timeout", "jobs", "memory")
    names += ("force", "insist", "seed")
    given = [getattr(options, name) for name in names]
    return any(value is not None and value is not False for value in given)


def run(options: argparse.Namespace) -> int:
    """Check or grade; return the exit code."""
    from ...errors import OptionError
    from ...files import refuse_what_exists

    if options.batch and (options.file or options.gradescope):
        raise OptionError("--batch goes without FILE and without --gradescope; give one of them.")
    if options.csv and not options.batch:
        raise OptionError("--csv is the table of --batch; give a FOLDER to --batch.")
    if not options.batch and not options.file:
        raise OptionError("a FILE to check is missing; `minivae check --help` has examples.")
    if options.batch and options.jobs is not None:
        raise OptionError("--jobs was given, but --batch checks file by file; leave it out.")
    if options.force and not (options.batch or options.gradescope):
        raise OptionError(
            "--force is for a file that --gradescope or --batch writes; leave it out."
        )
    if options.memory is None:
        options.memory = MEMORY
    target = (options.csv or "grades.csv") if options.batch else options.gradescope
    if target and not options.force:
        refuse_what_exists(Path(target), "name another file, or replace it with --force")
    return _batch(options, target) if options.batch else _single(options)


def _jobs(wanted: int | None) -> int:
    """How many processes to use: the cores that there are, or fewer."""
    from ...errors import OptionError

    if wanted is not None and not 1 <= wanted <= 64:
        raise OptionError(f"--jobs {wanted} was given; give 1 to 64.")
    return wanted or min(os.cpu_count() or 1, 8)


def _single(options: argparse.Namespace) -> int:
    """Grade one submission; with --gradescope, results are written also if that fails."""
    from ...check.gradients import crash_line
    from ...check.report.result import EXIT_CODES, NOT_CHECKED
    from ...errors import MinivaeError, OptionError
    from .gradescope import failure, results, write_results
    from .rubric import load_rubric
    from .submission import grade_file
    from .words import one_line

    path, _, name = options.file.partition("::")
    rubric = None
    try:
        rubric = load_rubric(options.points) if options.points else None
        grade = grade_file(
            path,
            rubric,
            name=name or None,
            timeout=options.timeout,
            memory=options.memory,
            jobs=_jobs(options.jobs),
            insist=options.insist,
            seed=options.seed,
        )
        content = results(grade)
    except BaseException as error:
        if options.gradescope:
            # The reason is for the instructor, on the error output; it may name hidden files.
            problem = "not checked: the autograder itself failed; tell your instructor"
            most = rubric.points if rubric is not None else 1.0
            write_results(options.gradescope, failure(one_line(Path(path).name), problem, most))
        if isinstance(error, MinivaeError | KeyboardInterrupt) or not options.gradescope:
            raise
        print(f"minivae: the grader failed: {crash_line(error)}", file=sys.stderr)
        return EXIT_CODES[NOT_CHECKED]
    if options.gradescope:
        write_results(options.gradescope, content)
    unreadable = bool(grade.problem) and not Path(path).exists()
    if unreadable and not options.json:
        raise OptionError(f"{grade.problem}; name a file or folder that is there")
    print(grade.to_json() if options.json else grade)
    if grade.printed and not options.json:
        lines = grade.printed[:2000].rstrip().split("\n")
        print("\nthe file printed:", *lines, sep="\n| ")  # so that no line is one of the report
    return 2 if unreadable else grade.exit_code


def _batch(options: argparse.Namespace, target: str) -> int:
    """Grade a folder of submissions."""
    from ...check.report.result import EXIT_CODES, worst_of
    from .batch import grade_folder, write_csv
    from .grade import Grade
    from .rubric import load_rubric

    def say(grade: Grade) -> None:
        if not options.json:
            line = f"{grade.file}: {grade.verdict}, {grade.score:g} of {grade.max_score:g} points"
            print(line, flush=True)

    rubric = load_rubric(options.points) if options.points else None
    grades = grade_folder(
        options.batch,
        rubric,
        timeout=options.timeout,
        memory=options.memory,
        insist=options.insist,
        seed=options.seed,
        done=say,
    )
    write_csv(target, grades, rubric)
    if options.json:
        print(json.dumps([grade.to_dict() for grade in grades], indent=2))
    else:
        print(f"{target} has {len(grades)} submissions")
    return EXIT_CODES[worst_of(grade.verdict for grade in grades)]
