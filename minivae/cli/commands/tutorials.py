"""`minivae tutorials`: copy the notebooks and pages to learn from."""

import argparse

from ...course import pages
from ..options import add_shared

EPILOG = """\
examples:
  minivae tutorials                  into the new folder minivae-tutorials
  minivae tutorials course           ... or course
  pip install jupyterlab && jupyter lab minivae-tutorials
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    folder = "a new folder (default: minivae-tutorials)"
    parser.add_argument(
        "folder", nargs="?", default="minivae-tutorials", metavar="FOLDER", help=folder
    )
    add_shared(parser, "json")


def run(options: argparse.Namespace) -> int:
    """Copy, and print the notebooks."""
    options.voice.wrote(*pages.copy(options.folder))
    return 0
