"""`minivae data`: list the data sets, fetch one, or read melodies of the user's own."""

import argparse
from dataclasses import asdict

from ..options import add_shared, refuse_idle

EPILOG = """\
examples:
  minivae data                       which data sets there are, and which of them are here
  minivae data fetch mnist           download MNIST, verify it, and print where it is
  minivae data melodies --from songs.abc --out songs.npz
                                     tunes in ABC or MIDI files, in a folder or .zip file, or of
                                     an installed music21, in windows of two bars
  MINIVAE_DATA=~/data minivae data   look for the files of MNIST in ~/data too

your own data need no list: `minivae train PATH` takes a table (.csv and the like), a .npy, .npz or
IDX file, or a folder of pictures
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "action",
        nargs="?",
        choices=("list", "fetch", "melodies"),
        default="list",
        help="what to do (list)",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="the data set to fetch")
    source = "of melodies: an ABC or MIDI file, a folder or .zip file of them, or music21"
    parser.add_argument("--from", dest="source", metavar="PATH", help=source)
    out = "of melodies: a new .npz file (default: melodies-1.npz, -2, ... here)"
    parser.add_argument("--out", metavar="FILE", help=out)
    add_shared(parser, "json")


def run(options: argparse.Namespace) -> int:
    """List the data sets, or fetch one and print its place."""
    from ... import data
    from ...errors import OptionError

    if options.action == "melodies":
        return melodies(options)
    for name, flag in (("source", "from"), ("out", "out")):
        refuse_idle(options, f"`data {options.action}` reads no melodies", name, flag=flag)
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


def melodies(options: argparse.Namespace) -> int:
    """Read tunes and write their windows of two bars."""
    from pathlib import Path

    from ...data.melodies import own
    from ...errors import OptionError
    from ...files import first_free, new_file

    if options.name is not None or options.source is None:
        raise OptionError("melodies from where? name a file, a folder or music21 with --from.")
    out = options.out
    path = first_free(Path(), "melodies", ".npz") if out is None else new_file(out, ".npz")
    data = own.load_music(own.find_source(options.source))
    for note in data.notes:
        options.voice.note(note)
    n_test = 0 if data.pixels_test is None else len(data.pixels_test)
    options.voice.note(f"{len(data.pixels_train)} training and {n_test} test melodies")
    own.write(path, data)
    options.voice.wrote(path)
    return 0
