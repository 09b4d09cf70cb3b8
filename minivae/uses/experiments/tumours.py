"""Does a VAE find malignant tumours, having seen benign ones alone? A table of measurements.

The breast-cancer data that scikit-learn ships: 30 measurements of each tumour. A VAE is trained on
two thirds of the benign ones; the malignant are to be found among the other third. Beside it two
detectors that are simpler: the distance from the mean of the standardised measurements, which has
nothing to train, and an isolation forest.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from ...data.tables.form import Form
from ...errors import OptionError
from ..anomaly.rates import auroc
from ..anomaly.scores import SCORES, score
from .anomaly import NAMES, noise, train
from .outcome import mean_sd, write_csv

NAME = "tumours"
WHAT = "anomaly detection: malignant tumours in a table (needs scikit-learn)"

LATENTS = (2, 4, 8)
EPOCHS = 200
LIKELIHOODS = ("gaussian_shared", "gaussian_learned")


def run(folder: str | Path, *, seeds: int = 10, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`. A seed is a split, too.

    Raises
    ------
    OptionError
        If scikit-learn is not installed.
    """
    records = tumours(range(seeds), progress=progress)
    write_csv(Path(folder) / "tumours.csv", records)
    return {"tables": [table(records)], "pictures": [], "text": text(records)}


def tumours(seeds: Iterable[int], *, progress: bool) -> list[dict[str, Any]]:
    """Find the malignant among benign tumours: `model`, `seed`, `score`, `auroc` of each."""
    from ...engine.progress import bar as tqdm

    try:
        from sklearn.datasets import load_breast_cancer
        from sklearn.ensemble import IsolationForest
    except ImportError:
        raise OptionError(
            "the tumours are data that scikit-learn ships, which is not installed; "
            "`pip install scikit-learn`."
        ) from None

    source = load_breast_cancer()
    benign, malignant = (source.data[source.target == k] for k in (1, 0))
    records = []
    for seed in tqdm(list(seeds), desc="tumours", disable=not progress):
        order = np.random.default_rng(seed).permutation(len(benign))
        cut = len(benign) * 2 // 3
        form = Form.of(benign[order[:cut]], source.feature_names.tolist())
        parts = (benign[order[:cut]], malignant, benign[order[cut:]])
        x, odd, normal = (form.apply(part) for part in parts)

        def add(model: str, name: str, anomalous: Any, others: Any, seed: int = seed) -> None:
            area = auroc(anomalous, others)
            records.append({"model": model, "seed": seed, "score": name, "auroc": area})

        for likelihood in LIKELIHOODS:
            for latent in LATENTS:
                model = train(x, 64, latent, likelihood, EPOCHS, 32, seed)
                found, other = (score(model, rows, noise(latent)) for rows in (odd, normal))
                for name in SCORES:
                    what = f"VAE, {likelihood}, Z = {latent}"
                    add(what, NAMES[name], found[name], other[name])
        add("distance from the mean", "", *((rows**2).sum(axis=1) for rows in (odd, normal)))
        forest = IsolationForest(random_state=seed).fit(x)
        add("isolation forest", "", *(-forest.score_samples(rows) for rows in (odd, normal)))
    return records


def summary(records: list[dict[str, Any]]) -> dict[tuple[str, str], np.ndarray]:
    """AUROC of every seed, by model and score."""
    found: dict = {}
    for r in records:
        found.setdefault((r["model"], r["score"]), []).append(r["auroc"])
    return {key: np.array(values) for key, values in found.items()}


def table(records: list[dict[str, Any]]) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows: mean and standard deviation over the seeds."""
    found = summary(records)
    n = len(next(iter(found.values())))
    names = [NAMES[name] for name in SCORES]
    rows = []
    for model in dict.fromkeys(model for model, _ in found):
        cells = [found.get((model, name)) for name in names]
        if cells[0] is None:
            cells = [found[model, ""]] + [None] * (len(names) - 1)
        shown = ["" if v is None else mean_sd(v, 3) for v in cells]
        rows.append([model, *shown])
    title = f"AUROC of malignant tumours, mean ± standard deviation over {n} splits and seeds"
    return title, ["model", *names], rows


def text(records: list[dict[str, Any]]) -> str:
    """What the figures say."""
    found = {key: values.mean() for key, values in summary(records).items()}
    ours = {key: value for key, value in found.items() if key[0].startswith("VAE")}
    (best, best_score), (worst, worst_score) = max(ours, key=ours.get), min(ours, key=ours.get)
    distance, forest = found["distance from the mean", ""], found["isolation forest", ""]
    wins = np.mean([value > max(distance, forest) for value in ours.values()])
    return (
        f"Of the {len(ours)} VAEs and scores, {best} with {best_score} finds the malignant tumours "
        f"best (AUROC {max(ours.values()):.3f}), {worst} with {worst_score} worst "
        f"({min(ours.values()):.3f}). The distance from the mean, with no model, has "
        f"{distance:.3f}, an isolation forest {forest:.3f}: {100 * wins:.0f} percent of the VAEs "
        "and scores beat both.\nThe best of many is chosen with the answers in hand, which a user "
        "has not."
    )
