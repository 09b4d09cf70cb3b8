"""`minivae check`: verify every derivative in the package."""

import argparse

EPILOG = """\
examples:
  minivae check          a table of all checks; the exit code is 1 if one fails
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG


def run(options: argparse.Namespace) -> int:
    """Check everything; return 1 if a check fails."""
    from minivae import check

    results = check.check_all()
    print(check.table(results))
    return 0 if all(result.passed for result in results) else 1
