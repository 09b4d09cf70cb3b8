"""The options of `minivae train`: their defaults, which go together, which may change on the way.

An option that is not given is None, so that a resumed run can tell what the user asks for from what
was its own: `DEFAULTS` comes in only when a run begins. What a model takes beside them, or does not
take, the models say themselves (`models/declare.py`), so none is named here but in examples.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ..data.tables.reading import is_table
from ..errors import OptionError
from ..models import MODELS, NETWORKS
from ..models.declare import DEFAULT
from ..models.network import DEFAULT as NETWORK
from ..models.registry import Option
from ..models.vae import OBJECTIVE
from ..ops import LIKELIHOOD_OPTIONS, LIKELIHOODS
from ..train.optim import OPTIMIZERS
from ..train.schedule import LR_KINDS
from ..train.settings import BINARIZE
from ..uses.anomaly.detector import TABLES
from .numbers import finite, whole
from .options import add_shared
from .own_options import add_own, flag, show
from .table_options import add_table, table_names

EPILOG = """\
examples:
  minivae train                                   784-400-20 on 5,000 digits, Bernoulli pixels
  minivae train mnist5k --latent 2 --epochs 60    ... with pictures of the latent space
  minivae train digits8 --likelihood gaussian --sigma 0.3 --hidden 64 --latent 8
  minivae train mnist --beta 4 --schedule linear --warmup 10
  minivae train my_pictures/ --likelihood gaussian_shared --out runs/mine
  minivae train table.csv --label kind            columns are standardised, under a Gaussian
  minivae train mnist5k --samples 5               the importance-weighted bound, K = 5
  minivae train --model gan                       a GAN on the same layers
  minivae train --conditional                     with labels: then `minivae sample --label 7`
  minivae train --resume runs/001-mnist5k-vae --epochs 60
"""

DEFAULTS: dict[str, Any] = {
    "data": "mnist5k",
    "limit": None,
    **dict.fromkeys(table_names()),
    "model": DEFAULT,
    "network": NETWORK,
    "latent": 20,
    "likelihood": "bernoulli",
    **dict.fromkeys(LIKELIHOOD_OPTIONS),
    "binarize": None,
    "bias_from_data": False,
    "beta": 1.0,
    "schedule": "constant",
    "warmup": 5.0,
    "optimizer": "adam",
    "lr": 1e-3,
    "lr_schedule": "constant",
    "lr_warmup": 0.0,
    "clip_norm": None,
    "weight_decay": None,
    "epochs": 30,
    "batch": 128,
    "shards": None,
    "patience": None,
    "seed": 0,
    "dtype": "float32",
    "backend": "auto",
}
"""What a run is made of: the options that its `config.json` records, with those of its model and of
its network."""

MAY_CHANGE = ("epochs", "lr", "clip_norm", "backend")
"""Options that a resumed run may be given anew."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the options."""
    parser.epilog = EPILOG
    parser.add_argument("dataset", nargs="?", metavar="DATA", help="the same as --data")

    def add(group: Any, name: str, help: str, **options: Any) -> None:
        key = name.lstrip("-").replace("-", "_")
        default = DEFAULTS.get(key)
        if default is not None:
            others = {model.title: model.defaults.get(key, default) for model in MODELS.values()}
            own = (f", of {who} {its}" for who, its in others.items() if its != default)
            default = f"{default}{''.join(own)}"
        text = help if default in (None, "False") else f"{help} (default: {default})"
        group.add_argument(name, help=text, default=None, **options)

    number = {"type": finite, "metavar": "X"}
    count = {"type": whole, "metavar": "N"}

    data = parser.add_argument_group("data")
    add(data, "--data", "name of a data set (see `minivae data`), or a path")
    add(data, "--limit", "use at most N training and N test examples, evenly spread", **count)
    binarize = "draw binary pixels from grey ones: anew each time, once, or not (default: dynamic "
    binarize += "for grey pictures under a bernoulli, else none)"
    add(data, "--binarize", binarize, choices=BINARIZE)
    add_table(parser.add_argument_group("if the data are a table"))

    kinds = parser.add_argument_group("model")
    add(kinds, "--model", "what to train", choices=tuple(MODELS))
    for switch, help in (model.switch for model in MODELS.values() if model.switch[0]):
        kinds.add_argument(flag(switch), action="store_true", help=help)
    add(kinds, "--network", "what encoder and decoder are made of", choices=tuple(NETWORKS))
    for name, (option, _) in options_of(NETWORKS).items():
        takers = [other for other in NETWORKS.values() if name in other.options]
        add_own(kinds, name, option, {other.name: other.options[name] for other in takers[1:]})
    add(kinds, "--latent", "latent dimensions; 2 can be drawn", **count)
    add(kinds, "--likelihood", "of the data, given the decoder", choices=tuple(LIKELIHOODS))
    for name, (kind, default, help) in LIKELIHOOD_OPTIONS.items():
        add_own(kinds, name, Option(kind, None, f"{help} (default: {default:g})"))
    bias = "start from the mean of the training data, by the bias of the decoder's last layer"
    add(kinds, "--bias-from-data", bias, action="store_true")

    objective = parser.add_argument_group(OBJECTIVE)
    add(objective, "--beta", "weight of the KL", **number)
    schedule = "how beta gets there"
    add(objective, "--schedule", schedule, choices=("constant", "linear", "cyclical"))
    add(objective, "--warmup", "epochs of the linear rise, or of one cycle", **number)
    groups = {OBJECTIVE: objective}
    for name, (option, model) in options_of(MODELS).items():
        title = option.group or f"options of {model.title}"
        group = groups.get(title) or groups.setdefault(title, parser.add_argument_group(title))
        add_own(group, name, option)

    training = parser.add_argument_group("training")
    add(training, "--optimizer", "update rule", choices=tuple(OPTIMIZERS))
    add(training, "--lr", "learning rate", **number)
    add(training, "--lr-schedule", "how it falls to 0 until the last epoch", choices=LR_KINDS)
    add(training, "--lr-warmup", "epochs in which it rises before that", **number)
    add(training, "--clip-norm", "largest norm of the gradient", **number)
    add(training, "--weight-decay", "of adamw (default: 0.01)", **number)
    epochs = "epochs in all, those before a resumption included; more where they make few steps"
    add(training, "--epochs", epochs, **count)
    batch = "examples in a step; 32 where there are less than ten in an epoch"
    add(training, "--batch", batch, **count)
    shards = "compute a step in N parts, added in order: the same bits for any number of processes"
    add(training, "--shards", shards, **count)
    patience = (
        "stop after N epochs without a better loss on a tenth of the training data, which is "
    )
    patience += "set aside for that, and go back to the best"
    add(training, "--patience", patience, **count)
    add_shared(training, "seed", "backend", default=None)
    add(training, "--dtype", "of everything", choices=("float32", "float64"))

    run = parser.add_argument_group("run")
    out = "where to keep the run (default: a new folder under runs/)"
    run.add_argument("--out", metavar="FOLDER", help=out)
    resume = f"go on with a run; {', '.join(map(flag, MAY_CHANGE))} may be given anew"
    run.add_argument("--resume", metavar="RUN", help=resume)
    add_shared(run, "quiet", "json")


def options_of(registry: dict[str, Any]) -> dict[str, tuple[Option, Any]]:
    """Flags that a model or network takes beside those of `DEFAULTS`, and the first that does."""
    found: dict[str, tuple[Option, Any]] = {}
    for owner in registry.values():
        for name, option in owner.options.items():
            if option.flag:
                found.setdefault(name, (option, owner))
    return found


def given(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `DEFAULTS` and of the models that the user gave.

    Raises
    ------
    OptionError
        If two data sets or two models were given.
    """
    names = (*DEFAULTS, *options_of(NETWORKS), *options_of(MODELS))
    found = {name: getattr(options, name) for name in names}
    if options.dataset is not None:
        if found["data"] not in (None, options.dataset):
            raise OptionError(
                f"two data sets were given, {options.dataset} and --data {found['data']}; leave "
                "one out."
            )
        found["data"] = options.dataset
    for kind, model in MODELS.items():
        if model.switch[0] and getattr(options, model.switch[0]):
            if MODELS.get(found["model"], model) is not model:
                raise OptionError(
                    f"two models were given, {flag(model.switch[0])} and --model "
                    f"{found['model']}; leave one out."
                )
            found["model"] = kind
    return {name: value for name, value in found.items() if value is not None}


def why_not(kind: str, network: str, names: Iterable[str]) -> dict[str, str]:
    """Options among `names` that a model of a network does not take, and for each one why."""
    model, strange, built = MODELS[kind], options_of(MODELS), options_of(NETWORKS)
    reasons = {}
    for name in names:
        if name in model.refused:
            reasons[name] = model.refused[name]
        elif name in strange and name not in model.options:
            reasons[name] = f"{model.title} has no {strange[name][0].needs or 'such option'}"
        elif name in built and name not in NETWORKS[network].options:
            reasons[name] = f"the network {network} has no such option"
    return reasons


def complete(asked: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults of a new run, and refuse what does not go together.

    Raises
    ------
    OptionError
        If an option was given that the model, the objective or the optimizer does not have.
    """
    kind, network = (asked.get(name, DEFAULTS[name]) for name in ("model", "network"))
    model = MODELS[kind]
    own = {
        name: list(option.default) if option.many else option.default
        for owner in (NETWORKS[network], model)
        for name, option in owner.options.items()
        if option.flag
    }
    built = model.built.get(network, {})
    own |= {n: list(v) if isinstance(v, tuple) else v for n, v in built.items()}
    usual = {name: value for name, value in model.defaults.items() if name in DEFAULTS}
    # What rebuilds no data has no noise of the data to learn, but makes the mean of a Gaussian.
    tables = TABLES if "reconstruct" in model.can else {"likelihood": "gaussian"}
    fitting = {k: v for k, v in tables.items() if k in (DEFAULTS | own) and k not in model.refused}
    fitting = fitting if is_table(asked.get("data")) else {}
    options = {**DEFAULTS, **own, **usual, **fitting, **asked}
    if reasons := why_not(kind, network, asked):
        others = [f"--model {other}" for other in MODELS if not why_not(other, network, asked)]
        others += [f"--network {other}" for other in NETWORKS if not why_not(kind, other, asked)]
        instead = f", or use {others[0]}" if others else ""
        raise OptionError(
            f"{' and '.join(dict.fromkeys(reasons.values()))}, so it does not take "
            f"{', '.join(map(flag, reasons))}; leave that out{instead}."
        )
    model.check_run(options)
    if "warmup" in asked and options["schedule"] == "constant":
        raise OptionError(
            "--warmup was given, but beta is constant; give --schedule linear or cyclical too, or "
            "leave it out."
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
    recorded = {"network": NETWORK, **recorded}  # a run may be older than this option
    different = {name: value for name, value in asked.items() if value != recorded.get(name)}
    for name, value in different.items():
        if name not in MAY_CHANGE:
            was = recorded.get(name)
            raise OptionError(
                f"{flag(name)} {show(value)} was given, but {folder} was trained with "
                f"{'none' if was is None else show(was)}; leave it out, or start a new run."
            )
    return different
