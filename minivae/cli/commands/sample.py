"""`minivae sample`: draw new data from a trained model."""

import argparse
from functools import partial
from typing import TYPE_CHECKING

from ..numbers import finite, whole
from ..options import add_run, add_shared, refuse_idle

if TYPE_CHECKING:
    import numpy as np

    from ...train.runs import Run
    from ..voice import Voice

EPILOG = """\
examples:
  minivae sample                                 64 samples of the newest run, as a picture
  minivae sample runs/001-mnist5k-vae --n 100 --seed 3
  minivae sample --temperature 0.7               closer to the middle of the prior
  minivae sample --draw                          draw the pixels too, instead of their means
  minivae sample --label 7                       sevens, of a run with `train --conditional`
  minivae sample --nearest                       beside each its nearest training image
  minivae sample --n 500 --out samples           a folder of PNG files
  minivae sample --n 10000 --out samples.npz     numbers: the array x (n, height, width)

of a run on melodies, 8 are drawn, to be heard and seen: a folder of .mid, .wav and .png files
  minivae sample --n 20 --out melodies.wav       20 of them, one after the other, in one file
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    add_run(parser)
    n = "how many (default: 64; 30 with --nearest; 8 of each class; 8 melodies)"
    parser.add_argument("--n", type=whole, metavar="N", help=n)
    parser.add_argument(
        "--temperature",
        type=finite,
        default=1.0,
        metavar="T",
        help="standard deviation of the latents (default: 1, the prior)",
    )
    parser.add_argument("--draw", action="store_true", help="draw pixels instead of their means")
    label = "the class to draw, of a conditional VAE (default: all, in turn)"
    parser.add_argument("--label", metavar="CLASS", help=label)
    nearest = "find each sample's nearest training example: is it memorized?"
    parser.add_argument("--nearest", action="store_true", help=nearest)
    out = (
        "a new .png, .npz or .npy file (of a table .csv, of sequences .txt instead of .png), or a "
    )
    out += "new folder for PNG files (default: a picture, table or text in the run folder)"
    parser.add_argument("--out", metavar="PATH", help=out)
    add_shared(parser, "seed", default=None)
    add_shared(parser, "backend", "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Draw samples and write them."""
    import numpy as np

    from ...data.labelled import named
    from ...errors import OptionError
    from .. import outputs, pictures, sequences

    if options.temperature == 0 and not options.draw:
        refuse_idle(options, "nothing is drawn at --temperature 0", "seed")
    run = outputs.chosen_run(options)
    if sequences.has_files_of_its_own(run):
        options.voice.wrote(*sequences.sample(run, options))
        return 0
    path = outputs.output(run, options.out, "sample", folders=True)
    if options.nearest:
        outputs.refuse_sequences(run, "--nearest")
    if options.nearest and path.suffix == "":
        raise OptionError(
            f"{path} would be a folder of samples, and --nearest has no place in it; name a .png "
            "or .npz file with --out, or leave out --nearest."
        )
    label, n = chosen_label(run, options.label), options.n
    if n is None:
        in_turns = "condition" in run.can and label is None and pictures.classes(run) < 20
        n = 30 if options.nearest else 8 * pictures.classes(run) if in_turns else 64
    how = {"temperature": options.temperature, "draw": options.draw, "label": label}
    x = pictures.sampled(run, n, seed=options.seed or 0, **how)
    arrays = {"x": x}
    if path.suffix == ".txt":
        outputs.write_texts(path, run, arrays)
        options.voice.wrote(path)
        return 0
    if "condition" in run.can:
        labels = run.training.model.labels
        turns = np.arange(n) % len(labels)
        y = turns if label is None else np.full(n, labels.index(label))
        arrays = {"y": named(y, labels), "x": x}
    if path.suffix == "":
        names = [labels[k] for k in y] if "condition" in run.can else None
        outputs.write_folder(path, x, run.shape, run.limits, names)
        options.voice.wrote(path)
        return 0
    picture = partial(pictures.samples, run, x, **how)
    if options.nearest:
        found, distance = nearest_training(run, x, options.voice)
        arrays = {"nearest": found, "distance": distance, **arrays}
        picture = partial(pictures.beside_nearest, run, x, found, **how)
    outputs.write(path, picture, arrays, run.shape, run.form)
    options.voice.wrote(path)
    return 0


def chosen_label(run: "Run", label: str | None) -> str | None:
    """Name of the class that was asked for.

    Raises
    ------
    OptionError
        If the model knows no classes, or not this one.
    """
    from ...errors import OptionError

    if label is None:
        return None
    if "condition" not in run.can:
        raise OptionError(
            f"--label {label} was given, but {run.folder} was trained without labels; leave it "
            "out, or train a model with `minivae train --conditional`."
        )
    model = run.training.model
    return model.labels[model.find(int(label) if label.isdecimal() else label)]


def nearest_training(
    run: "Run", x: "np.ndarray", voice: "Voice"
) -> "tuple[np.ndarray, np.ndarray]":
    """Nearest training example to each sample, and its distance; says what the distances mean.

    A memorized example would be at a distance of about 0. What is no more than alike is as far
    away as test examples are, or, since means of pixels are smoother than data, as their
    reconstructions are.
    """
    import numpy as np

    from ...uses.quality.measures import nearest
    from .. import pictures

    data = run.load_data()
    rows, _, part = run.test_rows(data)
    rows = pictures.spread(rows, 200)
    found, distance = nearest(x, data.pixels_train)
    voice.note("median distance to the nearest training example")
    medians = {f"{len(x)} samples": distance}
    if part == "test":
        real = pictures.spread(data.pixels_test, 200)
        medians[f"{len(real)} test examples"] = nearest(real, data.pixels_train)[1]
        if "reconstruct" in run.can:
            medians["their reconstructions"] = nearest(run.reconstruct(rows), data.pixels_train)[1]
    for what, distances in medians.items():
        voice.note(f"  {what:<24}{np.median(distances):8.2f}")
    voice.note("a memorized example would be at about 0")
    voice.tell(nearest={what: float(np.median(each)) for what, each in medians.items()})
    return data.pixels_train[found], distance
