"""`minivae train`: train a model and leave a run folder."""

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...data.labelled import class_names
from ...engine.cpu.loop import announce
from ...errors import NonFiniteError, OptionError, OutOfMemoryError
from ...files import gone_if_it_fails
from ...interrupts import exit_code, held
from ...models import MODELS, NETWORKS
from ...models.base import Model
from ...ops import LIKELIHOOD_OPTIONS, LIKELIHOODS
from ...ops.likelihoods.base import is_binary
from ...show import plots
from ...train.kept import describe
from ...train.loop import fit
from ...train.optim import OPTIMIZERS
from ...train.prepare import prepare_data
from ...train.runs import Run, new_folder, open_run, source_of
from ...train.settings import Settings, Training
from .. import train_options as opts
from ..table_options import table_of
from ..train_options import configure

__all__ = ["configure", "run"]


def run(options: argparse.Namespace) -> int:
    """Train; return 0, or 130 after Ctrl-C and 143 after SIGTERM."""
    asked = opts.given(options)
    if options.resume is None:
        run, data = begin(asked, options.out, quiet=options.quiet)
    else:
        if options.out is not None:
            raise OptionError("a resumed run stays in its folder; leave out --out or --resume.")
        run, data = resume(asked, options.resume)
    say = _nothing if options.quiet else print
    # The folder holds a checkpoint from which the run can go on.
    interrupted, before = 0, run.saved_epochs
    try:
        introduce(run, data, say)
        train(run, data, say, progress=not options.quiet and sys.stderr.isatty())
        finish(run, data, say)
    except KeyboardInterrupt as error:
        interrupted = exit_code(error)
    except (NonFiniteError, OutOfMemoryError) as error:
        raise type(error)(
            f"{str(error).rstrip('.')} (the checkpoint of epoch {run.saved_epochs} in {run.folder} "
            "is intact)."
        ) from None
    if interrupted:
        epochs = run.training.settings.epochs
        words = ["minivae", "train", "--resume", str(run.folder)]
        if options.resume is not None and run.saved_epochs == before:
            words += as_typed(asked)  # the checkpoint does not know them yet
        print(
            f"interrupted after epoch {run.saved_epochs} of {epochs}; go on with: "
            f"{shlex.join(words)}",
            file=sys.stderr,
        )
        return interrupted
    if options.quiet:
        print(run.folder)
    return 0


def begin(asked: dict[str, Any], out: str | None, *, quiet: bool) -> tuple[Run, Dataset]:
    """Make a new run from the options; its folder is made last, when all else is well."""
    options = opts.complete(asked)
    data = datasets.load(
        options["data"],
        limit=options["limit"],
        progress=not quiet and sys.stderr.isatty(),
        **table_of(options),
    )
    check_likelihood(data, options["likelihood"])
    options["data"] = source_of(options["data"])
    if options["binarize"] is None:
        options["binarize"] = default_binarize(data, options["likelihood"])
    settings = Settings(**{field.name: options[field.name] for field in fields(Settings)})
    rng = np.random.default_rng(settings.seed)
    model = build_model(options, data, rng)
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
    name = f"{Path(data.name).stem}-{options['model']}"
    with held(), gone_if_it_fails(new_folder(out, name)) as folder:
        run = Run(folder, Training(model, optimizer, rng, settings), extra)
        run.save()
        run.save_config()
    return run, data


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
    return "dynamic" if grey and LIKELIHOODS[likelihood].binary else "none"


def build_model(options: dict[str, Any], data: Dataset, rng: np.random.Generator) -> Model:
    """Build the model that the options describe."""
    kind = MODELS[options["model"]]
    network = NETWORKS[options["network"]]
    names = ["latent", "network", "likelihood", "dtype", "backend", *network.options]
    names += [name for name, option in kind.options.items() if option.flag]
    given = {"labels": class_names(data)} if "condition" in kind.can else {}
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


def resume(asked: dict[str, Any], path: str) -> tuple[Run, Dataset]:
    """Read a run and bring in what the user wants otherwise."""
    backend = asked.get("backend")
    run = open_run(path, backend or "auto")
    recorded = run.extra["options"]
    if backend is None and recorded["backend"] != "auto":
        run = open_run(path, recorded["backend"])
    training, folder, done = run.training, run.folder, run.saved_epochs
    if "data" in asked:
        asked["data"] = source_of(asked["data"])
    changed = opts.changes(asked, recorded, folder)
    epochs = changed.get("epochs", training.settings.epochs)
    if "epochs" in changed and training.stopped:
        raise OptionError(
            f"{folder} has stopped early after {done} epochs, since its validation loss got no "
            "better; train a new run with a larger --patience."
        )
    if epochs < done or ("epochs" in asked and epochs == done):
        raise OptionError(
            f"{folder} has {done} epochs already and --epochs counts them too; give more than "
            f"{done} instead of {epochs}."
        )
    training.settings = replace(training.settings, epochs=epochs)
    rules = {name: changed[name] for name in ("lr", "clip_norm") if name in changed}
    if rules:
        rebuild_optimizer(training, rules)
        run.extra.setdefault("changes", []).append({"after_epoch": done, **rules})
    recorded.update(changed)
    return run, run.load_data()


def rebuild_optimizer(training: Training, rules: dict[str, float]) -> None:
    """Give the optimizer other hyperparameters; its moments stay."""
    old = training.optimizer
    config = {**old.config, **rules}
    training.optimizer = OPTIMIZERS[config.pop("kind")](**config)
    training.optimizer.load_state(old.t, old.state, training.model.params)


def introduce(run: Run, data: Dataset, say: Callable) -> None:
    """Print what is trained on what, and what the numbers will mean."""
    training = run.training
    pixels = {
        "none": "",
        "dynamic": ", binary pixels drawn anew each time",
        "fixed": ", binary pixels drawn once",
    }[training.settings.binarize]
    say(f"data   {data!r}{pixels}")
    if data.form is not None:
        say("       columns standardised: mean 0, standard deviation 1 on the training rows")
    for note in data.notes:
        say(f"       {note}")
    say(f"model  {training.model!r}")
    say(f"run    {run.folder}")
    say(f"loss   {meaning(run)}")


def meaning(run: Run) -> str:
    """Say what the losses are, and whether the validation loss bounds a likelihood."""
    settings = run.training.settings
    return run.training.model.meaning(
        note=run.extra["note"],
        weighted=settings.beta != 1 or settings.schedule != "constant",
        tested=run.extra["data"]["n_test"] > 0,
    )


def number(value: float) -> str:
    """Two decimals, unless that is wider than a column."""
    text = f"{value:.2f}"
    return text if len(text) <= 10 else f"{value:.3e}"


def train(run: Run, data: Dataset, say: Callable, *, progress: bool) -> None:
    """Train, and write the checkpoint and the metrics after each epoch."""
    columns = run.training.model.columns
    if data.pixels_test is None:
        columns = tuple(name for name in columns if not name.startswith("val_"))

    first = len(run.training.history) + 1

    def after_epoch(training: Training) -> None:
        with held():
            run.save()
            if len(training.history) == first:
                run.save_config()  # what a resumption changed counts from here on
        record = training.history[-1]
        row = "".join(f" {number(record[name]):>10}" for name in columns)
        say(f"{record['epoch']:>5}{row}", flush=True)

    training = run.training
    if training.stopped or run.saved_epochs == training.settings.epochs:
        say(f"\n{run.folder} has all its {run.saved_epochs} epochs; its pictures are drawn again")
    else:
        say("\nepoch" + "".join(f"{name.replace('_', ' '):>11}" for name in columns))
    # A number that overflows ends in a gradient that is refused by name; NumPy's warnings about the
    # steps on the way there would say it first, and worse.
    started = time.monotonic()
    with np.errstate(all="ignore"), announced(training.model, say):
        x, x_val = run.rows(data)
        fit(training, x, x_val, after_epoch=after_epoch, progress=progress)
    if training.stopped:
        run.save()  # the weights are now those of the best epoch
        best = training.best_epoch + 1
        say(f"no better for {training.settings.patience} epochs: back to epoch {best}")
    say(f"\n{time.monotonic() - started:.1f} s")


def as_typed(asked: dict[str, Any]) -> list[str]:
    """Options as the user would type them again."""
    typed: list[str] = []
    for name, value in asked.items():
        typed.append(opts.flag(name))
        if value is not True:
            typed += opts.show(value).split() if isinstance(value, list) else [opts.show(value)]
    return typed


def announced(model: Model, say: Callable) -> AbstractContextManager:
    """Say so if kernels have to be compiled on the way."""
    return announce(say) if model.backend.name == "numba" else nullcontext()


def finish(run: Run, data: Dataset, say: Callable) -> None:
    """Draw the pictures and list the run's files."""
    from .. import pictures

    drawn = pictures.draw(run, data)
    if not plots.has_picture(run.shape):
        say(f"examples of shape {run.shape} have no picture, so only numbers are drawn")
    files = ", ".join(["checkpoint.npz", "config.json", "metrics.csv", *drawn])
    say(f"{run.folder} now holds {files}")


def _nothing(*words: str, **options: bool) -> None:
    """Take the place of `print`."""
