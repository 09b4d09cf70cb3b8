"""`minivae check FILE`: check the backward passes in a file, or grade submissions."""

import argparse
import json
import os
import secrets
import sys
import time
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

SECONDS = 10
"""After which the table of a batch is written again, of what is graded by then."""

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
    jobs = "processes that check a file, or files of a folder, at once (the cores)"
    parser.add_argument("--jobs", type=int, metavar="N", help=jobs)
    again = "keep the rows of --batch's table that is there, and grade what has none"
    parser.add_argument("--resume", action="store_true", help=again)
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
    names += ("force", "insist", "seed", "resume")
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
    if options.resume and (not options.batch or options.json or options.force):
        raise OptionError(
            "--resume keeps rows of a table of --batch; leave it out, or give --batch without "
            "--json and without --force."
        )
    if options.force and not (options.batch or options.gradescope):
        raise OptionError(
            "--force is for a file that --gradescope or --batch writes; leave it out."
        )
    if options.memory is None:
        options.memory = MEMORY
    target = (options.csv or "grades.csv") if options.batch else options.gradescope
    if target and not (options.force or options.resume):
        refuse_what_exists(Path(target), "name another file, or replace it with --force")
    return _batch(options, target) if options.batch else _single(options)


def _jobs(wanted: int | None) -> int:
    """How many processes to use: the cores that there are, or fewer."""
    from ...engine.workers import checked_jobs

    return checked_jobs(wanted, min(os.cpu_count() or 1, 8))


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
    from ...engine.progress import bar
    from .batch import grade_each, name_of, row_of, rows_in, submissions_in, write_rows
    from .rubric import load_rubric

    rubric = load_rubric(options.points) if options.points else None
    paths = {name_of(path.resolve().name): path for path in submissions_in(options.batch)}
    rows = rows_in(Path(target)) if options.resume and Path(target).exists() else {}
    waiting = [path for name, path in paths.items() if name not in rows]
    how = {name: getattr(options, name) for name in ("timeout", "memory", "insist")}
    how["seed"] = secrets.randbits(32) if options.seed is None else options.seed
    printed, written = [], time.monotonic()

    def write() -> None:
        in_order = [rows[name] for name in paths if name in rows]
        gone = [row for name, row in rows.items() if name not in paths]
        write_rows(target, [*in_order, *gone], rubric)

    grades = grade_each(waiting, rubric, min(_jobs(options.jobs), max(1, len(waiting))), **how)
    try:
        shown = not options.json and sys.stderr is not None and sys.stderr.isatty()
        for grade in bar(grades, total=len(waiting), disable=not shown, leave=False):
            row = row_of(grade, rubric)
            rows[row["submission"]] = row
            if options.json:
                printed.append(grade.to_dict())
            else:
                of = f"{grade.score:g} of {grade.max_score:g} points"
                print(f"{grade.file}: {grade.verdict}, {of}", flush=True)
            if time.monotonic() > written + SECONDS:  # for whoever is killed
                write()
                written = time.monotonic()
    except KeyboardInterrupt:
        grades.close()
        if rows:
            write()
        left = f"{len(rows)} of {len(paths)} submissions"
        print(f"{target} has {left}; go on with the same command and --resume", file=sys.stderr)
        raise
    write()
    if options.json:
        print(json.dumps(printed, indent=2))
    else:
        print(f"{target} has {len(rows)} submissions")
    return EXIT_CODES[worst_of(row["verdict"] for row in rows.values())]
