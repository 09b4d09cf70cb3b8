"""`minivae explore`: walk through a latent space: pictures, films, or a page to do it by hand."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from .. import outputs, sequences, walks
from ..numbers import whole
from ..options import add_run, add_shared, refuse_idle
from ..walks import KINDS

if TYPE_CHECKING:
    from pathlib import Path

    from ...train.runs import Run

EPILOG = """\
examples:
  minivae explore                             all pictures and films of the newest run
  minivae explore runs/001-mnist5k-vae --only traversals latents
  minivae explore --images 3 14               from test image 3 to test image 14
  minivae explore --morph a.png b.png         from one picture to another
  minivae explore --morph 3 "Ode to Joy"      from one melody to another: .mid, .wav and a picture
  minivae explore --classes 3 8               what has to be added to a 3 to make it an 8
  minivae explore --with smiling/ --without serious/
  minivae explore --html page.html            a page to walk through the latent space by hand
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    add_run(parser)
    only = f"draw these alone: {', '.join(KINDS)} (default: all that the model has)"
    parser.add_argument("--only", nargs="+", choices=KINDS, metavar="KIND", help=only)
    data = "name of a data set or a path (default: what the run was trained on)"
    parser.add_argument("--data", metavar="DATA", help=data)
    images = "test images to go from and to, by their numbers (default: four pairs)"
    parser.add_argument("--images", nargs=2, type=whole, metavar=("I", "J"), help=images)
    morph = "go from one picture to another and draw nothing else; of melodies: two held-out ones "
    morph += "by their numbers, titles of tunes, or .abc or .mid files"
    parser.add_argument("--morph", nargs=2, metavar=("A", "B"), help=morph)
    classes = "the arithmetic's classes (default: two whose distance is middling)"
    parser.add_argument("--classes", nargs=2, metavar=("FROM", "TO"), help=classes)
    having = "the arithmetic's groups, instead of two classes: data with an attribute ..."
    parser.add_argument("--with", dest="having", metavar="DATA", help=having)
    parser.add_argument("--without", dest="lacking", metavar="DATA", help="... and without it")
    steps = "images on a path, its ends among them (default: 11)"
    parser.add_argument("--steps", type=whole, metavar="N", help=steps)
    out = "a new folder (default: explore-1, -2, ... in the run folder)"
    parser.add_argument("--out", metavar="FOLDER", help=out)
    html = "write a page that runs the model in any browser, and nothing else"
    parser.add_argument("--html", metavar="FILE", help=html)
    add_shared(parser, "backend", "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Draw, or write the page."""
    check(options)
    run = outputs.chosen_run(options)
    if options.html is not None:
        options.voice.wrote(page_of(run)(run, options.html, data=options.data))
        return 0
    if run.training.model.alphabet and options.morph:
        options.voice.wrote(*sequences.morph(run, options))
        return 0
    options.voice.wrote(*walks.draw(run, options))
    return 0


def page_of(run: "Run") -> "Callable[..., Path]":
    """What writes the page of a run: of melodies, or of pictures."""
    if run.training.model.alphabet:
        from ...uses.explore.melodies import write_page
    else:
        from ...uses.explore.page import write_page
    return write_page


def check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other.

    Raises
    ------
    OptionError
        If one is given that would have no effect.
    """
    from ...errors import OptionError

    groups = {"--with": options.having, "--without": options.lacking}
    arithmetic = {"--classes": options.classes, **groups}
    pictures = {"--only": options.only, "--images": options.images, **arithmetic}
    drawn = {**pictures, "--morph": options.morph, "--steps": options.steps, "--out": options.out}
    for flag, value, idle in (
        ("--html", options.html, drawn),
        ("--morph", options.morph, {**pictures, "--data": options.data}),
        ("--classes", options.classes, groups),
    ):
        given = [name for name, other in idle.items() if other is not None]
        if value is not None and given:
            raise OptionError(f"{flag} was given together with {given[0]}; leave out one of them.")
    if (options.having is None) != (options.lacking is None):
        raise OptionError(
            "one group of data was given; the arithmetic takes two, --with and --without."
        )
    used = {
        "steps": ("interpolation",),
        "images": ("interpolation", "traversals", "categories", "analogies"),
        "classes": ("arithmetic",),
        "having": ("arithmetic",),
        "lacking": ("arithmetic",),
        "data": tuple(kind for kind in KINDS if kind != "manifold"),
    }
    for name, kinds in used.items():
        if options.only and not set(options.only) & set(kinds):
            flag = {"having": "with", "lacking": "without"}.get(name, name)
            drawn = f"--only draws no {' or '.join(kinds)}"
            refuse_idle(options, drawn, name, flag=flag)
    if options.steps is not None and options.steps < 2:
        raise OptionError(f"--steps {options.steps} was given; a path has at least 2 images.")
