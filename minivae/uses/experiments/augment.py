"""Does a VAE's augmentation help a classifier? Few labelled digits, five ways to make more of them.

From the 5,000 training digits of `mnist5k`, 5, 10, 50 or 200 of each class are drawn: that is all
that is known. The classifier, 784-64-10, learns from

    none        the real digits alone, about 200 updates
    duplicates  the real digits alone, as many updates as with augmentation, about 1,000: four
                copies of each digit added
    jitter      four copies of each digit added, each shifted by up to 2 pixels and turned by up to
                15 degrees
    prior       as many digits added, drawn from the prior of a conditional VAE that was trained on
                the same real digits
    posterior   as many digits added, each drawn from the posterior of a real one

All run over their data equally often, in minibatches of 50, with Adam at 1e-3. Accuracy is that on
the 1,000 test digits. A seed draws the digits, the classifier's first weights (the same for all
ways), the order of its data, and the VAE's noise. So the differences between ways are paired: what
the seeds have in common cancels, and the interval of their mean is Student's.

Beside that, a classifier that was trained on all 5,000 digits says how many of the new examples it
takes for the class that they are to have.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...data.labelled import labelled
from ...errors import OptionError
from ...models.classifier import Classifier
from ...show.canvas import lighten, new_figure, save
from ...show.plots import COLOURS
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from ..augment import from_posterior, from_prior, jitter, train_generator
from ..quality.judge import Judge
from ..statistics import Interval, mean_interval
from .outcome import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "augment"
WHAT = "a classifier on few labelled digits, with and without augmentation by a conditional VAE"

PER_CLASS = (5, 10, 50, 200)
WAYS = ("none", "duplicates", "jitter", "prior", "posterior")
COPIES = 4
"""New examples for each real one."""

BATCH = 50
UPDATES = 200
"""Updates of the classifier on the real digits alone; with copies, there are 1 + COPIES as many."""

GENERATOR = {"hidden": (128,), "latent": 8}
GENERATOR_UPDATES = 1500


def run(folder: str | Path, *, seeds: int = 20, progress: bool = True) -> dict[str, Any]:
    """Run the experiment.

    Parameters
    ----------
    folder : str or Path
        Where `augment.csv`, `augment-differences.csv` and `augment.png` go.
    seeds : int
        Repetitions, numbered from 0; at least 2, for there to be an interval.
    progress : bool
        Show a bar.

    Returns
    -------
    dict
        `tables`, `pictures` and `text`, see the package.
    """
    from ...engine.progress import bar as tqdm

    if seeds < 2:
        raise OptionError(
            f"seeds={seeds} was given, but an interval needs 2 repetitions at least; give more."
        )
    folder, data = Path(folder), datasets.load("mnist5k")
    judge = Judge.train(data)
    records = []
    trials = [(seed, n) for seed in range(seeds) for n in PER_CLASS]
    for seed, n in tqdm(trials, desc=NAME, disable=not progress):
        for way, numbers in trial(data, n, seed, judge).items():
            records.append({"seed": seed, "per_class": n, "way": way, **numbers})
    differences = compare(records)
    write_csv(folder / "augment.csv", records)
    write_csv(folder / "augment-differences.csv", differences)
    save(draw(records, differences), folder / "augment.png")
    return {
        "tables": tables(records, differences, judge),
        "pictures": ["augment.png"],
        "text": report(differences),
    }


def trial(data: Dataset, per_class: int, seed: int, judge: Judge) -> dict[str, dict[str, float]]:
    """Test accuracy by each way, and the share of new digits that the judge takes for their class.

    For one draw of real digits; where none are added, the share is that of the real ones.
    """
    rng = np.random.default_rng([seed, per_class])
    chosen = [
        rng.choice(np.flatnonzero(data.y_train == k), per_class, replace=False) for k in range(10)
    ]
    rows = np.concatenate(chosen)
    x, y = data.pixels_train[rows], data.y_train[rows]
    epochs = max(1, round(GENERATOR_UPDATES * BATCH / len(x)))
    how = {**GENERATOR, "epochs": epochs, "batch": BATCH, "seed": seed}
    model = train_generator(x, y, data.labels, **how)

    x_again, y_again = np.tile(x, (COPIES, 1)), np.tile(y, COPIES)
    added = {
        "none": x[:0],
        "duplicates": x_again,
        "jitter": jitter(x_again, data.shape, rng),
        "prior": from_prior(model, y_again, rng),
        "posterior": from_posterior(model, x_again, y_again, rng),
    }
    numbers = {}
    for way, new in added.items():
        y_new = y_again[: len(new)]
        together = np.concatenate([x, new]), np.concatenate([y, y_new])
        judged = (new, y_new) if len(new) else (x, y)
        numbers[way] = {
            "accuracy": accuracy(*together, len(x), data, seed),
            "recognised": judge.classifier.accuracy(*judged),
        }
    return numbers


def accuracy(x: np.ndarray, y: np.ndarray, n_real: int, data: Dataset, seed: int) -> float:
    """Test accuracy of a classifier after as many epochs as make UPDATES on the real digits."""
    rng = np.random.default_rng(seed)
    classifier = Classifier(x.shape[1], (64,), 10, rng=rng)
    settings = Settings(epochs=max(1, round(UPDATES * BATCH / n_real)), batch=BATCH)
    fit(Training(classifier, Adam(), rng, settings), labelled(x, y, 10), progress=False)
    return classifier.accuracy(data.pixels_test, data.y_test)


def values(
    records: list[dict[str, Any]], per_class: int, way: str, name: str = "accuracy"
) -> np.ndarray:
    """One way's numbers in percent, in the order of the seeds."""
    return np.array(
        [100 * r[name] for r in records if (r["per_class"], r["way"]) == (per_class, way)]
    )


def compare(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean difference of each way from "none" and from "duplicates", in percentage points."""
    differences = []
    for n in PER_CLASS:
        for base in ("none", "duplicates"):
            for way in WAYS[WAYS.index(base) + 1 :]:
                points = values(records, n, way) - values(records, n, base)
                interval = mean_interval(points)
                ends = {"low": interval.low, "high": interval.high}
                row = {"per_class": n, "way": way, "minus": base, "points": interval.value}
                differences.append(row | ends)
    return differences


def interval_of(row: dict[str, Any]) -> Interval:
    """The interval in a row of `compare`."""
    return Interval(row["points"], row["low"], row["high"])


def tables(
    records: list[dict[str, Any]], differences: list[dict[str, Any]], judge: Judge
) -> list[tuple]:
    """Lay out accuracies and differences: a row for each way, a column for each size."""
    seeds = len({r["seed"] for r in records})
    header = ["", *(f"{n} a class" for n in PER_CLASS)]
    rows = []
    for way in WAYS:
        found = [values(records, n, way) for n in PER_CLASS]
        rows.append([way, *(f"{a.mean():.1f} ± {a.std(ddof=1):.1f}" for a in found)])
    title = f"Test accuracy in percent, mean and standard deviation over {seeds} seeds"
    made = [(title, header, rows)]
    for base in ("none", "duplicates"):
        rows = [
            [way, *(f"{interval_of(d):+.1f}" for d in differences if (d["way"], d["minus"]) == key)]
            for way in WAYS[WAYS.index(base) + 1 :]
            for key in [(way, base)]
        ]
        title = f"Difference from {base!r} in percentage points, mean and 95 % interval"
        made.append((title, header, rows))
    rows = []
    for way in WAYS[2:]:
        found = [values(records, n, way, "recognised").mean() for n in PER_CLASS]
        rows.append([way, *(f"{mean:.1f}" for mean in found)])
    title = "New digits taken for their class, in percent, by a classifier trained on all 5,000 "
    title += f"digits (itself right in {100 * judge.accuracy.value:.1f} % of test digits)"
    return [*made, (title, header, rows)]


def report(differences: list[dict[str, Any]]) -> str:
    """Say what came out, in words that follow from the numbers."""
    sentences = []
    for way in ("jitter", "prior", "posterior"):
        rows = [d for d in differences if (d["way"], d["minus"]) == (way, "duplicates")]
        parts = []
        for verdict, chosen in (
            ("helped", [d for d in rows if d["low"] > 0]),
            ("made no difference that can be told from chance", [d for d in rows if _open(d)]),
            ("did harm", [d for d in rows if d["high"] < 0]),
        ):
            if chosen:
                listed = ", ".join(f"{d['per_class']} ({d['points']:+.1f})" for d in chosen)
                parts.append(f"{verdict} with {listed}")
        what = "Jitter" if way == "jitter" else f"The VAE's {way} samples"
        sentences.append(f"{what} {'; '.join(parts)} digits a class.")
    beside = "Differences are percentage points of test accuracy beside duplicates, which have as "
    beside += "many updates; they count as found where their 95 % interval leaves out 0."
    return " ".join([*sentences, beside])


def _open(row: dict[str, Any]) -> bool:
    return row["low"] <= 0 <= row["high"]


def draw(records: list[dict[str, Any]], differences: list[dict[str, Any]]) -> "Figure":
    """Draw accuracies, and differences from "duplicates" with their intervals."""
    figure = new_figure(9.6, 4.2)
    left, right = figure.subplots(1, 2)
    for i, way in enumerate(WAYS):
        # The ways stand a little apart, so that their bars can be told apart.
        at = np.array(PER_CLASS) * 1.05 ** (i - 2)
        style = {"color": COLOURS[i], "marker": "o", "ms": 4, "label": way, "capsize": 2}
        found = [mean_interval(values(records, n, way)) for n in PER_CLASS]
        left.errorbar(at, *_bars(found), lw=1.2, **style)
        rows = [d for d in differences if (d["way"], d["minus"]) == (way, "duplicates")]
        if rows:
            right.errorbar(at, *_bars([interval_of(d) for d in rows]), lw=1.2, **style)
    right.axhline(0, color="0.4", lw=1, ls=(0, (4, 3)))
    left.set_title("Test accuracy (percent)", loc="left")
    right.set_title("Difference from duplicates (points)", loc="left")
    for ax in (left, right):
        ax.set_xscale("log")
        ax.set_xticks(PER_CLASS, [str(n) for n in PER_CLASS])
        ax.minorticks_off()
        ax.set_xlabel("real digits a class (bars: 95 % intervals)")
        lighten(ax)
        ax.legend(frameon=False)
    return figure


def _bars(found: list[Interval]) -> tuple[list[float], np.ndarray]:
    """Values, and how far their intervals reach down and up, as `errorbar` wants them."""
    reach = np.array([[i.value - i.low for i in found], [i.high - i.value for i in found]])
    return [i.value for i in found], reach
