"""`minivae read`: build pages with every derivation beside its code."""

import argparse
import sys

from ...errors import OptionError
from ...show import typeset
from ...train.runs import RUNS
from ..options import add_shared

EPILOG = """\
examples:
  minivae read                     into the folder runs/read; open its index.html
  minivae read --out pages --open  ... and show it in the browser

The pages need no network. A folder that minivae read has made is replaced as a whole; one that
holds anything else is left as it is.
"""

PACKAGES = ("markdown_it", "pygments", "quickjs")


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    out = "the folder to build (default: runs/read)"
    parser.add_argument("--out", help=out, metavar="FOLDER")
    add_shared(parser, "quiet", "json")
    parser.add_argument("--open", help="show the index in the browser", action="store_true")


def run(options: argparse.Namespace) -> int:
    """Build the pages; return 1 if a gradient check failed."""
    try:
        from tqdm import tqdm

        from ...show import reader
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in PACKAGES:
            raise
        raise OptionError(
            f"minivae read needs the package {error.name}, which is not installed; "
            f"install what it needs with `{typeset.INSTALL}`."
        ) from None
    voice = options.voice
    voice.note("checking all gradients")
    out = options.out
    if out is None:
        RUNS.mkdir(exist_ok=True)
        out = RUNS / "read"
    index, failed = reader.build(
        out,
        progress=lambda found: tqdm(found, desc="pages", leave=False, disable=not voice.progress),
    )
    voice.wrote(index)
    if options.open:
        import webbrowser

        webbrowser.open(index.as_uri())
    for report in failed:
        print(f"the gradient check of {report.name} says: {report.verdict}", file=sys.stderr)
    return 1 if failed else 0
