"""Which modes does a model learn? A VAE and a GAN on mixtures of Gaussians in the plane.

The mixtures, and what "covered" and "of high quality" mean, are in `mixtures.py`. Both models have
two hidden layers of 128 and a latent plane; both are trained on 10,000 points for 20,000 steps of
100 with Adam at 1e-3, by the same loop. The published GAN had 400,000 steps, wider layers and batch
normalisation, so its numbers are a landmark and not a target.

A sample of the VAE is a draw from its whole model, the likelihood's noise included, whose standard
deviation it learns. The means without that noise are counted too, as "VAE, means".
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...models import MODELS
from ...show.canvas import lighten, new_figure, save
from ...show.plots import COLOURS
from .contestants import host_samples, train
from .mixtures import HIGHEST, SAMPLES, Mixture, energy_distance, grid, ring
from .outcome import Record, column, mean_sd, order, verdict, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "modes"
WHAT = "modes covered and quality of samples: VAE and GAN on 8 and on 25 Gaussians"

POINTS = 10_000
EPOCHS = 200
CONTESTANTS = {"VAE": "vae", "GAN": "gan"}
SIZES = {"hidden": (128, 128), "latent": 2}
MEANS = "VAE, means"


def run(folder: str | Path, *, seeds: int = 10, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder = Path(folder)
    mixtures = [ring(), grid()]
    records, pictured = measure(mixtures, seeds, progress=progress)
    write_csv(folder / "modes.csv", records)
    save(draw_samples(mixtures, pictured), folder / "modes-samples.png")
    save(draw_seeds(mixtures, records), folder / "modes-seeds.png")
    return {
        "tables": [table(mixture, records) for mixture in mixtures],
        "pictures": ["modes-samples.png", "modes-seeds.png"],
        "text": text(mixtures, records),
    }


def measure(
    mixtures: list[Mixture],
    seeds: int,
    *,
    progress: bool,
    epochs: int = EPOCHS,
    points: int = POINTS,
) -> tuple[list[Record], dict[tuple[str, str], np.ndarray]]:
    """Train all models; return a record of each, and the samples of seed 0."""
    from ...engine.progress import bar as tqdm

    records: list[Record] = []
    pictured = {}
    plan = [(m, name, seed) for m in mixtures for seed in range(seeds) for name in CONTESTANTS]
    for mixture, name, seed in tqdm(plan, desc="modes", disable=not progress):
        rng = np.random.default_rng([seed, 1])
        x, fresh = mixture.draw(points, rng), mixture.draw(SAMPLES, rng)
        model = learn(CONTESTANTS[name], x, lr=1e-3, epochs=epochs, seed=seed)
        draw = "draw" in model.can
        made = {name: host_samples(model, SAMPLES, seed, draw=draw)}
        if draw:
            made[MEANS] = host_samples(model, SAMPLES, seed)
        for which, samples in made.items():
            modes, quality = mixture.coverage(samples)
            record = {"mixture": mixture.name, "model": which, "seed": seed, "modes": modes}
            record |= {"quality": quality, "distance": energy_distance(samples, fresh)}
            records.append(record)
            if seed == 0:
                pictured[mixture.name, which] = samples
    return records, pictured


def learn(kind: str, x: np.ndarray, *, warm: bool = True, epochs: int, **options: Any) -> Any:
    """Train one model of the plane; a VAE warms its KL up over half of the epochs, if `warm`."""
    if "bound" in MODELS[kind].can:
        options |= {"warmup": epochs / 2} if warm else {}
        return train(kind, x, **SIZES, likelihood="gaussian_shared", epochs=epochs, **options)
    return train(kind, x, **SIZES, likelihood="gaussian", epochs=epochs, **options)


def table(mixture: Mixture, records: list[Record]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows for one mixture."""
    rows = []
    for name in ("VAE", MEANS, "GAN"):
        where = {"mixture": mixture.name, "model": name}
        modes, quality, distance = (
            column(records, key, **where) for key in ("modes", "quality", "distance")
        )
        row = [name, mean_sd(modes, 1), mean_sd(100 * quality, 1), mean_sd(distance, 4)]
        rows.append(row)
    modes, quality = mixture.published
    rows.append(["GAN, published (20 times the steps)", f"{modes:.1f}", f"{100 * quality:.1f}", ""])
    rows.append(["the mixture itself", f"{len(mixture.means)}.0", f"{100 * HIGHEST:.1f}", "0"])
    seeds = len(column(records, "modes", mixture=mixture.name, model="GAN"))
    title = f"{mixture.name[0].upper()}{mixture.name[1:]} Gaussians, mean ± SD of {seeds} seeds"
    return title, ["", "modes covered", "high quality, %", "energy distance"], rows


def text(mixtures: list[Mixture], records: list[Record]) -> str:
    """What the figures say."""
    sentences = []
    for mixture in mixtures:
        of = {
            name: {
                key: column(records, key, mixture=mixture.name, model=name)
                for key in ("modes", "quality", "distance")
            }
            for name in CONTESTANTS
        }
        vae, gan = of["VAE"], of["GAN"]
        n = len(mixture.means)
        sentences.append(
            verdict(
                f"On the {mixture.name}, the GAN's samples are of higher quality",
                order(gan["quality"], vae["quality"]),
                f"{100 * gan['quality'].mean():.1f}% of high quality against "
                f"{100 * vae['quality'].mean():.1f}% of the VAE",
            )
        )
        sentences.append(
            verdict(
                f"On the {mixture.name}, the VAE covers more modes",
                order(vae["modes"], gan["modes"]),
                f"{vae['modes'].mean():.1f} of {n} against {gan['modes'].mean():.1f} of the GAN "
                f"(worst seed: {vae['modes'].min():.0f} and {gan['modes'].min():.0f})",
            )
        )
        nearer = {1: "The GAN is nearer", -1: "The VAE is nearer", 0: "Neither is clearly nearer"}[
            order(vae["distance"], gan["distance"])
        ]
        sentences.append(
            f"{nearer} to the mixture as a whole: energy distance "
            f"{vae['distance'].mean():.4f} of the VAE, {gan['distance'].mean():.4f} of the GAN."
        )
    return "\n".join(sentences)


def draw_samples(mixtures: list[Mixture], pictured: dict[tuple[str, str], np.ndarray]) -> "Figure":
    """Draw the data and both models' samples side by side, a mixture in a row."""
    figure = new_figure(10.5, 3.5 * len(mixtures))
    axes = figure.subplots(len(mixtures), 3, squeeze=False)
    for row, mixture in zip(axes, mixtures, strict=True):
        data = mixture.draw(SAMPLES, np.random.default_rng(0))
        drawn = {"data": data, **{k: pictured[mixture.name, k] for k in CONTESTANTS}}
        reach = 1.25 * abs(mixture.means).max()
        for ax, (name, x), colour in zip(row, drawn.items(), ("0.35", *COLOURS), strict=False):
            ax.plot(*mixture.means.T, "o", ms=14, mfc="none", mec="0.85", zorder=0)
            ax.scatter(*x.T, s=4, lw=0, alpha=0.5, color=colour)
            title = f"{mixture.name}: {name}"
            if name != "data":
                modes, quality = mixture.coverage(x)
                title += f", {modes} modes, {100 * quality:.0f}% good"
            ax.set_title(title, loc="left", fontsize=10)
            ax.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xticks=[], yticks=[])
            ax.spines[:].set_color("0.85")
    return figure


def draw_seeds(mixtures: list[Mixture], records: list[Record]) -> "Figure":
    """Draw each seed as a point: modes to the right, quality upwards."""
    figure = new_figure(5.0 * len(mixtures), 3.6)
    axes = figure.subplots(1, len(mixtures), squeeze=False)[0]
    for ax, mixture in zip(axes, mixtures, strict=True):
        aside = len(mixture.means) / 50  # so that contestants with equally many modes show
        names = (*CONTESTANTS, MEANS)
        for i, (name, colour, marker) in enumerate(zip(names, COLOURS, "os^", strict=False)):
            where = {"mixture": mixture.name, "model": name}
            modes, quality = (column(records, key, **where) for key in ("modes", "quality"))
            style = {"color": colour, "alpha": 0.7, "marker": marker, "label": name}
            ax.scatter(modes + (i - 1) * aside, 100 * quality, **style)
        ax.axhline(100 * HIGHEST, color="0.6", lw=1, ls=(0, (4, 3)))
        ax.plot(mixture.published[0], 100 * mixture.published[1], "k*", ms=11, label="GAN, publ.")
        ax.set(xlim=(-0.06 * len(mixture.means), 1.06 * len(mixture.means)), ylim=(-4, 104))
        ax.set(xlabel=f"modes covered, of {len(mixture.means)}", ylabel="high quality, %")
        ax.set_title(f"{mixture.name}: a point is a seed", loc="left")
        lighten(ax)
    axes[0].legend(frameon=False, loc="center left")
    return figure
