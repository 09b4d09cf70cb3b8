"""`minivae exercises`: write backward passes to solve, with their checks, points and solutions."""

import argparse
import shutil
import textwrap

EPILOG = """\
examples:
  minivae exercises list                      what there is
  minivae exercises new homework              a file for each exercise, and the rubric
  minivae exercises new homework --only linear kl vae --notebook
  minivae exercises solutions solved          for the instructor: the solutions, and their rubric
  minivae check homework/linear.py            says whether it is right, and if not, what is wrong

files that exist are never overwritten
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "action",
        choices=("list", "new", "solutions"),
        help="list them, write them with gaps, or write their solutions",
    )
    parser.add_argument("folder", nargs="?", metavar="FOLDER", help="where to write")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these exercises (default: all)")
    parser.add_argument(
        "--notebook", action="store_true", help="also one notebook of them, for nbgrader"
    )
    parser.add_argument(
        "--otter", action="store_true", help="new: also test files of otter, in FOLDER/tests"
    )
    parser.add_argument(
        "--gradescope",
        action="store_true",
        help="solutions: also an autograder for Gradescope, in FOLDER/gradescope",
    )


def run(options: argparse.Namespace) -> int:
    """List the exercises, or write them and print the files that were written."""
    from ...errors import OptionError
    from .folder import write_exercises, write_solutions

    if options.action == "list":
        if options.folder is not None:
            raise OptionError(
                f"`exercises list` takes no folder, but {options.folder!r} was given; leave it out."
            )
        for name in ("notebook", "otter", "gradescope"):
            if getattr(options, name):
                raise OptionError(
                    f"--{name} was given, but `exercises list` writes nothing; leave it out."
                )
        print(table(options.only))
        return 0
    if options.folder is None:
        raise OptionError(
            f"`exercises {options.action}` was given no folder; name the one to write into."
        )
    if options.action == "new":
        if options.gradescope:
            raise OptionError(
                "--gradescope belongs to `exercises solutions`, since the autograder holds the "
                "solutions; leave it out."
            )
        written = write_exercises(
            options.folder, options.only, notebooks=options.notebook, otter=options.otter
        )
    else:
        if options.otter:
            raise OptionError(
                "--otter belongs to `exercises new`: the test files hold no solution; leave it out."
            )
        written = write_solutions(
            options.folder, options.only, notebooks=options.notebook, gradescope=options.gradescope
        )
    print(*written, sep="\n")
    return 0


def table(only: list[str] | None = None) -> str:
    """The exercises, with their points and how many derivatives are checked, as wide as fits."""
    from .catalog import choose

    tasks = choose(only)
    width = max(len(task.name) for task in tasks)
    head = f"{'name':<{width}}  points  numbers  "
    wide = min(96, shutil.get_terminal_size().columns)
    columns = textwrap.TextWrapper(max(wide, len(head) + 20), subsequent_indent=" " * len(head))
    lines = [f"{head}task"]
    for task in tasks:
        start = f"{task.name:<{width}}  {task.points:6g}  {task.numbers:7d}  "
        columns.initial_indent = start
        lines.append(columns.fill(task.headline))
    return "\n".join(lines)
