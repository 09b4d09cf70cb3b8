"""What does the "variational" buy? An autoencoder and a VAE of the same widths on the same digits.

Both are 784-400-Z, once with Z = 2, which can be drawn, and once with Z = 20; both are trained by
the same loop on 5,000 grey digits, with Adam at 1e-3 for 50 epochs of minibatches of 100. A VAE's
code is its posterior mean.

What they decode is judged beside the 1,000 test digits in the features of a classifier
(`judge.py`). A decoding is *far from every digit* if the nearest test digit is farther than it is
for 95% of the training digits, so that 5% of real digits would be called far too. Where the code of
such a decoding lies between the codes of two digits, there is a **hole**. The share of holes is to
be compared with that at the codes themselves, since no decoder is perfect. Four sets of codes are
decoded:

    codes      those of 1,000 training digits: the reconstructions
    between    (1 - t) z + t z' of pairs of them, at nine t from 0 to 1: interpolations
    prior      draws from N(0, I), which is the VAE's prior; the autoencoder has none
    fitted     draws from the normal distribution with the mean and covariance of the training codes
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...models.base import Model
from ...models.rows import decode, encode
from ...show.canvas import grid, lighten, new_figure, save
from ...show.plots import CLASS_COLOURS, COLOURS
from ...train.evaluate import evaluate
from ..quality.judge import Judge
from ..quality.measures import nearest
from .contestants import train
from .outcome import Record, column, mean_sd, order, verdict, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "autoencoder"
WHAT = "autoencoder and VAE: holes in the latent space, interpolations, samples"

CONTESTANTS = {"autoencoder": "autoencoder", "VAE": "vae"}
LATENTS = (2, 20)
EPOCHS = 50
STEPS = 9
"""Codes on the way from one digit to another, both ends included."""


def run(folder: str | Path, *, seeds: int = 3, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder = Path(folder)
    data = datasets.load("mnist5k")
    judge = Judge.train(data)
    records, models = measure(data, judge, seeds, progress=progress)
    write_csv(folder / "autoencoder.csv", records)
    pictures = {
        "autoencoder-plane.png": draw_plane(data, judge, models),
        "autoencoder-holes.png": draw_holes(records),
        "autoencoder-between.png": draw_between(data, judge, models),
        "autoencoder-samples.png": draw_samples(data, models),
    }
    for name, figure in pictures.items():
        save(figure, folder / name)
    return {
        "tables": [holes_table(records), samples_table(records)],
        "pictures": list(pictures),
        "text": text(records, judge),
    }


def decoded(model: Model, z: np.ndarray) -> np.ndarray:
    """What a model makes of codes (N, Z), on the host."""
    return decode(model, model.backend.asarray(z, model.params.dtype))


def far_limit(data: Dataset, judge: Judge) -> float:
    """Distance to the nearest test digit that 95% of the training digits keep."""
    real = judge.classifier.embed(data.x_test)
    _, distance = nearest(judge.classifier.embed(data.pixels_train), real)
    return float(np.quantile(distance, 0.95))


def between(z: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Codes (STEPS, N, Z) on the ways from each code to another one, drawn at random."""
    t = np.linspace(0, 1, STEPS, dtype=z.dtype)[:, None, None]
    return (1 - t) * z + t * z[rng.permutation(len(z))]


def fitted(z: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Draw n codes (n, Z) from the normal distribution with the moments of z (N, Z)."""
    return rng.multivariate_normal(z.mean(axis=0), np.cov(z.T), n).astype(z.dtype)


def measure(
    data: Dataset,
    judge: Judge,
    seeds: int,
    *,
    progress: bool,
    epochs: int = EPOCHS,
    hidden: tuple[int, ...] = (400,),
) -> tuple[list[Record], dict[tuple[str, int], Model]]:
    """Train all models; return a record of each, and the models of seed 0."""
    from ...engine.progress import bar as tqdm

    records: list[Record] = []
    models = {}
    real = judge.classifier.embed(data.x_test)
    limit = far_limit(data, judge)
    plan = [(z, seed, name) for z in LATENTS for seed in range(seeds) for name in CONTESTANTS]
    for latent, seed, name in tqdm(plan, desc="autoencoder and VAE", disable=not progress):
        sizes = {"hidden": hidden, "latent": latent, "lr": 1e-3, "epochs": epochs}
        model = train(CONTESTANTS[name], data.pixels_train, **sizes, seed=seed)
        rng = np.random.default_rng([seed, 2])
        n = len(data.x_test)
        known = encode(model, data.x_train)[0]
        z = known[rng.permutation(len(known))[:n]]
        record = {"model": name, "latent": latent, "seed": seed}
        record["nll"] = evaluate(model, data.x_test, rng=np.random.default_rng(seed))["nll"]
        record["spread"] = float(z.std(axis=0).mean())
        for step, codes in enumerate(between(z, rng)):
            _, distance = nearest(judge.classifier.embed(decoded(model, codes)), real)
            record[f"holes {step}"] = float((distance > limit).mean())
        draws = {
            "prior": rng.standard_normal((n, latent), dtype=z.dtype),
            "fitted": fitted(known, n, rng),
        }
        for where, codes in draws.items():
            quality = judge.compare(data.x_test, decoded(model, codes))
            for key in ("frechet", "precision", "recall"):
                record[f"{where} {key}"] = getattr(quality, key)
        records.append(record)
        if seed == 0:
            models[name, latent] = model
    return records, models


def holes(records: list[Record], **where: Any) -> np.ndarray:
    """Share of holes (STEPS, seeds) at each step between two digits."""
    return np.array([column(records, f"holes {step}", **where) for step in range(STEPS)])


def groups(records: list[Record]) -> list[tuple[str, dict[str, Any]]]:
    """Name and selection of each row of a table."""
    found = sorted({r["latent"] for r in records})
    return [(f"{m}, Z = {z}", {"model": m, "latent": z}) for z in found for m in CONTESTANTS]


def _over(records: list[Record]) -> str:
    return f"mean ± SD of {len({r['seed'] for r in records})} seeds"


def holes_table(records: list[Record]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows: reconstruction, and what lies between the codes."""
    rows = []
    for name, where in groups(records):
        share = 100 * holes(records, **where)
        cells = [
            mean_sd(column(records, "nll", **where), 1),
            mean_sd(column(records, "spread", **where)),
        ]
        rows.append([name, *cells, mean_sd(share[0], 1), mean_sd(share[STEPS // 2], 1)])
    header = ["", "test nll, nats", "SD of the codes", "far at a code, %", "half-way, %"]
    return f"Far from every digit, {_over(records)}", header, rows


def samples_table(records: list[Record]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows: samples from N(0, I), and from the fitted normal distribution."""
    rows = []
    for name, where in groups(records):
        for codes, label in (("prior", "N(0, I)"), ("fitted", "fitted normal")):
            cells = [
                mean_sd(column(records, f"{codes} {key}", **where), digits)
                for key, digits in (("frechet", 1), ("precision", 2), ("recall", 2))
            ]
            rows.append([f"{name}, codes from {label}", *cells])
    return f"Samples, {_over(records)}", ["", "Fréchet distance", "precision", "recall"], rows


def text(records: list[Record], judge: Judge) -> str:
    """What the figures say."""
    lines = []
    for latent in sorted({r["latent"] for r in records}):
        auto, vae = ({"model": name, "latent": latent} for name in CONTESTANTS)

        def values(key: str, auto: Any = auto, vae: Any = vae) -> tuple[np.ndarray, np.ndarray]:
            return column(records, key, **auto), column(records, key, **vae)

        a, v = values("nll")
        lines.append(
            verdict(
                f"With Z = {latent}, the autoencoder reconstructs better",
                order(v, a),
                f"test nll {a.mean():.1f} nats against {v.mean():.1f} of the VAE",
            )
        )
        half = f"holes {STEPS // 2}"
        (a0, v0), (a, v) = values("holes 0"), values(half)
        lines.append(
            verdict(
                f"With Z = {latent}, the autoencoder has more holes between its codes",
                order(a, v),
                f"half-way between two digits {100 * a.mean():.0f}% of the decodings are far from "
                f"every digit, {100 * v.mean():.0f}% with the VAE; at the codes themselves "
                f"{100 * a0.mean():.0f}% and {100 * v0.mean():.0f}%",
            )
        )
        a, v = values("prior frechet")
        lines.append(
            verdict(
                f"With Z = {latent}, samples from N(0, I) are better with the VAE",
                order(a, v),
                f"Fréchet distance {v.mean():.1f} and {a.mean():.1f} of the autoencoder, precision "
                f"{values('prior precision')[1].mean():.2f} and "
                f"{values('prior precision')[0].mean():.2f}, recall "
                f"{values('prior recall')[1].mean():.2f} and "
                f"{values('prior recall')[0].mean():.2f}",
            )
        )
        fit = column(records, "fitted frechet", **auto)
        words = {1: "still worse than", -1: "better than", 0: "not clearly different from"}
        lines.append(
            f"A normal distribution fitted to the autoencoder's codes brings its samples from "
            f"{a.mean():.1f} to {fit.mean():.1f}: {words[order(fit, v)]} the VAE's {v.mean():.1f}."
        )
    return "\n".join([*lines, str(judge)])


def draw_plane(data: Dataset, judge: Judge, models: dict[tuple[str, int], Model]) -> "Figure":
    """Draw the latent planes: how far each point's decoding is from every digit, and the codes."""
    from matplotlib.colors import LinearSegmentedColormap

    real, n = judge.classifier.embed(data.x_test), 90
    shades = LinearSegmentedColormap.from_list("holes", ["white", "0.15"])
    planes = {}
    for name in CONTESTANTS:
        model = models[name, 2]
        z = encode(model, data.x_test)[0]
        low, high = z.min(axis=0), z.max(axis=0)
        axes = [np.linspace(a, b, n) for a, b in zip(low, high, strict=True)]
        lattice = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
        _, distance = nearest(judge.classifier.embed(decoded(model, lattice)), real)
        planes[name] = z, (low[0], high[0], low[1], high[1]), distance.reshape(n, n)
    most = max(distance.max() for _, _, distance in planes.values())
    figure = new_figure(12.4, 5.4)
    panels = figure.subplots(1, 2)
    for ax, (name, (z, extent, distance)) in zip(panels, planes.items(), strict=True):
        drawn = ax.imshow(
            distance, origin="lower", extent=extent, aspect="auto", cmap=shades, vmin=0, vmax=most
        )
        for k in range(10):
            chosen = z[data.y_test == k]
            style = {"s": 16, "lw": 0.4, "edgecolor": "white", "color": CLASS_COLOURS[k]}
            ax.scatter(*chosen.T, **style, label=str(k))
        far = far_limit(data, judge)
        ax.contour(distance, levels=[far], extent=extent, colors=[COLOURS[2]], linewidths=0.8)
        share = 100 * (distance > far).mean()
        ax.set_title(f"{name}: {share:.0f}% is far from every digit (red line)", loc="left")
        ax.set(xlabel="$z_1$", ylabel="$z_2$")
    legend = panels[1].legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    for handle in legend.legend_handles:
        handle.set_sizes([40])
    figure.colorbar(drawn, ax=panels, shrink=0.8, label="distance in the classifier's features")
    return figure


def draw_holes(records: list[Record]) -> "Figure":
    """Draw the share of holes along the way from one digit to another, a line for each seed."""
    latents = sorted({r["latent"] for r in records})
    figure = new_figure(5.0 * len(latents), 3.8)
    t = np.linspace(0, 1, STEPS)
    panels = figure.subplots(1, len(latents), squeeze=False, sharey=True)[0]
    for ax, latent in zip(panels, latents, strict=True):
        for name, colour in zip(CONTESTANTS, (COLOURS[6], COLOURS[0]), strict=True):
            lines = 100 * holes(records, model=name, latent=latent)
            for i, line in enumerate(lines.T):
                ax.plot(t, line, "o-", ms=3, color=colour, alpha=0.7, label=None if i else name)
        ax.set_title(f"Z = {latent}", loc="left")
        ax.set_xlabel("t, from one digit's code to another's")
        ax.axhline(5, color="0.6", lw=1, ls=(0, (4, 3)), label="real digits")
        lighten(ax)
    panels[0].set_ylim(bottom=0)  # last: it ends the scaling by what is drawn
    panels[0].set_ylabel("far from every digit, %")
    panels[0].legend(frameon=False)
    return figure


def draw_between(data: Dataset, judge: Judge, models: dict[tuple[str, int], Model]) -> "Figure":
    """Draw interpolations of both models, and the ten decodings half-way that are farthest off."""
    latent, rng = max(LATENTS), np.random.default_rng(0)
    starts = [int(np.flatnonzero(data.y_train == k)[0]) for k in (0, 1, 3, 4, 6)]
    ends = [int(np.flatnonzero(data.y_train == k)[1]) for k in (1, 7, 8, 2, 5)]
    pairs = rng.integers(0, len(data.x_train), (2, len(data.x_test)))
    t = np.linspace(0, 1, STEPS, dtype="float32")[:, None]
    figure = new_figure(10.6, 4.9)
    panels = figure.subplots(2, 2, height_ratios=(5, 2))
    real = judge.classifier.embed(data.x_test)
    for column_of, name in zip(panels.T, CONTESTANTS, strict=True):
        model = models[name, latent]
        z = encode(model, data.x_train)[0]
        ways = [(1 - t) * z[i] + t * z[j] for i, j in zip(starts, ends, strict=True)]
        x = decoded(model, np.concatenate(ways))
        cells = [divmod(i, STEPS) for i in range(len(x))]
        column_of[0].imshow(grid(x, cells, data.shape, (0.0, 1.0)))
        column_of[0].set_title(f"{name}, Z = {latent}: from one digit to another", loc="left")
        half = decoded(model, (z[pairs[0]] + z[pairs[1]]) / 2)
        _, distance = nearest(judge.classifier.embed(half), real)
        worst = half[np.argsort(-distance)[:18]]
        cells = [divmod(i, STEPS) for i in range(len(worst))]
        column_of[1].imshow(grid(worst, cells, data.shape, (0.0, 1.0)))
        column_of[1].set_title("half-way: the 18 of 1,000 farthest from every digit", loc="left")
    for ax in panels.flat:
        ax.set_axis_off()
    return figure


def draw_samples(data: Dataset, models: dict[tuple[str, int], Model]) -> "Figure":
    """Draw samples of both models from N(0, I) and from the fitted normal distribution."""
    latent, n = max(LATENTS), 40
    figure = new_figure(10.6, 4.8)
    panels = figure.subplots(2, 2)
    for row, name in zip(panels, CONTESTANTS, strict=True):
        model, rng = models[name, latent], np.random.default_rng(0)
        codes = {
            "N(0, I)": rng.standard_normal((n, latent)),
            "the fitted normal": fitted(encode(model, data.x_train)[0], n, rng),
        }
        for ax, (label, z) in zip(row, codes.items(), strict=True):
            cells = [divmod(i, 10) for i in range(n)]
            ax.imshow(grid(decoded(model, z), cells, data.shape, (0.0, 1.0)))
            ax.set_title(f"{name}, Z = {latent}, codes from {label}", loc="left")
            ax.set_axis_off()
    return figure
