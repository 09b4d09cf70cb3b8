"""How much does the result hang on the seed and on the learning rate? A VAE and a GAN on the ring.

Each model is trained on the ring of 8 Gaussians (`mixtures.py`) at four learning rates and several
seeds, for 10,000 steps of 100; the models are those of `modes.py`. The VAE comes twice, with and
without a warm-up of the KL, since it too can fail: where the KL outweighs what the untrained
decoder gains from the latents, the posterior collapses onto the prior.

A run that ends in NaN counts as one that covers nothing, and has no energy distance. While the runs
at 1e-3 go on, their samples are counted every fifth epoch.
"""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import NonFiniteError
from ...models import MODELS
from ...show.canvas import lighten, new_figure, save
from ...show.plots import COLOURS
from ...train.settings import Training
from .contestants import host_samples
from .mixtures import SAMPLES, Mixture, energy_distance, ring
from .modes import POINTS, learn
from .outcome import Record, column, mean_sd, steadier, verdict, write_csv

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "stability"
WHAT = "spread over seeds and learning rates: VAE and GAN on 8 Gaussians"

RATES = (3e-4, 1e-3, 3e-3, 1e-2)
WATCHED = 1e-3
EPOCHS = 100
EVERY = 5
CONTESTANTS = {
    "VAE": {"kind": "vae"},
    "VAE, no warm-up": {"kind": "vae", "warm": False},
    "GAN": {"kind": "gan"},
}
COLOUR = {"VAE": COLOURS[0], "VAE, no warm-up": COLOURS[3], "GAN": COLOURS[1]}
MEASURES = {
    "modes": "modes covered, of 8",
    "quality": "high-quality fraction",
    "distance": "energy distance",
}


def run(folder: str | Path, *, seeds: int = 5, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder = Path(folder)
    records, course = measure(ring(), seeds, progress=progress)
    write_csv(folder / "stability.csv", records)
    write_csv(folder / "stability-course.csv", course)
    save(draw_rates(records), folder / "stability-rates.png")
    save(draw_course(course), folder / "stability-course.png")
    return {
        "tables": [rates_table(records, key) for key in MEASURES] + [spread_table(records)],
        "pictures": ["stability-rates.png", "stability-course.png"],
        "text": text(records),
    }


def measure(
    mixture: Mixture,
    seeds: int,
    *,
    progress: bool,
    epochs: int = EPOCHS,
    points: int = POINTS,
    rates: tuple[float, ...] = RATES,
) -> tuple[list[Record], list[Record]]:
    """Train all models; return a record of each, and of each counting on the way."""
    from ...engine.progress import bar as tqdm

    records: list[Record] = []
    course: list[Record] = []
    plan = [(lr, seed, name) for lr in rates for seed in range(seeds) for name in CONTESTANTS]
    for lr, seed, name in tqdm(plan, desc="stability", disable=not progress):
        rng = np.random.default_rng([seed, 1])
        x, fresh = mixture.draw(points, rng), mixture.draw(SAMPLES, rng)
        draw = "draw" in MODELS[CONTESTANTS[name]["kind"]].can
        what = {"model": name, "lr": lr, "seed": seed}

        def watch(
            training: Training, what: Record = what, draw: bool = draw, lr: float = lr
        ) -> None:
            epoch = len(training.history)
            if lr == WATCHED and epoch % EVERY == 0:
                samples = host_samples(training.model, SAMPLES, what["seed"], draw=draw)
                modes, quality = mixture.coverage(samples)
                course.append({**what, "epoch": epoch, "modes": modes, "quality": quality})

        try:
            options = {"lr": lr, "epochs": epochs, "seed": seed, "after_epoch": watch}
            model = learn(x=x, **CONTESTANTS[name], **options)
        except NonFiniteError:
            result = {"modes": 0, "quality": 0.0, "distance": math.nan}
        else:
            samples = host_samples(model, SAMPLES, seed, draw=draw)
            modes, quality = mixture.coverage(samples)
            result = {"modes": modes, "quality": quality}
            result["distance"] = energy_distance(samples, fresh)
        records.append({**what, **result})
    return records, course


def rates_of(records: list[Record]) -> list[float]:
    """Learning rates in the records, in order."""
    return sorted({r["lr"] for r in records})


def rates_table(records: list[Record], key: str) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows of one measure: a model in a row, a learning rate in a column."""
    digits = {"modes": 1, "quality": 2, "distance": 4}[key]
    rates = rates_of(records)
    rows = [
        [name, *(mean_sd(column(records, key, model=name, lr=lr), digits) for lr in rates)]
        for name in CONTESTANTS
    ]
    seeds = len({r["seed"] for r in records})
    title = f"{MEASURES[key][0].upper()}{MEASURES[key][1:]}, mean ± SD of {seeds} seeds"
    return title, ["learning rate", *(f"{lr:g}" for lr in rates)], rows


def spreads(records: list[Record], name: str, key: str) -> tuple[float, float]:
    """Return the spread over seeds and the spread over learning rates, both as a SD.

    The first is the SD over the seeds at one learning rate, averaged (as a variance) over the
    rates; the second the SD of the means of the rates.
    """
    groups = [column(records, key, model=name, lr=lr) for lr in rates_of(records)]
    within = [values.var(ddof=1) if len(values) > 1 else math.nan for values in groups]
    means = [values.mean() for values in groups]
    between = float(np.std(means, ddof=1)) if len(means) > 1 else math.nan
    return float(np.sqrt(np.mean(within))), between


def spread_table(records: list[Record]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows: how far the results lie apart."""
    rows = []
    for name in CONTESTANTS:
        row = [name]
        for key in ("modes", "quality"):
            row += [f"{value:.2f}" for value in spreads(records, name, key)]
        all_modes = column(records, "modes", model=name)
        rows.append([*row, f"{(all_modes == 8).sum()} of {len(all_modes)}"])
    header = ["", "modes: SD over seeds", "over rates", "quality: SD over seeds", "over rates"]
    return "How far the results lie apart", [*header, "runs that cover all 8"], rows


def text(records: list[Record]) -> str:
    """What the figures say."""
    if len({r["seed"] for r in records}) < 2:
        return "Nothing is said about the spread over seeds, since there is only one seed."
    sentences = []
    for key, what in (("modes", "modes covered"), ("quality", "the high-quality fraction")):
        vae, gan = (spreads(records, name, key) for name in ("VAE", "GAN"))
        for i, over in enumerate(("seeds", "learning rates")):
            sentences.append(
                verdict(
                    f"The VAE is the more stable in {what} over {over}",
                    steadier(vae[i], gan[i]),
                    f"SD {vae[i]:.2f} of the VAE, {gan[i]:.2f} of the GAN",
                )
            )
    whole = {name: column(records, "modes", model=name) for name in CONTESTANTS}
    counts = ", ".join(f"{name} {(v == 8).sum()} of {len(v)}" for name, v in whole.items())
    sentences.append(f"Runs that cover all 8 modes: {counts}.")
    poor = [int((column(records, "quality", model=m) < 0.05).sum()) for m in CONTESTANTS]
    total = len(whole["VAE"])
    sentences.append(
        f"Runs that end with less than 5% of high quality: {poor[0]} of {total} of the VAE, "
        f"{poor[1]} of {total} of the VAE without a warm-up of its KL, {poor[2]} of {total} of "
        "the GAN."
    )
    return "\n".join(sentences)


def _panel(ax: "Axes", title: str) -> None:
    ax.set_title(title, loc="left")
    lighten(ax)


def draw_rates(records: list[Record]) -> "Figure":
    """Draw each measure against the learning rate: a point is a run, a line the mean."""
    figure = new_figure(12.5, 3.8)
    rates = rates_of(records)
    for ax, (key, title) in zip(figure.subplots(1, 3), MEASURES.items(), strict=True):
        for i, (name, colour) in enumerate(COLOUR.items()):
            groups = [column(records, key, model=name, lr=lr) for lr in rates]
            shift = 1.07 ** (i - 1)  # side by side, so that no model hides another
            for lr, values in zip(rates, groups, strict=True):
                ax.plot([lr * shift] * len(values), values, "o", color=colour, alpha=0.5, ms=5)
            means = [values.mean() for values in groups]
            ax.plot([lr * shift for lr in rates], means, color=colour, label=name)
        ax.set_xscale("log")
        ax.set_xlabel("learning rate")
        if key == "distance":
            ax.set_yscale("log")
        _panel(ax, title)
        if key == "modes":
            ax.legend(frameon=False)
    return figure


def draw_course(course: list[Record]) -> "Figure":
    """Draw modes and quality while training, a line for each seed."""
    figure = new_figure(10.5, 3.6)
    for ax, key in zip(figure.subplots(1, 2), ("modes", "quality"), strict=True):
        for name, colour in COLOUR.items():
            for seed in sorted({r["seed"] for r in course}):
                where = {"model": name, "seed": seed}
                epochs, values = (column(course, k, **where) for k in ("epoch", key))
                label = name if seed == 0 else None
                ax.plot(epochs, values, color=colour, lw=1.2, alpha=0.75, label=label)
        ax.set_xlabel("epoch")
        _panel(ax, f"{MEASURES[key]} (learning rate {WATCHED:g})")
    figure.axes[0].legend(frameon=False)
    return figure
