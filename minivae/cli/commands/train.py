"""`minivae train`: train a model and leave a run folder."""

import argparse
import math
import shlex
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from ...data import Dataset
from ...data.statistics import set_aside
from ...engine.cpu.loop import announce
from ...errors import NonFiniteError, OptionError, OutOfMemoryError
from ...interrupts import exit_code, held
from ...models.base import Model
from ...show import plots
from ...train.launch import alike, end, ending_all, first_one_first, join
from ...train.loop import fit
from ...train.optim import OPTIMIZERS
from ...train.parallel import Crew
from ...train.runs import Run, open_run, source_of
from ...train.settings import Training
from .. import train_options as opts
from ..failures import said
from ..new_run import begin
from ..options import refuse_idle
from ..train_options import configure
from ..voice import Voice

__all__ = ["configure", "run"]


ROWS = 60
"""Epochs that get a row of their own; of more, every second, third and so on."""


def run(options: argparse.Namespace) -> int:
    """Train; return 0, or 130 after Ctrl-C and 143 after SIGTERM."""
    crew = join()
    if not crew.leads:
        options.quiet, options.json = True, False
        options.voice = Voice(quiet=True, as_json=False)
    with ending_all(crew, said):
        return together(crew, options)


def together(crew: Crew, options: argparse.Namespace) -> int:
    """Train as one of the processes of a crew; see `run`."""
    asked, voice = opts.given(options), options.voice
    say = voice.say

    def get() -> tuple[Run, Dataset]:
        if options.resume is None:
            return begin(asked, options.out, progress=voice.progress, leads=crew.leads)
        if options.out is not None:
            raise OptionError("a resumed run stays in its folder; leave out --out or --resume.")
        return resume(asked, options.resume)

    run, data = first_one_first(crew, get)
    run.folder = crew.agreed(run.folder)
    # The folder holds a checkpoint from which the run can go on.
    interrupted, before = 0, run.saved_epochs
    try:
        introduce(run, data, say)
        train(run, data, say, crew, progress=voice.progress)
        if not crew.leads:
            return 0
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
        done = len(run.training.history) if crew.size > 1 else run.saved_epochs
        why = f"interrupted after epoch {done} of {epochs}; go on with: {shlex.join(words)}"
        if crew.size > 1:
            end(crew, interrupted, why)
        print(why, file=sys.stderr)
        return interrupted
    if options.quiet and not options.json:
        voice.wrote(run.folder)
    voice.tell(run=str(run.folder), **run.training.history[-1])
    return 0


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
    if training.stopped or epochs == done:
        why = f"{folder} has all its epochs, so no step is taken with it"
        refuse_idle(argparse.Namespace(**changed), why, *({"lr", "clip_norm"} & changed.keys()))
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


def train(run: Run, data: Dataset, say: Callable, crew: Crew, *, progress: bool) -> None:
    """Train, and write the checkpoint and the metrics after each epoch."""
    columns = run.training.model.columns
    if data.pixels_test is None and not run.training.settings.patience:
        columns = tuple(name for name in columns if not name.startswith("val_"))

    settings, first = run.training.settings, len(run.training.history) + 1
    every = math.ceil(settings.epochs / ROWS)

    def after_epoch(training: Training) -> None:
        if not crew.leads:
            return
        with held():
            run.save()
            if len(training.history) == first:
                run.save_config()  # what a resumption changed counts from here on
        record = training.history[-1]
        row = "".join(f" {number(record[name]):>10}" for name in columns)
        if record["epoch"] in (first, settings.epochs) or record["epoch"] % every == 0:
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
        if first == 1:  # an older run, which set none aside, goes on with all
            run.extra["aside"] = bool(settings.patience)
        if run.extra.get("aside"):
            x, x_val = set_aside(x, settings.seed)
            say(f"patience is with {len(x_val)} training examples, set aside for that")
        alike(crew, lambda: crew.expect_alike(training, x))
        fit(training, x, x_val, after_epoch=after_epoch, progress=progress, crew=crew)
    if not crew.leads:
        return
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
    if not plots.has_picture(run.shape) and not run.training.model.alphabet:
        say(f"examples of shape {run.shape} have no picture, so only numbers are drawn")
    files = ", ".join(["checkpoint.npz", "config.json", "metrics.csv", *drawn])
    say(f"{run.folder} now holds {files}")
