"""The options of `minivae train`: their defaults, which go together, which may change on the way.

An option that is not given is None, so that a resumed run can tell what the user asks for from what
was its own: `DEFAULTS` comes in only when a run begins.
"""

import argparse
from pathlib import Path
from typing import Any

from ..engine.backend import backend_names
from ..errors import OptionError
from ..models import MODELS
from ..ops import ACTIVATIONS, LIKELIHOODS
from ..train.optim import OPTIMIZERS
from ..train.settings import BINARIZE
from .numbers import finite, seed, whole

EPILOG = """\
examples:
  minivae train                                   784-400-20 on 5,000 digits, Bernoulli pixels
  minivae train mnist5k --latent 2 --epochs 60    ... with pictures of the latent space
  minivae train digits8 --likelihood gaussian --sigma 0.3 --hidden 64 --latent 8
  minivae train mnist --beta 4 --schedule linear --warmup 10
  minivae train my_pictures/ --likelihood gaussian_shared --out runs/mine
  minivae train mnist5k --samples 5               the importance-weighted bound, K = 5
  minivae train --model gan                       a GAN on the same layers
  minivae train --conditional                     with labels: then `minivae sample --label 7`
  minivae train --resume runs/001-mnist5k-vae --epochs 60
"""

DEFAULTS: dict[str, Any] = {
    "data": "mnist5k",
    "limit": None,
    "model": "vae",
    "hidden": [400],
    "latent": 20,
    "activation": "relu",
    "likelihood": "bernoulli",
    "sigma": None,
    "levels": None,
    "binarize": None,
    "bias_from_data": False,
    "beta": 1.0,
    "schedule": "constant",
    "warmup": 5.0,
    "free_bits": 0.0,
    "samples": None,
    "label_smoothing": 0.0,
    "optimizer": "adam",
    "lr": 1e-3,
    "clip_norm": None,
    "weight_decay": None,
    "epochs": 30,
    "batch": 128,
    "patience": None,
    "seed": 0,
    "dtype": "float32",
    "backend": "auto",
}
"""What a run is made of: the options that its `config.json` records."""

OF_A_GAN: dict[str, Any] = {"lr": 2e-4, "epochs": 200}
"""Defaults of a GAN that are others."""

MAY_CHANGE = ("epochs", "lr", "clip_norm", "backend")
"""Options that a resumed run may be given anew."""

OF_THE_VAE = ("beta", "schedule", "warmup", "free_bits", "samples")
"""Options of a prior's KL, which an autoencoder and a GAN have not."""

REFUSED = {
    "vae": (("label_smoothing",), "a VAE has no discriminator"),
    "cvae": (("label_smoothing",), "a VAE has no discriminator"),
    "autoencoder": ((*OF_THE_VAE, "label_smoothing"), "an autoencoder has no prior"),
    "gan": ((*OF_THE_VAE, "patience"), "a GAN has no loss of held-out data and no KL"),
}
"""Options that a model does not take, and why."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument("dataset", nargs="?", metavar="DATA", help="the same as --data")

    def add(group: Any, name: str, help: str, **options: Any) -> None:
        default = DEFAULTS.get(name.lstrip("-").replace("-", "_"))
        if isinstance(default, list):
            default = " ".join(map(str, default))
        elif (key := name.lstrip("-")) in OF_A_GAN:
            default = f"{default}, of a GAN {OF_A_GAN[key]}"
        text = help if default is None or default is False else f"{help} (default: {default})"
        group.add_argument(name, help=text, default=None, **options)

    number = {"type": finite, "metavar": "X"}
    count = {"type": whole, "metavar": "N"}

    data = parser.add_argument_group("data")
    add(data, "--data", "name of a data set (see `minivae data`), or a path")
    add(data, "--limit", "use at most N training and N test examples, evenly spread", **count)
    binarize = "draw binary pixels from grey ones: anew each time, once, or not (default: dynamic "
    binarize += "for grey pictures under a bernoulli, else none)"
    add(data, "--binarize", binarize, choices=BINARIZE)

    model = parser.add_argument_group("model")
    add(model, "--model", "what to train", choices=tuple(MODELS))
    conditional = "give encoder and decoder the class of each example; the same as --model cvae"
    model.add_argument("--conditional", action="store_true", help=conditional)
    widths = "widths of the hidden layers, first to last; none at all makes a linear model"
    add(model, "--hidden", widths, type=whole, nargs="*", metavar="N")
    add(model, "--latent", "latent dimensions; 2 can be drawn", **count)
    add(model, "--activation", "between the layers", choices=tuple(ACTIVATIONS))
    add(model, "--likelihood", "of the data, given the decoder", choices=tuple(LIKELIHOODS))
    add(model, "--sigma", "standard deviation of the gaussian likelihood (default: 1)", **number)
    add(model, "--levels", "grey levels of the categorical likelihood (default: 4)", **count)
    bias = "start from the mean of the training data, by the bias of the decoder's last layer"
    add(model, "--bias-from-data", bias, action="store_true")

    objective = parser.add_argument_group("objective (of a VAE)")
    add(objective, "--beta", "weight of the KL", **number)
    schedule = "how beta gets there"
    add(objective, "--schedule", schedule, choices=("constant", "linear", "cyclical"))
    add(objective, "--warmup", "epochs of the linear rise, or of one cycle", **number)
    add(objective, "--free-bits", "nats for each latent dimension that cost nothing", **number)
    samples = "maximise the importance-weighted bound with K samples instead of the ELBO"
    add(objective, "--samples", samples, type=whole, metavar="K")

    contest = parser.add_argument_group("contest (of a GAN)")
    smoothing = "how much less than 1 the label of a real example is; 0.1 is usual"
    add(contest, "--label-smoothing", smoothing, **number)

    training = parser.add_argument_group("training")
    add(training, "--optimizer", "update rule", choices=tuple(OPTIMIZERS))
    add(training, "--lr", "learning rate", **number)
    add(training, "--clip-norm", "largest norm of the gradient", **number)
    add(training, "--weight-decay", "of adamw (default: 0.01)", **number)
    add(training, "--epochs", "epochs in all, those before a resumption included", **count)
    add(training, "--batch", "examples in a step", **count)
    patience = "stop after N epochs without a better validation loss, and go back to the best"
    add(training, "--patience", patience, **count)
    add(training, "--seed", "of everything random", type=seed, metavar="N")
    add(training, "--dtype", "of everything", choices=("float32", "float64"))
    backend = "where to compute; auto is numba where it is installed, else numpy; cuda is a GPU"
    add(training, "--backend", backend, choices=("auto", *backend_names()))

    run = parser.add_argument_group("run")
    out = "where to keep the run (default: a new folder under runs/)"
    run.add_argument("--out", metavar="FOLDER", help=out)
    resume = f"go on with a run; {', '.join(map(flag, MAY_CHANGE))} may be given anew"
    run.add_argument("--resume", metavar="RUN", help=resume)
    quiet = "print the run folder and nothing else"
    run.add_argument("--quiet", action="store_true", help=quiet)


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `DEFAULTS` that the user gave.

    Raises
    ------
    OptionError
        If two data sets or two models were given.
    """
    found = {name: getattr(options, name) for name in DEFAULTS}
    if options.dataset is not None:
        if found["data"] not in (None, options.dataset):
            raise OptionError(
                f"two data sets were given, {options.dataset} and --data {found['data']}; leave "
                "one out."
            )
        found["data"] = options.dataset
    if options.conditional:
        if found["model"] not in (None, "cvae"):
            raise OptionError(
                f"two models were given, --conditional and --model {found['model']}; leave one out."
            )
        found["model"] = "cvae"
    return {name: value for name, value in found.items() if value is not None}


def complete(asked: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults of a new run, and refuse what does not go together.

    Raises
    ------
    OptionError
        If an option was given that the model, the objective or the optimizer does not have.
    """
    own = OF_A_GAN if asked.get("model") == "gan" else {}
    options = {**DEFAULTS, **own, **asked}
    refused, why = REFUSED[options["model"]]
    strangers = [flag(name) for name in refused if name in asked]
    if strangers:
        others = [name for name in REFUSED if not set(REFUSED[name][0]) & set(asked)]
        instead = f", or use --model {others[0]}" if others else ""
        raise OptionError(
            f"{why}, so it does not take {', '.join(strangers)}; leave that out{instead}."
        )
    if options["samples"] is not None and (options["beta"], options["schedule"]) != (1, "constant"):
        raise OptionError(
            "the importance-weighted bound (--samples) has no weight of the KL; leave out --beta "
            "and --schedule."
        )
    if options["weight_decay"] is not None and options["optimizer"] != "adamw":
        raise OptionError(
            f"{options['optimizer']} has no weight decay; use --optimizer adamw, or leave out "
            "--weight-decay."
        )
    return options


def changes(asked: dict[str, Any], recorded: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return the options of a run that a resumption changes.

    Raises
    ------
    OptionError
        If one is not in `MAY_CHANGE`.
    """
    different = {name: value for name, value in asked.items() if value != recorded.get(name)}
    for name, value in different.items():
        if name not in MAY_CHANGE:
            was = recorded.get(name)
            raise OptionError(
                f"{flag(name)} {show(value)} was given, but {folder} was trained with "
                f"{'none' if was is None else show(was)}; leave it out, or start a new run."
            )
    return different


def flag(name: str) -> str:
    """Name of an option as the user types it."""
    return "--" + name.replace("_", "-")


def show(value: Any) -> str:
    """Value of an option as the user types it."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
