"""Every VAE that needs no classes, on the same digits, for as long as every other.

All have an MLP of 784-400 and its mirror, see 5,000 digits that are drawn black and white anew each
time, in minibatches of 100, and are trained by the same loop until `SECONDS` of processor time are
over; Adam's rate is 1e-3. How many epochs that makes depends on the machine, so of all experiments
this one alone gives other figures on another one.

The ELBO is that of the 1,000 test digits, drawn once; of a model whose KL is sampled it is sampled
too. ln p(x) is estimated with `IMPORTANCE` samples of each of `FEW` test digits. Where the code is
a mean, a unit counts as used if that mean varies by more than 0.01 (Burda et al. 2016); of
categories it is the perplexity, the number of categories that would be as uncertain if all were
used alike.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...data.batches import by_rows
from ...models import MODELS
from ...models.rows import encode
from ...ops.codebook import perplexity
from ...show.canvas import grid, new_figure, save
from ...train.evaluate import evaluate, log_likelihood
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.prepare import prepare_data
from ...train.settings import Settings, Training
from ..quality.collapse import THRESHOLD
from .contestants import host_samples
from .outcome import Record, column, mean_sd, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "family"
WHAT = "the family: every kind of VAE on the same digits for the same processor time"

SECONDS = 60.0
"""Of processor time for the training of each model."""
HIDDEN, LATENT, BATCH = (400,), 20, 100
FEW, IMPORTANCE = 200, 500
SHOWN = 10
"""Samples of each model in the picture."""
HOME = __name__.partition(".")[0] + "."
"""Where the members are defined; a user's own model is none."""


def run(folder: str | Path, *, seeds: int = 1, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder = Path(folder)
    data = datasets.load("mnist5k")
    records, pictured = measure(data, seeds, progress=progress)
    write_csv(folder / "family.csv", records)
    save(draw(pictured, data), folder / "family.png")
    return {"tables": [table(records)], "pictures": ["family.png"], "text": text(records)}


def family() -> dict[str, Any]:
    """Classes of the models of pixels that bound ln p(x) and need no classes, by their kinds."""
    return {
        kind: cls
        for kind, cls in MODELS.items()
        if "bound" in cls.can
        and not cls.sequential
        and "condition" not in cls.can
        and cls.__module__.startswith(HOME)
    }


def measure(
    data: Dataset, seeds: int, *, progress: bool
) -> tuple[list[Record], dict[str, np.ndarray]]:
    """Train every model on each seed; return a record of each, and some samples of seed 0."""
    from ...engine.progress import bar as tqdm

    records: list[Record] = []
    few = data.pixels_test[:SHOWN]
    pictured = {"test digits": few.astype("float32")}
    plan = [(seed, kind) for seed in range(seeds) for kind in family()]
    for seed, kind in tqdm(plan, desc="family", disable=not progress):
        model, record = trained(kind, data, seed)
        records.append(record)
        if seed == 0:
            pictured[MODELS[kind].title.removeprefix("a ")] = host_samples(model, SHOWN, seed)
    return records, pictured


def trained(kind: str, data: Dataset, seed: int) -> tuple[Any, Record]:
    """Train one model until its time is over, and measure it."""
    cls, rng = MODELS[kind], np.random.default_rng(seed)
    given: dict[str, Any] = {"latent": cls.defaults.get("latent", LATENT)}
    if "population" in cls.options:
        given["population"] = len(data.x_train)
    model = cls(data.pixels_train.shape[1], HIDDEN, rng=rng, **given)
    settings = Settings(epochs=100_000, batch=BATCH, binarize="dynamic", seed=seed)
    training = Training(model, Adam(1e-3), rng, settings)
    began = time.process_time()
    # An epoch that compiles the kernels is nobody's fault, so the clock starts after the first.
    spent: list[float] = []

    def over(_: Training) -> bool:
        spent.append(time.process_time() - began)
        return spent[-1] - spent[0] >= SECONDS

    fit(training, data.pixels_train, progress=False, after_epoch=over)
    x = prepare_data(data.pixels_test, settings, "val")
    numbers = evaluate(model, x, rng=np.random.default_rng([seed, 1]))
    estimate = log_likelihood(
        model, x[:FEW], rng=np.random.default_rng([seed, 2]), samples=IMPORTANCE
    )
    return model, {
        "model": kind,
        "seed": seed,
        "epochs": len(spent),
        "seconds an epoch": (spent[-1] - spent[0]) / max(1, len(spent) - 1),
        "parameters": model.params.theta.size,
        "elbo": numbers["elbo"],
        "log p": float(estimate.mean()),
        **used(model, x),
    }


def used(model: Any, x: Any) -> Record:
    """How much of the code is used, and of how much."""
    if "encode" in model.can:
        means = encode(model, x)[0]
        return {"used": int((means.var(axis=0) > THRESHOLD).sum()), "of": means.shape[1]}
    codes = by_rows(model.backend, lambda rows: model.codes(model.prepare(rows)), x)
    return {"used": perplexity(np.bincount(codes.ravel())), "of": model.levels}


def table(records: list[Record]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows."""
    rows = []
    for kind in dict.fromkeys(record["model"] for record in records):
        most = column(records, "of", model=kind)[0]
        parameters = column(records, "parameters", model=kind)[0]

        def cell(key: str, digits: int, kind: str = kind) -> str:
            return mean_sd(column(records, key, model=kind), digits)

        units = "encode" in MODELS[kind].can
        rows.append(
            [
                MODELS[kind].title.removeprefix("a "),
                cell("elbo", 2),
                cell("log p", 2),
                f"{cell('used', 0 if units else 1)} of {most:.0f} "
                + ("units" if units else "categories"),
                f"{parameters:,.0f}",
                cell("epochs", 0),
                cell("seconds an epoch", 2),
            ]
        )
    seeds = len({record["seed"] for record in records})
    title = f"after {SECONDS:.0f} s of processor time each, {seeds} seed{'s' if seeds > 1 else ''}"
    header = ["", "ELBO", "ln p(x)", "used", "parameters", "epochs", "s an epoch"]
    return title, header, rows


def text(records: list[Record]) -> str:
    """What the figures say."""
    best = {
        key: max(
            dict.fromkeys(record["model"] for record in records),
            key=lambda kind, key=key: column(records, key, model=kind).mean(),
        )
        for key in ("elbo", "log p")
    }

    def said(key: str) -> str:
        mean = column(records, key, model=best[key]).mean()
        return f"{MODELS[best[key]].title} ({mean:.2f} nats)"

    plain = column(records, "log p", model="vae").mean()
    lines = [
        f"The highest ELBO in this time is that of {said('elbo')}, the highest estimate of ln p(x) "
        f"that of {said('log p')}; the plain VAE's is {plain:.2f}.",
        "The time is the same and the epochs are not: a model whose step is longer has had fewer.",
    ]
    return "\n".join(lines)


def draw(pictured: dict[str, np.ndarray], data: Dataset) -> "Figure":
    """Draw a row of samples of each model, below one of test digits."""
    figure = new_figure(8.0, 0.78 * len(pictured) + 0.2)
    axes = figure.subplots(len(pictured), 1)
    for ax, (name, x) in zip(axes, pictured.items(), strict=True):
        ax.imshow(grid(x, [(0, i) for i in range(len(x))], data.shape, (0.0, 1.0)))
        ax.text(-0.02, 0.5, name, transform=ax.transAxes, ha="right", va="center")
        ax.set_axis_off()
    return figure
