"""`minivae check`: verify every derivative in the package, or the backward passes in your file."""

import argparse

from ...course.grading import cli

EPILOG = """\
examples:
  minivae check                                a table of all the package's own derivatives
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    cli.configure(parser)
    parser.epilog = EPILOG + cli.EPILOG.removeprefix("examples:\n")


def run(options: argparse.Namespace) -> int:
    """Check a file if one is given, else everything in the package; return the exit code."""
    if cli.wanted(options):
        return cli.run(options)
    from ... import check
    from ...check.report.result import EXIT_CODES, worst_of

    results = check.check_all()
    print(check.table(results))
    return EXIT_CODES[worst_of(result.verdict for result in results)]
