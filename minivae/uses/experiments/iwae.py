r"""Table 1 of Burda et al. (2016) at a part of its epochs: importance-weighted bounds of K samples.

The recipe is theirs, for one stochastic layer: 784-200-200-50 and its mirror with tanh, whose
output starts at the mean image; minibatches of 20, pixels drawn black and white anew each time;
Adam with $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\epsilon = 10^{-4}$. Of its 3280 epochs, stage
$i = 1, \dots, 8$ has $3^{i - 1}$, so it is over after

$$ E_i = (3^i - 1) / 2 \tag{1} $$

and its learning rate is

$$ \eta_i = 10^{-4} \cdot 10^{1 - (i - 1) / 7}, \quad \text{to two digits} \tag{2} $$

At a fraction $f$ of the recipe every stage is shortened alike: epoch $e$, counted from 0, has the
rate of the stage that the whole recipe would be in at its epoch $e / f$.

$-\ln p(x)$ is estimated with `IMPORTANCE` samples of each test example, whose pixels are drawn
once. A unit counts as active if its posterior mean varies by more than 0.01 over them.

Each K and seed is a run of its own in the folder, with a checkpoint after each epoch; the scores
are kept too, `BLOCK` examples at a time. So what was interrupted goes on where it was.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import data as datasets
from ...data import Dataset
from ...data.batches import batches
from ...errors import CheckpointError, DataError, OptionError
from ...files import write_atomically
from ...interrupts import held
from ...models import MODELS
from ...models.registry import Option
from ...models.rows import encode
from ...show.canvas import new_figure, save
from ...show.plots import COLOURS
from ...train.evaluate import log_likelihood
from ...train.kept import describe, fingerprint
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.prepare import prepare_data
from ...train.runs import CHECKPOINT, Run, open_run, source_of
from ...train.settings import Settings, Training
from ..quality.collapse import THRESHOLD
from .outcome import Record, column, mean_sd, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "iwae"
WHAT = "importance-weighted bounds: table 1 of Burda et al. at a part of its epochs (hours)"

OPTIONS = {
    "k": Option(int, (1, 5, 50), "samples of the bound that is maximised", many=True, metavar="K"),
    "fraction": Option(float, 0.1, "of the recipe's 3280 epochs, above 0 and at most 1"),
    "data": Option(str, None, "what to learn (default: mnist if it is there, else mnist5k)"),
}
RESUMES = True

STAGES = 8
HIDDEN, LATENT, BATCH = (200, 200), 50, 20
IMPORTANCE = 5000
BLOCK = 200
"""Test examples that are scored between two savings."""
SCORES = "scores.npy"

PUBLISHED = {
    "Burda et al., 3280 epochs": {1: "86.76", 5: "85.54", 50: "84.78"},
    "nbip": {1: "87.75", 5: "85.50", 50: "84.65"},
    "xqding": {1: "87.75", 5: "85.46", 50: "84.59"},
    "abdulfatir, 667 epochs": {1: "90.26", 5: "88.49", 50: "87.34"},
}
"""-ln p(x) on MNIST with pixels drawn anew: the paper's, and what others have measured since with
programs of these names; where no epochs stand, none were stated."""


def run(
    folder: str | Path,
    *,
    seeds: int = 1,
    progress: bool = True,
    k: Sequence[int] = OPTIONS["k"].default,
    fraction: float = OPTIONS["fraction"].default,
    data: str | None = None,
) -> dict[str, Any]:
    """Run the experiment, or go on with it in the same folder; see `minivae.uses.experiments`."""
    folder = Path(folder)
    if not k or min(k) < 1 or not 0 < fraction <= 1:
        raise OptionError(
            f"--k {' '.join(map(str, k))} and --fraction {fraction} were given, but each K must be "
            "at least 1, and the fraction above 0 and at most 1."
        )
    loaded, source = load(data)
    records: list[Record] = []
    for seed, samples in itertools.product(range(seeds), dict.fromkeys(k)):
        place = folder / f"k{samples}-seed{seed}"
        one = begin(place, loaded, source, samples, seed, fraction)
        train(one, loaded, fraction, progress=progress)
        records.append(measure(one, loaded, progress=progress))
    write_csv(folder / "iwae.csv", records)
    save(draw(folder, records), folder / "iwae.png")
    return {"tables": [table(records, loaded)], "pictures": ["iwae.png"], "text": text(records)}


def load(name: str | None) -> tuple[Dataset, str]:
    """Load the data and say where they are from: MNIST, or the digits that are always there."""
    if name is not None:
        return datasets.load(name), source_of(name)
    try:
        return datasets.load("mnist"), "mnist"
    except DataError:
        return datasets.load("mnist5k"), "mnist5k"


def epochs_of(fraction: float) -> int:
    """Epochs of a fraction of the recipe, one at least."""
    return max(1, round(fraction * (3**STAGES - 1) / 2))  # (1)


def rate(epoch: int, fraction: float) -> float:
    """Learning rate of an epoch, counted from 0."""
    stage = next((i for i in range(1, STAGES) if epoch / fraction < (3**i - 1) / 2), STAGES)  # (1)
    return 1e-4 * round(10 ** (1 - (stage - 1) / (STAGES - 1)), 1)  # (2)


def begin(
    folder: Path, data: Dataset, source: str, samples: int, seed: int, fraction: float
) -> Run:
    """Make the run of one K and seed, or open it if it has begun.

    Raises
    ------
    CheckpointError
        If it was begun with other data, or another fraction.
    """
    epochs = epochs_of(fraction)
    if (folder / CHECKPOINT).exists():
        run = open_run(folder)
        kept = run.training.settings.epochs
        if kept != epochs or run.extra["data"]["sha256"] != fingerprint(data):
            raise CheckpointError(
                f"{folder} was begun with {kept} epochs on {run.extra['data']['name']}, but "
                f"{epochs} on {data.name} were asked for; give the --fraction and --data that it "
                "was begun with, or start anew without --resume."
            )
        return run
    rng = np.random.default_rng(seed)
    n_pixels = data.pixels_train.shape[1]
    options: dict[str, Any] = {"activation": "tanh", "samples": samples, "rng": rng}
    model = MODELS["vae"](n_pixels, HIDDEN, LATENT, **options)
    model.start_at(data.pixels_train.mean(axis=0))
    settings = Settings(epochs=epochs, batch=BATCH, binarize="dynamic", seed=seed)
    for x, part in ((data.pixels_train, "train"), (data.pixels_test, "val")):
        prepare_data(x, settings, part)  # refuses what cannot be binarized, before a folder is made
    kept_options = {"data": source, "limit": None, "backend": "auto", "model": "vae"}
    extra = {"options": kept_options, "changes": [], "data": describe(data), "note": ""}
    training = Training(model, Adam(rate(0, fraction), eps=1e-4), rng, settings)
    folder.mkdir(parents=True, exist_ok=True)
    run = Run(folder, training, extra)
    with held():
        run.save()
        run.save_config()
    return run


def train(run: Run, data: Dataset, fraction: float, *, progress: bool) -> None:
    """Train until all epochs are done, with a checkpoint after each."""
    from ...engine.progress import bar as tqdm

    training = run.training
    done, epochs = len(training.history), training.settings.epochs
    how = {"initial": done, "total": epochs, "unit": "epoch", "disable": not progress}
    with tqdm(desc=f"{run.folder.name}: training", **how) as bar:

        def after_epoch(training: Training) -> None:
            with held():
                training.optimizer.lr = rate(len(training.history), fraction)
                run.save()
            bar.set_postfix(loss=f"{training.history[-1]['loss']:.2f}", refresh=False)
            bar.update()

        fit(training, data.pixels_train, after_epoch=after_epoch, progress=False)


def measure(run: Run, data: Dataset, *, progress: bool) -> Record:
    """Score a trained model on the test examples, and count its active units."""
    training = run.training
    model, settings = training.model, training.settings
    x = prepare_data(data.pixels_test, settings, "val")
    estimate = score(run, x, progress=progress)
    means = encode(model, x)[0]
    return {
        "k": model.samples,
        "seed": settings.seed,
        "epochs": len(training.history),
        "nll": -float(estimate.mean()),
        "standard error": float(estimate.std(ddof=1) / len(estimate) ** 0.5),
        "active": int((means.var(axis=0) > THRESHOLD).sum()),
        "train loss": training.history[-1]["loss"],
    }


def score(run: Run, x: Any, *, progress: bool) -> np.ndarray:
    """Estimates of ln p(x) (N,) of the test examples x, those on file and then the others."""
    from ...engine.progress import bar as tqdm

    file = run.folder / SCORES
    known = scores_on_file(file)
    blocks = list(batches(len(x), BLOCK))
    done = sum(block.stop <= len(known) for block in blocks)
    how = {"initial": done, "total": len(blocks), "disable": not progress}
    for number, block in enumerate(
        tqdm(blocks[done:], desc=f"{run.folder.name}: scoring", **how), start=done
    ):
        rng = np.random.default_rng([run.training.settings.seed, 1, number])
        new = log_likelihood(run.training.model, x[block], rng=rng, samples=IMPORTANCE)
        known = np.concatenate([known[: block.start], new])
        write_atomically(file, lambda opened, known=known: np.save(opened, known))
    return known


def scores_on_file(file: Path) -> np.ndarray:
    """Scores (M,) that an interrupted scoring has left, or none.

    Raises
    ------
    CheckpointError
        If the file is damaged.
    """
    if not file.exists():
        return np.empty(0)
    try:
        known = np.load(file, allow_pickle=False)
        if known.ndim == 1 and np.isfinite(known).all():
            return known
    except (OSError, ValueError, EOFError, TypeError):
        pass
    raise CheckpointError(
        f"{file} holds no scores that can be read; delete it, and they are found again."
    )


def table(records: list[Record], data: Dataset) -> tuple[str, list[str], list[list[str]]]:
    """Title, header and rows; on MNIST with what others have found."""
    others = PUBLISHED if data.name == "mnist" else {}
    epochs = records[0]["epochs"]
    rows = []
    for k in dict.fromkeys(record["k"] for record in records):
        nll, active = (column(records, name, k=k) for name in ("nll", "active"))
        found = [numbers.get(k, "-") for numbers in others.values()]
        rows.append([f"K = {k}", mean_sd(nll), *found, mean_sd(active, 0)])
    title = f"-ln p(x) in nats, {data.name}, {len(data.pixels_test)} test examples"
    header = ["", f"minivae, {epochs} epoch{'s' if epochs > 1 else ''}", *others, "active units"]
    return title, header, rows


def text(records: list[Record]) -> str:
    """What the figures say."""
    means = {k: column(records, "nll", k=k).mean() for k in dict.fromkeys(r["k"] for r in records)}
    error = max(record["standard error"] for record in records)
    lines = [
        f"K = {b} instead of {a}: {means[a] - means[b]:+.2f} nats."
        for a, b in itertools.pairwise(sorted(means))
    ]
    seeds = len({record["seed"] for record in records})
    trained = "one training each" if seeds == 1 else f"{seeds} trainings each"
    lines.append(
        f"Of {trained}; on other test examples the mean itself would be another by {error:.2f} "
        "(its standard error), for all K alike, since the examples are the same."
    )
    return "\n".join(lines)


def draw(folder: Path, records: list[Record]) -> "Figure":
    """Draw the bound that is maximised, of each K, over all epochs but the first tenth."""
    figure = new_figure(6.0, 3.4)
    ax = figure.subplots()
    ks = list(dict.fromkeys(record["k"] for record in records))
    for colour, k in zip(itertools.cycle(COLOURS), ks, strict=False):
        seed = next(record["seed"] for record in records if record["k"] == k)
        history = open_run(folder / f"k{k}-seed{seed}").training.history
        shown = history[len(history) // 10 :]
        epochs, losses = ([record[name] for record in shown] for name in ("epoch", "loss"))
        ax.plot(epochs, losses, color=colour, label=f"K = {k}")
    ax.set_xlabel("epoch")
    ax.set_ylabel("minus the bound, nats")
    ax.legend(frameon=False)
    return figure
