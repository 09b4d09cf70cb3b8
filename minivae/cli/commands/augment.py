"""`minivae augment`: make new labelled examples with a conditional VAE."""

import argparse
from typing import TYPE_CHECKING, Any

from ...files import new_file, new_folder, whole_folder
from ..numbers import finite, whole
from ..options import add_shared, refuse_idle
from ..table_options import add_table, table_names, table_of

if TYPE_CHECKING:
    import numpy as np

    from ...data import Dataset
    from ...models import ConditionalVAE

EPILOG = """\
examples:
  minivae augment mnist5k --per-class 100 --out more.npz     train a conditional VAE, and use it
  minivae augment my_pictures/ --per-class 50 --out more.npz   a subfolder for each class
  minivae augment table.csv --label kind --per-class 50 --out more.csv
  minivae augment --run runs/001-mnist5k-cvae --per-class 100 --out more.npz
  minivae augment digits8 --per-class 50 --how posterior --out more.npz    around real examples
  minivae augment digits8 --per-class 50 --with-real --out all.npz
  minivae augment --experiment --out augmented     does it help? minutes; see tutorials/uses

the file holds x, y and how ("prior" or "posterior"); with --with-real x_train, y_train, and the
data's own x_test and y_test, so that no test example is an artificial one
"""

HOW = ("prior", "posterior", "both")

DEFAULTS = {"per_class": 100, "how": "both", "temperature": 1.0, "seed": 0, "backend": "auto"}
"""Of options that the experiment does not take."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    data = "labelled data: name of a data set (see `minivae data`), or a path (default: the run's)"
    parser.add_argument("data", nargs="?", metavar="DATA", help=data)
    run = "use the conditional VAE of this run instead of training one (`train --conditional`)"
    parser.add_argument("--run", metavar="RUN", help=run)
    per_class = "new examples of each class (default: 100)"
    parser.add_argument("--per-class", type=whole, metavar="N", help=per_class)
    how = "draw from the prior, from the posteriors of real examples, or half and half (default)"
    parser.add_argument("--how", choices=HOW, help=how)
    temperature = "factor on the standard deviation of the draws (default: 1)"
    parser.add_argument("--temperature", type=finite, metavar="T", help=temperature)
    real = "put the real training examples in too, and the test examples as they are"
    parser.add_argument("--with-real", action="store_true", help=real)
    add_table(parser.add_argument_group("if the data are a table"))
    network = "that the VAE is made of (default: mlp); conv for images"
    parser.add_argument("--network", metavar="NAME", help=network)
    hidden = "widths of the VAE's hidden layers (images: 256, tables: 64)"
    parser.add_argument("--hidden", type=whole, nargs="+", metavar="N", help=hidden)
    latent = "its latent dimensions (images: 16, tables: 4)"
    parser.add_argument("--latent", type=whole, metavar="N", help=latent)
    epochs = "of its training (images: as many as make 2000 updates, at least 10; tables: 200)"
    parser.add_argument("--epochs", type=whole, metavar="N", help=epochs)
    experiment = "measure what augmentation does for a classifier on few digits, on mnist5k"
    parser.add_argument("--experiment", action="store_true", help=experiment)
    seeds = "repetitions of the experiment (default: 20)"
    parser.add_argument("--seeds", type=whole, metavar="N", help=seeds)
    out = "a new .npz file, for a table a .csv file too; of the experiment, a new folder"
    parser.add_argument("--out", required=True, metavar="PATH", help=out)
    add_shared(parser, "seed", default=None)
    add_shared(parser, "backend", default=None)
    add_shared(parser, "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Write new examples, or run the experiment."""
    own = ("network", "hidden", "latent", "epochs")
    if options.experiment:
        drawn = ("data", "run", "per_class", "how", "temperature", "with_real", "seed", "backend")
        refuse_idle(
            options, "the experiment has its own data and settings", *drawn, *own, *table_names()
        )
        return experiment(options)
    refuse_idle(options, "it is for --experiment", "seeds")
    if options.run is not None:
        refuse_idle(options, "--run brings a model that is trained", *own)
    if options.data is None:
        refuse_idle(options, "no DATA was, and a run's own are read as they were", *table_names())
    for name, default in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, default)
    return augment(options)


def augment(options: argparse.Namespace) -> int:
    """Get a conditional VAE, draw from it, and write the examples."""
    import numpy as np

    from ...data.labelled import named, numbers_of
    from ...data.tables.reading import is_table
    from .. import outputs

    table = is_table(options.data) and not options.with_real
    path = new_file(options.out, ".npz", *([".csv"] if table or options.run else []))
    if options.per_class < 1:
        raise _wrong("--per-class must be at least 1")
    data, model, y = source(options)
    if path.suffix == ".csv" and (data.form is None or options.with_real):
        raise _wrong(f"{path} would hold new rows of a table alone; name an .npz file with --out")
    for note in data.notes:
        options.voice.note(note)
    rng = np.random.default_rng([options.seed, 1])
    x_new, y_new, how = draw(model, data.x_train, y, options, rng)

    names = model.labels
    if options.with_real:
        arrays = {
            "x_train": np.concatenate([data.x_train, x_new]),
            "y_train": named(np.concatenate([y, y_new]), names),
        }
        if data.x_test is not None:
            y_test = numbers_of(data, data.y_test, names)
            arrays |= {"x_test": data.x_test, "y_test": named(y_test, names)}
    else:
        arrays = {"x": x_new, "y": named(y_new, names), "how": how}
    outputs.write(path, None, arrays, data.shape, data.form)
    options.voice.wrote(path)
    return 0


def source(options: argparse.Namespace) -> "tuple[Dataset, ConditionalVAE, np.ndarray]":
    """Return the data, a conditional VAE, and the numbers that it gives the data's classes.

    Raises
    ------
    OptionError
        If there are neither data nor a run, or the run's model is not conditional.
    """
    import math

    from ... import data as datasets
    from ...data.labelled import class_names, numbers_of
    from ...models.network import DEFAULT, find_network
    from ...train.runs import open_run
    from ...uses.anomaly.detector import TABLES
    from ...uses.augment import train_generator
    from .. import outputs

    if options.run is None:
        if options.data is None:
            raise _wrong("there are no data; name a data set or a path, or a run with --run")
        data = datasets.load(options.data, progress=options.voice.progress, **table_of(options))
        if data.alphabet is not None:
            raise _wrong(f"{data.name} holds sequences of symbols; give pictures or a table")
        labels, steps = class_names(data), math.ceil(len(data.pixels_train) / 128)
        usual: dict[str, Any] = {"hidden": [256], "latent": 16, "batch": 128}
        usual |= {"epochs": max(10, round(2000 / steps))}
        own = {"hidden": options.hidden, "latent": options.latent, "epochs": options.epochs}
        if find_network(options.network or DEFAULT).shaped:
            own |= {"network": options.network, "shape": data.shape}
        model = train_generator(
            data.pixels_train,
            data.y_train,
            labels,
            **(usual if data.form is None else TABLES)
            | {name: value for name, value in own.items() if value is not None},
            binarize=len(data.shape) == 2,
            seed=options.seed,
            backend=options.backend,
            progress=options.voice.progress,
        )
        return data, model, data.y_train
    run = open_run(options.run, options.backend)
    if "condition" not in run.can:
        raise _wrong(
            f"{run.folder} was trained without labels; train a model with `minivae train "
            "--conditional`"
        )
    data = run.load_data(options.data, **table_of(options))
    outputs.check_shape(run, data.shape, data.name)
    return data, run.training.model, numbers_of(data, data.y_train, run.training.model.labels)


def draw(
    model: "ConditionalVAE",
    x: "np.ndarray",
    y: "np.ndarray",
    options: argparse.Namespace,
    rng: "np.random.Generator",
) -> "tuple[np.ndarray, np.ndarray, np.ndarray]":
    """Draw as many new examples of each class as are wanted; say of each how it was made."""
    import numpy as np

    from ...uses.augment import from_posterior, from_prior, in_turn

    N, C = options.per_class, len(model.labels)
    around = {"prior": 0, "posterior": N, "both": N // 2}[options.how]
    xs, ys, hows = [], [], []
    if N - around:
        classes = np.repeat(np.arange(C), N - around)
        xs += [from_prior(model, classes, rng, temperature=options.temperature)]
        ys, hows = [classes], [np.full(len(classes), "prior")]
    if around:
        rows = in_turn(y, around, C)
        xs += [from_posterior(model, x[rows], y[rows], rng, temperature=options.temperature)]
        ys, hows = [*ys, y[rows]], [*hows, np.full(len(rows), "posterior")]
    return np.concatenate(xs), np.concatenate(ys), np.concatenate(hows)


def experiment(options: argparse.Namespace) -> int:
    """Run the experiment into a new folder, and print what came out."""
    from ...uses.experiments import augment as study

    seeds, voice = 20 if options.seeds is None else options.seeds, options.voice
    if seeds < 2:
        raise _wrong(f"--seeds {seeds} leaves no interval; give at least 2")
    folder = new_folder(options.out)
    with whole_folder(folder) as new:
        summary = study.run(new, seeds=seeds, progress=voice.progress)
    for title, header, rows in summary["tables"]:
        voice.say(title)
        widths = [max(len(str(row[i])) for row in [header, *rows]) for i in range(len(header))]
        for row in (header, *rows):
            cells = (f"{c:<{w}}" for c, w in zip(row, widths, strict=True))
            voice.say("  " + "  ".join(cells).rstrip())
        voice.say()
    voice.say(summary["text"])
    voice.tell(summary=summary)
    voice.wrote(folder)
    return 0


def _wrong(what: str) -> Exception:
    from ...errors import OptionError

    return OptionError(f"{what}.")
