"""Does a dearer total correlation take a code apart? What its estimators find.

The data are the 6,144 sprites, every combination of shape, size, angle and place, so everything
that is estimated elsewhere is summed in full here (`quality/disentangled.py`). The models are
256-256-6 and mirrored, without and with a dearer total correlation: beta-TC-VAEs with the weights
1 (a VAE), 3 and 10, trained for 40 epochs of minibatches of 128 with Adam at 1e-3.

The estimators see the code of the VAE through minibatches of 16 to 512, which are drawn at random,
3,000 codes for each size:

    exact               the full sum over the data
    even                1/N on the diagonal, and the rest shared evenly: what `tcvae` trains with
    stratified          1/N on the diagonal, and an odd weight beside it (Chen et al. 2018)
    published           the same weights in the columns where the paper's code puts them
    weighted            all examples alike, 1/(N B) (minibatch weighted sampling)

How near they come hangs on how many examples there are in all. So the same is done with codes that
no model made: 200 and 6,144 Gaussian posteriors of one width in three dimensions, whose means hang
together a little (`gaussians`).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import sprites
from ...errors import OptionError
from ...models.rows import encode
from ...models.tcvae import TCVAE
from ...ops import code_density
from ...ops.code_density import stratified_log_weights
from ...show.canvas import lighten, new_figure, save
from ...show.plots import COLOURS
from ...train.loop import fit
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from ..quality.disentangled import Apart, apart
from .outcome import column, mean_sd, write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAME = "disentangle"
WHAT = "total correlation, exact and estimated, and codes that come apart into known factors"

WEIGHTS = (1.0, 3.0, 10.0)
BATCHES = (16, 64, 128, 512)
ESTIMATORS = ("even", "stratified", "published", "weighted")
CODES = 3000
EPOCHS = 40
GAUSSIANS = (200, 6144)


def run(folder: str | Path, *, seeds: int = 3, progress: bool = True) -> dict[str, Any]:
    """Run the experiment; see `minivae.uses.experiments`."""
    from ...engine.progress import bar as tqdm

    if seeds < 1:
        raise OptionError(f"seeds={seeds} was given, but there is nothing to run; give 1 or more.")
    folder, x = Path(folder), sprites.load(hold_out=False).x_train
    factors = sprites.factors()
    records, estimates = [], []
    known = [record for seed in range(seeds) for n in GAUSSIANS for record in gaussians(n, seed)]
    trials = [(seed, tc) for seed in range(seeds) for tc in WEIGHTS]
    for seed, tc in tqdm(trials, desc=NAME, disable=not progress):
        model, nll = learn(x, tc, seed)
        mu, logvar = encode(model, x)
        if logvar is None:
            continue  # no such model is trained here
        found = apart(mu, logvar, factors, rng=np.random.default_rng(seed))
        records.append({"tc": tc, "seed": seed, "nll": nll, **numbers(found)})
        if tc == 1:
            estimates += compare(mu, logvar, found.total_correlation, seed)
    write_csv(folder / "disentangle.csv", records)
    write_csv(folder / "disentangle-estimators.csv", estimates)
    write_csv(folder / "disentangle-gaussians.csv", known)
    save(draw(records, estimates), folder / "disentangle.png")
    return {
        "tables": [*tables(records, estimates), table_of_gaussians(known)],
        "pictures": ["disentangle.png"],
        "text": report(records, estimates),
    }


def learn(x: np.ndarray, tc: float, seed: int) -> tuple[TCVAE, float]:
    """Train a model; return it and the last epoch's reconstruction term."""
    rng = np.random.default_rng(seed)
    model = TCVAE(256, (256, 256), 6, tc=tc, population=len(x), rng=rng)
    training = Training(model, Adam(1e-3), rng, Settings(epochs=EPOCHS, batch=128))
    fit(training, x, progress=False)
    return model, float(training.history[-1]["nll"])


def numbers(found: Apart) -> dict[str, float]:
    """What is recorded of the exact sums."""
    return {
        "information": found.information,
        "total_correlation": found.total_correlation,
        "from_prior": found.from_prior,
        "mig": found.gap,
    }


def weights_of(estimator: str, batch: int, n_data: int) -> np.ndarray:
    """Log-weights (B, B) of an estimator."""
    if estimator == "even":
        return stratified_log_weights(batch, n_data)
    if estimator == "weighted":
        return np.full((batch, batch), -np.log(n_data * batch))
    M, rows = batch - 1, np.arange(batch)
    odd = (n_data - M) / (n_data * M)
    weights = np.full((batch, batch), 1 / M)
    if estimator == "stratified":
        weights[rows, (rows + 1) % batch] = odd
        weights[rows, rows] = 1 / n_data
    else:
        weights[:, 0], weights[:, 1] = 1 / n_data, odd
        weights[M - 1, 0] = odd
    return np.log(weights)


def gaussians(n: int, seed: int) -> list[dict[str, Any]]:
    """Estimates for n Gaussian posteriors in three dimensions, through minibatches of 16."""
    rng = np.random.default_rng([seed, 2])
    mu = rng.multivariate_normal(np.zeros(3), 0.8 * np.eye(3) + 0.2, size=n)
    logvar = np.full_like(mu, 2 * np.log(0.25))
    # No factors are known: any two groups of the same size do, for the total correlation.
    exact = apart(mu, logvar, np.arange(n)[:, None] % 2, rng=rng).total_correlation
    return [{"n": n, **record} for record in compare(mu, logvar, exact, seed, BATCHES[:1])]


def compare(
    mu: np.ndarray,
    logvar: np.ndarray,
    exact: float,
    seed: int,
    batches: tuple[int, ...] = BATCHES,
) -> list[dict[str, Any]]:
    """Total correlation of a code by each estimator, through minibatches of each size."""
    rng, records = np.random.default_rng([seed, 1]), []
    mu, logvar = mu.astype("float64"), logvar.astype("float64")
    for batch in batches:
        sums: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
        for _ in range(max(1, CODES // batch)):
            rows = rng.choice(len(mu), batch, replace=False)
            z = mu[rows] + np.exp(logvar[rows] / 2) * rng.standard_normal((batch, mu.shape[1]))
            for name in ESTIMATORS:
                weights = weights_of(name, batch, len(mu))
                y, _ = code_density.forward(z, mu[rows], logvar[rows], weights)
                sums[name].append(float((y[:, 0] - y[:, 1]).mean()))
        means = {name: float(np.mean(values)) for name, values in sums.items()}
        records.append({"seed": seed, "batch": batch, "exact": exact, **means})
    return records


def tables(
    records: list[dict[str, Any]], estimates: list[dict[str, Any]]
) -> list[tuple[str, list[str], list[list[str]]]]:
    """Exact sums by weight, and estimates by size of the minibatch."""
    names = ("nll", "information", "total_correlation", "from_prior", "mig")
    rows = [[f"{tc:g}", *(mean_sd(column(records, n, tc=tc)) for n in names)] for tc in WEIGHTS]
    n = len({r["seed"] for r in records})
    over = f"mean{' ± SD' if n > 1 else ''} over {n} {'seeds' if n > 1 else 'seed'}"
    by_size = [
        [str(b), *(mean_sd(column(estimates, name, batch=b)) for name in ("exact", *ESTIMATORS))]
        for b in BATCHES
    ]
    head = ["weight of TC", "nll", "I(x; z)", "TC", "KL of the dimensions", "MIG"]
    return [
        (f"exact sums over all sprites, nats, {over}", head, rows),
        (
            f"total correlation of the VAE's code by minibatches, nats, {over}",
            ["batch", "exact", *ESTIMATORS],
            by_size,
        ),
    ]


def table_of_gaussians(known: list[dict[str, Any]]) -> tuple[str, list[str], list[list[str]]]:
    """Estimates for posteriors that no model made, by how many there are."""
    rows = [
        [f"{n:,}", *(mean_sd(column(known, name, n=n)) for name in ("exact", *ESTIMATORS))]
        for n in GAUSSIANS
    ]
    title = f"of Gaussian posteriors in 3 dimensions, by minibatches of {BATCHES[0]}, nats"
    return title, ["posteriors in all", "exact", *ESTIMATORS], rows


def report(records: list[dict[str, Any]], estimates: list[dict[str, Any]]) -> str:
    """What came out, in words."""
    exact = column(estimates, "exact", batch=BATCHES[0]).mean()
    small, usual = (
        {name: column(estimates, name, batch=b).mean() for name in ESTIMATORS} for b in (16, 128)
    )
    lines = [
        f"The total correlation of the VAE's code is {exact:.2f} nats. Through minibatches of 16 "
        f"the published weights say {small['published']:.2f}, the same on the diagonal "
        f"{small['stratified']:.2f}, shared evenly {small['even']:.2f}, and weighted sampling "
        f"{small['weighted']:.2f}; through minibatches of 128, {usual['published']:.2f}, "
        f"{usual['stratified']:.2f}, {usual['even']:.2f} and {usual['weighted']:.2f}."
    ]
    first, last = (column(records, "total_correlation", tc=tc).mean() for tc in WEIGHTS[::2])
    gaps = [column(records, "mig", tc=tc).mean() for tc in WEIGHTS[::2]]
    lines.append(
        f"With the weight {WEIGHTS[-1]:g} the exact total correlation is {last:.2f} nats instead "
        f"of {first:.2f}, and the mutual information gap {gaps[1]:.2f} instead of {gaps[0]:.2f}."
    )
    return "\n".join(lines)


def draw(records: list[dict[str, Any]], estimates: list[dict[str, Any]]) -> "Figure":
    """Estimates beside the exact value, and what the weight does to the exact sums."""
    figure = new_figure(9, 3.4)
    left, right = figure.subplots(1, 2)
    # Weighted sampling is some 40 nats above; with few of many data, the first two are alike.
    drawn = {"even": "s--", "stratified": "o-", "published": "o-"}
    for (name, mark), colour in zip(drawn.items(), COLOURS[1:], strict=False):
        values = [column(estimates, name, batch=b).mean() for b in BATCHES]
        left.plot(range(len(BATCHES)), values, mark, color=colour, label=name)
    exact = column(estimates, "exact", batch=BATCHES[0]).mean()
    left.axhline(exact, color=COLOURS[0], label="exact")
    left.set_xticks(range(len(BATCHES)), [str(b) for b in BATCHES])
    left.set_xlabel("examples in a minibatch")
    left.set_ylabel("total correlation, nats")
    left.legend(frameon=False)
    for name, colour, title in (
        ("total_correlation", COLOURS[0], "total correlation, nats"),
        ("mig", COLOURS[1], "mutual information gap"),
    ):
        values = [column(records, name, tc=tc).mean() for tc in WEIGHTS]
        right.plot(range(len(WEIGHTS)), values, "o-", color=colour, label=title)
    right.set_xticks(range(len(WEIGHTS)), [f"{tc:g}" for tc in WEIGHTS])
    right.set_ylim(bottom=0)
    right.set_xlabel("weight of the total correlation")
    right.legend(frameon=False)
    for axes in (left, right):
        lighten(axes)
    return figure
