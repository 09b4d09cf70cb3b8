"""`minivae reconstruct`: encode data and decode them again."""

import argparse

from ..numbers import whole
from ..options import add_data, add_run, add_shared
from ..table_options import table_of

EPILOG = """\
examples:
  minivae reconstruct                               test data of the newest run, as a picture
  minivae reconstruct runs/001-mnist5k-vae --n 100
  minivae reconstruct --data my_digits.npy          other data of the same shape
  minivae reconstruct --data seven.png              one picture
  minivae reconstruct --out rebuilt.npz             numbers: the arrays original and reconstruction
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    add_run(parser)
    add_data(parser)
    n = "how many, evenly spread over the test part (default: 40)"
    parser.add_argument("--n", type=whole, default=40, metavar="N", help=n)
    out = "a new .png, .npz or .npy file, of a table .csv too, of sequences .txt (default: in the "
    out += "run folder)"
    parser.add_argument("--out", metavar="FILE", help=out)
    add_shared(parser, "backend", "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Reconstruct data and write them beside the originals."""
    from ...errors import OptionError
    from .. import outputs, pictures

    if options.n < 1:
        raise OptionError("0 reconstructions were asked for; --n must be at least 1.")
    run = outputs.chosen_run(options)
    path = outputs.output(run, options.out, "reconstruction")
    x, what = outputs.chosen_rows(run, options.data, options.voice, table_of(options))
    x = pictures.spread(x, options.n)
    arrays = {"original": run.pixels(x), "reconstruction": run.reconstruct(x)}
    if path.suffix == ".txt":
        outputs.write_texts(path, run, arrays)
        options.voice.wrote(path)
        return 0
    outputs.write(path, lambda: pictures.reconstructions(run, x, what), arrays, run.shape, run.form)
    options.voice.wrote(path)
    return 0
