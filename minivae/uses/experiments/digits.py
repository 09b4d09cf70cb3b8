"""Who draws the better digits, and the more different ones? A VAE and two GANs on MNIST.

VAE and GAN have the widths 784-400-20, see the same 5,000 grey digits in minibatches of 100 for 100
epochs, and are trained by the same loop; Adam's rate is 1e-3 for the VAE and 2e-4 for the GAN, each
the usual one. The third is a GAN of convolutions by the rules of Radford et al. (2016), as
`minivae train --model gan --network conv` builds it; its steps are longer, so it has a fifth of
them. The VAE's samples are the means of its pixels, the GAN's its pixels.

1,000 samples of each are measured beside the 1,000 test digits, in the features of a classifier of
the same data (`judge.py`): precision is the share that looks like a digit, recall the share of the
digits that is reached, the Fréchet distance takes both in. As many training digits, measured in the
same way, say how far one can get. Beside these:

    edges     mean difference between neighbouring pixels, per unit of ink: blurred strokes have
              less of it than the test digits, speckles more
    classes   how many of the ten digits the classifier finds, each in at least 1% of the samples
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...show.canvas import grid, lighten, new_figure, save
from ...show.plots import COLOURS
from ..quality.judge import Judge
from .contestants import host_samples, train
from .outcome import Record, column, mean_sd, order, steadier, verdict, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "digits"
WHAT = "digits by a VAE and two GANs: precision, recall, Fréchet distance, sharpness"

CONVOLUTIONS = "GAN, convolutions"
CONTESTANTS = {
    "VAE": {"kind": "vae", "lr": 1e-3},
    "GAN": {"kind": "gan", "lr": 2e-4},
    CONVOLUTIONS: {"kind": "gan", "lr": 2e-4},
}
EPOCHS = 100
FEWER = 5
"""Of the epochs of the others, the convolutions have one in so many."""
REAL = "training digits"
MEASURES = {"frechet": 2, "precision": 3, "recall": 3, "edges": 3, "classes": 1}
"""What is measured, and to how many decimals it is shown."""


def run(folder: str | Path, *, seeds: int = 3, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder = Path(folder)
    data = datasets.load("mnist5k")
    judge = Judge.train(data)
    records, pictured = measure(data, judge, seeds, progress=progress)
    write_csv(folder / "digits.csv", records)
    save(draw_samples(pictured, data), folder / "digits-samples.png")
    save(draw_measures(records), folder / "digits-measures.png")
    return {
        "tables": [table(records)],
        "pictures": ["digits-samples.png", "digits-measures.png"],
        "text": text(records, judge),
    }


def measure(
    data: Dataset,
    judge: Judge,
    seeds: int,
    *,
    progress: bool,
    epochs: int = EPOCHS,
    hidden: tuple[int, ...] = (400,),
) -> tuple[list[Record], dict[str, np.ndarray]]:
    """Train both models on each seed; return a record of each, and 50 samples of seed 0."""
    from ...engine.progress import bar as tqdm

    records: list[Record] = []
    n = len(data.x_test)
    pictured = {"test digits": data.x_test[np.arange(50) * n // 50]}
    plan = [(seed, name) for seed in range(seeds) for name in CONTESTANTS]
    for seed, name in tqdm(plan, desc="digits", disable=not progress):
        sizes: dict[str, Any] = {"hidden": hidden, "latent": 20, "epochs": epochs}
        if name == CONVOLUTIONS:
            sizes |= {"hidden": None, "epochs": max(1, epochs // FEWER), "images": data.shape}
        model = train(x=data.pixels_train, **CONTESTANTS[name], **sizes, seed=seed)
        made = host_samples(model, n, seed)
        records.append({"model": name, "seed": seed, **judged(judge, data, made)})
        if seed == 0:
            pictured[name] = made[:50]
    for seed in range(seeds):
        rows = np.random.default_rng(seed).permutation(len(data.x_train))[:n]
        record = judged(judge, data, data.x_train[rows])
        records.append({"model": REAL, "seed": seed, **record})
    record = {"frechet": 0.0, "precision": 1.0, "recall": 1.0}
    record |= {"edges": edges(data.x_test, data.shape), "classes": 10}
    records.append({"model": "test digits", "seed": 0, **record})
    return records, pictured


def judged(judge: Judge, data: Dataset, made: np.ndarray) -> Record:
    """All measures of made digits (N, D) beside the test digits."""
    quality = judge.compare(data.x_test, made)
    share = np.bincount(judge.classifier.predict(made), minlength=10) / len(made)
    return {
        "frechet": quality.frechet,
        "precision": quality.precision,
        "recall": quality.recall,
        "edges": edges(made, data.shape),
        "classes": int((share >= 0.01).sum()),
    }


def edges(x: np.ndarray, shape: tuple[int, ...]) -> float:
    """Mean absolute difference between neighbouring pixels of x (N, D), per unit of ink."""
    x = x.reshape(len(x), *shape).astype(float)
    differences = abs(np.diff(x, axis=1)).sum() + abs(np.diff(x, axis=2)).sum()
    return float(differences / (2 * x.sum()))


def table(records: list[Record]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows."""
    rows = []
    for name in (*CONTESTANTS, REAL):
        cells = [mean_sd(column(records, k, model=name), d) for k, d in MEASURES.items()]
        rows.append([name, *cells])
    (test,) = [r for r in records if r["model"] == "test digits"]
    rows.append(["test digits", "", "", "", f"{test['edges']:.3f}", "10.0"])
    seeds = len(column(records, "recall", model="GAN"))
    title = f"1,000 samples beside 1,000 test digits, mean ± SD of {seeds} seeds"
    header = ["", "Fréchet distance", "precision", "recall", "edges", "classes"]
    return title, header, rows


def text(records: list[Record], judge: Judge) -> str:
    """What the figures say."""
    vae, gan, conv, real = (
        {key: column(records, key, model=name) for key in MEASURES} for name in (*CONTESTANTS, REAL)
    )
    (test,) = column(records, "edges", model="test digits")

    def both(key: str) -> str:
        return f"{vae[key].mean():.3f} of the VAE, {gan[key].mean():.3f} of the GAN"

    beyond = gan["edges"].mean() - test, vae["edges"].mean() - test
    nearer = "GAN" if abs(beyond[0]) < abs(beyond[1]) else "VAE"
    lines = [
        verdict(
            "The GAN's digits are sharper",
            order(gan["edges"], vae["edges"]),
            f"edges {both('edges')}, {test:.3f} of the test digits, so the {nearer}'s are nearer "
            f"to real ones" + (", and the GAN's speckles exceed them" if beyond[0] > 0 else ""),
        ),
        verdict(
            "More of the GAN's samples look like digits",
            order(gan["precision"], vae["precision"]),
            f"precision {both('precision')}",
        ),
        verdict(
            "The VAE's digits are more diverse",
            order(vae["recall"], gan["recall"]),
            f"recall {both('recall')}, {real['recall'].mean():.3f} of training digits",
        ),
        verdict(
            "The VAE is the more stable over seeds",
            steadier(_sd(vae["frechet"]), _sd(gan["frechet"])),
            f"SD of the Fréchet distance {_sd(vae['frechet']):.2f} and {_sd(gan['frechet']):.2f}, "
            f"SD of the recall {_sd(vae['recall']):.3f} and {_sd(gan['recall']):.3f}",
        ),
    ]
    smaller = {1: "The GAN has the", -1: "The VAE has the", 0: "Neither has a clearly"}[
        order(vae["frechet"], gan["frechet"])
    ]
    lines.append(
        f"{smaller} smaller Fréchet distance: "
        f"{vae['frechet'].mean():.2f} of the VAE, {gan['frechet'].mean():.2f} of the GAN, "
        f"{real['frechet'].mean():.2f} of training digits."
    )

    def with_them(key: str) -> str:
        return f"{conv[key].mean():.3f} with them, {gan[key].mean():.3f} without"

    lines += [
        verdict(
            "With convolutions, the GAN's edges are nearer to those of real digits",
            order(abs(gan["edges"] - test), abs(conv["edges"] - test)),
            f"edges {with_them('edges')}, {test:.3f} of the test digits",
        ),
        verdict(
            "With convolutions, more of the GAN's samples look like digits",
            order(conv["precision"], gan["precision"]),
            f"precision {with_them('precision')}",
        ),
        verdict(
            "With convolutions, the GAN's digits are more diverse",
            order(conv["recall"], gan["recall"]),
            f"recall {with_them('recall')}; Fréchet distance {conv['frechet'].mean():.2f} with "
            f"them, {gan['frechet'].mean():.2f} without",
        ),
    ]
    return "\n".join([*lines, str(judge)])


def _sd(values: np.ndarray) -> float:
    """Standard deviation over the seeds; NaN, which nothing is compared with, of one alone."""
    return float(values.std(ddof=1)) if len(values) > 1 else float("nan")


def draw_samples(pictured: dict[str, np.ndarray], data: Dataset) -> "Figure":
    """Draw the digits side by side: real ones, and those of each model."""
    figure = new_figure(15.0, 8.0)
    for ax, (name, x) in zip(figure.subplots(1, len(pictured)), pictured.items(), strict=True):
        ax.imshow(grid(x, [divmod(i, 5) for i in range(len(x))], data.shape, (0.0, 1.0)))
        ax.set_title(name, loc="left")
        ax.set_axis_off()
    return figure


def draw_measures(records: list[Record]) -> "Figure":
    """Draw precision against recall, and edges against the Fréchet distance, a point for a seed."""
    figure = new_figure(10.0, 4.0)
    axes = figure.subplots(1, 2)
    for ax, (across, upwards) in zip(
        axes, (("recall", "precision"), ("edges", "frechet")), strict=True
    ):
        for name, colour, marker in zip((*CONTESTANTS, REAL), COLOURS, "os^D", strict=False):
            x, y = (column(records, key, model=name) for key in (across, upwards))
            ax.scatter(x, y, color=colour, marker=marker, alpha=0.75, s=44, label=name)
        ax.set(xlabel=across, ylabel={"frechet": "Fréchet distance"}.get(upwards, upwards))
        lighten(ax)
    (test,) = column(records, "edges", model="test digits")
    axes[0].set(xlim=(0, 1), ylim=(0, 1.02))
    axes[0].set_title("Looks like a digit, against reaches all digits", loc="left")
    axes[1].axvline(test, color="0.6", lw=1, ls=(0, (4, 3)), label="edges of the test digits")
    axes[1].set_ylim(bottom=0)
    axes[1].set_title("Distance from the test digits, against edges", loc="left")
    axes[1].legend(frameon=False)
    return figure
