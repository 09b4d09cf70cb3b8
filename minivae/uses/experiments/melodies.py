r"""Sequences: when a decoder that hears its own words needs the code, and what lies between two.

**The collapse.** A recurrent decoder is trained in four ways, each from the same first weights and
for the same epochs: plainly; with the KL's weight rising from 0; with half of the symbols hidden
from it; with all of them hidden. Of each: nll, KL and their sum, the bound on -ln p(x); -ln p(x) by
importance samples; active units; and the information of the code about the datum,

$$ I(x; z) = E_x E_{q(z|x)} \left[ \ln q(z \mid x) - \ln \tfrac1N \sum_m q(z \mid x_m) \right] $$

with one draw of z for each of the N held-out examples. It is at most ln N, and at most the KL.

**Between two**, see `between.py`: the way from one held-out example to another by codes, and by a
crossfade, and what n-grams (`ngram.py`) of the training data say of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...data.alphabet import spelled
from ...models import MODELS
from ...models.registry import Option
from ...models.rows import encode
from ...ops import code_density
from ...show.canvas import lighten, new_figure, save
from ...show.plots import COLOURS
from ...train.evaluate import evaluate, log_likelihood
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from ..quality.collapse import THRESHOLD
from ..statistics import mean_interval
from .between import PAIRS, POINTS, Measured, crossfaded, interpolated, on_the_way, pairs
from .ngram import best
from .outcome import Record, column, mean_sd, order, verdict, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = tuple[str, list[str], list[list[str]]]
"""Title, header and rows."""

NAME = "melodies"
WHAT = "sequences: four ways to train a recurrent decoder, and what lies between two sequences"
OPTIONS = {
    "sequences": Option(str, "melodies", "what to learn", choices=("melodies", "names")),
}

WAYS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "plain": ({}, {}),
    "annealing": ({}, {"schedule": "linear", "warmup": 10.0}),
    "word dropout": ({"word_dropout": 0.5}, {}),
    "without inputs": ({"word_dropout": 1.0}, {}),
}
"""Ways to train, and what of the model and of the settings each changes."""

EPOCHS, BATCH, RATE = 20, 64, 2e-3
LATENT, HIDDEN, SIZES = 16, (200,), {"states": 128, "embedding": 32}
IMPORTANCE, MOST = 100, 1000
"""Importance samples of each held-out example, and how many examples are looked at."""

SHOWN = 3
"""Pairs that are spelled out."""


def run(
    folder: str | Path, *, seeds: int = 1, progress: bool = True, sequences: str = "melodies"
) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder, data = Path(folder), datasets.load(sequences)
    held_out = data.x_test[:MOST] if data.x_test is not None else data.x_train[:MOST]
    language, costs = best(data.x_train, held_out, len(data.alphabet or ()) - 1)
    records, models = train_all(data, held_out, seeds, progress=progress)
    between = {way: interpolated(model, held_out, language) for way, model in models.items()}
    between["crossfade"] = crossfaded(data, held_out, language)
    write_csv(folder / "collapse.csv", records)
    write_csv(folder / "interpolation.csv", rows_of(between))
    save(draw(between, costs), folder / "interpolation.png")
    real = costs[language.order]
    tables = [of_orders(costs, data), of_ways(records), of_paths(between)]
    said = f"{conclusions(records, between, real)}\n{examples(models, data, held_out)}"
    return {"tables": tables, "pictures": ["interpolation.png"], "text": said}


# ---- the collapse ----


def train_all(
    data: Dataset, held_out: np.ndarray, seeds: int, *, progress: bool
) -> tuple[list[Record], dict[str, Any]]:
    """Train in every way on each seed; a record of each, and the models of the first seed."""
    from ...engine.progress import bar as tqdm

    records, models = [], {}
    plan = [(seed, way) for seed in range(seeds) for way in WAYS]
    for seed, way in tqdm(plan, desc=NAME, disable=not progress):
        model = trained(way, data, seed)
        records.append({"way": way, "seed": seed, **measured(model, held_out, seed)})
        models.setdefault(way, model)
    return records, models


def trained(way: str, data: Dataset, seed: int) -> Any:
    """Train one model."""
    of_model, of_settings = WAYS[way]
    rng = np.random.default_rng(seed)
    how: dict[str, Any] = {"alphabet": data.alphabet, **SIZES, **of_model}
    model = MODELS["sequence"](data.shape[0], HIDDEN, LATENT, rng=rng, **how)
    given: dict[str, Any] = {"lr_schedule": "cosine", "seed": seed, **of_settings}
    settings = Settings(epochs=EPOCHS, batch=BATCH, **given)
    fit(Training(model, Adam(RATE), rng, settings), data.pixels_train, progress=False)
    return model


def measured(model: Any, x: np.ndarray, seed: int) -> Record:
    """Measure a model on held-out rows x (N, T)."""
    numbers = evaluate(model, x, rng=np.random.default_rng([seed, 1]))
    estimate = log_likelihood(model, x, rng=np.random.default_rng([seed, 2]), samples=IMPORTANCE)
    mu, logvar = encode(model, x)
    eps = np.random.default_rng([seed, 3]).standard_normal(mu.shape)
    return {
        "bound": -numbers["elbo"],
        "nll": numbers["nll"],
        "kl": numbers["kl"],
        "information": information(mu, logvar, eps),
        "active": int((mu.var(axis=0) > THRESHOLD).sum()),
        "importance": float(-estimate.mean()),
    }


def information(mu: np.ndarray, logvar: np.ndarray | None, eps: np.ndarray) -> float:
    """Information of the code about the datum, nats, from mu, logvar and noise eps (N, Z)."""
    mu, logvar = (np.asarray(a, "float64") for a in (mu, logvar))
    z = mu + np.exp(logvar / 2) * eps
    n = len(z)
    own = -0.5 * (eps**2 + logvar + np.log(2 * np.pi)).sum(axis=1)
    weights = np.full((n, n), -np.log(n))
    every, _ = code_density.forward(z, mu, logvar, weights)
    return float((own - every[:, 0]).mean())


# ---- what is handed over ----


def of_orders(
    costs: dict[int, np.ndarray], data: Dataset
) -> tuple[str, list[str], list[list[str]]]:
    """The table of n-grams."""
    cells = [f"{mean_interval(nll):.2f}" for nll in costs.values()]
    title = f"n-grams on held-out {data.name}: nats per sequence, with 95 % intervals"
    return title, ["order", "-ln p(x)"], [[str(n), c] for n, c in zip(costs, cells, strict=True)]


def of_ways(records: list[Record]) -> Table:
    """The table of the four ways."""
    names = {"bound": 2, "nll": 2, "kl": 2, "information": 2, "active": 0, "importance": 2}
    rows = [
        [way, *(mean_sd(column(records, name, way=way), digits) for name, digits in names.items())]
        for way in WAYS
    ]
    header = ["", "-ELBO", "nll", "KL", "I(x; z)", f"active of {LATENT}", "-ln p(x)"]
    seeds = len({record["seed"] for record in records})
    title = f"a recurrent decoder, nats per held-out sequence, {seeds} seed{'s' * (seeds > 1)}"
    return title, header, rows


def of_paths(between: dict[str, Measured]) -> Table:
    """The table of what lies between."""
    middle = POINTS // 2
    rows = []
    for way, found in between.items():
        away, back, cost = (found[name] for name in ("from the first", "from the second", "cost"))
        rows.append(
            [
                way,
                f"{away[0].mean():.2f}",
                f"{mean_interval(away[middle]):.2f}",
                f"{away[-1].mean():.2f}",
                f"{mean_interval(back[middle]):.2f}",
                f"{mean_interval(cost[middle]):.1f}",
            ]
        )
    header = ["", "start", "middle", "end", "middle from the second", "cost of the middle"]
    title = f"share of steps that differ from the first of {PAIRS} pairs, and n-gram nats"
    return title, header, rows


def rows_of(between: dict[str, Measured]) -> list[Record]:
    """One record for each way and point, means over the pairs."""
    t = np.linspace(0, 1, POINTS)
    return [
        {"way": way, "t": float(t[i]), **{name: float(v[i].mean()) for name, v in found.items()}}
        for way, found in between.items()
        for i in range(POINTS)
    ]


def conclusions(records: list[Record], between: dict[str, Measured], real: np.ndarray) -> str:
    """What the figures say."""
    kl = {way: column(records, "kl", way=way).mean() for way in WAYS}
    least = min(kl, key=lambda way: kl[way])
    lines = [
        f"The least KL, {kl[least]:.2f} nats, is that of {least!r}; without inputs it is "
        f"{kl['without inputs']:.2f}."
    ]
    bounds = {way: column(records, "bound", way=way).mean() for way in WAYS}
    first = min(bounds, key=lambda way: bounds[way])
    lines.append(
        f"The best bound is that of {first!r} ({bounds[first]:.2f} nats); the best n-gram has "
        f"{mean_interval(real):.2f}."
    )
    middle = POINTS // 2
    fade = between["crossfade"]["cost"][middle]
    for way in ("word dropout", "without inputs"):
        own = between[way]["cost"][middle]
        lines.append(
            verdict(
                f"Midway between two codes ({way}) costs less than midway in a crossfade",
                order(fade, own),
                f"{own.mean():.1f} against {fade.mean():.1f} nats, real ones {real.mean():.1f}",
            )
        )
        away = between[way]["from the first"].mean(axis=1)
        rising = bool((np.diff(away) >= 0).all())
        how = "never falls" if rising else "does not always rise"
        lines.append(
            f"From point to point the mean distance from the first ({way}) {how}: {away[0]:.2f} to "
            f"{away[-1]:.2f}."
        )
    return "\n".join(lines)


def examples(models: dict[str, Any], data: Dataset, x: np.ndarray) -> str:
    """Some of the paths, spelled out."""
    a, b = (part[:SHOWN] for part in pairs(len(x)))
    lines = []
    for way, model in models.items():
        symbols = on_the_way(model, x[a], x[b])
        flat = spelled(symbols.reshape(-1, symbols.shape[2]), data.alphabet or ())
        texts = np.array(flat).reshape(POINTS, SHOWN)
        ends = spelled(x[a], data.alphabet or ()), spelled(x[b], data.alphabet or ())
        lines += [
            f"{way}: {ends[0][i]} | {', '.join(texts[:, i])} | {ends[1][i]}" for i in range(SHOWN)
        ]
    return "\n".join(lines)


def draw(between: dict[str, Measured], costs: dict[int, np.ndarray]) -> "Figure":
    """Draw the distances from both ends, and the cost, along the paths."""
    figure = new_figure(9.0, 3.2)
    axes, t = figure.subplots(1, 2), np.linspace(0, 1, POINTS)
    for colour, (way, found) in zip(COLOURS, between.items(), strict=False):
        axes[0].plot(t, found["from the first"].mean(axis=1), "-", color=colour, label=way)
        axes[0].plot(t, found["from the second"].mean(axis=1), ":", color=colour)
        axes[1].plot(t, found["cost"].mean(axis=1), "-", color=colour, label=way)
    axes[1].axhline(min(nll.mean() for nll in costs.values()), color="0.6", ls=(0, (4, 3)))
    axes[0].set_title("steps that differ from the first (dotted: the second)", loc="left")
    axes[1].set_title("n-gram nats (dashed: held-out sequences)", loc="left")
    for ax in axes:
        ax.set_xlabel("from the first to the second")
        lighten(ax)
    axes[1].legend(frameon=False)
    return figure
