r"""Does a VAE find the digit that it has not seen? Each digit left out in turn.

A VAE is trained on nine classes of digits; the tenth, among test digits of all ten, is to be
found. Published for the score -ELBO: one digit, the 1, is called *more normal* than the normal
ones. To see why, two more scores are measured:

    ink            the sum of the pixels, without any model
    outline        how much neighbouring pixels differ, in all: the length of the strokes' edges
    less ink       -ELBO, less what a straight line through the training digits' ink predicts of it
    less outline   the same with the outline

Pixels inside a stroke and far from it are sure, so they cost next to nothing. Those on its edge are
not, whatever the digit, and it is they that -ELBO adds up.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import load
from ...models import VAE
from ...show.canvas import new_figure, save
from ...show.plots import COLOURS, apart
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from ..anomaly.rates import auroc
from ..anomaly.scores import SCORES, score
from .outcome import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "anomaly"
WHAT = "anomaly detection: each digit left out in turn, and why the 1 is not found"

LATENTS = (2, 8, 32)
EPOCHS = 20
SAMPLES = 16

PUBLISHED = {
    2: (0.96, 0.73, 0.97, 0.94, 0.73, 0.92, 0.95, 0.77, 0.92, 0.66),
    32: (0.81, 0.09, 0.92, 0.87, 0.78, 0.86, 0.87, 0.51, 0.89, 0.58),
}
"""AUROC of -ELBO for the digits 0 to 9, by latent dimensions: Tonnaer's thesis, table 3.3."""

NAMES = {
    "neg_elbo": "-ELBO",
    "reconstruction": "reconstruction",
    "kl": "KL",
    "neg_log_px": "-ln p(x)",
    "deviance": "deviance",
    "less_ink": "-ELBO less ink",
    "less_outline": "-ELBO less outline",
    "ink": "ink, no model",
    "outline": "outline, no model",
}
"""What the tables call the scores."""

LOOKS = ("ink", "outline")


def run(folder: str | Path, *, seeds: int = 3, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    folder = Path(folder)
    records, example = digits(range(seeds), progress=progress)
    by_digit = means(records)
    write_csv(folder / "anomaly.csv", records)
    save(heat_map(by_digit), folder / "anomaly-digits.png")
    save(why(by_digit, example), folder / "anomaly-outline.png")
    return {
        "tables": [table(by_digit, seeds)],
        "pictures": ["anomaly-digits.png", "anomaly-outline.png"],
        "text": text(records, by_digit, example),
    }


def train(
    x: np.ndarray, hidden: int, latent: int, likelihood: str, epochs: int, batch: int, seed: int
) -> VAE:
    """Train a VAE with one hidden layer on x (N, D)."""
    rng = np.random.default_rng(seed)
    model = VAE(x.shape[1], (hidden,), latent, likelihood=likelihood, rng=rng)
    training = Training(model, Adam(1e-3), rng, Settings(epochs=epochs, batch=batch, seed=seed))
    fit(training, x, progress=False)
    return model


def noise(latent: int) -> np.ndarray:
    """The noise (K, Z) of every score."""
    return np.random.default_rng(0).standard_normal((SAMPLES, latent))


def looks(x: np.ndarray) -> dict[str, np.ndarray]:
    """Ink and outline (N,) of digits x (N, 784)."""
    images = x.reshape(-1, 28, 28)
    edges = (np.abs(np.diff(images, axis=axis)).sum(axis=(1, 2)) for axis in (1, 2))
    return {"ink": x.sum(axis=1), "outline": sum(edges)}


def digits(
    seeds: Iterable[int], *, progress: bool
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """Leave out each digit, for each latent size and seed.

    Returns
    -------
    records : list of dict
        `digit`, `latent`, `seed`, `score`, `auroc`.
    example : dict
        Of the model without ones, largest latent size, first seed: `ink`, `outline` and `neg_elbo`
        of the test digits, and their classes `y`.
    """
    from ...engine.progress import bar as tqdm

    digits = load("mnist5k")
    x_test, y_test = digits.x_test, digits.y_test
    look = looks(x_test)
    records, example = [], {}
    plan = [(z, k, s) for z in LATENTS for k in range(10) for s in seeds]
    for latent, digit, seed in tqdm(plan, desc="digits left out", disable=not progress):
        x = digits.x_train[digits.y_train != digit]
        model = train(x, 400, latent, "bernoulli", EPOCHS, 128, seed)
        scores = score(model, x_test, noise(latent))
        some = x[:: max(1, len(x) // 1000)]
        elbo, elbo_some = scores["neg_elbo"], score(model, some, noise(latent))["neg_elbo"]
        for name, values in looks(some).items():
            line = np.polyfit(values, elbo_some, 1)
            scores[f"less_{name}"] = elbo - np.polyval(line, look[name])
        scores |= look
        odd = y_test == digit
        for name, values in scores.items():
            area = auroc(values[odd], values[~odd])
            record = {"digit": digit, "latent": latent, "seed": seed, "score": name, "auroc": area}
            records.append(record)
        if digit == 1 and latent == max(LATENTS) and seed == 0:
            example = {**look, "neg_elbo": elbo, "y": y_test}
    return records, example


def means(records: list[dict[str, Any]]) -> dict[tuple[str, int | None], np.ndarray]:
    """Mean AUROC over the seeds for each digit (10,), by score and latent size.

    Ink and outline need no model, so their latent size is None.
    """
    found: dict = {}
    for r in records:
        key = (r["score"], None if r["score"] in LOOKS else r["latent"])
        found.setdefault(key, [[] for _ in range(10)])[r["digit"]].append(r["auroc"])
    return {key: np.array([np.mean(values) for values in lists]) for key, lists in found.items()}


def rows_of(by_digit: dict) -> list[tuple[str, np.ndarray]]:
    """Rows of the table and of the heat map: a label, and a number for each digit."""
    rows = []
    for name in (*SCORES, "less_ink", "less_outline"):
        rows += [(f"{NAMES[name]}, Z = {z}", by_digit[name, z]) for z in LATENTS]
    rows += [(NAMES[name], by_digit[name, None]) for name in LOOKS]
    rows += [(f"published, -ELBO, Z = {z}", np.array(v)) for z, v in PUBLISHED.items()]
    return rows


def table(by_digit: dict, n_seeds: int) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows."""
    title = f"AUROC of the digit that was left out, mean of {n_seeds} seeds"
    header = ["score", *map(str, range(10)), "mean"]
    rows = [
        [label, *(f"{v:.2f}" for v in values), f"{values.mean():.2f}"]
        for label, values in rows_of(by_digit)
    ]
    return title, header, rows


def text(records: list[dict[str, Any]], by_digit: dict, example: dict) -> str:
    """What the figures say."""
    spread = {}
    for r in records:
        if r["score"] == "neg_elbo":
            spread.setdefault((r["digit"], r["latent"]), []).append(r["auroc"])
    largest = max(max(v) - min(v) for v in spread.values())
    z = max(LATENTS)
    elbo, ink, outline = by_digit["neg_elbo", z], by_digit["ink", None], by_digit["outline", None]
    less_ink, less_outline = by_digit["less_ink", z], by_digit["less_outline", z]
    ones = example["y"] == 1
    unseen, seen = (example["neg_elbo"][rows].mean() for rows in (ones, ~ones))
    by_class = [example["neg_elbo"][example["y"] == k].mean() for k in range(10)]
    place = int(np.argsort(np.argsort(by_class))[1]) + 1
    with_ink, with_outline = (np.corrcoef(example[k], example["neg_elbo"])[0, 1] for k in LOOKS)
    order = np.argsort(-elbo)
    best = max(SCORES, key=lambda name: by_digit[name, z].mean())
    return (
        f"With Z = {z}, -ELBO finds the {order[0]} best (AUROC {elbo[order[0]]:.2f}) and the "
        f"{order[-1]} worst ({elbo[order[-1]]:.2f}); its mean over the digits is "
        f"{elbo.mean():.2f}. Between seeds a digit's AUROC moves by {largest:.2f} at most. Of the "
        f"five scores, {NAMES[best]} has the highest mean there ({by_digit[best, z].mean():.2f}).\n"
        f"The 1: -ELBO reaches {elbo[1]:.2f}, where 0.5 is a coin. The first model that has never "
        f"seen a 1 gives the test ones {unseen:.0f} nats on average, and the digits that it was "
        f"trained on {seen:.0f}; of the ten classes, the ones have place {place} from the most "
        "probable.\n"
        f"Over all test digits, its -ELBO correlates with the ink by {with_ink:.2f}, and with the "
        f"outline by {with_outline:.2f}. Without any model, the ink has an AUROC of {ink[1]:.2f} "
        f"for the 1 and {ink.mean():.2f} on average, the outline {outline[1]:.2f} and "
        f"{outline.mean():.2f}. Less what the ink predicts, -ELBO finds the 1 with "
        f"{less_ink[1]:.2f} and has a mean of {less_ink.mean():.2f}; less what the outline "
        f"predicts, {less_outline[1]:.2f} and {less_outline.mean():.2f}."
    )


def heat_map(by_digit: dict) -> "Figure":
    """Draw the table in colours: blue is found, red is worse than a coin."""
    rows = rows_of(by_digit)
    values = np.array([v for _, v in rows])
    figure = new_figure(8.6, 0.34 * len(rows) + 1.2)
    ax = figure.add_subplot()
    image = ax.imshow(values, cmap="RdBu", vmin=0, vmax=1, aspect="auto")
    ax.set_xticks(range(10))
    ax.set_yticks(range(len(rows)), [label for label, _ in rows])
    ax.set_xlabel("digit that was left out")
    ax.set_title("AUROC of the digit that was left out", loc="left")
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    for edge in (len(SCORES) * len(LATENTS), len(rows) - len(PUBLISHED)):
        ax.axhline(edge - 0.5, color="white", lw=4)
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if abs(value - 0.5) > 0.33 else "black"
        ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=8, color=colour)
    figure.colorbar(image, shrink=0.8, label="0.5: a coin")
    return figure


def why(by_digit: dict, example: dict) -> "Figure":
    """Draw -ELBO against the outline, and how each digit is found with and without it."""
    figure = new_figure(10.5, 4.4)
    left, right = figure.subplots(1, 2)
    ones, z = example["y"] == 1, max(LATENTS)
    for rows, colour, label in (
        (~ones, COLOURS[3], "digits it was trained on"),
        (ones, COLOURS[2], "ones, never seen"),
    ):
        left.scatter(
            example["outline"][rows],
            example["neg_elbo"][rows],
            s=9,
            lw=0,
            color=colour,
            label=label,
        )
    left.set_xlabel("outline (differences of neighbouring pixels)")
    left.set_ylabel("-ELBO (nats)")
    left.set_title(f"Test digits under a VAE without ones, Z = {z}", loc="left")
    left.legend(frameon=False, loc="upper left")
    outline = by_digit["outline", None]
    right.axhline(0.5, color="0.8", lw=1)
    shown = {"neg_elbo": "black", "less_outline": COLOURS[0]}
    points = np.concatenate([np.column_stack([outline, by_digit[name, z]]) for name in shown])
    places = apart(points, 0.05).reshape(len(shown), -1, 2)
    for at, centres, (name, colour) in zip(
        points.reshape(places.shape), places, shown.items(), strict=True
    ):
        right.plot([], [], "s", color=colour, label=NAMES[name])
        right.scatter(*at.T, s=6, color=colour, lw=0)
        for digit, place in enumerate(centres):
            right.text(*place, digit, color=colour, weight="bold", ha="center", va="center")
    right.set(xlim=(-0.03, 1), ylim=(0, 1))
    right.set_xlabel("AUROC of the outline alone")
    right.set_ylabel("AUROC")
    right.set_title("Each digit, left out (line: a coin)", loc="left")
    right.legend(frameon=False, loc="lower right")
    for ax in (left, right):
        ax.spines[["top", "right"]].set_visible(False)
    return figure
