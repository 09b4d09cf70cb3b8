"""`minivae sample`: draw new data from a trained model."""

import argparse

from minivae.commands.train_options import finite, seed, whole

EPILOG = """\
examples:
  minivae sample                                 64 samples of the newest run, as a picture
  minivae sample runs/001-mnist5k-vae --n 100 --seed 3
  minivae sample --temperature 0.7               closer to the middle of the prior
  minivae sample --draw                          draw the pixels too, instead of their means
  minivae sample --n 10000 --out samples.npz     numbers: the array x (n, height, width)
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="run folder or checkpoint (default: the newest run)"
    )
    parser.add_argument("--n", type=whole, default=64, metavar="N", help="how many (default: 64)")
    parser.add_argument(
        "--temperature",
        type=finite,
        default=1.0,
        metavar="T",
        help="standard deviation of the latents (default: 1, the prior)",
    )
    parser.add_argument(
        "--seed", type=seed, default=0, metavar="N", help="of the draws (default: 0)"
    )
    parser.add_argument("--draw", action="store_true", help="draw pixels instead of their means")
    out = "a new .png, .npz or .npy file (default: a picture in the run folder)"
    parser.add_argument("--out", metavar="FILE", help=out)


def run(options: argparse.Namespace) -> int:
    """Draw samples and write them."""
    from . import outputs, pictures

    run = outputs.chosen_run(options)
    path = outputs.output(run, options.out, "sample")
    how = {"temperature": options.temperature, "draw": options.draw}
    x = pictures.sampled(run, options.n, seed=options.seed, **how)
    outputs.write(path, lambda: pictures.samples(run, x, **how), {"x": x}, run.shape)
    return 0
