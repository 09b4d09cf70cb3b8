"""Anomaly detection: a VAE of normal data, and thresholds beyond which something is not normal.

A VAE is trained on a part of the normal examples. What it scores (`scores.py`) in a second
part sets a threshold for each score; what it scores in a third part says how many false alarms that
threshold raises among normal examples that neither the weights nor the threshold were fitted to.

>>> from minivae import anomaly
>>> detector = anomaly.fit("mnist5k", without=["4"])
>>> detector.score("mnist5k")["neg_elbo"]
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data.examples import Examples, read
from ...data.pixels import Pixels
from ...data.tables.form import Form
from ...data.tables.options import TableOptions
from ...engine.backend import Backend
from ...engine.door import door
from ...engine.kinds import Whole
from ...errors import CheckpointError, OptionError, ShapeError
from ...models import VAE
from ...models.network import DEFAULT, find_network
from ...ops import LIKELIHOODS
from ...train.checkpoint import load_checkpoint, save_checkpoint
from ...train.loop import fit as train
from ...train.optim.adam import Adam
from ...train.settings import Settings, Training
from ..statistics import Interval, proportion_interval
from .rates import check_quantile, split, threshold
from .scores import SCORES, score

IMAGES = {"hidden": [400], "latent": 20, "likelihood": "bernoulli", "epochs": 30, "batch": 128}
TABLES = {"hidden": [64], "latent": 4, "likelihood": "gaussian_shared", "epochs": 200, "batch": 32}
"""How a detector is trained if nothing else is asked for."""


@door
@dataclass(frozen=True)
class Alarm:
    """A threshold of one score, and how often normal examples exceed it.

    Attributes
    ----------
    threshold : float
        Nats; a score above it is an alarm.
    quantile : float
        Part of normal examples that was asked to lie below.
    n_threshold : int
        Held-out normal examples that the threshold was taken from.
    false_alarms, n_checked : int
        Alarms among other held-out normal examples, and their number.
    """

    threshold: float
    quantile: float
    n_threshold: int
    false_alarms: int
    n_checked: int

    @property
    def rate(self) -> float:
        """Share of false alarms."""
        return self.false_alarms / self.n_checked

    @property
    def interval(self) -> Interval:
        """The false-alarm rate and its 95 percent interval."""
        return proportion_interval(self.false_alarms, self.n_checked)


@door
@dataclass
class Detector:
    """A VAE of normal data, with what turns its scores into alarms; see `fit`.

    Attributes
    ----------
    training : Training
        The trained model.
    data : dict
        What it was fitted to, JSON types: `name`, `shape`, `normal` (classes, or None), `columns`
        (of a table's file, or None), `n_train`, and `note`, why its scores are no likelihoods, or
        "".
    form : Form, optional
        Columns of a table and their scale.
    samples, seed : int
        Importance samples K, and the seed of their noise.
    alarms : dict of str to Alarm
        For each of `SCORES`.
    """

    training: Training
    data: dict[str, Any]
    form: Form | None
    samples: int
    seed: Whole
    alarms: dict[str, Alarm]

    @property
    def model(self) -> VAE:
        """The model."""
        return self.training.model

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one example."""
        return tuple(self.data["shape"])

    @property
    def noise(self) -> np.ndarray:
        """The noise (K, Z) of every score."""
        shape = (self.samples, self.model.latent)
        drawn = self.model.normal(np.random.default_rng(self.seed), shape)
        return self.model.backend.to_host(drawn)

    def read(self, source: str | Path | np.ndarray, **options: Any) -> Examples:
        """Read examples to score, their columns in the detector's order; options as for `read`.

        Where nothing is said of a table's header and its missing cells, what the detector was
        fitted with counts.

        Raises
        ------
        DataError, ShapeError
            If they are not of the kind that the detector was fitted to.
        """
        form = self.form if self.data["columns"] else None  # those of an array have no names
        examples = read(source, "test", form=form, **options)
        if examples.shape != self.shape:
            raise ShapeError(
                f"{examples.name} has examples of shape {examples.shape}, but the detector was "
                f"fitted to {self.data['name']}, of shape {self.shape}; give data of that shape."
            )
        return examples

    def prepare(self, examples: Examples) -> np.ndarray | Pixels:
        """Rows as the model takes them: a table is standardised.

        Raises
        ------
        DataError
            If they lie outside the likelihood's domain.
        """
        x = examples.x if self.form is None else self.form.apply(examples.x)
        self.model.likelihood.note(x)
        return x

    def score(
        self, source: str | Path | np.ndarray | Examples, *, progress: bool = False
    ) -> dict[str, np.ndarray]:
        """Scores of examples: for each of `SCORES` an array (N,), in nats, higher is odder."""
        examples = source if isinstance(source, Examples) else self.read(source)
        return score(self.model, self.prepare(examples), self.noise, progress=progress)

    def save(self, path: str | Path) -> None:
        """Write the detector as one file, as a whole or not at all."""
        extra = {
            "data": self.data,
            "scale": None if self.form is None else self.form.record(),
            "samples": self.samples,
            "seed": self.seed,
            "alarms": {name: asdict(alarm) for name, alarm in self.alarms.items()},
        }
        save_checkpoint(path, self.training, {"anomaly": extra})


@door
def load(path: str | Path, backend: str | Backend = "auto") -> Detector:
    """Read a detector that `Detector.save` wrote.

    Raises
    ------
    CheckpointError
        If the file is missing, damaged, or no detector.
    """
    training, extra = load_checkpoint(Path(path).expanduser(), backend)
    if not isinstance(extra, dict) or "anomaly" not in extra:
        raise CheckpointError(
            f"{path} is a checkpoint, but not of a detector; make one with `minivae anomaly fit`."
        )
    try:
        kept = extra["anomaly"]
        form = kept["scale"] and Form.from_record(kept["scale"])
        alarms = {name: Alarm(**kept["alarms"][name]) for name in SCORES}
        return Detector(training, kept["data"], form, kept["samples"], kept["seed"], alarms)
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} is a detector whose contents are damaged ({error!r}); fit it again."
        ) from error


@door
def fit(
    source: str | Path | np.ndarray,
    *,
    normal: Collection[str | int] | str = (),
    without: Collection[str | int] | str = (),
    limit: int | None = None,
    held_out: float = 0.2,
    quantile: float = 0.95,
    samples: int = 32,
    network: str = DEFAULT,
    hidden: Sequence[int] | None = None,
    latent: int | None = None,
    likelihood: str | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    lr: float = 1e-3,
    seed: Whole = 0,
    backend: str | Backend = "auto",
    progress: bool = False,
    **table: Any,
) -> Detector:
    """Train a VAE on normal examples, and set the thresholds of its scores on others.

    Parameters
    ----------
    source : str, path or numpy.ndarray
        Normal examples, see `minivae.data.examples.read`; of a set with a test part, the training
        part.
    normal, without : collection of str
        Classes to take as normal, or to leave out; by default all rows are normal.
    held_out : float
        Part of the normal examples that is not trained on: half of it sets the thresholds, half
        checks them.
    quantile : float
        Part of normal examples that shall raise no alarm.
    samples : int
        Importance samples K for each example.
    network, hidden, latent, likelihood, epochs, batch
        As in `VAE` and `Settings`; by default `IMAGES` or `TABLES`.
    limit, lr, seed
        Use at most so many rows; learning rate of Adam; of everything random.
    backend, progress
        Where to compute; whether to show a progress bar.
    **table
        `label`, `ignore`, `header`, `one_hot`, `missing`, `drop_unlabelled` of a table, as in
        `TableOptions`.

    Raises
    ------
    MinivaeError
        If the data cannot be used, before anything is trained.
    """
    check_quantile(quantile)
    kind = find_network(network)
    if samples < 1 or not 0 < held_out < 1:
        raise OptionError(
            f"samples={samples} and held_out={held_out} were given; samples must be at least 1, "
            "and held_out a part between 0 and 1."
        )
    examples = read(source, "train", limit=limit, progress=progress, **table)
    examples, classes = examples.only(normal, without)
    rng = np.random.default_rng(seed)
    first, second, rest = split(len(examples), held_out, quantile, rng)

    is_rows = len(examples.shape) == 1
    usual = (TABLES if is_rows else IMAGES) | ({"hidden": None} if kind.shaped else {})
    asked = zip(IMAGES, (hidden, latent, likelihood, epochs, batch), strict=True)
    chosen = usual | {name: value for name, value in asked if value is not None}
    real = [name for name, other in LIKELIHOODS.items() if other.real]
    if is_rows and chosen["likelihood"] not in real:
        raise OptionError(
            f"likelihood={chosen['likelihood']!r} was given, but the columns of a table are "
            f"standardised; choose one of: {', '.join(real)}."
        )
    form = None
    if is_rows:
        names = examples.fields or [str(d) for d in range(examples.shape[0])]
        form = Form.of(examples.x[rest], names, TableOptions(**table) if examples.fields else None)
        examples = examples.as_in(form)
    columns = examples.columns

    settings = Settings(epochs=chosen["epochs"], batch=chosen["batch"], seed=seed)
    how = {name: chosen[name] for name in ("hidden", "latent", "likelihood")}
    how |= {"network": network, "rng": rng, "backend": backend}
    model = VAE(examples.shape if kind.shaped else math.prod(examples.shape), **how)
    data: dict[str, Any] = {"name": examples.name, "shape": list(examples.shape)}
    data |= {"normal": classes, "columns": columns and list(columns), "n_train": len(rest)}
    data["notes"] = list(examples.notes)
    detector = Detector(Training(model, Adam(lr), rng, settings), data, form, samples, seed, {})

    x = detector.prepare(examples.select(rest))
    data["note"] = model.likelihood.note(x)
    with np.errstate(all="ignore"):  # an overflow ends in a gradient that is refused by name
        train(detector.training, x, progress=progress)
    scores = detector.score(examples.select(first))
    checks = detector.score(examples.select(second))
    for name in SCORES:
        limit_of = threshold(scores[name], quantile)
        false = int((checks[name] > limit_of).sum())
        detector.alarms[name] = Alarm(limit_of, quantile, len(first), false, len(second))
    return detector
