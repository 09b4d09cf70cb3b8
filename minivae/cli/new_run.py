"""A new run of `minivae train`: what suits its data, its model, and the folder that it lives in."""

import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from .. import data as datasets
from ..data import Dataset
from ..data.labelled import class_names
from ..data.statistics import spread
from ..errors import OptionError
from ..files import gone_if_it_fails
from ..interrupts import held
from ..models import MODELS, NETWORKS
from ..models.base import Model
from ..models.network import DEFAULT as NETWORK
from ..ops import LIKELIHOOD_OPTIONS, LIKELIHOODS, OF_SYMBOLS
from ..ops.likelihoods.base import is_binary
from ..train.kept import describe
from ..train.optim import OPTIMIZERS
from ..train.prepare import prepare_data
from ..train.runs import Run, new_folder, source_of
from ..train.settings import Settings, Training
from .table_options import table_of
from .train_options import complete

ENOUGH = 1200
"""Steps that a training has at least, unless its epochs are asked for."""

PLANE = {"hidden": [400, 200], "batch": 64, "lr": 2e-3, "epochs": 50}
"""How a picture's code of two numbers is trained, which needs a deeper network and more steps."""

SMALL = 32
"""Examples in a step, of data that would give less than ten larger ones."""


def begin(
    asked: dict[str, Any], out: str | None, *, progress: bool, leads: bool = True
) -> tuple[Run, Dataset]:
    """Make a new run from the options; its folder is made last, when all else is well.

    Of several processes the one that `leads` makes the folder; the others' runs have none.
    """
    options = complete(asked)
    data = datasets.load(
        options["data"],
        limit=options["limit"],
        progress=progress,
        **table_of(options),
    )
    check_symbols(data, options["model"])
    check_likelihood(data, options["likelihood"])
    options["data"] = source_of(options["data"])
    options |= suited(options, data, asked)
    if options["binarize"] is None:
        options["binarize"] = default_binarize(data, options["likelihood"])
    settings = Settings(**{field.name: options[field.name] for field in fields(Settings)})
    rng = np.random.default_rng(settings.seed)
    model = build_model(options, data, rng)
    model.likelihood.start_at_spread(spread(data.pixels_train))
    rule = OPTIMIZERS[options["optimizer"]]
    names = ("lr", "clip_norm", "weight_decay")
    rules = {**model.defaults, **{n: options[n] for n in names if options[n] is not None}}
    optimizer = rule(**{name: rules[name] for name in rule.hyperparameters if name in rules})
    extra = {
        "options": options,
        "changes": [],
        "data": describe(data),
        "note": note(model, settings, data),
    }
    if not leads:
        return Run(Path(), Training(model, optimizer, rng, settings), extra), data
    name = f"{Path(data.name).stem}-{options['model']}"
    with held(), gone_if_it_fails(new_folder(out, name)) as folder:
        run = Run(folder, Training(model, optimizer, rng, settings), extra)
        run.save()
        run.save_config()
    return run, data


def suited(options: dict[str, Any], data: Dataset, asked: dict[str, Any]) -> dict[str, Any]:
    """Defaults that depend on the data, of options that were not asked for.

    Few data make few steps in an epoch: their steps are smaller, and their epochs more, so that
    there are `ENOUGH` in all. A standard deviation of the likelihood is half that of the data.
    """
    found: dict[str, Any] = {}
    kind = MODELS[options["model"]]
    plane = options["latent"] == 2 and options["network"] == NETWORK
    if plane and "encode" in kind.can and data.form is None:
        taken = {*asked, *kind.defaults}  # what the user, or the model's own file, has decided
        found = {k: v for k, v in PLANE.items() if k in options and k not in taken}
        options = {**options, **found}
    n, batch, epochs = len(data.pixels_train), options["batch"], options["epochs"]
    if "batch" not in asked:
        found["batch"] = batch = min(batch, SMALL) if n < 10 * batch else batch
    if "epochs" not in asked:
        found["epochs"] = max(epochs, math.ceil(ENOUGH / math.ceil(n / max(1, batch))))
    if "reconstruct" not in kind.can or options["likelihood"] in OF_SYMBOLS:
        return found  # no scale of the data is asked for
    own = LIKELIHOODS[options["likelihood"]].suited(spread(data.pixels_train))
    return found | {name: value for name, value in own.items() if name not in asked}


def check_symbols(data: Dataset, kind: str) -> None:
    """Refuse a model of sequences for other data, and sequences for another model."""
    of_sequences = [name for name, model in MODELS.items() if model.sequential]
    if MODELS[kind].sequential == (data.alphabet is not None):
        return
    if data.alphabet is None:
        known = [name for name in datasets.OWN if hasattr(datasets.OWN[name], "ALPHABET")]
        raise OptionError(
            f"--model {kind} was given, but {data.name} holds no sequences of symbols; train it on "
            f"one of: {', '.join(known)}."
        )
    raise OptionError(
        f"{data.name} holds sequences of symbols, numbers between which there is no mean; choose "
        f"--model {' or '.join(of_sequences)} instead of {kind}."
    )


def check_likelihood(data: Dataset, name: str) -> None:
    """Refuse a likelihood of pixels for a table, whose columns are standardised."""
    real = [other for other, kind in LIKELIHOODS.items() if kind.real]
    if data.form is not None and name not in real:
        raise OptionError(
            f"--likelihood {name} was given, but the columns of a table are standardised; choose "
            f"one of: {', '.join(real)}."
        )


def default_binarize(data: Dataset, likelihood: str) -> str:
    """Grey pictures under a likelihood of zeros and ones are binarized anew; all else stays."""
    grey = len(data.shape) == 2 and not is_binary(data.pixels_train)
    takes_bits = likelihood in LIKELIHOODS and LIKELIHOODS[likelihood].binary
    return "dynamic" if grey and takes_bits else "none"


def build_model(options: dict[str, Any], data: Dataset, rng: np.random.Generator) -> Model:
    """Build the model that the options describe."""
    kind = MODELS[options["model"]]
    network = NETWORKS[options["network"]]
    names = ["latent", "network", "likelihood", "dtype", "backend", *network.options]
    names += [name for name, option in kind.options.items() if option.flag]
    given = {"labels": class_names(data)} if "condition" in kind.can else {}
    if "alphabet" in kind.options:
        given["alphabet"] = data.alphabet
    if "population" in kind.options:
        given["population"] = len(data.pixels_train)
    likelihood_options = {
        name: options[name] for name in LIKELIHOOD_OPTIONS if options[name] is not None
    }
    model = kind(
        data.shape if network.shaped else data.pixels_train.shape[1],
        **{name: options[name] for name in names if name not in kind.refused},
        likelihood_options=likelihood_options,
        rng=rng,
        **given,
    )
    if options["bias_from_data"]:
        model.start_at(data.pixels_train.mean(axis=0))
    return model


def note(model: Model, settings: Settings, data: Dataset) -> str:
    """Check both parts of the data; say why the loss on them bounds no likelihood, or ""."""
    found = ""
    for x, part in ((data.pixels_train, "train"), (data.pixels_test, "val")):
        if x is not None:
            x = prepare_data(x, settings, part)
            if settings.binarize == "dynamic":
                x = x[:1] > 0.5  # a row of zeros and ones, as all that will be drawn are
            found = found or model.likelihood.note(x)
    return found
