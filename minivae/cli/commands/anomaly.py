"""`minivae anomaly`: learn what is normal, and score what may not be."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...files import new_file
from ..numbers import finite, whole
from ..options import add_shared, refuse_idle
from ..table_options import add_table, table_of

if TYPE_CHECKING:
    import numpy as np

    from ...data.examples import Examples
    from ...uses.anomaly.detector import Detector

EPILOG = """\
examples:
  minivae anomaly fit mnist5k --without 4 --out no-fours.npz
  minivae anomaly score no-fours.npz mnist5k --out scores.csv --map map.png
  minivae anomaly fit normal.csv --ignore id --out machine.npz
  minivae anomaly score machine.npz new.csv --out scores.csv
  minivae anomaly fit patients.csv --label diagnosis --normal benign
  minivae anomaly fit my_pictures/ --quantile 0.99

DATA is the name of a data set, a .npy, .npz or IDX file, a picture, a folder of pictures, or a
table such as a CSV file. `minivae anomaly fit --help` and `... score --help` list the options.
"""

FIT = """\
examples:
  minivae anomaly fit mnist5k --without 4          normal is every digit but the 4
  minivae anomaly fit table.csv --label kind --normal good --latent 2
  minivae anomaly fit table.csv --held-out 0.4     for small tables: more for the thresholds
"""

SCORE = """\
examples:
  minivae anomaly score no-fours.npz mnist5k --out scores.csv --map map.png
  minivae anomaly score machine.npz new.csv --score neg_log_px
  minivae anomaly score runs/001-machine-vae new.csv    thresholds from the run's test rows
  minivae anomaly score machine.npz new.csv --label kind --normal good

where the normal classes are known, the AUROC of each score is printed
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    options = {"formatter_class": parser.formatter_class, "allow_abbrev": False}
    what = "train a VAE on normal data, and set the thresholds"
    configure_fit(actions.add_parser("fit", help=what, description=what, epilog=FIT, **options))
    what = "score data: which examples are anomalous, and where"
    configure_score(
        actions.add_parser("score", help=what, description=what, epilog=SCORE, **options)
    )


def configure_classes(parser: argparse.ArgumentParser) -> None:
    """Define the options that say which classes are normal."""
    parser.add_argument("--normal", nargs="+", default=[], metavar="CLASS", help="normal classes")
    without = "classes that are not normal"
    parser.add_argument("--without", nargs="+", default=[], metavar="CLASS", help=without)


def configure_fit(parser: argparse.ArgumentParser) -> None:
    """Define the options of `fit`."""
    add = parser.add_argument
    add("data", metavar="DATA", help="normal data (of a set with a test part: the training part)")
    out = "a new .npz file for the detector (default: runs/DATA-detector-<number>.npz)"
    add("--out", metavar="MODEL", help=out)
    configure_classes(parser)
    add_table(parser.add_argument_group("if the data are a table"))
    add("--limit", type=whole, metavar="N", help="use at most N examples, evenly spread")
    held_out = "part to set and to check the thresholds with, half each (default: 0.2)"
    add("--held-out", type=finite, default=0.2, metavar="PART", help=held_out)
    quantile = "part of normal examples that shall raise no alarm (default: 0.95)"
    add("--quantile", type=finite, default=0.95, metavar="Q", help=quantile)
    samples = "importance samples for each example (default: 32)"
    add("--samples", type=whole, default=32, metavar="K", help=samples)
    network = "that encoder and decoder are made of (default: mlp); conv for images"
    add("--network", metavar="NAME", default="mlp", help=network)
    hidden = "widths of the hidden layers (images: 400, of conv 256, tables: 64)"
    add("--hidden", type=whole, nargs="*", metavar="N", help=hidden)
    add("--latent", type=whole, metavar="N", help="latent dimensions (images: 20, tables: 4)")
    likelihood = "of the data (images: bernoulli, tables: gaussian_shared)"
    add("--likelihood", metavar="NAME", help=likelihood)
    add("--epochs", type=whole, metavar="N", help="epochs (images: 30, tables: 200)")
    add("--batch", type=whole, metavar="N", help="examples in a step (images: 128, tables: 32)")
    add("--lr", type=finite, default=1e-3, metavar="X", help="learning rate (default: 0.001)")
    add_shared(parser, "seed", "backend", "quiet", "json")


def configure_score(parser: argparse.ArgumentParser) -> None:
    """Define the options of `score`."""
    add = parser.add_argument
    add("model", metavar="MODEL", help="a detector from `anomaly fit`, or a run folder")
    add("data", metavar="DATA", help="data to score (of a set with a test part: that part)")
    out = "a new file for the table (default: scores.csv)"
    add("--out", metavar="FILE", default="scores.csv", help=out)
    add("--map", metavar="FILE", help="a new .png file: where the most anomalous are so")
    add("--top", type=whole, metavar="N", help="how many are on it (default: 10)")
    score = "neg_elbo, reconstruction, kl, neg_log_px or deviance (default: neg_elbo)"
    add("--score", default="neg_elbo", metavar="NAME", help=score)
    configure_classes(parser)
    add_table(parser.add_argument_group("if the data are a table"), known=True)
    add("--limit", type=whole, metavar="N", help="score at most N examples, evenly spread")
    add_shared(parser, "backend", "quiet", "json")


def run(options: argparse.Namespace) -> int:
    """Fit, or score."""
    return {"fit": run_fit, "score": run_score}[options.action](options)


# ---- fit ----


def run_fit(options: argparse.Namespace) -> int:
    """Fit a detector and write it."""
    from ...ops import LIKELIHOODS
    from ...train.runs import place
    from ...uses.anomaly import detector as anomaly
    from .. import anomaly_report

    voice = options.voice
    path = None if options.out is None else new_file(options.out, ".npz")
    if options.likelihood is not None:
        _known("--likelihood", options.likelihood, LIKELIHOODS)
    names = ("normal", "without", "limit", "held_out", "quantile", "samples")
    names += (
        "network",
        "hidden",
        "latent",
        "likelihood",
        "epochs",
        "batch",
        "lr",
        "seed",
        "backend",
    )
    how = {name: getattr(options, name) for name in names}
    detector = anomaly.fit(options.data, **how, **table_of(options), progress=voice.progress)
    if path is None:  # a folder for it is made only now, when there is something to put into it
        path = place(f"{Path(options.data).stem}-detector", ".npz")
    detector.save(path)
    voice.say(anomaly_report.fitted(detector))
    voice.wrote(path)
    return 0


# ---- score ----


def run_score(options: argparse.Namespace) -> int:
    """Score data and write the table, and the map if it is asked for."""
    import numpy as np

    from ...errors import OptionError
    from ...show import plots
    from ...train.runs import open_run
    from ...uses.anomaly import detector as anomaly
    from ...uses.anomaly.of_run import of_run
    from .. import anomaly_report

    voice = options.voice
    _known("--score", options.score, anomaly.SCORES)
    paths = [new_file(options.out, ".csv")]
    if options.map is not None:
        paths.append(new_file(options.map, ".png", option="--map"))
    if options.map is None:
        refuse_idle(options, "there is no --map", "top")
    n_top = 10 if options.top is None else options.top
    detector = (
        of_run(open_run(options.model, options.backend))
        if Path(options.model).is_dir()
        else anomaly.load(options.model, options.backend)
    )
    if options.map is not None and not plots.has_picture(detector.shape):
        raise OptionError(
            f"examples of shape {detector.shape} have no picture; leave out --map: the column "
            "odd_column of the table says where a row is anomalous."
        )
    if n_top < 1:
        raise OptionError("--top 0 was given; ask for one example or more.")
    said = {**table_of(options), "limit": options.limit, "progress": voice.progress}
    examples = detector.read(options.data, **said)
    is_normal = normal_rows(detector, examples, options)
    scores = detector.score(examples, progress=voice.progress)
    alarms = scores[options.score] > detector.alarms[options.score].threshold
    contents = [anomaly_report.table(detector, examples, scores, options.score).encode()]
    if options.map is not None:
        top = np.argsort(-scores[options.score], kind="stable")[:n_top]
        contents.append(
            anomaly_report.picture(detector, examples.select(top), len(examples), options.score)
        )
    _write(paths, contents)

    threshold = detector.alarms[options.score].threshold
    voice.say(f"data   {len(examples)} examples of {examples.name}")
    for note in examples.notes:
        voice.say(f"       {note}")
    voice.say(f"alarm  {options.score} above {threshold:.2f}: {alarms.sum()} of {len(examples)}")
    voice.tell(score=options.score, threshold=float(threshold), alarms=int(alarms.sum()))
    voice.tell(examples=len(examples))
    if is_normal is not None:
        voice.say(anomaly_report.judged(scores, alarms, is_normal))
    voice.wrote(*paths)
    return 0


def normal_rows(
    detector: "Detector", examples: "Examples", options: argparse.Namespace
) -> "np.ndarray | None":
    """Which rows are known to be normal (N,), or None if nothing is known of them.

    Classes that are named as normal, or as not, count; else those that the detector was fitted to.
    """
    import numpy as np

    _, named = examples.only(options.normal, options.without)
    normal = named or detector.data["normal"]
    if examples.labels is None or normal is None:
        return None
    return np.isin(examples.labels, normal)


# ---- files ----


def _write(paths: list[Path], contents: list[bytes]) -> None:
    """Write all the files, or none."""
    from ...files import write_atomically

    written = []
    try:
        for path, content in zip(paths, contents, strict=True):
            write_atomically(path, lambda file, content=content: file.write(content))
            written.append(path)
    except BaseException:
        for path in written:
            path.unlink()
        raise


def _known(option: str, name: str, names: dict[str, Any]) -> None:
    from ...errors import OptionError

    if name not in names:
        raise OptionError(f"{option} {name} was given; choose one of: {', '.join(names)}.")
