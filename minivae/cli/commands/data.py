"""`minivae data`: list the data sets, or fetch one."""

import argparse
from dataclasses import asdict

from ..options import add_shared

EPILOG = """\
examples:
  minivae data                       which data sets there are, and which of them are here
  minivae data fetch mnist           download MNIST, verify it, and print where it is
  MINIVAE_DATA=~/data minivae data   look for the files of MNIST in ~/data too

your own data need no list: `minivae train PATH` takes a table (.csv and the like), a .npy, .npz or
IDX file, or a folder of pictures
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "action", nargs="?", choices=("list", "fetch"), default="list", help="what to do (list)"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the data set to fetch")
    add_shared(parser, "json")


def run(options: argparse.Namespace) -> int:
    """List the data sets, or fetch one and print its place."""
    from ... import data
    from ...errors import OptionError

    if options.action == "fetch":
        if options.name is None:
            raise OptionError(f"fetch what? name one of: {', '.join(data.NAMES)}.")
        options.voice.wrote(data.fetch(options.name))
        return 0
    if options.name is not None:
        raise OptionError(
            f"`data list` takes no name, but {options.name!r} was given; leave it out"
        )
    row = "{:<15}{:>7}{:>8}  {:<9}{}".format
    say = options.voice.say
    say(row("name", "train", "test", "shape", "state"))
    for entry in data.available():
        shape = " x ".join(map(str, entry.shape))
        say(row(entry.name, f"{entry.n_train:,}", f"{entry.n_test:,}", shape, entry.state))
        say(f"    {entry.what}\n    {entry.where}")
    options.voice.tell(data=[asdict(entry) for entry in data.available()])
    return 0
